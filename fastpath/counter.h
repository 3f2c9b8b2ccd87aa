// fastpath/counter.h: a counter with one writer, readable from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace sekisho::fastpath {

// The owner adds with a plain load and store (no locked instruction); readers see some recent
// value, never a torn one.
class Counter {
 public:
  // The owning thread only.
  void Add(uint64_t count) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  // Any thread.
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};  // owner: relaxed; readers: relaxed
};
static_assert(sizeof(Counter) == 8);

}  // namespace sekisho::fastpath
