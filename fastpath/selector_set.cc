#include "fastpath/selector_set.h"

#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

struct Ends {
  WideAddress source, destination;
};

Ends EndsOf(rte_mbuf* mbuf, uint8_t family) {
  const uint8_t* header = DataOf(mbuf);
  if (family == 4) return {WideAddress::FromV4(header + 12), WideAddress::FromV4(header + 16)};
  return {WideAddress::FromV6(header + 8), WideAddress::FromV6(header + 24)};
}

// Type and code of ICMP are one selector, which either side may name (RFC 7296, 3.13.1).
uint16_t DestinationPort(const PacketContext& context) {
  return HasTypes(context.protocol) ? context.source_port : context.destination_port;
}

bool PortsHidden(const PacketContext& context) {
  const IpFamily family = context.family == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  return context.fragment || !HasPorts(family, context.protocol);
}

bool IsPlain(const TrafficSelectors& side) {
  return side.size() == 1 && side[0].family() == IpFamily::kIpv4 &&
         side[0].protocol == kAnyProtocol && side[0].ports.is_all();
}

}  // namespace

PacketSelectors OutboundSelectors(rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const Ends ends = EndsOf(mbuf, context.family);
  return {.local = ends.source,
          .remote = ends.destination,
          .local_port = context.source_port,
          .remote_port = DestinationPort(context),
          .family = context.family,
          .protocol = context.protocol,
          .ports_hidden = PortsHidden(context)};
}

PacketSelectors InboundSelectors(rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const Ends ends = EndsOf(mbuf, context.family);
  return {.local = ends.destination,
          .remote = ends.source,
          .local_port = DestinationPort(context),
          .remote_port = context.source_port,
          .family = context.family,
          .protocol = context.protocol,
          .ports_hidden = PortsHidden(context)};
}

SelectorSet::SelectorSet(const TrafficSelectors& local, const TrafficSelectors& remote) {
  for (const TrafficSelectors* side : {&local, &remote}) {
    for (const TrafficSelector& selector : *side) names_ports_ |= !selector.ports.is_all();
  }
  if (!IsPlain(local) || !IsPlain(remote)) {
    sides_ = std::make_unique<const Sides>(Sides{Flatten(local), Flatten(remote)});
    return;
  }
  const auto number = [](const IpAddress& address) {
    return static_cast<uint32_t>(WideAddress::From(address).low);
  };
  plain_ = {.local_first = number(local[0].addresses.first),
            .local_last = number(local[0].addresses.last),
            .remote_first = number(remote[0].addresses.first),
            .remote_last = number(remote[0].addresses.last)};
}

std::vector<SelectorSet::Flat> SelectorSet::Flatten(const TrafficSelectors& selectors) {
  std::vector<Flat> result;
  result.reserve(selectors.size());
  for (const TrafficSelector& selector : selectors) {
    result.push_back({.first = WideAddress::From(selector.addresses.first),
                      .last = WideAddress::From(selector.addresses.last),
                      .ports = selector.ports,
                      .family = static_cast<uint8_t>(selector.family()),
                      .protocol = selector.protocol});
  }
  return result;
}

}  // namespace sekisho::fastpath
