#include "fastpath/forward.h"

#include "fastpath/dispose.h"
#include "fastpath/follow_flows.h"
#include "fastpath/icmp_error.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/protect.h"
#include "fastpath/punt.h"
#include "fastpath/reassemble.h"
#include "fastpath/tcp_mss.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

// What a policy says, or the implicit DISCARD, which has a name of its own.
DropReason Denial(const Worker& worker, const PacketContext& context) {
  if (context.policy == kNoPolicy) return DropReason::kSpdNoPolicy;
  switch (worker.tables->spd->action(context.policy)) {
    case PolicyAction::kBypass:
      return DropReason::kNone;
    case PolicyAction::kProtect:
      return DropReason::kSpdClearInbound;
    case PolicyAction::kDiscard:
      break;
  }
  return DropReason::kSpdDiscard;
}

bool IsOptional(const Worker& worker, const PacketContext& context) {
  return worker.tables->spd->is_optional(context.policy);
}

// What came in clear under an optional policy is learned where its flow has its home.
bool GoesToSourceHome(Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  return worker.worker_count > 1 && IsOptional(worker, context) &&
         HandOverToFlowHome(worker, HandOverStage::kDispatch, SourceOf(mbuf, context), mbuf);
}

// On the way out what PROTECT claims may be a flow's.
bool GoesToDestinationHome(Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  return worker.worker_count > 1 &&
         (IsOptional(worker, context) || worker.esp.outbound->has_flows()) &&
         HandOverToFlowHome(worker, HandOverStage::kDecide, DestinationOf(mbuf, context), mbuf);
}

// The same of what came in clear. Under an optional policy that is allowed, and its answers are to
// go the same way; where it cannot be told apart from another's it is dropped here, and false
// returned.
bool Admit(Worker& worker, rte_mbuf* mbuf, DropReason& denial) {
  const PacketContext& context = ContextOf(mbuf);
  denial = Denial(worker, context);
  if (!IsOptional(worker, context)) return true;
  denial = DropReason::kNone;
  return FollowClear(worker, mbuf);
}

void CountHit(const Worker& worker, const PacketContext& context) {
  if (context.policy == kNoPolicy) return;
  worker.tables->hits[static_cast<size_t>(worker.id)][context.policy].Add(1);
}

// Requires: a packet that its policy lets through.
void Clamp(const Spd& spd, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  if (!spd.clamps_mss() || context.policy == kNoPolicy) return;
  const uint16_t mss_max = spd.handling(context.policy).tcp_mss_max;
  if (mss_max != 0 && IsTcpSyn(mbuf, context)) ClampMss(mbuf, context, mss_max);
}

// SYNs out of tunnels: their SA let them through, and which policy's SA it is the SPD says. It does
// not decide here, and does not count.
void ClampDecapsulated(const Spd& spd, Burst burst) {
  if (!spd.clamps_mss()) return;
  PacketList syns;
  for (rte_mbuf* mbuf : burst) {
    if (ContextOf(mbuf).decapsulated && IsTcpSyn(mbuf, ContextOf(mbuf))) syns.Add(mbuf);
  }
  spd.ClassifyInbound(syns.burst());
  for (rte_mbuf* mbuf : syns.burst()) {
    Clamp(spd, mbuf);
    ContextOf(mbuf).policy = kNoPolicy;
  }
}

// Policies see ports: a fragment goes on as the packet that it becomes.
void ForwardWhole(Worker& worker, rte_mbuf* fragment) {
  rte_mbuf* whole = Reassemble(worker, fragment);
  if (whole != nullptr) Forward(worker, {&whole, 1});
}

void AdmitTransit(Worker& worker, Burst burst, PacketList& admitted) {
  PacketList clear;
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    if (!CameInClear(worker, context)) {
      admitted.Add(mbuf);
    } else if (IsSpoofed(worker, mbuf)) {
      Drop(worker, mbuf, DropReason::kIpSpoofed);
    } else if (context.fragment) {
      ForwardWhole(worker, mbuf);
    } else {
      clear.Add(mbuf);
    }
  }
  ClampDecapsulated(*worker.tables->spd, admitted.burst());
  worker.tables->spd->ClassifyInbound(clear.burst());
  for (rte_mbuf* mbuf : clear.burst()) {
    if (GoesToSourceHome(worker, mbuf)) continue;
    CountHit(worker, ContextOf(mbuf));
    DropReason denial;
    if (!Admit(worker, mbuf, denial)) continue;
    if (denial != DropReason::kNone) {
      Drop(worker, mbuf, denial);
    } else {
      Clamp(*worker.tables->spd, mbuf);
      admitted.Add(mbuf);
    }
  }
}

