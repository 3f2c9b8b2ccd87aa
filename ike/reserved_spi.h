// ike/reserved_spi.h: an inbound SPI that was allocated and is not installed yet. Given back when
// the negotiation that wanted it ends without an SA.
#pragma once

#include <utility>

#include "common/spi.h"
#include "ike/engine.h"

namespace sekisho::ike {

class ReservedSpi {
 public:
  ReservedSpi() = default;
  ReservedSpi(SpiAllocator& allocator, Spi spi) : allocator_(&allocator), spi_(spi) {}
  ReservedSpi(ReservedSpi&& other) noexcept
      : allocator_(std::exchange(other.allocator_, nullptr)), spi_(other.spi_) {}
  ReservedSpi& operator=(ReservedSpi&& other) noexcept {
    if (this != &other) {
      Release();
      allocator_ = std::exchange(other.allocator_, nullptr);
      spi_ = other.spi_;
    }
    return *this;
  }
  ~ReservedSpi() { Release(); }

  Spi spi() const { return spi_; }
  // The SPI now belongs to an SA that will be installed.
  Spi Take() {
    allocator_ = nullptr;
    return spi_;
  }

 private:
  void Release() {
    if (allocator_ != nullptr) allocator_->Release(spi_);
    allocator_ = nullptr;
  }

  SpiAllocator* allocator_ = nullptr;
  Spi spi_;
};

}  // namespace sekisho::ike
