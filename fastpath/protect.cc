#include "fastpath/protect.h"

#include <rte_ip.h>
#include <rte_prefetch.h>

#include "fastpath/dispose.h"
#include "fastpath/esp_encap.h"
#include "fastpath/forward.h"
#include "fastpath/icmp_error.h"
#include "fastpath/mbuf.h"
#include "fastpath/punt.h"
#include "fastpath/transport_header.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIpv6MtuMin = 1280;  // RFC 8200, 5: no sender need go below

void PrefetchSa(const OutboundSa& sa) {
  rte_prefetch0(&sa);
  rte_prefetch0(&sa.outer_header);
  rte_prefetch0(&sa.sequence_next);
}

// 0: goes on as it is, the ESP packet in fragments if it must. Otherwise: the size its sender has
// to be told.
size_t TooBigFor(const OutboundSa& sa, rte_mbuf* mbuf, size_t mtu) {
  const size_t clear_bytes = sa.layout.transport ? ClearHeadersOf(SpanOf(mbuf)).bytes : 0u;
  if (EncapsulatedSize(sa, mbuf->pkt_len, clear_bytes) <= mtu) return 0;
  const PacketContext& context = ContextOf(mbuf);
  if (context.ours || context.reassembled) return 0;
  const size_t inner_max = InnerSizeMax(sa, mtu, clear_bytes);
  if (context.family == 6) return inner_max < kIpv6MtuMin ? 0 : inner_max;
  const uint16_t flags = Be16::FromRaw(HeaderAt<rte_ipv4_hdr>(mbuf)->fragment_offset).host();
  return (flags & RTE_IPV4_HDR_DF_FLAG) != 0 ? inner_max : 0;
}

// To the owners of their SAs, those that have one; what is this worker's own stays.
void HandOverToSaOwners(Worker& worker, Burst burst, PacketList& own) {
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    if (context.outbound_sa == nullptr) {
      ReportAcquire(worker, mbuf);
      Drop(worker, mbuf, DropReason::kSpdNoSa);
    } else if (context.sa_owner != worker.id) {
      HandOverTo(worker, context.sa_owner, HandOverStage::kProtect, mbuf);
    } else {
      PrefetchSa(*context.outbound_sa);
      own.Add(mbuf);
    }
  }
}

// Requires: each packet's SA is this worker's own.
void ProtectOwn(Worker& worker, Burst burst) {
  PacketList submitted;
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    const size_t mtu = PortAt(worker, context.next_hop->port).mtu;
    const size_t told = TooBigFor(*context.outbound_sa, mbuf, mtu);
    if (told != 0) {
      SendTooBig(worker, mbuf, told);
      Drop(worker, mbuf, DropReason::kTooBig);
      continue;
    }
    submitted.Add(mbuf);
  }
  PacketList dropped;
  EspEncapSubmit(worker.esp, submitted.burst(), dropped);
  DropAll(worker, dropped);
}

}  // namespace

void Protect(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  PacketList by_selectors;
  for (rte_mbuf* mbuf : burst) {
    if (ContextOf(mbuf).outbound_sa == nullptr) by_selectors.Add(mbuf);  // no flow named one
  }
  worker.esp.outbound->LookUp(by_selectors.burst());
  PacketList own;
  HandOverToSaOwners(worker, burst, own);
  ProtectOwn(worker, own.burst());
}

void ProtectHandedOver(Worker& worker, Burst burst) {
  PacketList own, anew, undecided;
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    context.outbound_sa =
        worker.esp.outbound->Owned(worker.id, context.sa_slot, context.sa_generation);
    // What the other worker decided under tables that this one does not use names nothing here.
    const bool same_tables =
        worker.tables != nullptr && context.tables_generation == worker.tables->generation;
    if (context.by_flow && (context.outbound_sa == nullptr || !same_tables)) {
      // It has one SA, and its port is put back already: it cannot be decided again.
      Drop(worker, mbuf, DropReason::kSpdNoSa);
    } else if (!same_tables) {
      context.outbound_sa = nullptr;
      undecided.Add(mbuf);
    } else if (context.outbound_sa == nullptr) {
      anew.Add(mbuf);  // the SA is gone: another may have taken its place
    } else {
      PrefetchSa(*context.outbound_sa);
      own.Add(mbuf);
    }
  }
  ProtectOwn(worker, own.burst());
  Protect(worker, anew.burst());
  DecideAgain(worker, undecided.burst());
}

}  // namespace sekisho::fastpath