// Counts down; false when it ran out.
bool PassesTtl(rte_mbuf* mbuf, const PacketContext& context) {
  uint8_t* header = DataOf(mbuf);
  if ((context.family == 4 ? header[8] : header[7]) <= 1) return false;
  CountDownTtl(header, context.family);
  return true;
}

// Sets next_hop. False: dropped.
bool RouteOne(Worker& worker, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  const IpAddress destination = DestinationOf(mbuf, context);
  // An ICMP error about what the machine's own stack sent.
  if (context.ours && worker.host.port != kNoPort && worker.local->Find(destination) != nullptr) {
    context.next_hop = &worker.host;
    return true;
  }
  // RFC 4291, 2.5.6; RFC 3927, 2.7: these stay on their link.
  if (!context.ours && (destination.is_link_local() || SourceOf(mbuf, context).is_link_local())) {
    Drop(worker, mbuf, DropReason::kIpMartian);
    return false;
  }
  context.next_hop = worker.tables->routes.LookUp(destination);
  if (context.next_hop == nullptr) {
    Drop(worker, mbuf, DropReason::kNoRoute);
    return false;
  }
  return true;
}

bool PassTtl(Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  if (context.ours || CameFromHost(worker, context) || PassesTtl(mbuf, context)) return true;
  SendTimeExceeded(worker, mbuf);
  Drop(worker, mbuf, DropReason::kIpTtlExceeded);
  return false;
}

void RouteTransit(Worker& worker, Burst burst, PacketList& inside, PacketList& outside) {
  for (rte_mbuf* mbuf : burst) {
    if (!RouteOne(worker, mbuf)) continue;
    const PacketContext& context = ContextOf(mbuf);
    const bool out = PortAt(worker, context.next_hop->port).side == PortSide::kOutside;
    if (out && context.fragment) {
      ForwardWhole(worker, mbuf);
    } else if (PassTtl(worker, mbuf)) {
      (out ? outside : inside).Add(mbuf);
    }
  }
}

// An optional policy has its packets protected where that can be for one peer only: by an SA that
// is not told from others by its flows.
bool HasSaOfItsOwn(const Worker& worker, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  worker.esp.outbound->LookUp({&mbuf, 1});
  if (context.outbound_sa == nullptr) return false;
  if (!OutboundSad::HasFlows(*context.outbound_sa)) return true;
  context.outbound_sa = nullptr;
  return false;
}

// What PROTECT claims goes back by the flow that it belongs to, else by the SAs' selectors.
void DecideProtected(Worker& worker, rte_mbuf* mbuf, PacketList& clear, PacketList& protect) {
  const bool optional = IsOptional(worker, ContextOf(mbuf));
  switch (FindWayBack(worker, mbuf)) {
    case WayBack::kSa:
      return protect.Add(mbuf);
    case WayBack::kUnknown:
      return (optional && !HasSaOfItsOwn(worker, mbuf) ? clear : protect).Add(mbuf);
    case WayBack::kClear:
      if (optional) return clear.Add(mbuf);
      break;  // the policy has changed
    case WayBack::kNoSa:
      break;
  }
  ReportAcquire(worker, mbuf);
  Drop(worker, mbuf, DropReason::kSpdNoSa);
}

