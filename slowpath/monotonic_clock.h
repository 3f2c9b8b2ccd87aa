// slowpath/monotonic_clock.h: the time that the engine and the timers live by.
//
// Starts at the wall clock and then only runs forward at one second per second, so that setting the
// machine's clock neither ends nor eternalises a tunnel.
#pragma once

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sekisho::slowpath {

class MonotonicClock {
 public:
  MonotonicClock() : wall_start_(absl::Now()), start_(std::chrono::steady_clock::now()) {}
  absl::Time Now() const {
    return wall_start_ + absl::FromChrono(std::chrono::steady_clock::now() - start_);
  }

 private:
  const absl::Time wall_start_;
  const std::chrono::steady_clock::time_point start_;
};

}  // namespace sekisho::slowpath
