// fastpath/policy.h: SPD policies as the slow path hands them over (RFC 4301, 4.4.1), before they
// are compiled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/messages.h"
#include "common/traffic_selector.h"

namespace sekisho::fastpath {

enum class PolicyAction : uint8_t { kDiscard, kBypass, kProtect };

// What is done to a packet beyond protecting it (RFC 4301, 4.4.1.2 and 8.1).
struct Handling {
  enum class Df : uint8_t { kCopy, kSet, kClear };  // of the outer IPv4 header
  Df df = Df::kCopy;
  std::optional<uint8_t> dscp;  // of the outer header, 0 to 63; none: the inner packet's
  // Larger than the path: false: the ESP packet goes in fragments, which the peer reassembles;
  // true: the inner packet does, so that each ESP packet is whole (what DF or IPv6 forbids to be
  // fragmented is answered with ICMP either way).
  bool fragment_before_encryption = false;
  uint16_t tcp_mss_max = 0;  // clamps the option in SYNs through the policy, both ways; 0: does not
};

// "Local" is our protected side, "remote" the other end: an outbound packet has source in local and
// destination in remote, an inbound one the other way about. The ports of a selector belong to its
// own side. An empty list of selectors matches nothing.
struct Policy {
  std::string name;
  PolicyAction action = PolicyAction::kDiscard;
  TrafficSelectors local, remote;
  std::vector<PortId> ports;  // where it stands; none: every outside port
  // PROTECT only. A flow that came through an SA goes back through it, and one that came in clear
  // is answered in clear: for hosts that may or may not speak IPsec, as behind one NAT.
  bool optional = false;
  Handling handling;
};

}  // namespace sekisho::fastpath
