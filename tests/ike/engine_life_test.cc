// The life of a tunnel: rekeys from each side, life times, liveness, moves, ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EngineLife : public testing::Test {
 protected:
  static void Establish(Simulation& simulation, const Connection& client,
                        const Connection& gateway) {
    simulation.Connect(client, gateway);
    simulation.Call();
    simulation.Run(absl::Seconds(1));
    ASSERT_EQ(simulation.client.inbound.size(), 1u);
    simulation.client.order.clear();
    simulation.gateway.order.clear();
  }
  static void Establish(Simulation& simulation) {
    Establish(simulation, ClientConnection(), GatewayConnection());
  }

  Simulation sim{1};
};

// N(REKEY_SA) SA Ni TSi TSr -->   <-- SA Nr TSi TSr     D(old) -->   <-- D(old)
TEST_F(EngineLife, ChildRekeyLosesNoPacket) {
  for (const bool by_gateway : {false, true}) {
    SCOPED_TRACE(by_gateway);
    Simulation local(7);
    Establish(local);
    Simulation::Host& initiator = by_gateway ? local.gateway : local.client;
    Simulation::Host& responder = local.Other(initiator);
    local.RekeyChild(initiator);
    // At every moment a packet of either side meets an inbound SA.
    for (int i = 0; i < 40; ++i) {
      local.Run(absl::Milliseconds(1));
      if (i > 15) {
        EXPECT_TRUE(local.SendTraffic(initiator));
      }
      EXPECT_TRUE(local.SendTraffic(responder));
    }
    EXPECT_THAT(initiator.order, ElementsAre("send", "install-inbound", "install-outbound",
                                             "remove-outbound", "send"));
    EXPECT_THAT(responder.order, ElementsAre("install-inbound", "send", "install-outbound",
                                             "remove-outbound", "send"));
    EXPECT_EQ(initiator.inbound.size(), 2u) << "the old inbound SA stays for packets under way";
    local.Run(absl::Seconds(10));
    EXPECT_EQ(initiator.inbound.size(), 1u);
    EXPECT_EQ(responder.inbound.size(), 1u);
    EXPECT_EQ(responder.engine->counters().child_sas_rekeyed, 1u);
    EXPECT_EQ(initiator.Count("child-sa-down"), 0);
    local.ExpectAgreement();
  }
}

// Traffic on the new SA tells the responder as well as the Delete for the old one does.
TEST_F(EngineLife, TrafficSwitchesTheResponderBeforeTheDelete) {
  Establish(sim);
  sim.RekeyChild(sim.client);
  sim.Run(absl::Milliseconds(11));  // the response has come; the Delete is under way
  ASSERT_EQ(sim.gateway.outbound.begin()->second.spi, sim.client.inbound.begin()->second.spi);
  sim.filter = [](int, const Datagram&) { return false; };
  ASSERT_TRUE(sim.SendTraffic(sim.client));
  EXPECT_EQ(sim.gateway.engine->next_deadline(), sim.now());
  sim.Run(absl::ZeroDuration());
  EXPECT_THAT(sim.gateway.order,
              ElementsAre("install-inbound", "send", "install-outbound", "remove-outbound"));
}

TEST_F(EngineLife, ChildRekeyWithPfs) {
  Connection client = ClientConnection(), gateway = GatewayConnection();
  client.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp("aes128gcm16-ecp256-x25519")};
  gateway.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp("aes128gcm16-x25519")};
  Establish(sim, client, gateway);
  EXPECT_FALSE(sim.client.only_child_sa().pfs) << "IKE_AUTH has no key exchange of its own";
  sim.RekeyChild(sim.client);  // with ecp256: INVALID_KE_PAYLOAD, and again with x25519
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.engine->counters().invalid_ke, 1u);
  EXPECT_EQ(sim.client.only_child_sa().pfs, KeyExchangeId::kX25519);
  EXPECT_EQ(sim.gateway.only_child_sa().pfs, KeyExchangeId::kX25519);
  sim.RekeyChild(sim.gateway);
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.Count("child-sa-rekeyed"), 2);
  sim.ExpectAgreement();
}

