#include "fastpath/follow_flows.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/home_worker.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/transport_header.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kEchoRequestV4 = 8, kEchoReplyV4 = 0;
constexpr uint8_t kEchoRequestV6 = 128, kEchoReplyV6 = 129;
constexpr size_t kIcmpHeaderBytes = 8, kEchoIdAt = 4;
constexpr uint8_t kTcpFin = 1, kTcpReset = 4;
constexpr size_t kTcpFlagsAt = 13;

// What of a packet says which flow it belongs to.
struct View {
  enum class Kind : uint8_t {
    kPlain,  // of the flow
    kQuote,  // an ICMP error about a packet of the flow, in the other direction
    kNone,   // of no flow
  };
  Kind kind = Kind::kNone;
  FlowKey key;
  size_t port_at = 0;  // where the remote port or identifier stands; 0: has none
};

bool HasPorts(uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

bool IsIcmp(const PacketContext& context) {
  return context.protocol ==
         (context.family == 4 ? uint8_t{IPPROTO_ICMP} : uint8_t{IPPROTO_ICMPV6});
}

bool IsIcmpError(uint8_t family, uint8_t type) {
  return family == 6 ? type < 128 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// The packet that an ICMP error is about. Its addresses are not looked at: NAT changed them, and
// those of the message itself are right.
void ViewQuote(rte_mbuf* mbuf, const PacketContext& context, bool inbound, View& view) {
  const size_t at = context.l4_offset + kIcmpHeaderBytes;
  if (at + kIpv4HeaderBytes > mbuf->data_len) return;
  const uint8_t* quote = DataOf(mbuf) + at;
  size_t header_bytes = kIpv6HeaderBytes;
  if (context.family == 4) header_bytes = size_t{quote[0] & 0xfu} * 4;
  if (quote[0] >> 4 != context.family || header_bytes < kIpv4HeaderBytes ||
      at + header_bytes + 8 > mbuf->data_len) {
    return;
  }
  view.kind = View::Kind::kQuote;
  view.key.protocol = quote[context.family == 4 ? 9 : 6];
  const size_t upper = at + header_bytes;
  if (HasPorts(view.key.protocol)) {
    // On the way in it is about a packet of ours, whose destination the remote end was.
    view.port_at = upper + (inbound ? 2 : 0);
    view.key.local_port = LoadBigEndian<uint16_t>(DataOf(mbuf) + upper + (inbound ? 0 : 2));
  } else if (view.key.protocol == context.protocol) {
    view.port_at = upper + kEchoIdAt;
  }
}

void ViewIcmp(rte_mbuf* mbuf, const PacketContext& context, bool inbound, View& view) {
  const uint8_t type = DataOf(mbuf)[context.l4_offset];
  const bool request = type == (context.family == 4 ? kEchoRequestV4 : kEchoRequestV6);
  const bool reply = type == (context.family == 4 ? kEchoReplyV4 : kEchoReplyV6);
  if (IsIcmpError(context.family, type)) return ViewQuote(mbuf, context, inbound, view);
  if (context.l4_offset + kIcmpHeaderBytes > mbuf->data_len) return;
  if (!request && !reply) {
    view.kind = View::Kind::kPlain;
  } else if (inbound == request) {
    // An echo that the remote end began. The identifier of one that we began is ours.
    view.kind = View::Kind::kPlain;
    view.port_at = context.l4_offset + kEchoIdAt;
  }
}

View ViewOf(rte_mbuf* mbuf, const PacketContext& context, bool inbound) {
  View view;
  if (context.fragment) return view;
  const PacketSelectors ends = inbound ? InboundSelectors(mbuf) : OutboundSelectors(mbuf);
  view.key = {.local = ends.local,
              .remote = ends.remote,
              .local_port = 0,
              .remote_port = 0,
              .family = context.family,
              .protocol = context.protocol};
  if (IsIcmp(context)) {
    ViewIcmp(mbuf, context, inbound, view);
  } else {
    view.kind = View::Kind::kPlain;
    if (HasPorts(context.protocol)) {
      view.key.local_port = ends.local_port;
      view.port_at = context.l4_offset + (inbound ? 0u : 2u);
    }
  }
  if (view.port_at != 0) {
    view.key.remote_port = LoadBigEndian<uint16_t>(DataOf(mbuf) + view.port_at);
  }
  return view;
}

// The ICMP checksum covers a quotation too.
uint8_t* ChecksumOver(rte_mbuf* mbuf, const PacketContext& context) {
  if (IsIcmp(context)) return DataOf(mbuf) + context.l4_offset + 2;
  return TransportChecksum(mbuf, context);
}

void SetRemotePort(rte_mbuf* mbuf, const View& view, bool inbound, uint16_t port) {
  PacketContext& context = ContextOf(mbuf);
  uint8_t* at = DataOf(mbuf) + view.port_at;
  uint16_t before, after;
  std::memcpy(&before, at, sizeof before);
  StoreBigEndian<uint16_t>(at, port);
  std::memcpy(&after, at, sizeof after);
  // In a quotation that begins at an odd place words would straddle: it never does.
  if (uint8_t* checksum = ChecksumOver(mbuf, context)) {
    ExchangeInChecksum(checksum, context.protocol, before, after);
  }
  if (IsIcmp(context)) return;
  (inbound ? context.source_port : context.destination_port) = port;
}

void Note(Flow& flow, rte_mbuf* mbuf, const PacketContext& context, bool inbound,
          uint64_t now_tsc) {
  flow.last_tsc = now_tsc;
  if (context.protocol != IPPROTO_TCP) return;
  const uint8_t flags = DataOf(mbuf)[context.l4_offset + kTcpFlagsAt];
  flow.reset |= (flags & kTcpReset) != 0;
  if ((flags & kTcpFin) != 0) (inbound ? flow.fin_in : flow.fin_out) = true;
}

// The outbound SA of the flow's owner, by the packet as the other end knows it.
OutboundSa* SaOf(Worker& worker, Flow& flow, const PacketSelectors& packet) {
  OutboundSa* sa = worker.esp.outbound->FindActive(flow.slot, flow.generation);
  if (sa != nullptr && sa->peer == flow.owner.peer && sa->selectors->Contains(packet)) return sa;
  sa = worker.esp.outbound->FindOfPeer(packet, flow.owner.peer);
  if (sa == nullptr) return nullptr;
  flow.slot = sa->slot;
  flow.generation = sa->generation;
  return sa;
}

// A flow whose peer is gone makes room: that peer came back as another one, in all likelihood.
void MakeWay(Worker& worker, const FlowKey& key, PacketSelectors packet) {
  Flow* rival = worker.flows.FindSeen(key);
  if (rival == nullptr || rival->owner.clear) return;
  if (rival->translated()) packet.remote_port = rival->port;
  if (SaOf(worker, *rival, packet) == nullptr) worker.flows.Remove(*rival);
}

// kNone: goes on.
DropReason Follow(Worker& worker, rte_mbuf* mbuf, const FlowOwner& owner) {
  const PacketContext& context = ContextOf(mbuf);
  const View view = ViewOf(mbuf, context, /*inbound=*/true);
  if (view.kind == View::Kind::kNone) return DropReason::kNone;
  Flow* flow = worker.flows.FindSent(view.key, owner);
  if (view.kind == View::Kind::kQuote) {
    // Nobody may speak of another's flow.
    if (flow == nullptr) return owner.clear ? DropReason::kNone : DropReason::kFlowConflict;
  } else if (flow == nullptr) {
    MakeWay(worker, view.key, InboundSelectors(mbuf));
    const auto added = worker.flows.Add(view.key, owner, view.port_at != 0, worker.now_tsc);
    if (added.flow == nullptr) return added.reason;
    flow = added.flow;
  }
  if (view.kind == View::Kind::kPlain) {
    Note(*flow, mbuf, context, /*inbound=*/true, worker.now_tsc);
  }
  if (flow->translated()) SetRemotePort(mbuf, view, /*inbound=*/true, flow->seen.remote_port);
  return DropReason::kNone;
}

}  // namespace

bool HandOverToFlowHome(Worker& worker, HandOverStage stage, const IpAddress& remote,
                        rte_mbuf* mbuf) {
  const WorkerId home = HomeOf(remote, worker.worker_count);
  if (home == worker.id) return false;
  HandOverTo(worker, home, stage, mbuf);
  return true;
}

void FollowDecapsulated(Worker& worker, Burst burst, PacketList& followed) {
  const Spd* spd = worker.tables == nullptr ? nullptr : worker.tables->spd.get();
  const bool optional = spd != nullptr && spd->has_optional();
  if (optional) spd->ClassifyInbound(burst);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const bool learns = context.learns_flow || (optional && spd->is_optional(context.policy));
    context.policy = kNoPolicy;
    if (learns &&
        HandOverToFlowHome(worker, HandOverStage::kInner, SourceOf(mbuf, context), mbuf)) {
      continue;
    }
    const DropReason reason =
        learns ? Follow(worker, mbuf, {.clear = false, .peer = context.peer}) : DropReason::kNone;
    if (reason == DropReason::kNone) {
      followed.Add(mbuf);
    } else {
      Drop(worker, mbuf, reason);
    }
  }
}

