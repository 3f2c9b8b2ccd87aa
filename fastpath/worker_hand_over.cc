#include "fastpath/worker_hand_over.h"

#include <rte_ip.h>

#include <cstring>

#include "fastpath/dispose.h"
#include "fastpath/home_worker.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"

namespace sekisho::fastpath {
namespace {

void Flush(Worker& worker, HandOver::Outgoing& out) {
  const uint16_t count = out.count;
  out.count = 0;
  const unsigned sent = rte_ring_sp_enqueue_burst(
      out.ring, reinterpret_cast<void* const*>(out.waiting.data()), count, nullptr);
  worker.counters.handed_over.Add(sent);
  for (unsigned i = sent; i < count; ++i) {
    Drop(worker, out.waiting[i], DropReason::kHandOverFull);
  }
}

constexpr size_t kSpiInAh = 4;  // RFC 4302, 2

// This worker's own where the packet is too short to have an SPI: somebody has to count it.
WorkerId SpiOwner(const Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  size_t offset = context.l4_offset;
  if (context.kind == PacketKind::kEspInUdp) offset += kUdpHeaderBytes;
  if (context.kind == PacketKind::kAh) offset += kSpiInAh;
  if (mbuf->data_len < offset + sizeof(Be32)) return worker.id;
  Be32 spi;
  std::memcpy(&spi, DataOf(mbuf) + offset, sizeof spi);
  return OwnerOf(Spi{spi.host()}, worker.worker_count);
}

uint32_t IdentificationOf(rte_mbuf* mbuf, const PacketContext& context) {
  if (context.family == 4) return HeaderAt<rte_ipv4_hdr>(mbuf)->packet_id;
  return HeaderAt<rte_ipv6_fragment_ext>(mbuf, context.l4_offset - sizeof(rte_ipv6_fragment_ext))
      ->id;
}

}  // namespace

void HandOverTo(Worker& worker, WorkerId to, HandOverStage stage, rte_mbuf* mbuf) {
  SEKISHO_DCHECK(to != worker.id && static_cast<uint32_t>(to) < worker.worker_count);
  HandOver::Outgoing& out = worker.hand_over.to[static_cast<size_t>(to)];
  PacketContext& context = ContextOf(mbuf);
  context.stage = stage;
  context.tables_generation = worker.tables == nullptr ? 0 : worker.tables->generation;
  out.waiting[out.count++] = mbuf;
  if (out.count == out.waiting.size()) Flush(worker, out);
}

void HandOverToSpiOwners(Worker& worker, Burst burst, PacketList& own) {
  for (rte_mbuf* mbuf : burst) {
    const WorkerId owner = worker.worker_count == 1 ? worker.id : SpiOwner(worker, mbuf);
    if (owner == worker.id) {
      own.Add(mbuf);
    } else {
      HandOverTo(worker, owner, HandOverStage::kDispatch, mbuf);
    }
  }
}

bool HandOverToFragmentHome(Worker& worker, rte_mbuf* fragment) {
  if (worker.worker_count == 1) return false;
  const PacketContext& context = ContextOf(fragment);
  const WorkerId home =
      HomeOfFragments(SourceOf(fragment, context), DestinationOf(fragment, context),
                      IdentificationOf(fragment, context), worker.worker_count);
  if (home == worker.id) return false;
  HandOverTo(worker, home, HandOverStage::kDispatch, fragment);
  return true;
}

void FlushHandOver(Worker& worker) {
  for (size_t i = 0; i < worker.worker_count; ++i) {
    HandOver::Outgoing& out = worker.hand_over.to[i];
    if (out.count > 0) Flush(worker, out);
  }
}

size_t TakeHandedOver(Worker& worker, size_t from, std::span<rte_mbuf*> mbufs) {
  rte_ring* ring = worker.hand_over.from[from];
  if (ring == nullptr) return 0;
  const unsigned count = rte_ring_sc_dequeue_burst(ring, reinterpret_cast<void**>(mbufs.data()),
                                                   static_cast<unsigned>(mbufs.size()), nullptr);
  worker.counters.taken_over.Add(count);
  return count;
}

}  // namespace sekisho::fastpath
