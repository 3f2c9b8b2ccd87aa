// fastpath/home_worker.h: which worker is the home of what many packets share without naming a
// worker: a remote host (everything that was learned about its flows is kept at one place), or the
// fragments of one packet (they have to meet).
//
// A pure function of its arguments: the slow path and every worker come to the same answer.
#pragma once

#include <cstdint>

#include "common/ip_address.h"
#include "common/spi.h"

namespace sekisho::fastpath {

namespace internal {

// Of splitmix64: every bit of the input moves every bit of the output.
constexpr uint64_t Mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

inline uint64_t HashOf(const IpAddress& address, uint64_t seed) {
  uint64_t hash = Mix(seed + 0x9e3779b97f4a7c15u);
  for (const uint8_t byte : address.bytes()) hash = hash * 0x100000001b3u ^ byte;
  return Mix(hash);
}

// Without a division: the upper bits of the hash, scaled.
constexpr WorkerId Choose(uint64_t hash, uint32_t workers) {
  return WorkerId{static_cast<uint8_t>((hash >> 32) * workers >> 32)};
}

}  // namespace internal

// Of a remote address. Requires: workers of 1 to kWorkersMax.
inline WorkerId HomeOf(const IpAddress& remote, uint32_t workers) {
  return workers == 1 ? WorkerId{0} : internal::Choose(internal::HashOf(remote, 0), workers);
}

// Of an inbound SA: the worker that its SPI names. One that a person typed may name none that there
// is, and has one all the same.
constexpr WorkerId OwnerOf(Spi spi, uint32_t workers) {
  return WorkerId{static_cast<uint8_t>(static_cast<uint32_t>(spi.worker()) % workers)};
}

// Of the fragments of one packet (RFC 791, 3.2; RFC 8200, 4.5).
inline WorkerId HomeOfFragments(const IpAddress& source, const IpAddress& destination,
                                uint32_t identification, uint32_t workers) {
  if (workers == 1) return WorkerId{0};
  const uint64_t hash = internal::HashOf(source, identification);
  return internal::Choose(internal::HashOf(destination, hash), workers);
}

}  // namespace sekisho::fastpath
