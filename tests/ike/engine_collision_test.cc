// Both ends act at once (RFC 7296, 2.8.1, 2.8.2, 2.25). Each test runs over several seeds: the
// nonces, and so who wins, differ.
#include <gtest/gtest.h>

#include <set>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

constexpr uint64_t kSeeds = 12;

class Collision : public testing::TestWithParam<bool> {  // with PFS?
 protected:
  void Establish(Simulation& sim) {
    Connection client = ClientConnection(), gateway = GatewayConnection();
    if (GetParam()) {
      client.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp("aes128gcm16-x25519")};
      gateway.children[0].esp_proposals = client.children[0].esp_proposals;
    }
    sim.Connect(client, gateway);
    sim.Call();
    sim.Run(absl::Seconds(1));
    ASSERT_EQ(sim.client.inbound.size(), 1u);
  }
  void ExpectOneTunnel(Simulation& sim) {
    sim.Run(absl::Minutes(2));
    EXPECT_EQ(sim.client.only_ike_sa().state, "established");
    EXPECT_EQ(sim.client.only_child_sa().state, "installed");
    EXPECT_EQ(sim.gateway.only_child_sa().state, "installed");
    sim.ExpectAgreement();
    EXPECT_TRUE(sim.SendTraffic(sim.client));
    EXPECT_TRUE(sim.SendTraffic(sim.gateway));
  }
  // Loses the first `count` datagrams of the client from now on.
  static void LoseFromClient(Simulation& sim, int count) {
    const Endpoint client{sim.client.address, kIkePort};
    auto left = std::make_shared<int>(count);
    sim.filter = [client, left](int, const Datagram& datagram) {
      return datagram.local != client || (*left)-- <= 0;
    };
  }
};

// A: N(REKEY_SA), SA, Ni -->    <-- B: the same
// both answer, the pair with the lowest nonce is deleted by who made it, the old one by the other.
TEST_P(Collision, SimultaneousChildRekeyLeavesOnePair) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    sim.RekeyChild(sim.client);
    sim.RekeyChild(sim.gateway);
    ExpectOneTunnel(sim);
    outcomes.insert(sim.client.Field("child-sa-rekeyed", "spi-in"));
    EXPECT_EQ(sim.client.Count("child-sa-rekeyed"), 1);
    EXPECT_EQ(sim.gateway.Count("child-sa-rekeyed"), 1);
  }
  EXPECT_GT(outcomes.size(), 1u) << "one side won every time";
}

// A's request is lost; B's exchange is over before A's comes: CHILD_SA_NOT_FOUND or
// TEMPORARY_FAILURE, which A may ignore.
TEST_P(Collision, ChildRekeyThatOnlyOneSideSees) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    LoseFromClient(sim, 1);
    sim.RekeyChild(sim.client);
    sim.Run(absl::Milliseconds(6));
    sim.RekeyChild(sim.gateway);
    ExpectOneTunnel(sim);
  }
}

TEST_P(Collision, SimultaneousIkeRekeyLeavesOneIkeSa) {
  std::set<bool> initiators;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    const IkeSaId id = sim.gateway.only_ike_sa().id;
    sim.RekeyIke(sim.client);
    sim.RekeyIke(sim.gateway);
    ExpectOneTunnel(sim);
    EXPECT_EQ(sim.gateway.only_ike_sa().id, id) << "the id outlives the rekey";
    EXPECT_EQ(sim.client.Count("ike-sa-rekeyed"), 1);
    EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
    EXPECT_EQ(sim.client.Count("ike-sa-down") + sim.gateway.Count("ike-sa-down"), 0);
    initiators.insert(sim.client.only_ike_sa().initiator);
    sim.DeleteIke(sim.client);
    sim.Run(absl::Minutes(2));
    EXPECT_TRUE(sim.client.engine->idle());
    EXPECT_TRUE(sim.gateway.engine->idle()) << "a redundant IKE SA is left";
  }
  EXPECT_EQ(initiators.size(), 2u) << "one side won every time";
}

TEST_P(Collision, IkeRekeyThatOnlyOneSideSees) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    LoseFromClient(sim, 1);
    sim.RekeyIke(sim.client);
    sim.Run(absl::Milliseconds(11));
    sim.RekeyIke(sim.gateway);
    ExpectOneTunnel(sim);
    EXPECT_EQ(sim.client.Count("ike-sa-rekeyed"), 1);
    EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
  }
}

TEST_P(Collision, IkeRekeyAgainstChildRekey) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    sim.RekeyIke(sim.client);
    sim.RekeyChild(sim.gateway);
    ExpectOneTunnel(sim);
    EXPECT_EQ(sim.client.Count("ike-sa-rekeyed"), 1) << "tried again after TEMPORARY_FAILURE";
    EXPECT_EQ(sim.client.Count("child-sa-rekeyed"), 1);
  }
}

TEST_P(Collision, ChildRekeyAgainstChildDelete) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    sim.RekeyChild(sim.client);
    sim.DeleteChild(sim.gateway, sim.gateway.only_child_sa().id);
    sim.Run(absl::Minutes(2));
    sim.ExpectAgreement();
    EXPECT_EQ(sim.client.only_ike_sa().state, "established");
  }
}

TEST_P(Collision, BothDeleteTheChild) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    sim.DeleteChild(sim.client, sim.client.only_child_sa().id);
    sim.DeleteChild(sim.gateway, sim.gateway.only_child_sa().id);
    sim.Run(absl::Minutes(2));
    sim.ExpectAgreement();
    EXPECT_TRUE(sim.client.inbound.empty());
    EXPECT_EQ(sim.client.Count("child-sa-down"), 1);
    EXPECT_EQ(sim.gateway.Count("child-sa-down"), 1);
  }
}

TEST_P(Collision, BothDeleteTheIkeSa) {
  Simulation sim(1);
  Establish(sim);
  sim.DeleteIke(sim.client);
  sim.DeleteIke(sim.gateway);
  sim.Run(absl::Minutes(2));
  sim.ExpectAgreement();
  EXPECT_TRUE(sim.client.engine->idle());
  EXPECT_TRUE(sim.gateway.engine->idle());
  EXPECT_EQ(sim.client.Count("ike-sa-down"), 1);
  EXPECT_EQ(sim.gateway.Count("ike-sa-down"), 1);
}

TEST_P(Collision, IkeDeleteAgainstIkeRekey) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation sim(seed);
    Establish(sim);
    sim.RekeyIke(sim.client);
    sim.DeleteIke(sim.gateway);
    sim.Run(absl::Minutes(3));
    sim.ExpectAgreement();
    EXPECT_TRUE(sim.client.inbound.empty());
    EXPECT_TRUE(sim.gateway.engine->idle());
    EXPECT_TRUE(sim.client.engine->idle());
  }
}

INSTANTIATE_TEST_SUITE_P(Pfs, Collision, testing::Bool());

}  // namespace
}  // namespace sekisho::ike
