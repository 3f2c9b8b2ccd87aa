// fastpath/transport_header.h: transport mode's view of an IP header: where IPsec goes into it, and
// what must be put right when something goes in or comes out (RFC 4302 and 4303, 3.1.1).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "common/bytes.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

// The part of a packet that stays in front of ESP or AH.
struct ClearHeaders {
  uint16_t bytes = 0;    // IPv4 with its options; IPv6 with the extension headers that routers read
  uint16_t next_at = 0;  // where the byte stands that says what follows them
};

// Where IPsec goes into this packet: behind hop-by-hop options, routing and fragment headers, and
// behind destination options only where a routing header follows those. Requires: the bytes of a
// packet that ParseIp() accepted.
ClearHeaders ClearHeadersOf(ByteSpan packet);
// The headers before `end`, where IPsec is (context.l4_offset). Requires: the same.
ClearHeaders HeadersBefore(ByteSpan packet, size_t end);

// Makes the headers at the start of a packet of `total_bytes` say so, with `protocol` behind them,
// and makes the checksum of IPv4 right.
void SetFollowing(uint8_t* packet, const ClearHeaders& headers, uint8_t protocol,
                  size_t total_bytes);

// The one's complement sum of a packet's two addresses, as its transport checksum covers them.
uint16_t SumOfAddresses(const uint8_t* packet);

// RFC 3948, 3.1.2: the packet came through NAT inside of ESP, so its transport checksum still
// covers the addresses that its sender knew, of which `before` is the sum. Requires: ParseIp()
// succeeded, and no fragment.
void ReplaceAddressesInChecksum(rte_mbuf* mbuf, const PacketContext& context, uint16_t before);
// The same without knowing those addresses: made anew, for what is covered whole (TCP, UDP,
// ICMPv6); TCP's and UDP's when the packet leaves (checksum_offload.h).
void RemakeChecksum(rte_mbuf* mbuf, PacketContext& context);

// RFC 1624, 3: a checksum after a word it covers went from `before` to `after`. All in memory
// order.
constexpr uint16_t UpdatedChecksum(uint16_t checksum, uint16_t before, uint16_t after) {
  uint32_t sum =
      static_cast<uint16_t>(~checksum) + uint32_t{static_cast<uint16_t>(~before)} + uint32_t{after};
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// The transport checksum of a packet, or null where its protocol has none, where it is cut off,
// where it is a UDP packet without one, or where it is yet to be made.
uint8_t* TransportChecksum(rte_mbuf* mbuf, const PacketContext& context);
// What the sender wrote stands at `checksum`: exchanges one word that it covers.
void ExchangeInChecksum(uint8_t* checksum, uint8_t protocol, uint16_t before, uint16_t after);

}  // namespace sekisho::fastpath
