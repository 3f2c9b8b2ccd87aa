// Setting up a tunnel: IKE_SA_INIT and IKE_AUTH, and what they negotiate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

void ExpectUp(Simulation& sim) {
  EXPECT_EQ(sim.client.Count("ike-sa-up"), 1);
  EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 1);
  EXPECT_EQ(sim.client.inbound.size(), 1u);
  EXPECT_EQ(sim.gateway.inbound.size(), 1u);
  sim.ExpectAgreement();
}

// IKE_SA_INIT { SA KE Ni } -->
//                          <-- { SA KE Nr }
// IKE_AUTH { IDi IDr AUTH SA TSi TSr } -->
//                          <-- { IDr AUTH SA TSi TSr }
TEST(EngineSetup, PskHandshakeTakesFourMessages) {
  Simulation sim(1);
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.datagrams(), 4);
  EXPECT_THAT(
      sim.client.Messages(),
      ElementsAre(StartsWith("out IKE_SA_INIT request 0"), StartsWith("in IKE_SA_INIT response 0"),
                  StartsWith("out IKE_AUTH request 1"), StartsWith("in IKE_AUTH response 1")));
  const IkeSaInfo info = sim.gateway.only_ike_sa();
  EXPECT_EQ(info.connection, "staff");
  EXPECT_EQ(info.remote_identity, "client1.example.org");
  EXPECT_EQ(info.suite.ToString(), "aes128gcm16-prfsha256-x25519");
  EXPECT_FALSE(info.local_behind_nat || info.remote_behind_nat);
  EXPECT_EQ(sim.gateway.only_child_sa().suite.ToString(), "aes256gcm16");
  EXPECT_FALSE(sim.gateway.only_child_sa().udp_encapsulation);
}

// The responder is ready for the peer's packets before the peer can know of the SA.
TEST(EngineSetup, ResponderInstallsBeforeItAnswers) {
  Simulation sim(1);
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_THAT(sim.gateway.order,
              ElementsAre("send", "install-inbound", "install-outbound", "send"));
}

class Suites : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Suites, AreNegotiatedAndWork) {
  Simulation sim(1);
  Connection client = ClientConnection(), gateway = GatewayConnection();
  client.ike_proposals = {*AlgorithmProposal::ParseIke(GetParam().first)};
  client.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp(GetParam().second)};
  gateway.ike_proposals = DefaultIkeProposals();
  gateway.children[0].esp_proposals = DefaultEspProposals();
  sim.Connect(client, gateway);
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.gateway.only_child_sa().suite.ToString(), GetParam().second);
  sim.RekeyIke(sim.client);
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
  sim.ExpectAgreement();
}

INSTANTIATE_TEST_SUITE_P(All, Suites,
                         testing::Values(std::pair("aes256gcm16-prfsha256-x25519", "aes256gcm16"),
                                         std::pair("aes128gcm16-prfsha384-x25519", "aes128gcm16"),
                                         std::pair("chacha20poly1305-prfsha512-x25519",
                                                   "chacha20poly1305"),
                                         std::pair("aes128-sha256-ecp256", "aes128-sha256"),
                                         std::pair("aes256-sha384-ecp384", "aes256-sha384"),
                                         std::pair("aes256-sha512-modp2048", "aes256-sha512")));

// IKE_SA_INIT { KE(ecp256) } -->      <-- N(INVALID_KE_PAYLOAD, x25519)
// IKE_SA_INIT { KE(x25519) } -->      <-- { SA KE Nr }
TEST(EngineSetup, InvalidKeIsAnsweredWithTheGroupAndTriedAgain) {
  Simulation sim(1);
  Connection client = ClientConnection();
  client.ike_proposals = {*AlgorithmProposal::ParseIke("aes128gcm16-prfsha256-ecp256-x25519")};
  sim.Connect(client, GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.datagrams(), 6);
  EXPECT_EQ(sim.gateway.engine->counters().invalid_ke, 1u);
}