// SA Ni KEi -->   <-- SA Nr KEr     D(IKE) -->   <--
TEST_F(EngineLife, IkeRekeyFromEachSideKeepsChildrenAndId) {
  Establish(sim);
  const IkeSaId id = sim.gateway.only_ike_sa().id;
  const ChildSaId child = sim.gateway.only_child_sa().id;
  const uint64_t before = sim.gateway.only_ike_sa().responder_spi;
  for (Simulation::Host* host : {&sim.client, &sim.gateway, &sim.client}) {
    sim.RekeyIke(*host);
    sim.Run(absl::Seconds(1));
    EXPECT_EQ(sim.gateway.only_ike_sa().id, id);
    EXPECT_EQ(sim.gateway.only_child_sa().id, child);
    EXPECT_EQ(host->only_ike_sa().initiator, true);
    sim.ExpectAgreement();
  }
  EXPECT_NE(sim.gateway.only_ike_sa().responder_spi, before);
  EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 3);
  sim.RekeyChild(sim.gateway);  // works under the new keys
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.client.Count("child-sa-rekeyed"), 1);
  sim.ExpectAgreement();
}

TEST_F(EngineLife, TimersRekeyBeforeTheirTime) {
  Connection client = ClientConnection(), gateway = GatewayConnection();
  gateway.rekey_time = absl::Minutes(40);
  gateway.children[0].rekey_time = absl::Minutes(10);
  gateway.children[0].life_time = absl::Minutes(12);
  Establish(sim, client, gateway);
  EXPECT_LE(sim.gateway.only_child_sa().rekey_at, sim.now() + absl::Minutes(10));
  EXPECT_GE(sim.gateway.only_child_sa().rekey_at, sim.now() + absl::Minutes(8.9));
  sim.Run(absl::Minutes(62));
  EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
  EXPECT_EQ(sim.gateway.Count("child-sa-rekeyed"), 6);
  EXPECT_EQ(sim.gateway.Count("child-sa-down"), 0);
  sim.ExpectAgreement();
}

TEST_F(EngineLife, HardExpiryDeletesTheChild) {
  Connection gateway = GatewayConnection();
  gateway.children[0].rekey_time = absl::ZeroDuration();
  gateway.children[0].life_time = absl::Minutes(5);
  Establish(sim, ClientConnection(), gateway);
  sim.Run(absl::Minutes(6));
  EXPECT_EQ(sim.client.Count("child-sa-down"), 1);
  EXPECT_TRUE(sim.client.inbound.empty());
  EXPECT_EQ(sim.client.only_ike_sa().state, "established");
  sim.ExpectAgreement();
}

TEST_F(EngineLife, SoftExpiryRekeysAndHardExpiryDeletes) {
  Establish(sim);
  const ChildSaId first = sim.gateway.only_child_sa().id;
  sim.Do(sim.gateway, [&](Engine& engine, absl::Time now, Actions& actions) {
    engine.NoteSoftExpiry(first, now, actions);
    engine.NoteSoftExpiry(first, now, actions);  // said twice: done once
    return 0;
  });
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.Count("child-sa-rekeyed"), 1);
  const ChildSaId second = sim.gateway.only_child_sa().id;
  EXPECT_NE(first, second);
  sim.Do(sim.gateway, [&](Engine& engine, absl::Time now, Actions& actions) {
    engine.NoteHardExpiry(second, now, actions);
    engine.NoteHardExpiry(first, now, actions);  // long gone
    return 0;
  });
  sim.Run(absl::Seconds(10));
  EXPECT_TRUE(sim.client.inbound.empty());
  sim.ExpectAgreement();
}

TEST_F(EngineLife, DeleteFromEachSide) {
  for (const bool by_gateway : {false, true}) {
    SCOPED_TRACE(by_gateway);
    Simulation local(3);
    Establish(local);
    local.DeleteIke(by_gateway ? local.gateway : local.client);
    local.Run(absl::Seconds(1));
    EXPECT_TRUE(local.client.inbound.empty() && local.gateway.inbound.empty());
    EXPECT_TRUE(local.client.engine->idle() && local.gateway.engine->idle());
    EXPECT_EQ(local.client.Count("ike-sa-down"), 1);
    EXPECT_EQ(local.gateway.Count("ike-sa-down"), 1);
    local.ExpectAgreement();
  }
}

