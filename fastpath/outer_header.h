// fastpath/outer_header.h: the IP header, and UDP where encapsulated, that goes around a packet.
//
// A template stands in the OutboundSa, written when the SA is installed or its peer moves; a packet
// takes it over and adds what is its own: lengths, traffic class, identification, DF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/byte_order.h"
#include "common/endpoint.h"
#include "fastpath/ip_header.h"
#include "fastpath/packet_context.h"
#include "fastpath/sa.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {

inline constexpr uint16_t kDontFragment = 0x4000;  // RFC 791, 3.1

// Writes template and checksum part for these ends. Worker (kMovePeer) or slow path (before
// install). Requires: sa.layout is filled; both ends of one family.
void WriteOuterHeader(OutboundSa& sa, const Endpoint& local, const Endpoint& remote);

// What the outer header takes over from the inner one, as far as policy does not say otherwise.
struct Inherited {
  uint8_t traffic_class;    // DSCP (RFC 4301, 5.1.2.1), ECN in normal mode (RFC 6040, 4.1)
  uint16_t fragment_field;  // DF of IPv4; IPv6 is never fragmented on the way
};
inline Inherited InheritedFrom(const uint8_t* inner, uint8_t family, const Handling& handling) {
  Inherited inherited =
      family == 4
          ? Inherited{inner[1],
                      static_cast<uint16_t>(LoadBigEndian<uint16_t>(inner + 6) & kDontFragment)}
          : Inherited{static_cast<uint8_t>(LoadBigEndian<uint16_t>(inner) >> 4), kDontFragment};
  if (handling.df != Handling::Df::kCopy) {
    inherited.fragment_field = handling.df == Handling::Df::kSet ? kDontFragment : uint16_t{0};
  }
  if (handling.dscp.has_value()) {
    inherited.traffic_class =
        static_cast<uint8_t>(*handling.dscp << 2 | (inherited.traffic_class & kEcnBits));
  }
  return inherited;
}

// Lengths, and what is the packet's own.
inline void FillIpv4(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
                     uint64_t sequence) {
  std::memcpy(at, sa.outer_header, kIpv4HeaderBytes);
  const auto length = static_cast<uint16_t>(total_bytes);
  // One per packet of this SA, so unique as long as RFC 6864 asks where a router may fragment it.
  const auto id = static_cast<uint16_t>(sequence);
  uint32_t sum =
      sa.checksum_part + inherited.traffic_class + length + id + inherited.fragment_field;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  at[1] = inherited.traffic_class;
  StoreBigEndian<uint16_t>(at + 2, length);
  StoreBigEndian<uint16_t>(at + 4, id);
  StoreBigEndian<uint16_t>(at + 6, inherited.fragment_field);
  StoreBigEndian<uint16_t>(at + 10, static_cast<uint16_t>(~sum));
}

inline void FillIpv6(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited) {
  std::memcpy(at, sa.outer_header, kIpv6HeaderBytes);
  at[0] = static_cast<uint8_t>(0x60 | inherited.traffic_class >> 4);
  at[1] = static_cast<uint8_t>(inherited.traffic_class << 4);
  StoreBigEndian<uint16_t>(at + 4, static_cast<uint16_t>(total_bytes - kIpv6HeaderBytes));
}

// Writes the sa.outer_bytes at `at` of a packet of `total_bytes`, which has `sequence`.
inline void WriteOuter(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
                       uint64_t sequence) {
  size_t ip_bytes = kIpv6HeaderBytes;
  if (sa.layout.outer_family == 4) {
    FillIpv4(sa, at, total_bytes, inherited, sequence);
    ip_bytes = kIpv4HeaderBytes;
  } else {
    FillIpv6(sa, at, total_bytes, inherited);
  }
  if (!sa.layout.udp_encapsulation) return;
  std::memcpy(at + ip_bytes, sa.outer_header + ip_bytes, kUdpHeaderBytes);
  StoreBigEndian<uint16_t>(at + ip_bytes + 4, static_cast<uint16_t>(total_bytes - ip_bytes));
}

// Transport mode: the same of a packet whose own headers stand at `at`, with room for UDP behind
// them where encapsulated.
void WriteTransport(const OutboundSa& sa, uint8_t* at, const ClearHeaders& headers,
                    size_t total_bytes);

// Transport mode is between the ends that the packet itself names (RFC 4301, 4.1): is it? `packet`
// starts with an IP header of `family`.
bool IsBetweenEnds(const OutboundSa& sa, const uint8_t* packet, uint8_t family);

// The context of what is an IP packet of ours from now on. Read from the packet: the SA may have
// been moved to other ends while it was with the crypto backend. Requires: l4_offset is set.
void DescribeOuter(rte_mbuf* mbuf, bool udp, PacketContext& context);

}  // namespace sekisho::fastpath
