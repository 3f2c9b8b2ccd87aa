// Every message of a tunnel's life lost once, or come twice, or late.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

// Sets up, rekeys the Child SA and the IKE SA from both sides, deletes.
void LiveALife(Simulation& sim) {
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(20));
  ASSERT_EQ(sim.client.inbound.size(), 1u);
  ASSERT_EQ(sim.gateway.inbound.size(), 1u);
  sim.ExpectAgreement();
  for (Simulation::Host* host : {&sim.client, &sim.gateway}) {
    sim.RekeyChild(*host);
    sim.Run(absl::Seconds(20));
    sim.ExpectAgreement();
    sim.RekeyIke(*host);
    sim.Run(absl::Seconds(20));
    sim.ExpectAgreement();
  }
  EXPECT_EQ(sim.client.Count("child-sa-rekeyed"), 2);
  EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 2);
  sim.DeleteIke(sim.client);
  sim.Run(absl::Seconds(20));
  EXPECT_EQ(sim.client.Count("ike-sa-down"), 1);
  EXPECT_EQ(sim.gateway.Count("ike-sa-down"), 1);
  EXPECT_TRUE(sim.client.engine->idle());
  EXPECT_TRUE(sim.gateway.engine->idle());
  sim.ExpectAgreement();
}

constexpr int kMessages = 22;  // 4 to set up, 4 for each of 4 rekeys, 2 for the end

TEST(EngineLoss, LifeTakesThisManyMessages) {
  Simulation sim(1);
  LiveALife(sim);
  EXPECT_EQ(sim.datagrams(), kMessages);
}

TEST(EngineLoss, EachMessageLostOnceIsMadeUpFor) {
  for (int lost = 1; lost <= kMessages; ++lost) {
    SCOPED_TRACE(testing::Message() << "message " << lost << " lost");
    Simulation sim(1);
    sim.filter = [lost](int number, const Datagram&) { return number != lost; };
    LiveALife(sim);
    const uint64_t repeated = sim.client.engine->counters().retransmits_sent +
                              sim.gateway.engine->counters().retransmits_sent;
    EXPECT_EQ(repeated, 1u);
  }
}

TEST(EngineLoss, EachMessageComingTwiceChangesNothing) {
  Simulation sim(1);
  sim.network.duplicates = 1;
  LiveALife(sim);
  EXPECT_GT(sim.gateway.engine->counters().retransmits_answered, 0u);
}

TEST(EngineLoss, LateAndReorderedMessages) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    sim.network.delay_least = absl::Milliseconds(1);
    sim.network.delay_most = absl::Milliseconds(1500);
    sim.network.duplicates = 0.3;
    LiveALife(sim);
  }
}

// A request is repeated in the same bytes, and so is the answer (RFC 7296, 2.1).
TEST(EngineLoss, RepetitionsAreTheSameBytes) {
  Simulation sim(1);
  int answers = 0;
  sim.filter = [&](int, const Datagram& datagram) {
    return datagram.local.address != sim.gateway.address || ++answers > 2;
  };
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(20));
  ASSERT_GE(sim.client.sent.size(), 3u);
  EXPECT_EQ(sim.client.sent[0].bytes, sim.client.sent[1].bytes);
  EXPECT_EQ(sim.client.sent[1].bytes, sim.client.sent[2].bytes);
  EXPECT_EQ(sim.gateway.sent[0].bytes, sim.gateway.sent[1].bytes);
  EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 1);
}

// The answer to an IKE rekey is lost for 20 s. Whoever gave it has something to say on the new IKE
// SA, which the other side cannot know yet: asking there would only use up the tries.
TEST(EngineLoss, NothingIsBegunOnASuccessorThatThePeerMayNotKnow) {
  Simulation sim(1);
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  const absl::Time from = sim.now() + absl::Seconds(20);
  sim.filter = [&](int, const Datagram& datagram) {
    return datagram.local.address != sim.gateway.address || sim.now() >= from;
  };
  sim.RekeyIke(sim.client);
  sim.Run(absl::Seconds(1));
  ASSERT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
  sim.RekeyChild(sim.gateway);
  sim.Run(absl::Seconds(15));
  EXPECT_THAT(sim.gateway.Messages(),
              testing::Not(testing::Contains(testing::HasSubstr("out CREATE_CHILD_SA request"))));
  sim.Run(absl::Seconds(20));  // the client asks again, and hears the answer
  EXPECT_EQ(sim.client.Count("ike-sa-rekeyed"), 1);
  EXPECT_EQ(sim.gateway.Count("child-sa-rekeyed"), 1);
  sim.ExpectAgreement();
}

}  // namespace
}  // namespace sekisho::ike
