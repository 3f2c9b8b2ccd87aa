// Handshakes that must not succeed: each with its answer and with a reason an operator can act on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/message.h"
#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class EngineFailure : public testing::Test {
 protected:
  void RunWith(const Connection& client, const Connection& gateway) {
    sim.Connect(client, gateway);
    sim.Call();
    sim.Run(absl::Minutes(3));
  }
  void ExpectNothingLeft() {
    sim.ExpectAgreement();
    EXPECT_TRUE(sim.client.inbound.empty());
    EXPECT_TRUE(sim.client.engine->idle());
    EXPECT_TRUE(sim.gateway.engine->idle());
    EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
    EXPECT_EQ(sim.client.Count("ike-sa-failed"), 1);
  }
  std::string GatewayReason() { return sim.gateway.Field("ike-sa-failed", "reason"); }

  Simulation sim{1};
};

TEST_F(EngineFailure, NoProposalNamesBothSides) {
  Connection client = ClientConnection();
  client.ike_proposals = {*AlgorithmProposal::ParseIke("aes256-sha512-modp2048")};
  RunWith(client, GatewayConnection());
  EXPECT_THAT(GatewayReason(), AllOf(HasSubstr("no proposal chosen: peer offered aes256-"),
                                     HasSubstr("modp2048, connection 'staff' accepts "
                                               "aes128gcm16-prfsha256-x25519")));
  ExpectNothingLeft();
}

TEST_F(EngineFailure, WrongPsk) {
  Connection client = ClientConnection();
  client.psks[Id("vpn.example.org")] = Psk("a guess");
  RunWith(client, GatewayConnection());
  EXPECT_THAT(GatewayReason(), AllOf(HasSubstr("AUTH mismatch"), HasSubstr("client1.example.org")));
  EXPECT_THAT(sim.client.Field("ike-sa-failed", "reason"), HasSubstr("AUTHENTICATION_FAILED"));
  EXPECT_EQ(sim.gateway.engine->counters().authentication_failed, 1u);
  ExpectNothingLeft();
}

TEST_F(EngineFailure, NoPskForIdentity) {
  Connection gateway = GatewayConnection();
  gateway.psks.clear();
  RunWith(ClientConnection(), gateway);
  EXPECT_THAT(GatewayReason(), HasSubstr("no pre-shared key for identity client1.example.org"));
  ExpectNothingLeft();
}

TEST_F(EngineFailure, UnknownIdentity) {
  Connection client = ClientConnection();
  client.local.identity = Id("stranger.example.net");
  RunWith(client, GatewayConnection());
  EXPECT_THAT(GatewayReason(), HasSubstr("no connection for identity stranger.example.net"));
  ExpectNothingLeft();
}

TEST_F(EngineFailure, IdrThatNobodyHas) {
  Connection client = ClientConnection();
  client.remote.identities = {Pattern("other.example.org")};
  client.any_psk = Psk("secret of client 1");
  RunWith(client, GatewayConnection());
  EXPECT_THAT(GatewayReason(), HasSubstr("asks for identity other.example.org"));
  ExpectNothingLeft();
}

// The gateway proves to be somebody, but not whom the client wants: it is told to forget it.
TEST_F(EngineFailure, ResponderThatIsSomebodyElse) {
  Connection client = ClientConnection(), gateway = GatewayConnection();
  client.remote.identities = {Pattern("vpn*.example.org"), Pattern("vpn.example.org")};
  gateway.local.identity = Id("evil.example.org");
  client.any_psk = Psk("secret of client 1");
  client.psks.clear();
  RunWith(client, gateway);
  EXPECT_THAT(sim.client.Field("ike-sa-failed", "reason"), HasSubstr("evil.example.org"));
  EXPECT_EQ(sim.gateway.Count("ike-sa-down"), 1);
  EXPECT_EQ(sim.gateway.Count("child-sa-down"), 1);
  sim.ExpectAgreement();
  EXPECT_TRUE(sim.gateway.engine->idle());
}

TEST_F(EngineFailure, ConnectionWantsACertificate) {
  Connection gateway = GatewayConnection();
  gateway.remote.kind = AuthenticationKind::kCertificate;
  gateway.remote.trust_store = nullptr;
  RunWith(ClientConnection(), gateway);
  EXPECT_THAT(GatewayReason(), HasSubstr("connection 'staff' wants a certificate"));
  ExpectNothingLeft();
}

