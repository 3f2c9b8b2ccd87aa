// fastpath/replay_window.h: the anti-replay window of one inbound SA (RFC 4303, 3.4.3, appendix A).
//
// One writer: the worker that owns the SA. Check() before the ICV is verified, Commit() after it,
// so that a forged packet never moves the window. Between the two another packet of the same burst
// may have committed the same number: Check() again before Commit().
//
// The bitmap is a ring: sequence number s stands at bit s modulo the window's size, and whatever
// the window's right edge passes over is cleared as it moves. Unlike RFC 6479's blocks this needs
// no spare block, and the window is exactly as wide as it says. The word of the ring in which the
// right edge stands is kept beside it, so that packets in order touch the ring in one of 64.
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
  ReplayWindow(const ReplayWindow&) = delete;  // it knows its ring by the distance
  ReplayWindow& operator=(const ReplayWindow&) = delete;
  // Uses `words` as its ring from now on, and clears it; the caller keeps it alive. Requires:
  // words.size() * 64 is a power of two from kBitsMin to kBitsMax, and the words are less than 2
  // GiB behind or before the window.
  void Use(std::span<uint64_t> words);

  // New, and not left of the window? Changes nothing. Number 0 is never sent (RFC 4303, 2.2).
  bool Check(uint64_t sequence) const {
    const uint64_t top = this->top();
    if (sequence > top) return true;
    if (top - sequence > mask_ || sequence == 0) return false;
    const uint64_t word = WordOf(sequence) == WordOf(top) ? head_ : words()[WordOf(sequence)];
    return (word & BitOf(sequence)) == 0;
  }
  // Requires: Check(sequence) is true.
  void Commit(uint64_t sequence) {
    SEKISHO_DCHECK(Check(sequence));
    if (sequence > top()) Advance(sequence);
    (WordOf(sequence) == WordOf(top()) ? head_ : words()[WordOf(sequence)]) |= BitOf(sequence);
  }

  // Both of the number after the highest, for which nothing need be cleared; false, and nothing
  // done, of any other.
  bool CommitNext(uint64_t sequence) {
    if (sequence != top() + 1) return false;
    if (OpensWord(sequence)) [[unlikely]]
      MoveTo(sequence);
    head_ |= BitOf(sequence);
    top_.store(sequence, std::memory_order_relaxed);
    return true;
  }
  // Does CommitNext() touch the ring for it?
  static bool OpensWord(uint64_t sequence) { return sequence % 64 == 0; }

  // The 64-bit number that a packet's low 32 bits stand for with ESN (RFC 4303, A2.2); 0, which
  // Check() refuses, where it would lie before the first.
  uint64_t Infer(uint32_t low) const;

  // Nothing was received yet: for a program that plays the same packets again.
  void Reset() { Use({words(), bits() / 64}); }

  // The highest committed. Any thread.
  uint64_t top() const { return top_.load(std::memory_order_relaxed); }
  uint32_t bits() const { return mask_ + 1; }

 private:
  size_t WordOf(uint64_t sequence) const { return (sequence & mask_) / 64; }
  static uint64_t BitOf(uint64_t sequence) { return uint64_t{1} << (sequence % 64); }
  // Clears the bits of top_ + 1 to `sequence` and moves the right edge there.
  void Advance(uint64_t sequence);
  // `head_` is another word from now on; top_ is still the one that was.
  void MoveTo(uint64_t sequence) {
    words()[WordOf(top())] = head_;
    head_ = words()[WordOf(sequence)];
  }

  uint64_t* words() { return reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(this) + ring_); }
  const uint64_t* words() const { return const_cast<ReplayWindow*>(this)->words(); }

  int32_t ring_ = 0;               // where its words are, bytes from here
  uint32_t mask_ = 0;              // bits - 1
  std::atomic<uint64_t> top_ = 0;  // owner: relaxed; readers: relaxed
  uint64_t head_ = 0;              // stands for words()[WordOf(top())], which is older
};

inline void ReplayWindow::Use(std::span<uint64_t> words) {
  const auto distance = reinterpret_cast<char*>(words.data()) - reinterpret_cast<char*>(this);
  ring_ = static_cast<int32_t>(distance);
  mask_ = static_cast<uint32_t>(words.size() * 64 - 1);
  SEKISHO_CHECK(ring_ == distance && bits() >= kBitsMin && bits() <= kBitsMax &&
                (bits() & mask_) == 0);
  for (uint64_t& word : words) word = 0;
  head_ = 0;
  top_.store(0, std::memory_order_relaxed);
}

inline void ReplayWindow::Advance(uint64_t sequence) {
  const uint64_t top = this->top();
  const uint64_t first_word = (top + 1) / 64;
  const uint64_t last_word = sequence / 64;
  const uint64_t mask = bits() / 64 - 1;
  words()[WordOf(top)] = head_;
  if (sequence - top > mask_) {
    for (uint64_t i = 0; i <= mask; ++i) words()[i] = 0;
  } else {
    // Whole words between, and of the first and last one only what is passed over.
    const uint64_t from = ~uint64_t{0} << ((top + 1) % 64);
    const uint64_t to = ~uint64_t{0} >> (63 - sequence % 64);
    if (first_word == last_word) {
      words()[first_word & mask] &= ~(from & to);
    } else {
      words()[first_word & mask] &= ~from;
      for (uint64_t i = first_word + 1; i < last_word; ++i) words()[i & mask] = 0;
      words()[last_word & mask] &= ~to;
    }
  }
  head_ = words()[WordOf(sequence)];
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