// IKE_SA_INIT -->  <-- N(COOKIE)     IKE_SA_INIT { N(COOKIE) ... } -->  <-- { SA KE Nr }
TEST(EngineSetup, CookieIsAskedForAndPaid) {
  EngineOptions options;
  options.cookie_threshold = 0;
  Simulation sim(1, options);
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.datagrams(), 6);
  EXPECT_EQ(sim.gateway.engine->counters().cookies_asked, 1u);
}

TEST(EngineSetup, NatMovesTheInitiatorTo4500AndEncapsulates) {
  Simulation sim(1);
  sim.network.nat = true;
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  const IkeSaInfo client = sim.client.only_ike_sa(), gateway = sim.gateway.only_ike_sa();
  EXPECT_TRUE(client.local_behind_nat);
  EXPECT_FALSE(client.remote_behind_nat);
  EXPECT_TRUE(gateway.remote_behind_nat);
  EXPECT_EQ(client.local.port, kIkeNatTPort);
  EXPECT_EQ(client.remote.port, kIkeNatTPort);
  EXPECT_EQ(gateway.local.port, kIkeNatTPort);
  EXPECT_EQ(gateway.remote.ToString(), "198.51.100.7:21000");
  EXPECT_TRUE(sim.gateway.only_child_sa().udp_encapsulation);
  const ChildSaHalf& outbound = sim.gateway.outbound.begin()->second;
  EXPECT_EQ(outbound.remote_endpoint.ToString(), "198.51.100.7:21000");
  EXPECT_EQ(outbound.local_endpoint.port, kIkeNatTPort);
}

// What the peer asks for is cut down to what the template allows, at both ends.
TEST(EngineSetup, SelectorsAreNarrowed) {
  Simulation sim(1);
  Connection client = ClientConnection();
  client.children[0].remote = {TrafficSelector::All(IpFamily::kIpv4)};
  client.children[0].local = {Selector("192.168.0.0/16")};
  sim.Connect(client, GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(ToString(sim.client.only_child_sa().remote), "10.10.0.0/24");
  EXPECT_EQ(ToString(sim.client.only_child_sa().local), "192.168.5.0/24");
}

Connection RoadWarrior() {
  Connection client = ClientConnection();
  client.request_ipv4 = client.request_ipv6 = true;
  client.children = {Child("net", {}, {})};
  return client;
}
Connection Concentrator() {
  Connection gateway = GatewayConnection();
  gateway.assign_ipv4 = gateway.assign_ipv6 = true;
  gateway.children = {Child("net", {Selector("10.10.0.0/24"), Selector("2001:db8:10::/64")}, {})};
  return gateway;
}
Lease BothAddresses() {
  return {.ipv4 = *IpAddress::Parse("10.99.0.7"),
          .ipv6 = *IpAddress::Parse("2001:db8:99::7"),
          .ipv6_prefix_length = 64,
          .dns = {*IpAddress::Parse("10.10.0.53")}};
}

// IKE_AUTH { ... CPRQ SA TSi(any) TSr(any) } -->
//                     <-- { ... CPRP SA TSi(virtual addresses) TSr(what is behind the gateway) }
TEST(EngineSetup, VirtualAddressesAreGivenUsedAndReturned) {
  Simulation sim(1);
  sim.gateway.lease = BothAddresses();
  sim.Connect(RoadWarrior(), Concentrator());
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.client.only_ike_sa().virtual_ipv4->ToString(), "10.99.0.7");
  EXPECT_EQ(sim.client.only_ike_sa().virtual_ipv6->ToString(), "2001:db8:99::7");
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().remote), "10.99.0.7/32 2001:db8:99::7/128");
  EXPECT_EQ(sim.gateway.leases_out.size(), 1u);

  // The lease stays with the tunnel over a rekey of the IKE SA, under the id that asked for it.
  sim.RekeyIke(sim.client);
  sim.Run(absl::Seconds(10));
  sim.RekeyChild(sim.gateway);
  sim.Run(absl::Seconds(10));
  EXPECT_EQ(sim.gateway.Count("ike-sa-rekeyed"), 1);
  EXPECT_EQ(sim.gateway.leases_out.size(), 1u);
  EXPECT_EQ(ToString(sim.gateway.only_child_sa().remote), "10.99.0.7/32 2001:db8:99::7/128");
  sim.DeleteIke(sim.client);
  sim.Run(absl::Seconds(10));
  EXPECT_TRUE(sim.gateway.leases_out.empty());
}

