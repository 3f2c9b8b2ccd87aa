// fastpath/local_addresses.h: which addresses are ours, per port. Immutable once built; read by
// every worker.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "common/ip_prefix.h"
#include "common/messages.h"
#include "fastpath/fast_path.h"

namespace sekisho::fastpath {

// The link-local address of a port, made from its MAC address (RFC 4291, appendix A).
IpAddress LinkLocalAddress(const MacAddress& mac);
// Where neighbour solicitations for `address` are sent (RFC 4291, 2.7.1).
IpAddress SolicitedNodeAddress(const IpAddress& address);

class LocalAddresses {
 public:
  struct Entry {
    IpAddress address;
    PortId port;
    PortSide side;
  };

  // Besides the configured addresses, every port owns its link-local address.
  void AddPort(PortId port, PortSide side, const MacAddress& mac,
               std::span<const InterfaceAddress> addresses);

  // nullptr: not ours. Addresses are few: a scan.
  const Entry* Find(const IpAddress& address) const;
  // Ours? A look at one word for nearly all that are not. `address`: 4 or 16 bytes.
  bool Holds(const uint8_t* address, uint8_t family) const {
    return (present_ >> BitOf(address, family) & 1) != 0 &&
           Find(IpAddress::FromBytes(family == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6,
                                     {address, family == 4 ? 4u : 16u})) != nullptr;
  }
  // Ours, and on this port? ARP and ND answer for these only.
  bool IsOnPort(PortId port, const IpAddress& address) const;
  // In a network that this port is connected to?
  bool IsOnLink(PortId port, const IpAddress& address) const;
  // The broadcast address of a network we are connected to (RFC 2644: never forwarded).
  bool IsDirectedBroadcast(const IpAddress& address) const;
  // Our own source address for packets out of `port`, the first configured one of the family
  // (link-local ones last); nullptr without any.
  const IpAddress* SourceOn(PortId port, IpFamily family) const;

 private:
  struct Network {
    IpPrefix prefix;
    PortId port;
    IpAddress broadcast;  // Any() where it has none
  };
  static unsigned BitOf(const uint8_t* address, uint8_t family) {
    uint32_t low;
    std::memcpy(&low, address + (family == 4 ? 0 : 12), sizeof(low));
    return low * 0x9e3779b1u >> 26;  // of 64
  }
  void AddEntry(const Entry& entry);

  std::vector<Entry> entries_;
  uint64_t present_ = 0;  // BitOf() each entry
  std::vector<Network> networks_;
};

}  // namespace sekisho::fastpath
