#include "fastpath/recall.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/adjacency.h"
#include "fastpath/dispose.h"
#include "fastpath/esp_encap.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/plain_frame.h"
#include "fastpath/tcp_mss.h"

namespace sekisho::fastpath {
namespace {

// The candidates of one burst and family.
template <typename Flow>
struct Candidates {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  std::array<Flow, kBurstMax> flows;
  std::array<uint32_t, kBurstMax> hashes;
  size_t count = 0;

  void Add(rte_mbuf* mbuf, const uint8_t* addresses, const uint8_t* upper, uint8_t protocol,
           PortId port) {
    Flow& flow = flows[count];
    std::memcpy(flow.addresses, addresses, sizeof(flow.addresses));
    std::memcpy(&flow.ports, upper, sizeof(flow.ports));
    flow.protocol = protocol;
    flow.port_in = static_cast<uint8_t>(port);
    hashes[count] = flow.Hash();
    mbufs[count++] = mbuf;
  }
};

struct Gathered {
  Candidates<FlowId4> v4;
  Candidates<FlowId6> v6;
};

ShortCutVerdict Gather(const WorkerPort& in, PortId port, rte_mbuf* mbuf, Gathered& to) {
  const uint8_t* ip = DataOf(mbuf) + kEthernetHeaderBytes;
  switch (PlainFrame(mbuf, in)) {
    case IpFamilyOrNone::kIpv4: {
      const uint8_t* upper = ip + kIpv4HeaderBytes;
      const size_t bytes = LoadBigEndian<uint16_t>(ip + 2) - kIpv4HeaderBytes;
      // What fails here is dropped, or has no ports and is of no flow that is known.
      if (ip[8] <= 1 || !HasPlainPorts(upper, ip[9], bytes)) return ShortCutVerdict::kOther;
      to.v4.Add(mbuf, ip + 12, upper, ip[9], port);
      return ShortCutVerdict::kTaken;
    }
    case IpFamilyOrNone::kIpv6: {
      const uint8_t* upper = ip + kIpv6HeaderBytes;
      if (ip[7] <= 1 || !HasPlainPorts(upper, ip[6], LoadBigEndian<uint16_t>(ip + 4))) {
        return ShortCutVerdict::kOther;
      }
      to.v6.Add(mbuf, ip + 8, upper, ip[6], port);
      return ShortCutVerdict::kTaken;
    }
    case IpFamilyOrNone::kNone:
      break;
  }
  return ShortCutVerdict::kUnclear;
}

// Of a burst: the plain ones, with their place in the cache on the way here; and `others`.
void GatherAll(Worker& worker, PortId port, Burst frames, Gathered& gathered, PacketList& others) {
  StageTimer timer(worker.esp.stages, Stage::kParse);
  const WorkerPort& in = PortAt(worker, port);
  TakeInOrder(frames, /*clear=*/true, others,
              [&](rte_mbuf* mbuf) { return Gather(in, port, mbuf, gathered); });
  for (size_t i = 0; i < gathered.v4.count; ++i) worker.known4.Prefetch(gathered.v4.hashes[i]);
  for (size_t i = 0; i < gathered.v6.count; ++i) worker.known6.Prefetch(gathered.v6.hashes[i]);
}

template <typename Flow>
constexpr bool kIsV4 = sizeof(Flow::addresses) == 8;

template <typename Flow>
constexpr size_t kHeaderBytes = kIsV4<Flow> ? kIpv4HeaderBytes : kIpv6HeaderBytes;

// Bytes of a plain packet, from its IP header.
template <typename Flow>
size_t IpBytes(const uint8_t* ip) {
  return kIsV4<Flow> ? LoadBigEndian<uint16_t>(ip + 2)
                     : kIpv6HeaderBytes + LoadBigEndian<uint16_t>(ip + 4);
}

// A packet that the SA takes as it is, with nothing to be cut, clamped or said to anybody.
template <typename Flow>
bool GoesAsItIs(uint32_t adjacency_epoch, const Spd& spd, const OutboundSa& sa,
                const Decision& decision, const Flow& flow, const uint8_t* ip) {
  if (sa.adjacency.epoch != adjacency_epoch) return false;
  if (EncapsulatedSize(sa, IpBytes<Flow>(ip)) > sa.adjacency.whole_max) return false;
  if (!spd.clamps_mss() || flow.protocol != IPPROTO_TCP) [[likely]]
    return true;
  return spd.handling(decision.policy).tcp_mss_max == 0 || !HasSyn(ip + kHeaderBytes<Flow>);
}

// What parse.cc, forward.cc and protect.cc leave behind.
template <typename Flow>
void Describe(rte_mbuf* mbuf, const Flow& flow, const Decision& decision, const Handling& handling,
              OutboundSa& sa) {
  uint8_t* ip = DataOf(mbuf) + kEthernetHeaderBytes;
  const size_t bytes = IpBytes<Flow>(ip);
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + kEthernetHeaderBytes);
  mbuf->data_len = static_cast<uint16_t>(bytes);
  mbuf->pkt_len = static_cast<uint32_t>(bytes);
  CountDownTtl(ip, kIsV4<Flow> ? 4 : 6);
  PacketContext& context = ContextOf(mbuf);
  ClearContext(context);
  context.port_in = PortId{flow.port_in};
  context.family = kIsV4<Flow> ? 4 : 6;
  context.protocol = flow.protocol;
  context.l4_offset = kHeaderBytes<Flow>;
  context.policy = decision.policy;
  context.handling = handling;
  context.outbound_sa = &sa;
}

template <typename Flow>
void RecallFamily(Worker& worker, const DecisionCache<Flow>& cache, Candidates<Flow>& candidates,
                  PacketList& rest, PacketList& known) {
  const size_t count = candidates.count;
  std::array<const Decision*, kBurstMax> decisions;
  for (size_t i = 0; i < count; ++i) {
    decisions[i] = cache.Find(candidates.flows[i], candidates.hashes[i]);
    if (decisions[i] != nullptr) PrefetchSa(worker.esp.outbound->At(decisions[i]->sa_slot));
  }
  const Spd& spd = *worker.tables->spd;
  CounterArray& hits = worker.tables->hits[static_cast<size_t>(worker.id)];
  const uint32_t adjacency_epoch = worker.esp.adjacency_epoch;
  bool in_order = true;
  for (size_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = candidates.mbufs[i];
    const Decision* decision = decisions[i];
    if (decision == nullptr || !in_order) {
      rest.Add(mbuf);
      continue;
    }
    OutboundSa& sa = worker.esp.outbound->At(decision->sa_slot);
    const uint8_t* ip = DataOf(mbuf) + kEthernetHeaderBytes;
    if (sa.version.load(std::memory_order_acquire) != decision->version) {
      rest.Add(mbuf);
    } else if (!GoesAsItIs(adjacency_epoch, spd, sa, *decision, candidates.flows[i], ip)) {
      in_order = false;
      rest.Add(mbuf);
    } else {
      hits[decision->policy].Add(1);
      Describe(mbuf, candidates.flows[i], *decision, spd.handling(decision->policy), sa);
      known.Add(mbuf);
    }
  }
}

// Only what Recall() finds again is worth keeping.
template <typename Flow>
void Keep(DecisionCache<Flow>& cache, const PacketContext& context, const uint8_t* ip,
          const OutboundSa& sa, uint32_t version) {
  Flow flow = {};
  std::memcpy(flow.addresses, ip + (kIsV4<Flow> ? 12 : 8), sizeof(flow.addresses));
  std::memcpy(&flow.ports, ip + kHeaderBytes<Flow>, sizeof(flow.ports));
  flow.protocol = context.protocol;
  flow.port_in = static_cast<uint8_t>(context.port_in);
  cache.Put(
      flow,
      {.policy = context.policy, .sa_slot = static_cast<uint32_t>(sa.slot), .version = version});
}

bool IsWorthKeeping(const Worker& worker, const PacketContext& context, const OutboundSa& sa) {
  const WorkerPort* in = PortIn(worker, context);
  return in != nullptr && in->side == PortSide::kInside && !context.ours && !context.decapsulated &&
         !context.by_flow && !context.fragment && !context.reassembled &&
         (context.protocol == IPPROTO_TCP || context.protocol == IPPROTO_UDP) &&
         context.l4_offset == (context.family == 4 ? kIpv4HeaderBytes : kIpv6HeaderBytes) &&
         sa.protocol == IpsecProtocol::kEsp && !sa.layout.transport && sa.then_slot_plus_one == 0 &&
         !worker.esp.outbound->has_flows() && !worker.tables->spd->is_optional(context.policy);
}

}  // namespace

