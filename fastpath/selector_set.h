// fastpath/selector_set.h: the traffic selectors of one SA in the shape that a packet is compared
// with. Built on the slow path when the SA is installed, immutable afterwards, and freed there
// after the worker let go of the SA.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/ip_address.h"
#include "common/traffic_selector.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

// An address as a number: IPv4 stands in `low`. Families are told apart beside it.
struct WideAddress {
  uint64_t high = 0, low = 0;
  friend constexpr auto operator<=>(const WideAddress&, const WideAddress&) = default;

  static WideAddress FromV4(const uint8_t* bytes) { return {0, LoadBigEndian<uint32_t>(bytes)}; }
  static WideAddress FromV6(const uint8_t* bytes) {
    return {LoadBigEndian<uint64_t>(bytes), LoadBigEndian<uint64_t>(bytes + 8)};
  }
  static WideAddress From(const IpAddress& address) {
    return address.is_v4() ? FromV4(address.bytes().data()) : FromV6(address.bytes().data());
  }
};

// The selector fields of one packet, its two ends named from our side.
struct PacketSelectors {
  WideAddress local, remote;
  uint16_t local_port, remote_port;  // of ICMP both are type << 8 | code (RFC 4301, 4.4.1.1)
  uint8_t family, protocol;
  bool ports_hidden;  // a fragment, or of a protocol that has none: only ANY and OPAQUE match
};

// From an IP header at the start of the data and the context that parse filled.
// Outbound: our side is the source. Inbound: our side is the destination.
PacketSelectors OutboundSelectors(rte_mbuf* mbuf);
PacketSelectors InboundSelectors(rte_mbuf* mbuf);

// One range of IPv4 addresses on each side, any protocol, any port: what most SAs of users have,
// beside the other things of an SA that a packet touches. Host order. Where an SA has other
// selectors, nothing matches, and SelectorSet is asked.
struct PlainSelectors {
  uint32_t local_first = 1, local_last = 0, remote_first = 1, remote_last = 0;

  bool Contains(uint32_t local, uint32_t remote) const {
    return local_first <= local && local <= local_last && remote_first <= remote &&
           remote <= remote_last;
  }
};

class SelectorSet {
 public:
  // More than a peer sanely negotiates; bounds the work per packet.
  static constexpr size_t kSelectorsMax = 64;  // per side

  SelectorSet(const TrafficSelectors& local, const TrafficSelectors& remote);

  // Does some selector of each side contain its end of the packet?
  bool Contains(const PacketSelectors& packet) const {
    if (sides_ == nullptr) {
      return packet.family == 4 && plain_.Contains(static_cast<uint32_t>(packet.local.low),
                                                   static_cast<uint32_t>(packet.remote.low));
    }
    return AnyContains(sides_->local, packet.local, packet.local_port, packet) &&
           AnyContains(sides_->remote, packet.remote, packet.remote_port, packet);
  }
  // The same, as far as that can say it.
  const PlainSelectors& plain() const { return plain_; }
  // Then fragments may not go through the SA (RFC 4301, 7.1).
  bool names_ports() const { return names_ports_; }

 private:
  struct Flat {
    WideAddress first, last;
    PortRange ports;
    uint8_t family, protocol;
  };
  static std::vector<Flat> Flatten(const TrafficSelectors& selectors);
  static bool AnyContains(const std::vector<Flat>& side, const WideAddress& address, uint16_t port,
                          const PacketSelectors& packet) {
    for (const Flat& flat : side) {
      if (flat.family == packet.family && flat.first <= address && address <= flat.last &&
          (flat.protocol == kAnyProtocol || flat.protocol == packet.protocol) &&
          (flat.ports.is_all() ||
           (packet.ports_hidden ? flat.ports.is_opaque() : flat.ports.Contains(port)))) {
        return true;
      }
    }
    return false;
  }

  struct Sides {
    std::vector<Flat> local, remote;
  };

  PlainSelectors plain_;
  std::unique_ptr<const Sides> sides_;  // null where plain_ says it all
  bool names_ports_ = false;
};

}  // namespace sekisho::fastpath