void DecideOutbound(Worker& worker, Burst burst, PacketList& clear, PacketList& protect) {
  StageTimer timer(worker.esp.stages, Stage::kClassify);
  worker.tables->spd->ClassifyOutbound(burst);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const DropReason denial = Denial(worker, context);
    if (denial == DropReason::kSpdClearInbound && GoesToDestinationHome(worker, mbuf)) continue;
    CountHit(worker, context);
    if (denial == DropReason::kSpdClearInbound) {
      Clamp(*worker.tables->spd, mbuf);
      context.handling = worker.tables->spd->handling(context.policy);
      DecideProtected(worker, mbuf, clear, protect);
    } else if (denial == DropReason::kNone || context.answers_clear) {
      Clamp(*worker.tables->spd, mbuf);
      clear.Add(mbuf);
    } else {
      Drop(worker, mbuf, denial);
    }
  }
}

}  // namespace

bool IsSpoofed(Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const WorkerPort* in = PortIn(worker, context);
  if (in == nullptr || !in->reverse_path || worker.tables == nullptr) return false;
  if (!CameInClear(worker, context)) return false;
  const NextHop* back = worker.tables->routes.LookUp(SourceOf(mbuf, context));
  return back != nullptr && PortAt(worker, back->port).side == PortSide::kInside;
}

void Forward(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  StageTimer timer(worker.esp.stages, Stage::kForward);
  if (worker.tables == nullptr) {
    for (rte_mbuf* mbuf : burst) Drop(worker, mbuf, DropReason::kNoRoute);
    return;
  }
  PacketList admitted, inside, outside, clear, protect;
  AdmitTransit(worker, burst, admitted);
  RouteTransit(worker, admitted.burst(), inside, outside);
  Deliver(worker, inside.burst());
  DecideOutbound(worker, outside.burst(), clear, protect);
  Deliver(worker, clear.burst());
  Protect(worker, protect.burst());
}

void DecideAgain(Worker& worker, Burst burst) {
  PacketList inside, outside, clear, protect;
  for (rte_mbuf* mbuf : burst) {
    ContextOf(mbuf).policy = kNoPolicy;
    if (worker.tables == nullptr) {
      Drop(worker, mbuf, DropReason::kNoRoute);
    } else if (RouteOne(worker, mbuf)) {
      const PortId out = ContextOf(mbuf).next_hop->port;
      (PortAt(worker, out).side == PortSide::kOutside ? outside : inside).Add(mbuf);
    }
  }
  Deliver(worker, inside.burst());
  if (outside.empty()) return;
  DecideOutbound(worker, outside.burst(), clear, protect);
  Deliver(worker, clear.burst());
  Protect(worker, protect.burst());
}

void RouteOwn(Worker& worker, Burst burst) {
  StageTimer timer(worker.esp.stages, Stage::kForward);
  PacketList routed;
  for (rte_mbuf* mbuf : burst) {
    ContextOf(mbuf).ours = true;
    if (worker.tables == nullptr) {
      Drop(worker, mbuf, DropReason::kNoRoute);
    } else if (RouteOne(worker, mbuf)) {
      routed.Add(mbuf);
    }
  }
  Deliver(worker, routed.burst());
}

void AdmitLocal(Worker& worker, Burst burst, PacketList& admitted, ForWhom for_whom) {
  PacketList clear;
  for (rte_mbuf* mbuf : burst) {
    if (IsSpoofed(worker, mbuf)) {
      Drop(worker, mbuf, DropReason::kIpSpoofed);
      continue;
    }
    (CameInClear(worker, ContextOf(mbuf)) ? clear : admitted).Add(mbuf);
  }
  if (clear.empty()) return;
  if (worker.tables != nullptr) worker.tables->spd->ClassifyInbound(clear.burst());
  for (rte_mbuf* mbuf : clear.burst()) {
    const PacketContext& context = ContextOf(mbuf);
    const LocalAddresses::Entry* entry = worker.local->Find(DestinationOf(mbuf, context));
    DropReason denial = DropReason::kSpdNoPolicy;
    if (worker.tables != nullptr &&
        (GoesToSourceHome(worker, mbuf) || !Admit(worker, mbuf, denial))) {
      continue;
    }
    const bool answered = for_whom == ForWhom::kWorker && entry != nullptr &&
                          entry->side == PortSide::kOutside &&
                          denial != DropReason::kSpdClearInbound;
    if (denial == DropReason::kNone || answered) {
      admitted.Add(mbuf);
    } else {
      Drop(worker, mbuf, denial);
    }
  }
}

}  // namespace sekisho::fastpath