void Recall(Worker& worker, PortId port, Burst frames, PacketList& rest) {
  if (const uint32_t all = worker.esp.outbound->all_versions(); all != worker.known_versions)
      [[unlikely]] {
    worker.known_versions = all;
    ForgetDecisions(worker);
  }
  Gathered gathered;
  PacketList others;
  GatherAll(worker, port, frames, gathered, others);
  PacketList known, passed, dropped;
  {
    StageTimer timer(worker.esp.stages, Stage::kClassify);
    RecallFamily(worker, worker.known4, gathered.v4, rest, known);
    RecallFamily(worker, worker.known6, gathered.v6, rest, known);
  }
  for (rte_mbuf* mbuf : others.burst()) rest.Add(mbuf);
  if (known.empty()) return;
  worker.counters.recalled.Add(known.size());
  EspEncapSubmit(worker.esp, known.burst(), passed, dropped);
  DropAll(worker, dropped);
  SendProtected(worker, passed.burst());
}

void Remember(Worker& worker, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  OutboundSa& sa = *context.outbound_sa;
  if (!worker.known4.exists() || !IsWorthKeeping(worker, context, sa)) return;
  // In this order, so that an SA that is published meanwhile is either found here or changes the
  // version after it was read.
  const uint32_t version = sa.version.load(std::memory_order_acquire);
  worker.esp.outbound->LookUp({&mbuf, 1});
  if (context.outbound_sa != &sa) {
    context.outbound_sa = &sa;
    return;
  }
  if (context.family == 4) {
    Keep(worker.known4, context, DataOf(mbuf), sa, version);
  } else {
    Keep(worker.known6, context, DataOf(mbuf), sa, version);
  }
}

}  // namespace sekisho::fastpath
