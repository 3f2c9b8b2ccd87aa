// fastpath/quiescence.h: when may memory be freed that any worker could be reading?
//
// The slow path unlinks an object, calls Advance(), and frees the object once Passed() says that
// every worker has come to the end of a round since. A worker holds nothing of what is protected
// this way from one round to the next, so that one load and one store per round are all it pays.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "common/spi.h"

namespace sekisho::fastpath {

class Quiescence {
 public:
  explicit Quiescence(uint32_t workers) : seen_(workers) {}

  // Slow path. After unlinking; returns what to ask Passed() for.
  uint64_t Advance() {
    const uint64_t next = epoch_.load(std::memory_order_relaxed) + 1;
    epoch_.store(next, std::memory_order_release);
    return next;
  }
  // Slow path. Has no worker a reference any more that it took before Advance() returned `epoch`?
  bool Passed(uint64_t epoch) const {
    for (const Seen& seen : seen_) {
      if (seen.epoch.load(std::memory_order_acquire) < epoch) return false;
    }
    return true;
  }
  // Worker, between two rounds: holds no reference.
  void Report(WorkerId worker) {
    Seen& seen = seen_[static_cast<size_t>(worker)];
    const uint64_t epoch = epoch_.load(std::memory_order_acquire);
    if (seen.epoch.load(std::memory_order_relaxed) == epoch) return;
    seen.epoch.store(epoch, std::memory_order_release);
  }

 private:
  struct alignas(64) Seen {
    std::atomic<uint64_t> epoch = 0;  // its worker: release; slow path: acquire
  };
  alignas(64) std::atomic<uint64_t> epoch_ = 0;  // slow path: release; workers: acquire
  std::vector<Seen> seen_;
};

}  // namespace sekisho::fastpath
