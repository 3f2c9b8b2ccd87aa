// fastpath/esp_trailer.h: the constants of an ESP packet that both directions know (RFC 4303, 2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

}  // namespace sekisho::fastpath
