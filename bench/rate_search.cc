#include "bench/rate_search.h"

#include <algorithm>

#include "common/status_macros.h"

namespace sekisho::bench {
namespace {

// Below this share of what was asked for, the generator and not the gateway is at its end.
constexpr double kKeptUp = 0.98;
// Unless it was only kept from its core once.
constexpr int kAttempts = 3;

}  // namespace

absl::StatusOr<FoundRate> FindRate(
    const RateSearch& search,
    const std::function<absl::StatusOr<TrialOutcome>(double rate)>& trial) {
  FoundRate found;
  double good = 0, bad = search.rate_max, rate = search.rate_max;
  for (;;) {
    TrialOutcome outcome;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      SEKISHO_ASSIGN_OR_RETURN(outcome, trial(rate));
      ++found.trials;
      if (outcome.loss > search.loss_max || outcome.rate >= kKeptUp * rate) break;
    }
    if (outcome.loss <= search.loss_max) {
      if (outcome.rate > found.best.rate) found.best = outcome;
      // More cannot be sent.
      found.by_generator = outcome.rate < kKeptUp * rate || rate >= search.rate_max;
      if (found.by_generator) return found;
      good = rate;
    } else {
      // What was lost of less than was asked for would be lost of it, too.
      bad = std::min(rate, outcome.rate);
    }
    if (bad - good <= search.resolution * search.rate_max) return found;
    rate = (good + bad) / 2;
  }
}

}  // namespace sekisho::bench
