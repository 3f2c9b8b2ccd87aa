#include "bench/statistics.h"

#include <gtest/gtest.h>

namespace sekisho::bench {
namespace {

TEST(StatisticsTest, MedianIsTheMiddleOrHalfwayBetweenTheTwoInTheMiddle) {
  EXPECT_DOUBLE_EQ(Median({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(Median({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(Median({7}), 7);
}

// One sample in which something else ran does not move it.
TEST(StatisticsTest, MedianForgetsAnOutlier) {
  EXPECT_DOUBLE_EQ(Median({10, 11, 12, 13, 9000}), 12);
}

TEST(StatisticsTest, QuantileGoesFromTheLeastToTheMost) {
  EXPECT_DOUBLE_EQ(Quantile({5, 1, 3}, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile({5, 1, 3}, 1), 5);
  EXPECT_DOUBLE_EQ(Quantile({0, 10}, 0.99), 9.9);
}

TEST(StatisticsTest, SpreadIsTheMiddleHalfInUnitsOfTheMedian) {
  EXPECT_DOUBLE_EQ(Spread({100, 100, 100, 100}), 0);
  EXPECT_DOUBLE_EQ(Spread({80, 90, 100, 110, 120}), 0.2);
}

}  // namespace
}  // namespace sekisho::bench
