// fastpath/checksum.h: the Internet checksum (RFC 1071), plain and with a pseudo-header (RFC 768;
// RFC 8200, 8.1).
#pragma once

#include <rte_ip.h>

#include <cstdint>

#include "common/bytes.h"

namespace sekisho::fastpath {

// The sum in memory order, not yet complemented. 0xffff: a checksum that stands in `bytes` holds.
inline uint16_t OnesSum(ByteSpan bytes) { return rte_raw_cksum(bytes.data(), bytes.size()); }

// The same over source, destination, protocol and length of an upper-layer packet.
inline uint16_t OnesSumOfPseudoHeader(ByteSpan source, ByteSpan destination, uint8_t protocol,
                                      size_t upper_bytes) {
  const uint8_t tail[8] = {
      0, 0,       static_cast<uint8_t>(upper_bytes >> 8), static_cast<uint8_t>(upper_bytes), 0, 0,
      0, protocol};
  uint32_t sum = uint32_t{OnesSum(source)} + OnesSum(destination) + OnesSum(tail);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// The same, and over the upper-layer packet.
inline uint16_t OnesSumWithPseudoHeader(ByteSpan source, ByteSpan destination, uint8_t protocol,
                                        ByteSpan upper) {
  uint32_t sum =
      uint32_t{OnesSumOfPseudoHeader(source, destination, protocol, upper.size())} + OnesSum(upper);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// What to put into a checksum field that was zero while `sum` was made; memory order.
inline uint16_t ChecksumFrom(uint16_t sum) { return static_cast<uint16_t>(~sum); }
// For UDP, where zero would say that there is none (RFC 768).
inline uint16_t UdpChecksumFrom(uint16_t sum) {
  const uint16_t checksum = ChecksumFrom(sum);
  return checksum == 0 ? uint16_t{0xffff} : checksum;
}

}  // namespace sekisho::fastpath
