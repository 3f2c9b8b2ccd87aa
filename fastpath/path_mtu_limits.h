// fastpath/path_mtu_limits.h: what a learned path MTU may be, and for how long it counts.
#pragma once

#include <cstdint>

namespace sekisho::fastpath {

inline constexpr uint64_t kPathMtuSeconds = 600;   // RFC 1191, 6.3
inline constexpr int kPathMtuShift = 32;           // seconds, more or less, from TSC ticks
inline constexpr uint16_t kPathMtuMinIpv4 = 576;   // RFC 791, 3.2: what every host takes
inline constexpr uint16_t kPathMtuMinIpv6 = 1280;  // RFC 8200, 5

}  // namespace sekisho::fastpath
