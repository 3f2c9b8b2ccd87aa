// Transport mode: agreeing on it, NAT in between, refusals (RFC 7296, 1.3.1 and 2.23.1).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/notify.h"
#include "tests/ike/connections.h"
#include "tests/ike/rogue_peer.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

Connection WithMode(Connection connection, IpsecMode mode, bool may_fall_back = false) {
  ChildTemplate& child = connection.children[0];
  child.mode = mode;
  child.may_fall_back = may_fall_back;
  child.local = {TrafficSelector::All(IpFamily::kIpv4)};
  child.remote = {TrafficSelector::All(IpFamily::kIpv4)};
  return connection;
}
Connection TransportClient(bool may_fall_back = false) {
  return WithMode(ClientConnection(), IpsecMode::kTransport, may_fall_back);
}
Connection TransportGateway(bool may_fall_back = false) {
  return WithMode(GatewayConnection(), IpsecMode::kTransport, may_fall_back);
}

// IKE_AUTH { ... SA TSi TSr N(USE_TRANSPORT_MODE) } --> <-- { ... SA TSi TSr N(USE_TRANSPORT_MODE)
// }
TEST(EngineTransport, IsAgreedOnBetweenTheTwoAddresses) {
  Simulation sim(1);
  sim.Connect(TransportClient(), TransportGateway());
  sim.Call();
  sim.Run(absl::Seconds(1));
  sim.ExpectAgreement();
  for (Simulation::Host* host : {&sim.client, &sim.gateway}) {
    EXPECT_EQ(host->only_child_sa().mode, IpsecMode::kTransport);
    ASSERT_EQ(host->inbound.size(), 1u);
    const ChildSaHalf& in = host->inbound.begin()->second;
    EXPECT_EQ(in.mode, IpsecMode::kTransport);
    EXPECT_FALSE(in.original_local || in.original_remote) << "nobody changed any address";
  }
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().remote), "10.0.0.2/32");
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().local), "203.0.113.1/32");
  EXPECT_EQ(sim.gateway.Field("child-sa-up", "mode"), "transport");
}

// The selectors are those that each end's own stack sees; the others are for checksums.
TEST(EngineTransport, NatIsSeenThrough) {
  Simulation sim(1);
  sim.network.nat = true;
  sim.Connect(TransportClient(), TransportGateway());
  sim.Call();
  sim.Run(absl::Seconds(1));
  sim.ExpectAgreement();
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().remote), "198.51.100.7/32");
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().local), "203.0.113.1/32");
  EXPECT_EQ(ToString(sim.client.only_child_sa().local), "10.0.0.2/32");
  EXPECT_EQ(ToString(sim.client.only_child_sa().remote), "203.0.113.1/32");
  const ChildSaHalf& at_gateway = sim.gateway.inbound.begin()->second;
  EXPECT_EQ(at_gateway.original_remote->ToString(), "10.0.0.2");
  EXPECT_EQ(at_gateway.original_local->ToString(), "203.0.113.1");
  const ChildSaHalf& at_client = sim.client.inbound.begin()->second;
  EXPECT_EQ(at_client.original_local->ToString(), "198.51.100.7");
  EXPECT_EQ(at_client.original_remote->ToString(), "203.0.113.1");
}

// Ports and protocol of the selectors stay as they are while addresses change.
TEST(EngineTransport, SelectorsKeepTheirPorts) {
  Simulation sim(1);
  sim.network.nat = true;
  Connection gateway = TransportGateway();
  gateway.children[0].local = {Selector("203.0.113.0/24[udp/1701]")};
  gateway.children[0].remote = {};  // the peer's own address, whatever that is
  sim.Connect(TransportClient(), gateway);
  sim.Call();
  sim.Run(absl::Seconds(1));
  sim.ExpectAgreement();
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().local), "203.0.113.1/32[udp/1701]");
  EXPECT_EQ(ToString(sim.client.only_child_sa().remote), "203.0.113.1/32[udp/1701]");
}

// By either end, behind NAT and not.
TEST(EngineTransport, ARekeyKeepsTheMode) {
  for (const bool nat : {false, true}) {
    Simulation sim(1);
    sim.network.nat = nat;
    sim.Connect(TransportClient(), TransportGateway());
    sim.Call();
    sim.Run(absl::Seconds(1));
    for (Simulation::Host* host : {&sim.client, &sim.gateway, &sim.client}) {
      const std::string local = ToString(sim.client.only_child_sa().local);
      const std::string remote = ToString(sim.gateway.only_child_sa().remote);
      const Spi before = sim.gateway.only_child_sa().inbound_spi;
      sim.RekeyChild(*host);
      sim.Run(absl::Minutes(2));
      sim.ExpectAgreement();
      EXPECT_NE(sim.gateway.only_child_sa().inbound_spi, before);
      EXPECT_EQ(sim.client.only_child_sa().mode, IpsecMode::kTransport);
      EXPECT_EQ(sim.gateway.only_child_sa().mode, IpsecMode::kTransport);
      EXPECT_EQ(ToString(sim.client.only_child_sa().local), local);
      EXPECT_EQ(ToString(sim.gateway.only_child_sa().remote), remote);
      if (nat) {
        EXPECT_EQ(sim.gateway.inbound.rbegin()->second.original_remote->ToString(), "10.0.0.2");
      }
    }
    sim.RekeyIke(sim.client);
    sim.Run(absl::Seconds(10));
    sim.RekeyChild(sim.gateway);
    sim.Run(absl::Minutes(2));
    EXPECT_EQ(sim.gateway.only_child_sa().mode, IpsecMode::kTransport);
    sim.ExpectAgreement();
  }
}

