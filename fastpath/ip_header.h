// fastpath/ip_header.h: the IP headers of packets that are made here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/byte_order.h"
#include "common/bytes.h"
#include "common/ip_address.h"

namespace sekisho::fastpath {

inline constexpr size_t kIpv4HeaderBytes = 20;
inline constexpr size_t kIpv6HeaderBytes = 40;
inline constexpr size_t kUdpHeaderBytes = 8;
inline constexpr uint8_t kOwnTtl = 64;
inline constexpr uint8_t kEcnBits = 3;  // of the traffic class (RFC 3168, 5)

struct IpHeaderFields {
  IpAddress source, destination;  // of one family, which is the header's
  uint8_t protocol = 0;
  uint8_t ttl = kOwnTtl;
  uint16_t payload_bytes = 0;
  uint16_t ipv4_id = 0;  // IPv4 only
};

constexpr size_t IpHeaderBytes(IpFamily family) {
  return family == IpFamily::kIpv4 ? kIpv4HeaderBytes : kIpv6HeaderBytes;
}

// DSCP and ECN of an IP header of either family.
inline uint8_t TrafficClass(const uint8_t* header) {
  return header[0] >> 4 == 4 ? header[1] : static_cast<uint8_t>(header[0] << 4 | header[1] >> 4);
}

// The destination in an IP header of either family.
inline ByteSpan DestinationBytes(const uint8_t* header, uint8_t family) {
  return family == 4 ? ByteSpan(header + 16, 4) : ByteSpan(header + 24, 16);
}

// Takes one from the TTL or hop limit. Requires: there is one.
inline void CountDownTtl(uint8_t* header, uint8_t family) {
  if (family == 6) {
    --header[7];
    return;
  }
  --header[8];
  // RFC 1624, equation 3, where the new word is the old one less 0x0100. To add that to the
  // checksum instead would make 0xffff where the sum of a whole header makes 0.
  const uint32_t sum = static_cast<uint16_t>(~LoadBigEndian<uint16_t>(header + 10)) + 0xfeffu;
  StoreBigEndian<uint16_t>(header + 10, static_cast<uint16_t>(~(sum + (sum >> 16))));
}

// Writes IpHeaderBytes() bytes, without options, DF clear, with the checksum of IPv4.
void WriteIpHeader(uint8_t* to, const IpHeaderFields& fields);

}  // namespace sekisho::fastpath
