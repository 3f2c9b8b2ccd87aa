#include "fastpath/token_bucket.h"

#include <gtest/gtest.h>

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kHz = 1000000;

int TakeAll(TokenBucket& bucket, uint64_t now) {
  int taken = 0;
  while (bucket.Take(now)) ++taken;
  return taken;
}

TEST(TokenBucketTest, StartsFullAndFillsAtItsRate) {
  TokenBucket bucket(/*events_per_second=*/100, /*events_max=*/50, kHz);
  EXPECT_EQ(TakeAll(bucket, 0), 50);
  EXPECT_EQ(TakeAll(bucket, kHz / 10), 10);
  EXPECT_EQ(TakeAll(bucket, kHz / 10 + kHz / 100 - 1), 0);
  EXPECT_EQ(TakeAll(bucket, kHz / 10 + kHz / 100), 1);
}

TEST(TokenBucketTest, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(100, 50, kHz);
  EXPECT_EQ(TakeAll(bucket, 1000 * kHz), 50);
}

TEST(TokenBucketTest, ClockThatStandsStillOrGoesBackGivesNothing) {
  TokenBucket bucket(100, 5, kHz);
  EXPECT_EQ(TakeAll(bucket, kHz), 5);
  EXPECT_EQ(TakeAll(bucket, kHz), 0);
  EXPECT_EQ(TakeAll(bucket, 0), 0);
  // And the time between does not count twice.
  EXPECT_EQ(TakeAll(bucket, kHz + kHz / 100), 1);
}

TEST(TokenBucketTest, WithoutARateNothingIsAllowed) {
  TokenBucket bucket;
  EXPECT_FALSE(bucket.Take(kHz));
}

}  // namespace
}  // namespace sekisho::fastpath
