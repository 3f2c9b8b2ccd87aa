// common/traffic_selector.h: which packets, as IKEv2 negotiates it (RFC 7296, 3.13.1) and an SPD
// holds it (RFC 4301, 4.4.1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ip_range.h"

namespace sekisho {

// Inclusive, host order. For ICMP the port is type << 8 | code (RFC 7296, 3.13.1).
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0xffff;

  static constexpr PortRange All() { return {}; }
  static constexpr PortRange Single(uint16_t port) { return {port, port}; }
  // OPAQUE: the port is not there to be seen, in a later fragment say. RFC 7296, 3.13.1 writes it
  // as start 65535, end 0.
  static constexpr PortRange Opaque() { return {0xffff, 0}; }

  constexpr bool is_all() const { return first == 0 && last == 0xffff; }
  constexpr bool is_opaque() const { return first == 0xffff && last == 0; }
  constexpr bool Contains(uint16_t port) const { return first <= port && port <= last; }
  constexpr bool Contains(const PortRange& other) const {
    return is_all() || *this == other ||
           (!other.is_opaque() && first <= other.first && other.last <= last);
  }
  std::optional<PortRange> Intersect(const PortRange& other) const;
  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

inline constexpr uint8_t kAnyProtocol = 0;

// ICMP has type << 8 | code where others have a port, and a mobility header its type << 8 (RFC
// 4301, 4.4.1.1). It is one selector for both ends.
constexpr bool HasTypes(uint8_t protocol) {
  return protocol == 1 || protocol == 58 || protocol == 135;
}
// Does a whole packet of this family show a port or type? Where not, a port selector other than ANY
// or OPAQUE never matches.
constexpr bool HasPorts(IpFamily family, uint8_t protocol) {
  switch (protocol) {
    case 6:    // TCP
    case 17:   // UDP
    case 33:   // DCCP
    case 132:  // SCTP
    case 136:  // UDP-Lite
      return true;
    case 1:
      return family == IpFamily::kIpv4;
    case 58:
    case 135:
      return family == IpFamily::kIpv6;
    default:
      return false;
  }
}

// One side of the traffic of a Child SA: TSi or TSr holds a list of these.
struct TrafficSelector {
  IpRange addresses;
  uint8_t protocol = kAnyProtocol;  // IANA protocol number; 0: any
  PortRange ports;                  // all, where the protocol has none

  static TrafficSelector All(IpFamily family) { return {.addresses = IpRange::All(family)}; }
  // "10.0.0.0/8", "10.0.0.1-10.0.0.9", "10.0.0.1[udp/1701]", "10.0.0.1[tcp]", "::/0[6/1-100]".
  // Protocol and ports may be "any"; "10.0.0.1[tcp/opaque]": ports that cannot be seen. For a
  // protocol with types: "[icmp/8]" is type 8 with any code, "[icmp/8/0]" type and code,
  // "[icmp/3-5]" types, "[icmp/3/0-4]" codes of one type, "[mobility/5]" a message type.
  static absl::StatusOr<TrafficSelector> Parse(absl::string_view text);

  IpFamily family() const { return addresses.family(); }
  bool Contains(const TrafficSelector& other) const;
  std::optional<TrafficSelector> Intersect(const TrafficSelector& other) const;
  std::string ToString() const;
  friend auto operator<=>(const TrafficSelector&, const TrafficSelector&) = default;
};

using TrafficSelectors = std::vector<TrafficSelector>;

// As many selectors of one side as an SA may have: a peer decides how many are proposed.
inline constexpr size_t kNarrowedSelectorsMax = 64;

// What of `proposed` lies inside `allowed`, in the order of `proposed`, without doubles and without
// selectors that another one of the result contains (RFC 7296, 2.9). Empty: nothing in common.
// Stops at kNarrowedSelectorsMax: a responder may choose less than there is.
TrafficSelectors Narrow(const TrafficSelectors& proposed, const TrafficSelectors& allowed);

std::string ToString(const TrafficSelectors& selectors);  // joined by a space

}  // namespace sekisho
