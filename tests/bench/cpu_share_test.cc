#include "bench/cpu_share.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sekisho::bench {
namespace {

// What a thread of CPU time costs is the same whatever else runs, so the loops below count that and
// not the time.
int64_t ThreadNanoseconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}
void Spin() {
  const int64_t end = ThreadNanoseconds() + 1'000'000;
  while (ThreadNanoseconds() < end) {
  }
}

// This thread waits while another one works, for less than a tick and on: it has its core still
// when it is asked about.
TEST(CpuShareTest, TheProcessHasWhatItsOtherThreadsHaveAndTheThreadHasNot) {
  std::atomic<bool> go = false, done = false;
  std::thread other([&] {
    go.wait(false);
    Spin();
    done = true;
    done.notify_one();
    while (go) {
    }
  });
  const CpuShare process(CpuShare::Of::kProcess), thread;
  go = true;
  go.notify_one();
  done.wait(false);
  const double of_process = process.Get(), of_thread = thread.Get();
  EXPECT_GT(of_process, 2 * of_thread);
  go = false;
  other.join();
}

}  // namespace
}  // namespace sekisho::bench
