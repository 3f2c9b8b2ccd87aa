// bench/rate_search.h: the highest rate at which no more than a share of the packets is lost, found
// by trials (RFC 2544, 26.1; the rates are halved in, not stepped down).
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace sekisho::bench {

struct TrialOutcome {
  double rate = 0;  // packets per second, as really sent
  double loss = 0;  // share of them
};

struct FoundRate {
  TrialOutcome best;          // of the trials that were good enough; rate 0: none was
  bool by_generator = false;  // nothing was lost at all that the generator could send
  int trials = 0;
};

struct RateSearch {
  double rate_max = 0;       // packets per second
  double loss_max = 0;       // 0: RFC 2544's throughput; above: the partial-drop rate
  double resolution = 0.01;  // of rate_max: ends when good and bad rates are so near
};

// `trial` sends at the rate that it is given, or as near to it as it can.
absl::StatusOr<FoundRate> FindRate(
    const RateSearch& search,
    const std::function<absl::StatusOr<TrialOutcome>(double rate)>& trial);

}  // namespace sekisho::bench