TEST(EngineSetup, EmptyPoolLeavesTheIkeSaWithoutChild) {
  Simulation sim(1);
  sim.Connect(RoadWarrior(), Concentrator());
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 1);
  EXPECT_THAT(sim.gateway.Field("child-sa-failed", "reason"), HasSubstr("the pool is empty"));
  EXPECT_THAT(sim.client.Messages().back(), HasSubstr("ADDR"));
  EXPECT_TRUE(sim.gateway.inbound.empty());
  sim.ExpectAgreement();
}

TEST(EngineSetup, PeerThatNeedsAnAddressAndAsksForNoneIsTold) {
  Simulation sim(1);
  sim.gateway.lease = BothAddresses();
  sim.Connect(ClientConnection(), Concentrator());
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_THAT(sim.gateway.Field("child-sa-failed", "reason"), HasSubstr("did not ask"));
}

// The client says whom it wants (IDr), and gets that connection though another one stands first.
TEST(EngineSetup, IdrChoosesTheConnection) {
  Simulation sim(1);
  auto other = std::make_shared<Connection>(GatewayConnection());
  other->name = "other";
  other->local.identity = Id("other.example.org");
  sim.client.engine->SetConnections({std::make_shared<Connection>(ClientConnection())});
  sim.gateway.engine->SetConnections({other, std::make_shared<Connection>(GatewayConnection())});
  sim.Call();
  sim.Run(absl::Seconds(1));
  ExpectUp(sim);
  EXPECT_EQ(sim.gateway.only_ike_sa().connection, "staff");
}

// N(INITIAL_CONTACT): the client has forgotten its tunnel; the gateway drops it for the new one.
TEST(EngineSetup, InitialContactReplacesTheOlderIkeSa) {
  Simulation sim(1);
  sim.gateway.lease = BothAddresses();
  sim.Connect(RoadWarrior(), Concentrator());
  sim.Call();
  sim.Run(absl::Seconds(1));
  Simulation forgetful(2);
  std::swap(sim.client.engine, forgetful.client.engine);  // a client that was born again
  std::swap(sim.client.random, forgetful.client.random);
  std::swap(sim.client.spis, forgetful.client.spis);
  sim.client.inbound.clear();
  sim.client.outbound.clear();
  sim.client.engine->SetConnections({std::make_shared<Connection>(RoadWarrior())});
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_THAT(sim.gateway.Field("ike-sa-down", "reason"), HasSubstr("INITIAL_CONTACT"));
  EXPECT_EQ(sim.gateway.engine->ListIkeSas().size(), 1u);
  EXPECT_EQ(sim.gateway.leases_out.size(), 1u);
}

TEST(EngineSetup, FurtherChildrenFollow) {
  Simulation sim(1);
  Connection client = ClientConnection(), gateway = GatewayConnection();
  client.children.push_back(Child("lab", {Selector("192.168.5.0/24")}, {Selector("10.20.0.0/24")}));
  gateway.children.push_back(
      Child("lab", {Selector("10.20.0.0/24")}, {Selector("192.168.5.0/24")}));
  sim.Connect(client, gateway);
  sim.Call();
  sim.Run(absl::Seconds(1));
  EXPECT_EQ(sim.gateway.Count("child-sa-up"), 2);
  EXPECT_EQ(sim.gateway.Field("child-sa-up", "child"), "lab");
  sim.ExpectAgreement();
}

}  // namespace
}  // namespace sekisho::ike
