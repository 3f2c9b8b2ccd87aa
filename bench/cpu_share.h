// bench/cpu_share.h: did the threads have their cores while something was measured?
#pragma once

#include <time.h>

#include <cstdint>
#include <vector>

namespace sekisho::bench {

class CpuShare {
 public:
  enum class Of : uint8_t { kThread, kProcess };  // the calling thread; all threads together
  explicit CpuShare(Of of = Of::kThread);
  // Since it was made: cores' worth of time that was had.
  double Get() const;

 private:
  int64_t Cpu() const;

  // One for each thread: the process's own clock knows of other threads only what they had at their
  // last tick, which is long ago here.
  std::vector<clockid_t> clocks_;
  int64_t cpu_ = 0, wall_ = 0;
};

}  // namespace sekisho::bench
