// bench/churn.h: what a row's rate loses while users come and go: the slow-path thread installs and
// removes SAs at a given rate while a worker on another core forwards.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "absl/status/statusor.h"
#include "bench/gateway.h"
#include "bench/measure.h"
#include "bench/runner.h"
#include "bench/workload.h"

namespace sekisho::bench {

// Pairs of SAs beside the row's own, each of a user that sends nothing.
class Churn {
 public:
  static constexpr uint32_t kPairsMax = 4096;  // installed, or not yet let go by the worker

  // Both outlive it. `per_second`: SAs, of both directions.
  Churn(const Workload& workload, Gateway& gateway, double per_second);
  // From now on SAs are due.
  void Start();
  // Installs what is due and removes as many; to be called again and again.
  absl::Status Step();
  // Removes all that are left. Requires: the workers are not running.
  absl::Status Finish();
  uint64_t installed() const { return installed_; }

 private:
  static constexpr uint32_t kPairsKept = 1024;
  absl::Status InstallPair();
  absl::Status RemoveOldest();

  const Workload& workload_;
  Gateway& gateway_;
  const double cycles_per_pair_;
  double due_ = 0;  // TSC: the next pair
  uint32_t next_user_ = 0;
  uint64_t installed_ = 0;  // SAs
  std::deque<fastpath::SaHandle> kept_;
};

struct ChurnResult {
  double installs_per_second = 0;  // as really done
  double rate_loss = 0;            // share of the packets per second without
};

// Samples with and without, in turn. The row has one worker, which runs on its own core.
absl::StatusOr<ChurnResult> MeasureChurn(Runner& runner, Churn& churn,
                                         const SampleOptions& options);

}  // namespace sekisho::bench
