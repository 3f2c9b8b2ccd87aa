// bench/measure.h: one row: samples of the fast path, of the I/O floor and of the crypto limit in
// turn, so that whatever changes the clock of the core changes all three.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "bench/row.h"
#include "bench/runner.h"
#include "bench/stage_count.h"

namespace sekisho::bench {

struct SampleOptions {
  uint32_t samples = 15;
  double sample_ms = 4;
  double cpu_share_min = 0.95;
};

// TSC cycles per packet and core: medians.
struct Result {
  double cycles = 0;
  double io_floor_cycles = 0;
  double crypto_limit_cycles = 0;
  double mpps = 0;
  double gbps = 0;    // of inner IP bytes
  double spread = 0;  // bench/statistics.h
  uint32_t samples = 0;
  uint32_t thrown_away = 0;  // the thread was off the core
  uint64_t checked = 0;      // packets that were compared
  // With --installs (bench/churn.h); 0: not measured.
  double installs_per_second = 0, rate_loss = 0;
  StageArray stages = {};  // with one worker; from a build that counts them

  double overhead_cycles() const { return cycles - io_floor_cycles - crypto_limit_cycles; }
  // How much of the time is what cannot be avoided.
  double share_of_limit() const { return (io_floor_cycles + crypto_limit_cycles) / cycles; }
};

absl::StatusOr<Result> Measure(const Row& row, Runner& runner, Gateway& gateway,
                               const SampleOptions& options);

}  // namespace sekisho::bench
