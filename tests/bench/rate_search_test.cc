#include "bench/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sekisho::bench {
namespace {

// A gateway that forwards so many packets a second and loses the rest, behind a generator that
// sends no more than it can.
auto Gateway(double capacity, double generator = 1e12) {
  return [=](double rate) -> absl::StatusOr<TrialOutcome> {
    const double sent = std::min(rate, generator);
    return TrialOutcome{sent, std::max(0.0, 1 - capacity / sent)};
  };
}

TEST(RateSearchTest, FindsWhatTheGatewayForwardsWithoutLoss) {
  const auto found = FindRate({.rate_max = 10e6, .resolution = 0.001}, Gateway(3.21e6));
  ASSERT_TRUE(found.ok());
  EXPECT_LE(found->best.rate, 3.21e6);
  EXPECT_GE(found->best.rate, 3.20e6);
  EXPECT_EQ(found->best.loss, 0);
  EXPECT_FALSE(found->by_generator);
}

TEST(RateSearchTest, AGeneratorThatWasHeldUpOnceIsAskedAgain) {
  int calls = 0;
  const auto found = FindRate({.rate_max = 10e6, .resolution = 0.001},
                              [&](double rate) -> absl::StatusOr<TrialOutcome> {
                                if (++calls % 2 == 1) return TrialOutcome{rate / 10, 0};
                                return Gateway(3.21e6)(rate);
                              });
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->by_generator);
  EXPECT_GE(found->best.rate, 3.20e6);
}

TEST(RateSearchTest, ThePartialDropRateIsHigher) {
  const auto found =
      FindRate({.rate_max = 10e6, .loss_max = 0.1, .resolution = 0.001}, Gateway(3e6));
  ASSERT_TRUE(found.ok());
  EXPECT_NEAR(found->best.rate, 3e6 / 0.9, 10e6 * 0.001);
}

TEST(RateSearchTest, SaysThatTheGeneratorAndNotTheGatewayWasAtItsEnd) {
  const auto found = FindRate({.rate_max = 10e6}, Gateway(8e6, 5e6));
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->by_generator);
  EXPECT_EQ(found->best.rate, 5e6);
  EXPECT_EQ(found->trials, 3);
}

TEST(RateSearchTest, AGatewayThatLosesOfEverythingHasNoRate) {
  const auto found = FindRate({.rate_max = 1e6}, [](double rate) -> absl::StatusOr<TrialOutcome> {
    return TrialOutcome{rate, 0.5};
  });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->best.rate, 0);
}

TEST(RateSearchTest, ATrialThatFailsEndsTheSearch) {
  const auto failed = FindRate({.rate_max = 1e6}, [](double) -> absl::StatusOr<TrialOutcome> {
    return absl::InternalError("no link");
  });
  EXPECT_EQ(failed.status().message(), "no link");
}

}  // namespace
}  // namespace sekisho::bench
