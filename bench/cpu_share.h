// bench/cpu_share.h: did the threads have their cores while something was measured?
#pragma once

#include <time.h>

#include <cstdint>

namespace sekisho::bench {

// Below this share of the time a sample says more about who else ran.
inline constexpr double kCpuShareMin = 0.95;

class CpuShare {
 public:
  // Of the calling thread, or of `threads` of this process that never sleep.
  explicit CpuShare(uint32_t threads = 0)
      : threads_(threads),
        clock_(threads == 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID) {
    Restart();
  }
  void Restart() {
    wall_ = Now(CLOCK_MONOTONIC);
    cpu_ = Now(clock_);
  }
  // Since it was made, or restarted.
  double Get() const {
    const int64_t wall = Now(CLOCK_MONOTONIC) - wall_;
    const int64_t cpu = Now(clock_) - cpu_;
    const uint32_t threads = threads_ == 0 ? 1 : threads_;
    return static_cast<double>(cpu) / (static_cast<double>(wall) * threads);
  }

 private:
  static int64_t Now(clockid_t clock) {
    timespec time = {};
    clock_gettime(clock, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }

  const uint32_t threads_;
  const clockid_t clock_;
  int64_t wall_ = 0, cpu_ = 0;
};

}  // namespace sekisho::bench
