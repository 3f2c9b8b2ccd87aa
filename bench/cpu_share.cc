#include "bench/cpu_share.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"

namespace sekisho::bench {
namespace {

int64_t Now(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// As pthread_getcpuclockid() makes it, of a thread whose pthread_t only DPDK knows:
// clock_getres(2).
clockid_t ClockOfThread(int thread) {
  constexpr int kPerThread = 4, kScheduled = 2;
  return static_cast<clockid_t>(static_cast<unsigned>(~thread) << 3 | kPerThread | kScheduled);
}

}  // namespace

CpuShare::CpuShare(Of of) {
  if (of == Of::kThread) {
    clocks_.push_back(CLOCK_THREAD_CPUTIME_ID);
  } else {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
      int thread = 0;
      if (absl::SimpleAtoi(entry.path().filename().string(), &thread)) {
        clocks_.push_back(ClockOfThread(thread));
      }
    }
  }
  cpu_ = Cpu();
  wall_ = Now(CLOCK_MONOTONIC);
}

int64_t CpuShare::Cpu() const {
  int64_t sum = 0;
  for (const clockid_t clock : clocks_) sum += Now(clock);
  return sum;
}

double CpuShare::Get() const {
  return static_cast<double>(Cpu() - cpu_) / static_cast<double>(Now(CLOCK_MONOTONIC) - wall_);
}

}  // namespace sekisho::bench
