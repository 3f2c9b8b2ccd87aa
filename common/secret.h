// common/secret.h: bytes nobody else may see.
//
// SecretBytes wipes its memory when it is destroyed, assigned over or moved from, never reallocates
// behind the owner's back, and does not print. Compare secrets, ICVs and AUTH values only with
// ConstantTimeEqual().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/bytes.h"

namespace sekisho {

// Overwrites with zeros in a way the compiler may not remove.
void WipeMemory(void* memory, size_t bytes);

// True if equal. Takes time that depends on the lengths only.
[[nodiscard]] bool ConstantTimeEqual(ByteSpan a, ByteSpan b);

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size);  // all zeros
  explicit SecretBytes(ByteSpan bytes);
  SecretBytes(const SecretBytes& other) : SecretBytes(other.span()) {}
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(const SecretBytes& other);
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes() { Wipe(); }

  ByteSpan span() const { return {data_.get(), size_}; }
  std::span<uint8_t> mutable_span() { return {data_.get(), size_}; }
  const uint8_t* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Wiped and empty afterwards.
  void Wipe();

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t size_ = 0;
};

}  // namespace sekisho
