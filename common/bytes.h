// common/bytes.h: bounds-checked reading and writing of byte strings.
//
// A ByteReader never reads past its end: the first short read makes it fail, every later read
// returns zeros or nothing, and ok() says so once at the end. Integers are big-endian (network
// order) on the wire and host order in the interface.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "common/byte_order.h"
#include "common/check.h"

namespace sekisho {

using ByteSpan = std::span<const uint8_t>;
using Bytes = std::vector<uint8_t>;

inline Bytes ToBytes(ByteSpan span) { return Bytes(span.begin(), span.end()); }

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T Read() {
    if (rest_.size() < sizeof(T)) {
      Fail();
      return 0;
    }
    const T value = LoadBigEndian<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  uint8_t ReadU8() { return Read<uint8_t>(); }
  uint16_t ReadU16() { return Read<uint16_t>(); }
  uint32_t ReadU32() { return Read<uint32_t>(); }
  uint64_t ReadU64() { return Read<uint64_t>(); }

  // A view of the next `count` bytes; empty, and the reader failed, if there are fewer.
  ByteSpan ReadBytes(size_t count) {
    if (rest_.size() < count) {
      Fail();
      return {};
    }
    const ByteSpan result = rest_.first(count);
    rest_ = rest_.subspan(count);
    return result;
  }
  void Skip(size_t count) { ReadBytes(count); }
  ByteSpan ReadRest() { return ReadBytes(rest_.size()); }

  void Fail() {
    ok_ = false;
    rest_ = {};
  }
  [[nodiscard]] bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  size_t remaining() const { return rest_.size(); }

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void Write(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    StoreBigEndian<T>(bytes_.data() + at, value);
  }
  void WriteU8(uint8_t value) { Write<uint8_t>(value); }
  void WriteU16(uint16_t value) { Write<uint16_t>(value); }
  void WriteU32(uint32_t value) { Write<uint32_t>(value); }
  void WriteU64(uint64_t value) { Write<uint64_t>(value); }
  void WriteBytes(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void WriteZeros(size_t count) { bytes_.resize(bytes_.size() + count); }

  // Overwrites an integer written before. Requires: at + sizeof(T) <= size().
  template <std::unsigned_integral T>
  void Patch(size_t at, T value) {
    SEKISHO_CHECK(at + sizeof(T) <= bytes_.size());
    StoreBigEndian<T>(bytes_.data() + at, value);
  }

  size_t size() const { return bytes_.size(); }
  ByteSpan span() const { return bytes_; }
  std::span<uint8_t> mutable_span() { return bytes_; }
  Bytes Take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace sekisho
