// What a peer that is let in can do by breaking the rules: no more than lose its own tunnel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/ike_sa.h"
#include "ike/proposal.h"
#include "tests/ike/rogue_peer.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

class EngineRogue : public testing::Test {
 protected:
  void SetUp() override { sim.Connect(ClientConnection(), GatewayConnection()); }
  void ComeUp() {
    ASSERT_NE(peer.Init().Find<KePayload>(), nullptr);
    ASSERT_NE(peer.Auth().Find<AuthPayload>(), nullptr);
    ASSERT_EQ(sim.gateway.only_ike_sa().state, "established");
  }
  // Everything that was set up under it has gone.
  void ExpectNothingLeft() {
    EXPECT_TRUE(sim.gateway.engine->idle());
    EXPECT_TRUE(sim.gateway.inbound.empty());
    EXPECT_TRUE(sim.gateway.outbound.empty());
    EXPECT_TRUE(sim.gateway.spis->taken().empty());
    EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  }

  Simulation sim{1};
  RoguePeer peer{sim};
};

// While we rekey the IKE SA, which it does not answer, the peer rekeys it again and again. Of each
// we would have made an IKE SA, and remembered the last one.
TEST_F(EngineRogue, OnlyOneSuccessorIsMadeWhileOursIsUnderWay) {
  ComeUp();
  sim.RekeyIke(sim.gateway);
  sim.Run(absl::Milliseconds(500));
  EXPECT_NE(peer.Ask(ExchangeType::kCreateChildSa, peer.NewIkeSa(2)).Find<SaPayload>(), nullptr);
  const Message second = peer.Ask(ExchangeType::kCreateChildSa, peer.NewIkeSa(3));
  EXPECT_EQ(second.Find<SaPayload>(), nullptr);
  EXPECT_NE(second.FindNotify(NotifyType::kTemporaryFailure), nullptr);
  sim.Run(absl::Minutes(3));  // our rekey and the tunnel time out
  ExpectNothingLeft();
}

// The same, and then a message that ends the IKE SA at once: what its rekey made ends with it.
TEST_F(EngineRogue, SuccessorInWaitingEndsWithItsIkeSa) {
  ComeUp();
  sim.RekeyIke(sim.gateway);
  sim.Run(absl::Milliseconds(500));
  EXPECT_NE(peer.Ask(ExchangeType::kCreateChildSa, peer.NewIkeSa(2)).Find<SaPayload>(), nullptr);
  const Message broken = peer.Ask(ExchangeType::kCreateChildSa, {NoncePayload{Bytes(32)}});
  EXPECT_NE(broken.FindNotify(NotifyType::kInvalidSyntax), nullptr);
  sim.Run(absl::Minutes(1));
  ExpectNothingLeft();
}

TEST_F(EngineRogue, ChildSasEndAtTheLimit) {
  ComeUp();
  for (uint32_t i = 1; i < kChildSasMax; ++i) {
    ASSERT_NE(peer.Ask(ExchangeType::kCreateChildSa, peer.NewChild(0x2000 + i)).Find<SaPayload>(),
              nullptr);
  }
  const Message refused = peer.Ask(ExchangeType::kCreateChildSa, peer.NewChild(0x3000));
  EXPECT_NE(refused.FindNotify(NotifyType::kNoAdditionalSas), nullptr);
  EXPECT_EQ(sim.gateway.inbound.size(), kChildSasMax);
  EXPECT_EQ(sim.gateway.spis->taken().size(), kChildSasMax);
}

