// rte_ip_frag_table_del_expired_entries() is still marked experimental in DPDK 22.11.
#define ALLOW_EXPERIMENTAL_API

#include "fastpath/reassemble.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_random.h>

#include <bit>
#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/hand_over.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr uint32_t kBucketEntries = 16;

// What the table gave up in the meantime, under `reason`. Where it found a hole when it had begun
// to join, some pieces hang together.
void DropGivenUp(Worker& worker, DropReason reason) {
  rte_ip_frag_death_row& row = worker.reassembly.given_up;
  for (uint32_t i = 0; i < row.cnt; ++i) {
    const PacketContext& context = ContextOf(row.row[i]);
    const uint16_t pieces = row.row[i]->nb_segs;
    uint16_t& of_source = worker.reassembly.held_by_source[context.fragment_source];
    of_source = static_cast<uint16_t>(of_source - pieces);
    worker.reassembly.held -= pieces;
    CountDrops(worker, context.port_in, reason, pieces - 1u);
    Drop(worker, row.row[i], reason);
  }
  row.cnt = 0;
}

FragmentOrigin OriginOf(const Worker& worker, const PacketContext& context) {
  if (context.decapsulated) return FragmentOrigin::kTunnel;
  return CameInClear(worker, context) ? FragmentOrigin::kOutsideClear : FragmentOrigin::kInside;
}

// Where the fragments of its source are counted.
uint16_t SourceOfFragment(const Worker& worker, rte_mbuf* mbuf, const PacketContext& context) {
  const uint8_t* header = DataOf(mbuf);
  const uint64_t address = context.family == 4 ? LoadBigEndian<uint32_t>(header + 12)
                                               : LoadBigEndian<uint64_t>(header + 8);
  // The top bits of a product with a secret: two addresses meet in one of 2,048 secrets, whichever
  // they are. (Of a CRC a stranger could choose addresses that meet under every start value.)
  constexpr int kShift = 64 - std::bit_width(kFragmentSources - 1);
  const auto hash = static_cast<size_t>(address * worker.reassembly.source_secret >> kShift);
  const size_t origin = static_cast<size_t>(OriginOf(worker, context));
  return static_cast<uint16_t>(origin * kFragmentSources + hash);
}

rte_mbuf* AddToTable(Worker& worker, rte_mbuf* mbuf, const PacketContext& context) {
  ReassemblyTable& reassembly = worker.reassembly;
  rte_ip_frag_tbl* table = reassembly.tables[static_cast<size_t>(OriginOf(worker, context))].get();
  mbuf->l2_len = 0;
  mbuf->l3_len = context.l4_offset & 0x1ffu;
  ++reassembly.held;
  if (context.family == 4) {
    return rte_ipv4_frag_reassemble_packet(table, &reassembly.given_up, mbuf, worker.now_tsc,
                                           HeaderAt<rte_ipv4_hdr>(mbuf));
  }
  return rte_ipv6_frag_reassemble_packet(
      table, &reassembly.given_up, mbuf, worker.now_tsc, HeaderAt<rte_ipv6_hdr>(mbuf),
      HeaderAt<rte_ipv6_fragment_ext>(mbuf, context.l4_offset - sizeof(rte_ipv6_fragment_ext)));
}

// Into one segment, of an ordinary buffer where it fits. nullptr: no buffer; `chain` is unchanged.
rte_mbuf* Linearize(Worker& worker, rte_mbuf* chain) {
  if (chain->nb_segs == 1) return chain;
  rte_mbuf* whole = rte_pktmbuf_alloc(worker.packets);
  // An ESP tail and a trip through encapsulation need the same room that a frame leaves.
  constexpr uint32_t kTailRoom = 128;
  if (whole != nullptr && chain->pkt_len + kTailRoom > rte_pktmbuf_tailroom(whole)) {
    rte_pktmbuf_free(whole);
    whole = rte_pktmbuf_alloc(worker.large_packets);
  }
  if (whole == nullptr) return nullptr;
  TakeFromDpdk(whole);
  if (chain->pkt_len + kTailRoom > rte_pktmbuf_tailroom(whole)) {
    rte_pktmbuf_free(whole);
    return nullptr;
  }
  uint8_t* to = DataOf(whole);
  for (rte_mbuf* segment = chain; segment != nullptr; segment = segment->next) {
    std::memcpy(to, DataOf(segment), segment->data_len);
    to += segment->data_len;
  }
  whole->pkt_len = chain->pkt_len;
  whole->data_len = static_cast<uint16_t>(chain->pkt_len);
  ContextOf(whole) = ContextOf(chain);
  for (rte_mbuf* segment = chain; segment != nullptr; segment = segment->next) GiveToDpdk(segment);
  return whole;
}

