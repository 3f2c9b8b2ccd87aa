// fastpath/martian.h: addresses that may not stand in a header on a wire.
#pragma once

#include <cstdint>
#include <cstring>

namespace sekisho::fastpath {

// RFC 1122, 3.2.1.3 and RFC 6890. Host order.
inline bool IsMartianV4(uint32_t source, uint32_t destination) {
  const auto never = [](uint32_t address) { return address >> 24 == 0 || address >> 24 == 127; };
  const bool source_bad = never(source) || source >> 28 >= 0xe;
  const bool destination_bad =
      never(destination) || (destination >> 28 == 0xf && destination != 0xffffffff);
  return source_bad || destination_bad || source == destination;
}

inline bool IsLoopbackOrMapped(const uint8_t* address) {
  static constexpr uint8_t kZeros[15] = {};
  if (std::memcmp(address, kZeros, 10) != 0) return false;
  if (address[10] == 0xff && address[11] == 0xff) return true;  // ::ffff:0:0/96
  return std::memcmp(address + 10, kZeros, 5) == 0 && address[15] == 1;
}

inline bool IsUnspecified(const uint8_t* address) {
  static constexpr uint8_t kZeros[16] = {};
  return std::memcmp(address, kZeros, 16) == 0;
}

// Network order, 16 bytes each.
inline bool IsMartianV6(const uint8_t* source, const uint8_t* destination) {
  // A host that looks for a duplicate of its address has no source yet (RFC 4862, 5.4.2): it may
  // send to a multicast group, and to nothing else.
  if (IsUnspecified(source)) return destination[0] != 0xff;
  if (source[0] == 0xff || IsLoopbackOrMapped(source)) return true;
  if (IsUnspecified(destination) || IsLoopbackOrMapped(destination)) return true;
  return std::memcmp(source, destination, 16) == 0;
}

}  // namespace sekisho::fastpath