// RFC 7296, 2.9: a narrower answer is allowed. 255 selectors asked for, times two that are allowed,
// would be more than a payload can count.
TEST_F(EngineRogue, SelectorsAreBounded) {
  Connection gateway = GatewayConnection();
  gateway.children[0].remote = {Selector("192.168.0.0/16[tcp]"), Selector("192.168.0.0/16[udp]")};
  sim.gateway.engine->SetConnections({std::make_shared<Connection>(gateway)});
  TrafficSelectors many;
  for (int i = 0; i < 255; ++i) many.push_back(Selector("192.168.7." + std::to_string(i)));
  ASSERT_NE(peer.Init().Find<KePayload>(), nullptr);
  const Message answer = peer.Auth(many);
  ASSERT_NE(answer.FindTs(true), nullptr);
  EXPECT_EQ(answer.FindTs(true)->selectors.size(), kNarrowedSelectorsMax);
}

// RFC 7296, 2.10: at least half of the PRF's key, though a payload may hold as few as 16 bytes.
TEST_F(EngineRogue, ShortNoncesAreRefused) {
  Connection gateway = GatewayConnection();
  gateway.ike_proposals = {*AlgorithmProposal::ParseIke("aes128gcm16-prfsha512-x25519")};
  sim.gateway.engine->SetConnections({std::make_shared<Connection>(gateway)});
  peer.ike_proposal = gateway.ike_proposals[0];
  peer.nonce = Bytes(31, 1);
  EXPECT_NE(peer.Init().FindNotify(NotifyType::kInvalidSyntax), nullptr);
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  peer.nonce = Bytes(32, 1);
  ComeUp();
  EXPECT_NE(peer.Ask(ExchangeType::kCreateChildSa, peer.NewChild(0x2000)).Find<SaPayload>(),
            nullptr);
  const Message refused =
      peer.Ask(ExchangeType::kCreateChildSa, peer.NewChild(0x2001, Bytes(31, 1)));
  EXPECT_NE(refused.FindNotify(NotifyType::kInvalidSyntax), nullptr);
  sim.Run(absl::Minutes(1));
  ExpectNothingLeft();  // RFC 7296, 2.21.3: fatal for both
}

TEST_F(EngineRogue, ShortNonceInAnIkeRekeyIsRefused) {
  Connection gateway = GatewayConnection();
  gateway.ike_proposals = {*AlgorithmProposal::ParseIke("aes128gcm16-prfsha512-x25519")};
  sim.gateway.engine->SetConnections({std::make_shared<Connection>(gateway)});
  peer.ike_proposal = gateway.ike_proposals[0];
  ComeUp();
  const Message refused = peer.Ask(ExchangeType::kCreateChildSa, peer.NewIkeSa(2, Bytes(31, 1)));
  EXPECT_NE(refused.FindNotify(NotifyType::kInvalidSyntax), nullptr);
}

// RFC 7296, 2.5: the answer names the payload, nothing of the request is done, and the IKE SA
// stands.
TEST_F(EngineRogue, UnknownCriticalPayloadInsideSkIsNamed) {
  ComeUp();
  const EncodedPayloads deletion =
      EncodePayloads({DeletePayload{.protocol = ProtocolId::kIke, .spis = {}}});
  ByteWriter plaintext;
  plaintext.WriteU8(static_cast<uint8_t>(deletion.first));
  plaintext.WriteU8(0x80);  // critical
  plaintext.WriteU16(4);
  plaintext.WriteBytes(deletion.bytes);
  plaintext.WriteU8(0);  // pad length
  const Message answer = peer.Open(
      peer.Send(peer.SealRaw(ExchangeType::kInformational, 2, 200, ToBytes(plaintext.span()))));
  const NotifyPayload* notify = answer.FindNotify(NotifyType::kUnsupportedCriticalPayload);
  ASSERT_NE(notify, nullptr);
  EXPECT_EQ(notify->data, Bytes{200});
  EXPECT_EQ(sim.gateway.only_ike_sa().state, "established");
}