bool FollowClear(Worker& worker, rte_mbuf* mbuf) {
  const DropReason reason = Follow(worker, mbuf, {.clear = true, .peer = 0});
  if (reason == DropReason::kNone) return true;
  Drop(worker, mbuf, reason);
  return false;
}

WayBack FindWayBack(Worker& worker, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  const View view = ViewOf(mbuf, context, /*inbound=*/false);
  if (view.kind == View::Kind::kNone) return WayBack::kUnknown;
  Flow* flow = worker.flows.FindSeen(view.key);
  if (flow == nullptr) return WayBack::kUnknown;
  if (view.kind == View::Kind::kPlain) {
    Note(*flow, mbuf, context, /*inbound=*/false, worker.now_tsc);
  }
  if (flow->translated()) SetRemotePort(mbuf, view, /*inbound=*/false, flow->port);
  if (flow->owner.clear) return WayBack::kClear;
  OutboundSa* sa = SaOf(worker, *flow, OutboundSelectors(mbuf));
  context.outbound_sa = sa;
  if (sa == nullptr) return WayBack::kNoSa;
  context.sa_owner = sa->owner;
  context.sa_slot = sa->slot;
  context.sa_generation = sa->generation;
  context.by_flow = true;
  return WayBack::kSa;
}

}  // namespace sekisho::fastpath
