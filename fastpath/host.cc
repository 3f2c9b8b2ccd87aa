#include "fastpath/host.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/dispose.h"
#include "fastpath/forward.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kSolicitation = 135;

bool Refuse(PacketContext& context, DropReason reason) {
  context.reason = reason;
  return false;
}

bool IsForGroup(const Worker& worker, const IpAddress& destination) {
  return destination.is_multicast() || destination.is_broadcast() ||
         worker.local->IsDirectedBroadcast(destination);
}

}  // namespace

bool TakeFromHost(Worker& worker, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  if (context.family == 6 && context.protocol == IPPROTO_ICMPV6 && !context.fragment &&
      context.source_port >> 8 == kSolicitation) {
    context.kind = PacketKind::kNd;
    return true;
  }
  const IpAddress destination = DestinationOf(mbuf, context);
  // What a stack sends to groups on every link (MLD, router solicitations) has nobody to read it.
  if (IsForGroup(worker, destination)) return Refuse(context, DropReason::kLocalUnwanted);
  if (worker.local->Find(SourceOf(mbuf, context)) == nullptr) {
    return Refuse(context, DropReason::kHostSource);
  }
  if (worker.local->Find(destination) != nullptr) return Refuse(context, DropReason::kIpMartian);
  return true;
}

void LearnHostMac(Worker& worker, rte_mbuf* mbuf) {
  // The frame's header still stands before the IP header or ARP packet.
  const uint8_t* source = DataOf(mbuf) - kEthernetHeaderBytes + 6;
  MacAddress mac;
  std::memcpy(mac.data(), source, mac.size());
  if ((source[0] & 1) == 0 && worker.host_mac->Get() != mac) worker.host_mac->Set(mac);
}

void DeliverUp(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  PacketList wanted, admitted;
  for (rte_mbuf* mbuf : burst) {
    const IpAddress destination = DestinationOf(mbuf, ContextOf(mbuf));
    if (worker.host.port == kNoPort || ContextOf(mbuf).fragment ||
        worker.local->Find(destination) == nullptr) {
      Drop(worker, mbuf, DropReason::kLocalUnwanted);
    } else {
      wanted.Add(mbuf);
    }
  }
  AdmitLocal(worker, wanted.burst(), admitted, ForWhom::kHost);
  for (rte_mbuf* mbuf : admitted.burst()) ContextOf(mbuf).next_hop = &worker.host;
  Deliver(worker, admitted.burst());
}

}  // namespace sekisho::fastpath