TEST_F(EngineRogue, ForeignSpisAreNeitherRekeyedNorDeleted) {
  ComeUp();
  const Spi ours = sim.gateway.only_child_sa().inbound_spi;  // the peer's own is the other one
  const Message deleted =
      peer.Ask(ExchangeType::kInformational,
               {DeletePayload{.protocol = ProtocolId::kEsp, .spis = {ours, Spi{0}, Spi{0x9999}}}});
  EXPECT_EQ(deleted.Find<DeletePayload>(), nullptr);
  std::vector<Payload> rekey = peer.NewChild(0x2000);
  ByteWriter spi;
  spi.WriteU32(0x9999);
  rekey.insert(rekey.begin(), NotifyPayload{.protocol = ProtocolId::kEsp,
                                            .spi = std::move(spi).Take(),
                                            .type = NotifyType::kRekeySa,
                                            .data = {}});
  const Message refused = peer.Ask(ExchangeType::kCreateChildSa, rekey);
  EXPECT_NE(refused.FindNotify(NotifyType::kChildSaNotFound), nullptr);
  EXPECT_EQ(sim.gateway.only_child_sa().state, "installed");
}

TEST_F(EngineRogue, ReservedSpiIsRefused) {
  ComeUp();
  for (const uint32_t spi : {0u, 1u, 255u}) {
    const Message answer = peer.Ask(ExchangeType::kCreateChildSa, peer.NewChild(spi));
    EXPECT_NE(answer.FindNotify(NotifyType::kNoProposalChosen), nullptr) << spi;
  }
}

// Our own messages, and the peer's with the response flag set, come back to us.
TEST_F(EngineRogue, ReflectedMessagesChangeNothing) {
  ComeUp();
  for (const Datagram& sent : std::vector<Datagram>(sim.gateway.sent)) {
    sim.Deliver(sim.gateway, {sent.local, sent.remote, sent.bytes});
  }
  peer.Send(peer.Seal(ExchangeType::kInformational, 2, {}, /*response=*/true));
  EXPECT_EQ(sim.gateway.only_ike_sa().state, "established");
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
}

// The keys are there, the proof is not: nothing but IKE_AUTH is heard.
TEST_F(EngineRogue, NothingIsDoneBeforeAuthentication) {
  ASSERT_NE(peer.Init().Find<KePayload>(), nullptr);
  EXPECT_TRUE(peer.Send(peer.Seal(ExchangeType::kCreateChildSa, 1, peer.NewChild(9999))).empty());
  EXPECT_TRUE(peer.Send(peer.Seal(ExchangeType::kInformational, 1, {})).empty());
  EXPECT_TRUE(sim.gateway.inbound.empty());
  EXPECT_NE(peer.Auth().Find<AuthPayload>(), nullptr);
}

// Each rekey leaves one that waits for the peer's Delete, which never comes: the oldest go.
TEST_F(EngineRogue, ReplacedIkeSasDoNotPileUp) {
  ComeUp();
  std::vector<Bytes> late;  // a request on each of them
  for (uint64_t i = 0; i < 2 * kReplacedMax; ++i) {
    late.push_back(peer.Seal(ExchangeType::kInformational, peer.next_id + 1, {}));
    ASSERT_TRUE(peer.Rekey(0x2000 + i));
  }
  size_t answered = 0;
  for (const Bytes& request : late) {
    const size_t before = sim.gateway.sent.size();
    peer.Send(request);
    answered += sim.gateway.sent.size() - before;
  }
  EXPECT_EQ(answered, kReplacedMax);
  EXPECT_EQ(sim.gateway.only_ike_sa().state, "established");
}

// Names compare without regard to case: in capitals it is the same peer, which has a key of its
// own.
TEST_F(EngineRogue, KeyForAllOthersDoesNotOpenANamedIdentity) {
  Connection gateway = GatewayConnection();
  gateway.any_psk = Psk("known to many");
  sim.gateway.engine->SetConnections({std::make_shared<Connection>(gateway)});
  peer.identity = Id("CLIENT1.example.org");
  peer.psk = Psk("known to many");
  ASSERT_NE(peer.Init().Find<KePayload>(), nullptr);
  EXPECT_NE(peer.Auth().FindNotify(NotifyType::kAuthenticationFailed), nullptr);
  EXPECT_THAT(sim.gateway.Field("ike-sa-failed", "reason"), HasSubstr("AUTH mismatch"));
}

