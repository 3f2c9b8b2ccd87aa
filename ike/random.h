// ike/random.h: the engine's only source of randomness, given at construction, so that a test can
// replay a run from a seed.
#pragma once

#include <cstdint>
#include <span>

namespace sekisho::ike {

class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<uint8_t> bytes) = 0;

  uint64_t NextU64();
  // Uniform in [0, bound). Requires: bound > 0.
  uint64_t Below(uint64_t bound);
};

// OpenSSL's CSPRNG. For secrets in production; thread-safe.
class SystemRandom final : public Random {
 public:
  void Fill(std::span<uint8_t> bytes) override;
};

}  // namespace sekisho::ike
