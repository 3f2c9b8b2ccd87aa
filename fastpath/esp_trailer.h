// fastpath/esp_trailer.h: the constants of an ESP packet that both directions know (RFC 4303, 2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sekisho::fastpath {

inline constexpr size_t kEspHeaderBytes = 8;   // SPI, sequence number
inline constexpr size_t kEspTrailerBytes = 2;  // pad length, next header
inline constexpr size_t kEsnBytes = 4;         // high half, authenticated and not sent
inline constexpr uint8_t kNextHeaderIpv4 = 4;
inline constexpr uint8_t kNextHeaderIpv6 = 41;
inline constexpr uint8_t kNextHeaderNone = 59;  // a dummy packet (2.6)

// 1, 2, 3, ... 255 (2.4).
inline constexpr std::array<uint8_t, 255> kEspPadding = [] {
  std::array<uint8_t, 255> bytes = {};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i + 1);
  return bytes;
}();

// In front of pad length and next header, behind which at least the eight bytes of an ICV stand,
// all of them still to be written.
inline void WritePadding(uint8_t* at, size_t bytes) {
  if (bytes <= 8) [[likely]] {
    std::memcpy(at, kEspPadding.data(), 8);
  } else {
    std::memcpy(at, kEspPadding.data(), bytes);
  }
}
// Are the bytes in front of `end` padding? Requires: eight bytes in front of `end` may be read.
inline bool IsPadding(const uint8_t* end, size_t bytes) {
  if (bytes <= 8) [[likely]] {
    uint64_t found, wanted;
    std::memcpy(&found, end - 8, sizeof(found));
    std::memcpy(&wanted, kEspPadding.data(), sizeof(wanted));
    // The last `bytes` of the one are the first of the other.
    return bytes == 0 ||
           (found >> (64 - 8 * bytes)) == (wanted & (~uint64_t{0} >> (64 - 8 * bytes)));
  }
  return std::memcmp(end - bytes, kEspPadding.data(), bytes) == 0;
}

}  // namespace sekisho::fastpath
