// fastpath/outer_header.h: the IP header, and UDP where encapsulated, that goes around a packet.
//
// A template stands in the OutboundSa, written when the SA is installed or its peer moves; a packet
// takes it over and adds what is its own: lengths, traffic class, identification, DF.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/endpoint.h"
#include "fastpath/packet_context.h"
#include "fastpath/sa.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {

// Writes template and checksum part for these ends. Worker (kMovePeer) or slow path (before
// install). Requires: sa.layout is filled; both ends of one family.
void WriteOuterHeader(OutboundSa& sa, const Endpoint& local, const Endpoint& remote);

// What the outer header takes over from the inner one, as far as policy does not say otherwise.
struct Inherited {
  uint8_t traffic_class;    // DSCP (RFC 4301, 5.1.2.1), ECN in normal mode (RFC 6040, 4.1)
  uint16_t fragment_field;  // DF of IPv4; IPv6 is never fragmented on the way
};
Inherited InheritedFrom(const uint8_t* inner, uint8_t family, const Handling& handling);

// Writes the sa.outer_bytes at `at` of a packet of `total_bytes`, which has `sequence`.
void WriteOuter(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
                uint64_t sequence);

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