// A responder that wants tunnel mode just leaves the notify out.
TEST(EngineTransport, AnInitiatorThatMayFallsBackToTunnelMode) {
  Simulation sim(1);
  sim.Connect(TransportClient(/*may_fall_back=*/true),
              WithMode(GatewayConnection(), IpsecMode::kTunnel));
  sim.Call();
  sim.Run(absl::Seconds(1));
  sim.ExpectAgreement();
  EXPECT_EQ(sim.client.only_child_sa().mode, IpsecMode::kTunnel);
  EXPECT_EQ(sim.gateway.only_child_sa().mode, IpsecMode::kTunnel);
  EXPECT_EQ(sim.client.Field("child-sa-mode", "mode"), "tunnel");
  EXPECT_EQ(sim.gateway.Field("child-sa-mode", "mode"), "tunnel");
}

// RFC 7296, 1.3.1: one that does not want that deletes what the responder made.
TEST(EngineTransport, AnInitiatorThatMayNotDeletesThePair) {
  Simulation sim(1);
  sim.Connect(TransportClient(), WithMode(GatewayConnection(), IpsecMode::kTunnel));
  sim.Call();
  sim.Run(absl::Minutes(2));
  EXPECT_THAT(sim.client.Field("child-sa-failed", "reason"), HasSubstr("transport mode"));
  EXPECT_EQ(sim.client.Count("child-sa-up"), 0);
  EXPECT_TRUE(sim.client.outbound.empty());
  EXPECT_TRUE(sim.client.inbound.empty());
  EXPECT_TRUE(sim.gateway.inbound.empty());
  EXPECT_TRUE(sim.gateway.outbound.empty());
  EXPECT_EQ(sim.client.Count("ike-sa-up"), 1);
  EXPECT_EQ(sim.client.Count("ike-sa-down"), 0) << "the IKE SA stands";
  sim.ExpectAgreement();
}

TEST(EngineTransport, ARequestForTunnelModeIsRefusedWhereTransportIsWanted) {
  Simulation sim(1);
  sim.Connect(WithMode(ClientConnection(), IpsecMode::kTunnel), TransportGateway());
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_THAT(sim.gateway.Field("child-sa-failed", "reason"), HasSubstr("asked for tunnel mode"));
  EXPECT_TRUE(sim.gateway.inbound.empty());
  EXPECT_TRUE(sim.client.inbound.empty());

  Simulation either(1);
  either.Connect(WithMode(ClientConnection(), IpsecMode::kTunnel), TransportGateway(true));
  either.Call();
  either.Run(absl::Seconds(1));
  EXPECT_EQ(either.gateway.only_child_sa().mode, IpsecMode::kTunnel);
  either.ExpectAgreement();
}

// Two templates: each request meets the one of its mode, whichever comes first.
TEST(EngineTransport, TheTemplateOfTheAskedModeIsChosen) {
  for (const bool transport : {false, true}) {
    Simulation sim(1);
    Connection gateway = TransportGateway();
    gateway.children.push_back(
        Child("tunnel", {Selector("10.10.0.0/24")}, {Selector("192.168.5.0/24")}));
    sim.Connect(transport ? TransportClient() : ClientConnection(), gateway);
    sim.Call();
    sim.Run(absl::Seconds(1));
    EXPECT_EQ(sim.gateway.only_child_sa().child, transport ? "net" : "tunnel");
    EXPECT_EQ(sim.gateway.only_child_sa().mode,
              transport ? IpsecMode::kTransport : IpsecMode::kTunnel);
  }
}

// Selectors of several addresses are no transport mode: tunnel mode, or nothing.
TEST(EngineTransport, ManyAddressesAreNotTransportMode) {
  Simulation sim(1);
  sim.Connect(ClientConnection(), TransportGateway());
  RoguePeer peer(sim);
  peer.Init();
  peer.Auth({Selector("192.168.5.0/24")}, {Selector("10.10.0.0/24")});
  EXPECT_TRUE(sim.gateway.inbound.empty());
}

// What holds neither end cannot be called in transport mode.
TEST(EngineTransport, AnInitiatorWithSelectorsOfOthersSaysSo) {
  Simulation sim(1);
  Connection client = TransportClient();
  client.children[0].remote = {Selector("10.10.0.0/24")};
  sim.Connect(client, TransportGateway());
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_THAT(sim.client.Field("ike-sa-failed", "reason"), HasSubstr("transport mode"));
}

}  // namespace
}  // namespace sekisho::ike