void WriteChecksum(rte_mbuf* mbuf) {
  auto* ip = HeaderAt<rte_ipv4_hdr>(mbuf);
  ip->hdr_checksum = 0;
  ip->hdr_checksum = ChecksumFrom(OnesSum({DataOf(mbuf), size_t{ip->ihl} * 4u}));
}

}  // namespace

absl::StatusOr<ReassemblyTable> CreateReassemblyTable(uint64_t tsc_hz) {
  ReassemblyTable reassembly;
  reassembly.source_secret = rte_rand() | 1;
  reassembly.held_by_source.resize(kFragmentOrigins * kFragmentSources);
  for (auto& table : reassembly.tables) {
    table.reset(rte_ip_frag_table_create(kReassemblyPacketsMax / kBucketEntries, kBucketEntries,
                                         kReassemblyPacketsMax, tsc_hz * kReassemblyTimeoutSeconds,
                                         SOCKET_ID_ANY));
    if (table == nullptr) {
      return absl::ResourceExhaustedError(
          "reassembly: no memory for the tables; give more under memory.megabytes");
    }
  }
  return reassembly;
}

rte_mbuf* Reassemble(Worker& worker, rte_mbuf* fragment) {
  const uint16_t source = SourceOfFragment(worker, fragment, ContextOf(fragment));
  ContextOf(fragment).fragment_source = source;
  const PacketContext context = ContextOf(fragment);
  // librte_ip_frag knows the fragment header only directly after the IPv6 header.
  if (context.family == 6 &&
      (DataOf(fragment)[6] != IPPROTO_FRAGMENT || context.l4_offset != sizeof(rte_ipv6_hdr) + 8)) {
    Drop(worker, fragment, DropReason::kIpFragment);
    return nullptr;
  }
  if (HandOverToFragmentHome(worker, fragment)) return nullptr;
  uint16_t& of_source = worker.reassembly.held_by_source[source];
  if (of_source >= kFragmentsPerSourceMax) {
    Drop(worker, fragment, DropReason::kReassemblySource);
    return nullptr;
  }
  ++of_source;
  rte_mbuf* chain = AddToTable(worker, fragment, context);
  DropGivenUp(worker, DropReason::kReassemblyFailed);
  if (chain == nullptr) return nullptr;

  // Of the pieces one goes on as the packet; the others have served.
  const uint64_t pieces = chain->nb_segs;
  worker.reassembly.held -= pieces;
  of_source = static_cast<uint16_t>(of_source - pieces);
  rte_mbuf* whole = Linearize(worker, chain);
  if (whole == nullptr) {
    CountDrops(worker, context.port_in, DropReason::kNoMbuf, pieces);
    rte_pktmbuf_free(chain);
    return nullptr;
  }
  if (whole != chain) rte_pktmbuf_free(chain);
  worker.counters.consumed.Add(pieces - 1);

  PacketContext& parsed = ContextOf(whole);
  if (parsed.family == 4) WriteChecksum(whole);
  if (!ParseIp(whole, parsed)) {
    Drop(worker, whole, parsed.reason);
    return nullptr;
  }
  parsed.reassembled = true;
  return whole;
}

void ExpireFragments(Worker& worker) {
  // One call gives up no more than a death row holds.
  for (uint64_t before = 0; worker.reassembly.held > 0 && worker.reassembly.held != before;) {
    before = worker.reassembly.held;
    for (const auto& table : worker.reassembly.tables) {
      rte_ip_frag_table_del_expired_entries(table.get(), &worker.reassembly.given_up,
                                            worker.now_tsc);
      DropGivenUp(worker, DropReason::kReassemblyTimeout);
    }
  }
}

}  // namespace sekisho::fastpath
