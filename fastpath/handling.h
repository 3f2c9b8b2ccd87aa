// fastpath/handling.h: what a policy wants done to a packet beyond protecting it (RFC 4301, 4.4.1.2
// and 8.1). A value: it travels with the packet, because policies may be replaced meanwhile.
#pragma once

#include <cstdint>
#include <optional>

namespace sekisho::fastpath {

struct Handling {
  // Of the outer IPv4 header. kSet: what may be cut is cut before it is encrypted. kClear: nobody
  // is told that a packet is too large, the ESP packet goes in fragments.
  enum class Df : uint8_t { kCopy, kSet, kClear };
  Df df = Df::kCopy;
  std::optional<uint8_t> dscp;  // of the outer header, 0 to 63; none: the inner packet's
  // Larger than the path: false: the ESP packet goes in fragments, which the peer reassembles;
  // true: the inner packet does, so that each ESP packet is whole (what DF or IPv6 forbids to be
  // fragmented is answered with ICMP either way, and under selectors that name ports the packet
  // stays whole: RFC 4301, 7.1).
  bool fragment_before_encryption = false;
  uint16_t tcp_mss_max = 0;  // clamps the option in SYNs through the policy, both ways; 0: does not

  friend bool operator==(const Handling&, const Handling&) = default;
};

}  // namespace sekisho::fastpath
