// bench/cpu_share.h: did the threads have their cores while something was measured?
#pragma once

#include <time.h>

#include <cstdint>

namespace sekisho::bench {

// Below this share of the time a sample says more about who else ran.
inline constexpr double kCpuShareMin = 0.95;

class CpuShare {
 public:
  enum class Of : uint8_t { kThread, kProcess };  // the calling thread; all threads together
  explicit CpuShare(Of of = Of::kThread)
      : clock_(of == Of::kThread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID),
        wall_(Now(CLOCK_MONOTONIC)),
        cpu_(Now(clock_)) {}
  // Since it was made: cores' worth of time that was had.
  double Get() const {
    return static_cast<double>(Now(clock_) - cpu_) /
           static_cast<double>(Now(CLOCK_MONOTONIC) - wall_);
  }

 private:
  static int64_t Now(clockid_t clock) {
    timespec time = {};
    clock_gettime(clock, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }

  const clockid_t clock_;
  const int64_t wall_, cpu_;
};

}  // namespace sekisho::bench
