// fastpath/token_bucket.h: a rate limit that needs no clock read and no division per packet.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sekisho::fastpath {

// Credit is counted in clock ticks: what one event costs is fixed when the limit is set. Starts
// full. One thread.
class TokenBucket {
 public:
  TokenBucket() = default;
  TokenBucket(uint64_t events_per_second, uint64_t events_max, uint64_t tsc_hz)
      : cost_tsc_(tsc_hz / events_per_second),
        credit_max_tsc_(cost_tsc_ * events_max),
        credit_tsc_(credit_max_tsc_) {}

  // May one more happen now? Takes its share if so. A time before that of an earlier call counts as
  // that one.
  bool Take(uint64_t now_tsc) {
    if (now_tsc > last_tsc_) {
      credit_tsc_ = std::min(credit_max_tsc_, credit_tsc_ + (now_tsc - last_tsc_));
      last_tsc_ = now_tsc;
    }
    if (credit_tsc_ < cost_tsc_ || cost_tsc_ == 0) return false;
    credit_tsc_ -= cost_tsc_;
    return true;
  }

 private:
  uint64_t cost_tsc_ = 0;  // 0: nothing is allowed
  uint64_t credit_max_tsc_ = 0;
  uint64_t credit_tsc_ = 0;
  uint64_t last_tsc_ = 0;
};

}  // namespace sekisho::fastpath