// The IKE SA stands; only the Child SA fails.
TEST_F(EngineFailure, TsUnacceptableLeavesTheIkeSa) {
  Connection client = ClientConnection();
  client.children[0].remote = {Selector("172.16.0.0/12")};
  RunWith(client, GatewayConnection());
  EXPECT_THAT(sim.gateway.Field("child-sa-failed", "reason"),
              AllOf(HasSubstr("172.16.0.0/12"), HasSubstr("10.10.0.0/24")));
  EXPECT_EQ(sim.gateway.engine->counters().ts_unacceptable, 1u);
  EXPECT_EQ(sim.client.only_ike_sa().state, "established");
  EXPECT_TRUE(sim.client.inbound.empty());
  sim.ExpectAgreement();
}

TEST_F(EngineFailure, NoEspProposalLeavesTheIkeSa) {
  Connection client = ClientConnection();
  client.children[0].esp_proposals = {*AlgorithmProposal::ParseEsp("aes128-sha256")};
  RunWith(client, GatewayConnection());
  EXPECT_THAT(sim.gateway.Field("child-sa-failed", "reason"),
              AllOf(HasSubstr("peer offered aes128-sha256"), HasSubstr("accepts aes256gcm16")));
  EXPECT_EQ(sim.client.only_ike_sa().state, "established");
  sim.ExpectAgreement();
}

TEST_F(EngineFailure, NoSpiLeft) {
  sim.gateway.spis->exhausted = true;
  RunWith(ClientConnection(), GatewayConnection());
  EXPECT_EQ(sim.gateway.Count("child-sa-failed"), 1);
  sim.ExpectAgreement();
}

TEST_F(EngineFailure, GatewayThatIsNotThere) {
  sim.gateway.alive = false;
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Minutes(3));
  EXPECT_THAT(sim.client.Field("ike-sa-failed", "reason"), HasSubstr("no answer"));
  EXPECT_EQ(sim.datagrams(), 6) << "the first, and five tries more";
  EXPECT_TRUE(sim.client.engine->idle());
}

// An attacker's NO_PROPOSAL_CHOSEN comes before the gateway's answer: it must not end the attempt.
TEST_F(EngineFailure, ForgedRefusalDoesNotEndTheAttempt) {
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Milliseconds(6));
  ASSERT_EQ(sim.client.sent.size(), 1u);
  const Datagram& request = sim.client.sent[0];
  Header header = *ParseHeader(request.bytes);
  header.response = true;
  header.from_initiator = false;
  const Bytes forged =
      EncodeMessage(header, {NotifyPayload{.type = NotifyType::kNoProposalChosen}});
  sim.Deliver(sim.client, {request.local, request.remote, forged});
  sim.Run(absl::Seconds(1));
  EXPECT_EQ(sim.client.Count("ike-sa-up"), 1);
}

TEST_F(EngineFailure, HalfOpenIkeSasAreBoundedAndForgotten) {
  EngineOptions options;
  options.half_open_per_address_max = 5;
  options.cookie_threshold = 100;
  Simulation flood(1, options);
  flood.Connect(ClientConnection(), GatewayConnection());
  flood.filter = [&](int, const Datagram& datagram) {  // the client never hears an answer
    return datagram.local.address != flood.gateway.address;
  };
  for (int i = 0; i < 20; ++i) flood.Call();
  flood.Run(absl::Milliseconds(100));
  EXPECT_EQ(flood.gateway.engine->half_open_count(), 5u);
  EXPECT_EQ(flood.gateway.engine->counters().half_open_refused, 15u);
  flood.Run(absl::Minutes(3));
  EXPECT_EQ(flood.gateway.engine->half_open_count(), 0u);
  EXPECT_TRUE(flood.gateway.engine->idle());
}

TEST_F(EngineFailure, UnknownConnectionIsNotFound) {
  Actions actions;
  EXPECT_EQ(sim.client.engine->Initiate("nobody", {}, sim.now(), actions).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(sim.client.engine->DeleteIkeSa(IkeSaId{7}, sim.now(), actions).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(sim.client.engine->RekeyChildSa(ChildSaId{7}, sim.now(), actions).code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(actions.empty());
}

}  // namespace
}  // namespace sekisho::ike
