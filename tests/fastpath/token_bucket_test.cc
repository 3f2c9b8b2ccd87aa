#include "fastpath/token_bucket.h"

#include <gtest/gtest.h>

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kHz = 1000000;

int TakeAll(TokenBucket& bucket) {
  int taken = 0;
  while (bucket.Take()) ++taken;
  return taken;
}

TEST(TokenBucketTest, StartsFullAndFillsAtItsRate) {
  TokenBucket bucket(/*events_per_second=*/100, /*events_max=*/50, kHz);
  EXPECT_EQ(TakeAll(bucket), 50);
  bucket.Refill(kHz / 10);
  EXPECT_EQ(TakeAll(bucket), 10);
  bucket.Refill(kHz / 10 + kHz / 100 - 1);
  EXPECT_EQ(TakeAll(bucket), 0);
  bucket.Refill(kHz / 10 + kHz / 100);
  EXPECT_EQ(TakeAll(bucket), 1);
}

TEST(TokenBucketTest, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(100, 50, kHz);
  bucket.Refill(1000 * kHz);
  EXPECT_EQ(TakeAll(bucket), 50);
}

TEST(TokenBucketTest, ClockThatStandsStillOrGoesBackGivesNothing) {
  TokenBucket bucket(100, 5, kHz);
  bucket.Refill(kHz);
  EXPECT_EQ(TakeAll(bucket), 5);
  bucket.Refill(kHz);
  bucket.Refill(0);
  EXPECT_EQ(TakeAll(bucket), 0);
}

TEST(TokenBucketTest, WithoutARateNothingIsAllowed) {
  TokenBucket bucket;
  bucket.Refill(kHz);
  EXPECT_FALSE(bucket.Take());
}

}  // namespace
}  // namespace sekisho::fastpath