// Whoever is not let in can make no more than a few lines in a second; how many were left out is
// said.
TEST_F(EngineRogue, FailedProofsDoNotFloodTheLog) {
  peer.psk = Psk("a guess");
  for (uint64_t i = 1; i <= 40; ++i) {
    RoguePeer another(sim);
    another.spi = i;
    another.psk = peer.psk;
    another.wait = absl::Milliseconds(15);
    ASSERT_NE(another.Init().Find<KePayload>(), nullptr);
    EXPECT_NE(another.Auth().FindNotify(NotifyType::kAuthenticationFailed), nullptr);
  }
  EXPECT_EQ(sim.gateway.engine->counters().authentication_failed, 40u);
  EXPECT_LE(sim.gateway.Count("ike-sa-failed"), 20) << "in less than two seconds";
  EXPECT_GE(sim.gateway.Count("ike-sa-failed"), 10);
  EXPECT_EQ(sim.gateway.Count("strangers-not-logged"), 1);
}

// With IPv6 everybody has more addresses than there are IKE SAs.
TEST_F(EngineRogue, HalfOpenIkeSasAreCountedByNetworkWithIpv6) {
  for (uint64_t i = 1; i <= EngineOptions{}.half_open_per_address_max + 5; ++i) {
    RoguePeer another(sim);
    another.spi = i;
    another.wait = absl::Milliseconds(20);
    another.address.address = IpAddress::Parse("2001:db8::1")->Plus(i);
    another.Init();
  }
  EXPECT_EQ(sim.gateway.engine->half_open_count(), EngineOptions{}.half_open_per_address_max);
  EXPECT_EQ(sim.gateway.engine->counters().half_open_refused, 5u);
}

// The threads that compute are slower than the strangers: IKE SAs are given up, and their
// computations are still queued.
TEST(EngineFlood, QueuedComputationsAreBounded) {
  EngineOptions options;
  options.half_open_max = options.half_open_per_address_max = 5;
  Simulation sim(1, options);
  sim.Connect(ClientConnection(), GatewayConnection());
  sim.Call();
  sim.Run(absl::Seconds(1));
  Datagram init{{sim.gateway.address, 500}, {sim.client.address, 500}, sim.client.sent[0].bytes};
  size_t queued = 0;
  absl::Time now = sim.now();
  for (uint8_t i = 1; i <= 20; ++i) {
    Actions actions;
    init.bytes[0] = i;  // another SPI
    sim.gateway.engine->HandleDatagram(init, now, actions);
    now += options.half_open_timeout;
    sim.gateway.engine->HandleTimers(now, actions);
    for (const Action& action : actions) queued += std::holds_alternative<RunComputation>(action);
  }
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  EXPECT_EQ(queued, options.half_open_max);
}

// It would be kept until AUTH has been checked.
TEST(EngineFlood, HugeIkeSaInitIsDropped) {
  Simulation sim(1);
  sim.Connect(ClientConnection(), GatewayConnection());
  const Header header{.initiator_spi = 1, .from_initiator = true};
  const auto init = [&](size_t vendor_bytes) {
    return EncodeMessage(header, {OfferIke(GatewayConnection().ike_proposals, std::nullopt),
                                  KePayload{KeyExchangeId::kX25519, Bytes(32, 9)},
                                  NoncePayload{Bytes(32)}, VendorIdPayload{Bytes(vendor_bytes)}});
  };
  const Endpoint gateway{sim.gateway.address, 500}, client{sim.client.address, 500};
  sim.Deliver(sim.gateway, {gateway, client, init(8192)});
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  EXPECT_EQ(sim.gateway.engine->counters().malformed, 1u);
  sim.Deliver(sim.gateway, {gateway, client, init(7000)});
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 1u);
}

}  // namespace
}  // namespace sekisho::ike
