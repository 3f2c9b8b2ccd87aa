// Everything at once, from fixed seeds: loss, repetition, reordering, rebinding, and commands from
// both sides whenever. In the end, both sides agree and nothing leaks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

// One random command of one side, if there is something that it could be about.
void Disturb(Simulation& sim, SeededRandom& dice, bool may_delete) {
  Simulation::Host& host = dice.Below(2) == 0 ? sim.client : sim.gateway;
  const auto list = host.engine->ListIkeSas();
  if (list.empty() || list[0].state == "connecting") return;
  const std::vector<ChildSaInfo>& children = list[0].children;
  const uint64_t what = dice.Below(10);
  sim.Do(host,
         [&](Engine& engine, absl::Time now, Actions& actions) -> absl::Status {
           if (what < 4) return engine.RekeyIkeSa(list[0].id, now, actions);
           if (children.empty()) return absl::OkStatus();
           const ChildSaId child = children[dice.Below(children.size())].id;
           if (what < 9 || !may_delete) return engine.RekeyChildSa(child, now, actions);
           return engine.DeleteChildSa(child, now, actions);
         })
      .IgnoreError();
  if (what == 9 && sim.network.nat) {
    sim.RebindNat();
    sim.SendTraffic(
        sim.client);  // ESP tells the gateway, or it could not reach the client any more
  }
}

class Chaos : public testing::TestWithParam<int> {};

TEST_P(Chaos, EndsInAgreement) {
  const int seed = GetParam();
  SCOPED_TRACE(testing::Message() << "repeat: ike_engine_test --gtest_filter='*Chaos*/" << seed
                                  << "'");
  SeededRandom dice(static_cast<uint64_t>(seed));
  Simulation sim(static_cast<uint64_t>(seed));
  sim.network.nat = seed % 2 == 0;
  sim.network.loss = 0.02 * static_cast<double>(seed % 8);
  sim.network.duplicates = 0.05 * static_cast<double>(seed % 5);
  sim.network.delay_least = absl::Milliseconds(1);
  sim.network.delay_most = absl::Milliseconds(1 + 100 * (seed % 7));
  Connection client = ClientConnection(), gateway = GatewayConnection();
  if (seed % 3 == 0) {  // PFS, so that child rekeys take computations too
    client.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp("aes128gcm16-x25519")};
    gateway.children[0].esp_proposals = client.children[0].esp_proposals;
  }
  if (sim.network.nat) client.dpd_delay = absl::Seconds(10);  // shows the gateway where it is now
  sim.Connect(client, gateway);
  sim.Call();
  for (int i = 0; i < 60; ++i) {
    sim.Run(absl::Milliseconds(static_cast<int64_t>(dice.Below(1500))));
    Disturb(sim, dice, seed % 4 == 3);
    if (dice.Below(3) == 0) sim.SendTraffic(dice.Below(2) == 0 ? sim.client : sim.gateway);
  }
  sim.network.loss = sim.network.duplicates = 0;
  sim.Run(absl::Minutes(5));
  EXPECT_EQ(sim.client.Count("ike-sa-up"), 1);
  EXPECT_EQ(sim.client.Count("ike-sa-timed-out"), 0);
  EXPECT_EQ(sim.client.engine->ListIkeSas().size(), 1u);
  if (seed % 4 != 3) {
    EXPECT_EQ(sim.client.inbound.size(), 1u);
  }
  sim.ExpectAgreement();

  sim.DeleteIke(dice.Below(2) == 0 ? sim.client : sim.gateway);
  sim.Run(absl::Minutes(5));
  sim.ExpectAgreement();
  EXPECT_TRUE(sim.client.inbound.empty());
  EXPECT_TRUE(sim.client.engine->idle());
  EXPECT_TRUE(sim.gateway.engine->idle());
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  if (HasFailure()) std::cerr << sim.transcript();
}

// SEKISHO_CHAOS_SEEDS=3000 runs so many instead: for a longer run at night.
int SeedCount() {
  const char* const text = std::getenv("SEKISHO_CHAOS_SEEDS");
  const int count = text == nullptr ? 0 : std::atoi(text);
  return count > 0 ? count : 200;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, testing::Range(0, SeedCount()));

}  // namespace
}  // namespace sekisho::ike
