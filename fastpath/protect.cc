#include "fastpath/protect.h"

#include <rte_ip.h>

#include "fastpath/adjacency.h"
#include "fastpath/ah_encap.h"
#include "fastpath/dispose.h"
#include "fastpath/esp_encap.h"
#include "fastpath/forward.h"
#include "fastpath/fragment.h"
#include "fastpath/icmp_error.h"
#include "fastpath/mbuf.h"
#include "fastpath/path_mtu.h"
#include "fastpath/punt.h"
#include "fastpath/recall.h"
#include "fastpath/transport_header.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIpv6MtuMin = 1280;  // RFC 8200, 5: no sender need go below

// How a packet goes through an SA whose packets may have `mtu` bytes.
enum class Fit : uint8_t {
  kWhole,     // as it is; the ESP packet in fragments if it must
  kInPieces,  // in fragments, each of which is encrypted
  kNot,       // its sender is told the size that would
};

// By us: a packet that we made, or that came in pieces; by anybody: one of IPv4 without DF.
bool MayBeCut(rte_mbuf* mbuf, const PacketContext& context) {
  if (context.ours || context.reassembled) return true;
  if (context.family == 6) return false;
  const uint16_t flags = Be16::FromRaw(HeaderAt<rte_ipv4_hdr>(mbuf)->fragment_offset).host();
  return (flags & RTE_IPV4_HDR_DF_FLAG) == 0;
}

// Before ESP in transport mode: the packet's own IP header, and what stands with it.
size_t ClearBytes(const OutboundSa& sa, rte_mbuf* mbuf) {
  return sa.layout.transport ? ClearHeadersOf(SpanOf(mbuf)).bytes : 0u;
}

Fit FitOf(const OutboundSa& sa, rte_mbuf* mbuf, size_t mtu) {
  const size_t clear_bytes = ClearBytes(sa, mbuf);
  if (EncapsulatedSize(sa, mbuf->pkt_len, clear_bytes) <= mtu) return Fit::kWhole;
  const PacketContext& context = ContextOf(mbuf);
  const Handling& handling = context.handling;
  if (MayBeCut(mbuf, context)) {
    const bool before = handling.fragment_before_encryption || handling.df == Handling::Df::kSet;
    // Neither transport mode nor selectors with ports take fragments (RFC 4301, 4.1 and 7.1).
    const bool takes_pieces = !sa.layout.transport && !sa.selectors->names_ports();
    return before && takes_pieces ? Fit::kInPieces : Fit::kWhole;
  }
  if (handling.df == Handling::Df::kClear) return Fit::kWhole;
  // An IPv6 sender need not go below the least that a link carries.
  const bool below = context.family == 6 && InnerSizeMax(sa, mtu, clear_bytes) < kIpv6MtuMin;
  return below ? Fit::kWhole : Fit::kNot;
}

// Packets on their way into SAs of this worker; those of one SA stay in order.
class Submission {
 public:
  explicit Submission(Worker& worker) : worker_(worker) {}
  void Add(rte_mbuf* mbuf) {
    const bool ah = ContextOf(mbuf).outbound_sa->protocol == IpsecProtocol::kAh;
    PacketList& list = ah ? ah_ : esp_;
    list.Add(mbuf);
    if (list.size() == kBurstMax) Flush();
  }
  void Flush() {
    PacketList passed, dropped;
    EspEncapSubmit(worker_.esp, esp_.burst(), passed, dropped);
    AhEncapSubmit(worker_.esp, ah_.burst(), passed, dropped);
    DropAll(worker_, dropped);
    SendProtected(worker_, passed.burst());
    esp_.Clear();
    ah_.Clear();
  }

 private:
  Worker& worker_;
  PacketList esp_, ah_;
};

[[gnu::cold]] void ProtectPieces(Worker& worker, rte_mbuf* mbuf, size_t piece_max,
                                 Submission& submission) {
  FragmentList pieces;
  const size_t count = FragmentPacket(worker, mbuf, static_cast<uint16_t>(piece_max), pieces);
  if (count == 0) return Drop(worker, mbuf, DropReason::kNoMbuf);
  Consume(worker, mbuf);
  worker.counters.made_here.Add(count);
  for (size_t i = 0; i < count; ++i) submission.Add(pieces[i]);
}

// To the owners of their SAs, those that have one; what is this worker's own stays.
void HandOverToSaOwners(Worker& worker, Burst burst, PacketList& own) {
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
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
  Submission submission(worker);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const OutboundSa& sa = *context.outbound_sa;
    // What leaves is a packet of the last of nested SAs; the path is known of that one.
    const OutboundSa* then = sa.then_slot_plus_one == 0 ? nullptr : worker.esp.outbound->Then(sa);
    context.path_mtu = PathMtuOf(then == nullptr ? sa : *then,
                                 PortAt(worker, context.next_hop->port).mtu, worker.now_tsc);
    const size_t mtu = size_t{context.path_mtu} - sa.then_bytes;
    switch (FitOf(sa, mbuf, mtu)) {
      case Fit::kWhole:
        Remember(worker, mbuf);
        submission.Add(mbuf);
        break;
      case Fit::kInPieces:
        ProtectPieces(worker, mbuf, InnerSizeMax(sa, mtu), submission);
        break;
      case Fit::kNot:
        SendTooBig(worker, mbuf, InnerSizeMax(sa, mtu, ClearBytes(sa, mbuf)));
        Drop(worker, mbuf, DropReason::kTooBig);
        break;
    }
  }
  submission.Flush();
}

}  // namespace

void Protect(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  PacketList by_selectors;
  for (rte_mbuf* mbuf : burst) {
    if (ContextOf(mbuf).outbound_sa == nullptr) by_selectors.Add(mbuf);  // no flow named one
  }
  {
    StageTimer timer(worker.esp.stages, Stage::kSaLookUp);
    worker.esp.outbound->LookUp(by_selectors.burst());
  }
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
