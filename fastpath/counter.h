// fastpath/counter.h: a counter with one writer, readable from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

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

// Counters of one thread, in cache lines that nothing else is in: what others write beside them
// would cost their owner a line each time.
class CounterArray {
 public:
  CounterArray() = default;
  explicit CounterArray(size_t size) : lines_((size + kPerLine - 1) / kPerLine) {}
  Counter& operator[](size_t i) { return lines_[i / kPerLine].counters[i % kPerLine]; }
  const Counter& operator[](size_t i) const { return lines_[i / kPerLine].counters[i % kPerLine]; }

 private:
  static constexpr size_t kPerLine = 64 / sizeof(Counter);
  struct alignas(64) Line {
    std::array<Counter, kPerLine> counters;
  };
  std::vector<Line> lines_;
};

}  // namespace sekisho::fastpath
