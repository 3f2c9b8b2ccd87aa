// common/byte_order.h: integers as they stand on the wire.
//
// Be16, Be32 and Be64 hold a big-endian value and convert only when asked, so that a byte-order
// mistake does not compile. They have alignment 1 and may be laid over packet bytes.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sekisho {

template <std::unsigned_integral T>
constexpr T ByteSwapIfLittle(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

template <std::unsigned_integral T>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  static constexpr BigEndian FromHost(T value) {
    BigEndian result;
    result.bytes_ = std::bit_cast<Bytes>(ByteSwapIfLittle(value));
    return result;
  }
  // `raw` is what memory holds: what DPDK calls rte_be16_t, rte_be32_t, rte_be64_t.
  static constexpr BigEndian FromRaw(T raw) {
    BigEndian result;
    result.bytes_ = std::bit_cast<Bytes>(raw);
    return result;
  }
  constexpr T host() const { return ByteSwapIfLittle(raw()); }
  constexpr T raw() const { return std::bit_cast<T>(bytes_); }
  constexpr bool operator==(const BigEndian& other) const { return raw() == other.raw(); }

 private:
  struct Bytes {
    uint8_t byte[sizeof(T)] = {};
  };
  Bytes bytes_;
};

using Be16 = BigEndian<uint16_t>;
using Be32 = BigEndian<uint32_t>;
using Be64 = BigEndian<uint64_t>;
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);
static_assert(std::is_trivially_copyable_v<Be64>);

// Requires: sizeof(T) bytes at `from` (or `to`).
template <std::unsigned_integral T>
T LoadBigEndian(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return ByteSwapIfLittle(value);
}
template <std::unsigned_integral T>
void StoreBigEndian(uint8_t* to, T value) {
  value = ByteSwapIfLittle(value);
  std::memcpy(to, &value, sizeof(T));
}

}  // namespace sekisho
