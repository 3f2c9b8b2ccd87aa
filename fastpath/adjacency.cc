#include "fastpath/adjacency.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "fastpath/forward.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/outer_header.h"
#include "fastpath/parse.h"
#include "fastpath/path_mtu.h"
#include "fastpath/tcp_mss.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

const uint8_t* SourceAt(rte_mbuf* mbuf, uint8_t family) {
  return DataOf(mbuf) + (family == 4 ? 12 : 8);
}
const uint8_t* DestinationAt(rte_mbuf* mbuf, uint8_t family) {
  return DataOf(mbuf) + (family == 4 ? 16 : 24);
}

// RFC 3927, 2.1; RFC 4291, 2.5.6.
bool IsLinkLocal(const uint8_t* address, uint8_t family) {
  return family == 4 ? address[0] == 169 && address[1] == 254
                     : address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

// Neither for us to judge nor to learn from: what forward.cc would only pass on.
bool OnlyPassesOn(const Worker& worker, rte_mbuf* mbuf, const PacketContext& context,
                  const DestinationCache::Entry& entry, bool clamps_mss) {
  const uint8_t* ip = DataOf(mbuf);
  const uint8_t ttl = context.family == 4 ? ip[8] : ip[7];
  const uint8_t* source = SourceAt(mbuf, context.family);
  if (ttl <= 1 || mbuf->pkt_len > worker.ports[static_cast<size_t>(entry.port)].mtu) return false;
  if (IsLinkLocal(source, context.family) || worker.local->Holds(source, context.family)) {
    return false;
  }
  return !clamps_mss || !IsTcpSyn(mbuf, context);
}

bool IsKnown(const Worker& worker, const DestinationCache::Entry& entry, rte_mbuf* mbuf,
             uint8_t family) {
  if (entry.epoch != worker.esp.adjacency_epoch || entry.family != family) return false;
  const uint8_t* destination = DestinationAt(mbuf, family);
  return family == 4 ? std::memcmp(entry.address.data(), destination, 4) == 0
                     : std::memcmp(entry.address.data(), destination, 16) == 0;
}

}  // namespace

void SendProtected(Worker& worker, Burst burst) {
  StageTimer timer(worker.esp.stages, Stage::kTransmit);
  PacketList rest;
  const auto go_the_long_way = [&rest](rte_mbuf* mbuf) {
    PacketContext& context = ContextOf(mbuf);
    const OutboundSa* sa = context.outbound_sa;
    if (sa != nullptr) DescribeOuter(mbuf, sa->layout.udp_encapsulation, context);
    rest.Add(mbuf);
  };
  bool in_order = true;
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const OutboundSa* sa = context.outbound_sa;
    if (sa == nullptr || sa->adjacency.epoch != worker.esp.adjacency_epoch || !in_order) {
      go_the_long_way(mbuf);
    } else if (mbuf->pkt_len > sa->adjacency.whole_max) {
      in_order = false;
      go_the_long_way(mbuf);
    } else {
      context.ours = true;
      SendTo(worker, sa->adjacency.port, worker.neighbours.At(sa->adjacency.neighbour).mac, mbuf);
    }
  }
  if (!rest.empty()) RouteOwn(worker, rest.burst());
}

void SendInner(Worker& worker, Burst burst, PacketList& rest) {
  StageTimer timer(worker.esp.stages, Stage::kTransmit);
  const bool simple = worker.tables != nullptr && !worker.tables->spd->has_optional();
  const bool clamps_mss = simple && worker.tables->spd->clamps_mss();
  bool in_order = true;
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    if (!simple || !in_order || context.may_nest || context.learns_flow) {
      rest.Add(mbuf);
      continue;
    }
    const DestinationCache::Entry& entry =
        worker.destinations->At(DestinationAt(mbuf, context.family), context.family);
    if (!IsKnown(worker, entry, mbuf, context.family)) {
      rest.Add(mbuf);
    } else if (!OnlyPassesOn(worker, mbuf, context, entry, clamps_mss)) {
      in_order = false;
      rest.Add(mbuf);
    } else {
      CountDownTtl(DataOf(mbuf), context.family);
      SendTo(worker, entry.port, worker.neighbours.At(entry.neighbour).mac, mbuf);
    }
  }
}

void NoteAdjacency(Worker& worker, rte_mbuf* mbuf, PortId port, const Neighbour& neighbour) {
  PacketContext& context = ContextOf(mbuf);
  const WorkerPort& out = PortAt(worker, port);
  if (out.queue == kNoQueue) return;
  const uint16_t index = worker.neighbours.IndexOf(neighbour);
  if (context.ours && context.outbound_sa != nullptr) {
    OutboundSa& sa = *context.outbound_sa;
    sa.adjacency = {
        .epoch = worker.esp.adjacency_epoch,
        .neighbour = index,
        .whole_max = PathMtuOf(sa, std::min(out.mtu, worker.outside_mtu), worker.now_tsc),
        .port = port};
  } else if (!context.ours && context.decapsulated && out.side == PortSide::kInside) {
    const uint8_t* address = DestinationAt(mbuf, context.family);
    DestinationCache::Entry& entry = worker.destinations->At(address, context.family);
    entry = {.address = {},
             .epoch = worker.esp.adjacency_epoch,
             .port = port,
             .neighbour = index,
             .family = context.family};
    std::memcpy(entry.address.data(), address, context.family == 4 ? 4 : 16);
  }
}

}  // namespace sekisho::fastpath
