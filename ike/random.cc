#include "ike/random.h"

#include <openssl/rand.h>

#include <cstring>

#include "common/check.h"

namespace sekisho::ike {

uint64_t Random::NextU64() {
  uint8_t bytes[8];
  Fill(bytes);
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

uint64_t Random::Below(uint64_t bound) {
  SEKISHO_CHECK(bound > 0);
  // Values from the last, incomplete multiple of `bound` on would favour small results.
  const uint64_t usable = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value;
  do {
    value = NextU64();
  } while (value >= usable);
  return value % bound;
}

void SystemRandom::Fill(std::span<uint8_t> bytes) {
  SEKISHO_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
}

}  // namespace sekisho::ike