TEST_F(EngineLife, ShutdownTellsThePeerAndTakesNobodyIn) {
  Establish(sim);
  sim.Do(sim.gateway, [](Engine& engine, absl::Time now, Actions& actions) {
    engine.Shutdown(now, actions);
    return 0;
  });
  sim.Run(absl::Seconds(1));
  EXPECT_TRUE(sim.gateway.engine->idle());
  EXPECT_THAT(sim.client.Field("ike-sa-down", "reason"), HasSubstr("deleted by the peer"));
  sim.Call();
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 1);
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
}

// INFORMATIONAL { } -->  (lost, five more times)
TEST_F(EngineLife, DeadPeerIsNoticedAndItsAddressReturned) {
  Connection client = ClientConnection(), gateway = GatewayConnection();
  client.request_ipv4 = gateway.assign_ipv4 = true;
  client.children = {Child("net", {}, {})};
  gateway.children = {Child("net", {Selector("10.10.0.0/24")}, {})};
  gateway.dpd_delay = absl::Seconds(30);
  sim.gateway.lease = Lease{.ipv4 = *IpAddress::Parse("10.99.0.7")};
  Establish(sim, client, gateway);
  sim.Run(absl::Minutes(10));
  EXPECT_EQ(sim.gateway.Count("ike-sa-timed-out"), 0);
  EXPECT_EQ(sim.gateway.leases_out.size(), 1u);
  sim.client.alive = false;
  sim.Run(absl::Minutes(2));
  EXPECT_EQ(sim.gateway.Count("ike-sa-timed-out"), 1);
  EXPECT_EQ(sim.gateway.engine->counters().ike_sas_timed_out, 1u);
  EXPECT_TRUE(sim.gateway.leases_out.empty());
  EXPECT_TRUE(sim.gateway.inbound.empty() && sim.gateway.outbound.empty());
  EXPECT_TRUE(sim.gateway.spis->taken().empty());
}

TEST_F(EngineLife, TrafficSparesTheLivenessCheck) {
  Connection gateway = GatewayConnection();
  gateway.dpd_delay = absl::Seconds(30);
  Establish(sim, ClientConnection(), gateway);
  const int before = sim.datagrams();
  for (int i = 0; i < 20; ++i) {
    sim.Run(absl::Seconds(20));
    sim.SendTraffic(sim.client);
  }
  EXPECT_EQ(sim.datagrams(), before);
}

// The NAT gives the client another port: the next request shows it, all outbound SAs follow.
TEST_F(EngineLife, RebindingIsFollowed) {
  sim.network.nat = true;
  Connection client = ClientConnection();
  client.dpd_delay = absl::Seconds(20);
  Establish(sim, client, GatewayConnection());
  sim.RebindNat();
  sim.Run(absl::Seconds(30));
  ASSERT_EQ(sim.gateway.moves.size(), 1u);
  EXPECT_EQ(sim.gateway.moves[0].remote.ToString(), "198.51.100.7:21001");
  EXPECT_EQ(sim.gateway.only_ike_sa().remote.ToString(), "198.51.100.7:21001");
  sim.RebindNat();
  EXPECT_TRUE(sim.SendTraffic(sim.client));  // ESP shows it as well
  EXPECT_EQ(sim.gateway.moves.size(), 2u);
  EXPECT_EQ(sim.gateway.Count("peer-moved"), 2);
  sim.RekeyChild(sim.gateway);
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.outbound.begin()->second.remote_endpoint.ToString(), "198.51.100.7:21002");
  sim.ExpectAgreement();
}

TEST_F(EngineLife, PeerThatIsNotBehindANatIsNotFollowed) {
  Establish(sim);
  const ChildSaId child = sim.gateway.only_child_sa().id;
  sim.Do(sim.gateway, [&](Engine& engine, absl::Time now, Actions& actions) {
    engine.NotePeerMoved(child, {sim.gateway.address, 500}, {*IpAddress::Parse("192.0.2.66"), 500},
                         now, actions);
    return 0;
  });
  EXPECT_TRUE(sim.gateway.moves.empty());
}

}  // namespace
}  // namespace sekisho::ike
