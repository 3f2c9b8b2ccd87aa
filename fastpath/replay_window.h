// fastpath/replay_window.h: the anti-replay window of one inbound SA (RFC 4303, 3.4.3, appendix A).
//
// One writer: the worker that owns the SA. Check() before the ICV is verified, Commit() after it,
// so that a forged packet never moves the window. Between the two another packet of the same burst
// may have committed the same number: Check() again before Commit().
//
// The bitmap is a ring: sequence number s stands at bit s modulo the window's size, and whatever
// the window's right edge passes over is cleared as it moves. Unlike RFC 6479's blocks this needs
// no spare block, and the window is exactly as wide as it says.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/check.h"

namespace sekisho::fastpath {

class ReplayWindow {
 public:
  static constexpr uint32_t kBitsMin = 64;
  static constexpr uint32_t kBitsMax = 4096;

  ReplayWindow() = default;
  ReplayWindow(const ReplayWindow& other) { *this = other; }
  ReplayWindow& operator=(const ReplayWindow& other) {
    words_ = other.words_;
    top_.store(other.top(), std::memory_order_relaxed);
    mask_ = other.mask_;
    return *this;
  }
  // Uses `words` as its bitmap, and clears it; the caller keeps it alive.
  // Requires: words.size() * 64 is a power of two from kBitsMin to kBitsMax.
  explicit ReplayWindow(std::span<uint64_t> words);

  // New, and not left of the window? Changes nothing. Number 0 is never sent (RFC 4303, 2.2).
  bool Check(uint64_t sequence) const {
    const uint64_t top = this->top();
    if (sequence > top) return true;
    if (top - sequence > mask_ || sequence == 0) return false;
    return (words_[WordOf(sequence)] & BitOf(sequence)) == 0;
  }
  // Requires: Check(sequence) is true.
  void Commit(uint64_t sequence) {
    SEKISHO_DCHECK(Check(sequence));
    if (sequence > top()) Advance(sequence);
    words_[WordOf(sequence)] |= BitOf(sequence);
  }

  // Both of the number after the highest, for which nothing need be cleared; false, and nothing
  // done, of any other.
  bool CommitNext(uint64_t sequence) {
    if (sequence != top() + 1) return false;
    words_[WordOf(sequence)] |= BitOf(sequence);
    top_.store(sequence, std::memory_order_relaxed);
    return true;
  }

  // The 64-bit number that a packet's low 32 bits stand for with ESN (RFC 4303, A2.2); 0, which
  // Check() refuses, where it would lie before the first.
  uint64_t Infer(uint32_t low) const;

  // Nothing was received yet: for a program that plays the same packets again.
  void Reset() { *this = ReplayWindow({words_, bits() / 64}); }

  // The highest committed. Any thread.
  uint64_t top() const { return top_.load(std::memory_order_relaxed); }
  uint32_t bits() const { return mask_ + 1; }

 private:
  size_t WordOf(uint64_t sequence) const { return (sequence & mask_) / 64; }
  static uint64_t BitOf(uint64_t sequence) { return uint64_t{1} << (sequence % 64); }
  // Clears the bits of top_ + 1 to `sequence` and moves the right edge there.
  void Advance(uint64_t sequence);

  uint64_t* words_ = nullptr;
  std::atomic<uint64_t> top_ = 0;  // owner: relaxed; readers: relaxed
  uint32_t mask_ = 0;              // bits - 1
};

inline ReplayWindow::ReplayWindow(std::span<uint64_t> words)
    : words_(words.data()), mask_(static_cast<uint32_t>(words.size() * 64 - 1)) {
  SEKISHO_CHECK(bits() >= kBitsMin && bits() <= kBitsMax && (bits() & mask_) == 0);
  for (uint64_t& word : words) word = 0;
}

inline void ReplayWindow::Advance(uint64_t sequence) {
  const uint64_t top = this->top();
  const uint64_t first_word = (top + 1) / 64;
  const uint64_t last_word = sequence / 64;
  const uint64_t words = bits() / 64;
  if (sequence - top > mask_) {
    for (uint64_t i = 0; i < words; ++i) words_[i] = 0;
  } else {
    // Whole words between, and of the first and last one only what is passed over.
    const uint64_t from = ~uint64_t{0} << ((top + 1) % 64);
    const uint64_t to = ~uint64_t{0} >> (63 - sequence % 64);
    if (first_word == last_word) {
      words_[first_word & (words - 1)] &= ~(from & to);
    } else {
      words_[first_word & (words - 1)] &= ~from;
      for (uint64_t i = first_word + 1; i < last_word; ++i) words_[i & (words - 1)] = 0;
      words_[last_word & (words - 1)] &= ~to;
    }
  }
  top_.store(sequence, std::memory_order_relaxed);
}

inline uint64_t ReplayWindow::Infer(uint32_t low) const {
  const uint32_t top_low = static_cast<uint32_t>(top());
  const uint64_t top_high = top() >> 32;
  const uint32_t left = top_low - mask_;  // the window's left edge, modulo 2^32
  if (top_low >= mask_) {                 // the window lies in one subspace
    return (low >= left ? top_high : top_high + 1) << 32 | low;
  }
  if (low < left) return top_high << 32 | low;
  return top_high == 0 ? 0 : (top_high - 1) << 32 | low;
}

}  // namespace sekisho::fastpath
