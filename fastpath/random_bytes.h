// fastpath/random_bytes.h: randomness of the operating system, for the slow path: parts of SPIs,
// secrets of SAs. Never called by a worker.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <type_traits>

#include "common/check.h"

namespace sekisho::fastpath {

template <typename T>
T RandomNumber() {
  static_assert(std::is_unsigned_v<T>);
  T value;
  // Up to 256 bytes are never cut short once the system has booted (getrandom(2)).
  SEKISHO_CHECK(getrandom(&value, sizeof(value), 0) == ssize_t{sizeof(value)});
  return value;
}

}  // namespace sekisho::fastpath
