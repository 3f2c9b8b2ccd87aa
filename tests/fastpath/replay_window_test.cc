#include "fastpath/replay_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <span>

namespace sekisho::fastpath {
namespace {

struct Window : ReplayWindow {
  explicit Window(uint32_t bits) { Use(std::span(ring).first(bits / 64)); }
  // As a stage does with a packet that verifies.
  bool Accept(uint64_t sequence) {
    if (CommitNext(sequence)) return true;
    if (!Check(sequence)) return false;
    Commit(sequence);
    return true;
  }
  std::array<uint64_t, kBitsMax / 64> ring;
};

TEST(ReplayWindow, RefusesZeroAndTheSecondOfEach) {
  Window window(64);
  EXPECT_FALSE(window.Accept(0));
  EXPECT_TRUE(window.Accept(1));
  EXPECT_FALSE(window.Accept(1));
  EXPECT_TRUE(window.Accept(3));
  EXPECT_TRUE(window.Accept(2));
  EXPECT_FALSE(window.Accept(2));
  EXPECT_FALSE(window.Accept(0));
}

// A forged packet gets as far as Check(): whatever number it claims, nothing has changed.
TEST(ReplayWindow, ForgedPacketDoesNotMoveWindow) {
  Window window(128);
  for (uint64_t s = 1; s <= 200; s += 2) ASSERT_TRUE(window.Accept(s));
  const auto before = window.ring;
  for (uint64_t s = 0; s < 5000; ++s) static_cast<void>(window.Check(s));
  static_cast<void>(window.Check(UINT64_MAX));
  EXPECT_EQ(window.ring, before);
  EXPECT_EQ(window.top(), 199u);
  EXPECT_TRUE(window.Check(198));
}

TEST(ReplayWindow, IsExactlyAsWideAsItSays) {
  for (const uint32_t bits : {64u, 128u, 1024u, 4096u}) {
    Window window(bits);
    ASSERT_TRUE(window.Accept(10'000));
    EXPECT_TRUE(window.Check(10'000 - bits + 1)) << bits;
    EXPECT_FALSE(window.Check(10'000 - bits)) << bits;
  }
}

TEST(ReplayWindow, FarJumpsForgetEverything) {
  Window window(64);
  for (uint64_t s = 1; s <= 64; ++s) ASSERT_TRUE(window.Accept(s));
  ASSERT_TRUE(window.Accept(1'000'000));
  for (uint64_t s = 1'000'000 - 63; s < 1'000'000; ++s) EXPECT_TRUE(window.Accept(s)) << s;
  EXPECT_FALSE(window.Accept(64));
  ASSERT_TRUE(window.Accept(uint64_t{1} << 40));
  EXPECT_TRUE(window.Accept((uint64_t{1} << 40) - 63));
}

TEST(ReplayWindow, ResetIsAsIfNothingHadCome) {
  Window window(128);
  for (uint64_t s = 1; s <= 300; ++s) ASSERT_TRUE(window.Accept(s));
  window.Reset();
  EXPECT_EQ(window.top(), 0u);
  EXPECT_EQ(window.bits(), 128u);
  for (uint64_t s = 1; s <= 300; ++s) EXPECT_TRUE(window.Accept(s));
  EXPECT_FALSE(window.Accept(300));
}

// Against a set of all numbers ever accepted, over steps of every size about the window's; the next
// number is the most frequent one, as it is on a network.
TEST(ReplayWindow, AgreesWithASetOfNumbers) {
  for (const uint32_t bits : {64u, 256u, 4096u}) {
    Window window(bits);
    std::set<uint64_t> seen;
    uint64_t top = 0;
    std::mt19937_64 random(bits);
    for (int i = 0; i < 20'000; ++i) {
      const uint64_t spread = uint64_t{1} << (random() % 14);
      const uint64_t behind = random() % (2 * bits);
      const uint64_t ahead = top + random() % spread;
      const uint64_t anywhere = ahead > behind ? ahead - behind : ahead;
      const uint64_t sequence = random() % 2 == 0 ? top + 1 : anywhere;
      const bool want = sequence != 0 && sequence + bits > top && !seen.contains(sequence);
      ASSERT_EQ(window.Accept(sequence), want) << sequence << " top " << top;
      if (want) seen.insert(sequence);
      if (want) top = std::max(top, sequence);
      ASSERT_EQ(window.top(), top);
    }
  }
}

// RFC 4303, A2.2: the high half is the one that puts the number nearest to the window.
TEST(ReplayWindow, InfersHighHalf) {
  Window window(64);
  EXPECT_EQ(window.Infer(1), 1u);
  EXPECT_EQ(window.Infer(0x7fffffff), 0x7fffffffu);
  ASSERT_TRUE(window.Accept(0xfffffff0));
  EXPECT_EQ(window.Infer(0xffffffff), 0xffffffffu);
  EXPECT_EQ(window.Infer(0xfffffff0 - 63), 0xfffffff0u - 63);
  EXPECT_EQ(window.Infer(0xfffffff0 - 64), 0x1'0000'0000u + 0xfffffff0 - 64);
  EXPECT_EQ(window.Infer(5), 0x1'0000'0005u);
  ASSERT_TRUE(window.Accept(0x1'0000'0005));
  EXPECT_EQ(window.Infer(0xfffffff8), 0xfffffff8u) << "still in the window, one subspace back";
  EXPECT_TRUE(window.Accept(window.Infer(0xfffffff8)));
  EXPECT_FALSE(window.Accept(window.Infer(0xfffffff0)));
  EXPECT_EQ(window.Infer(6), 0x1'0000'0006u);
}

TEST(ReplayWindow, RefusesWhatWouldLieBeforeTheFirst) {
  Window window(64);
  ASSERT_TRUE(window.Accept(5));
  EXPECT_EQ(window.Infer(0xffffffff), 0u);
  EXPECT_FALSE(window.Check(window.Infer(0xffffffff)));
}

}  // namespace
}  // namespace sekisho::fastpath
