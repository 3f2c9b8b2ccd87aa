// What strangers and replays can do to an engine that has a tunnel: nothing but count.
#include <gtest/gtest.h>

#include "ike/message.h"
#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {
namespace {

class EngineHostile : public testing::Test {
 protected:
  void SetUp() override {
    sim.Connect(ClientConnection(), GatewayConnection());
    sim.Call();
    sim.Run(absl::Seconds(1));
    sim.RekeyChild(sim.client);
    sim.Run(absl::Seconds(10));
    ASSERT_EQ(sim.gateway.inbound.size(), 1u);
    sim.gateway.order.clear();
  }
  Datagram Arriving(const Datagram& sent) const { return {sent.remote, sent.local, sent.bytes}; }
  void ExpectUntouched() {
    sim.Run(absl::Minutes(2));
    EXPECT_EQ(sim.gateway.only_ike_sa().state, "established");
    EXPECT_EQ(sim.gateway.only_child_sa().state, "installed");
    EXPECT_EQ(sim.gateway.Count("ike-sa-down"), 0);
    for (const std::string& action : sim.gateway.order) EXPECT_EQ(action, "send");
    sim.RekeyChild(sim.client);
    sim.Run(absl::Seconds(10));
    sim.ExpectAgreement();
  }

  Simulation sim{1};
};

TEST_F(EngineHostile, TruncatedMessagesChangeNothing) {
  for (const Datagram& sent : std::vector<Datagram>(sim.client.sent)) {
    for (size_t length = 0; length < sent.bytes.size(); ++length) {
      Datagram cut = Arriving(sent);
      cut.bytes.resize(length);
      sim.Deliver(sim.gateway, cut);
    }
  }
  EXPECT_GT(sim.gateway.engine->counters().malformed, 0u);
  ExpectUntouched();
}

TEST_F(EngineHostile, FlippedBitsChangeNothing) {
  const std::vector<Datagram> sent = sim.client.sent;
  for (size_t i = 1; i < sent.size(); ++i) {  // not IKE_SA_INIT, which anybody may send
    for (size_t bit = 0; bit < sent[i].bytes.size() * 8; ++bit) {
      Datagram flipped = Arriving(sent[i]);
      flipped.bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      sim.Deliver(sim.gateway, flipped);
    }
  }
  EXPECT_GT(sim.gateway.engine->counters().integrity_failed, 0u);
  EXPECT_GT(sim.gateway.engine->counters().unknown_ike_spi, 0u);
  ExpectUntouched();
}

TEST_F(EngineHostile, FlippedIkeSaInitsMakeNoMoreThanHalfOpenIkeSas) {
  const Datagram init = Arriving(sim.client.sent[0]);
  for (size_t bit = 0; bit < init.bytes.size() * 8; ++bit) {
    Datagram flipped = init;
    flipped.bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    sim.Deliver(sim.gateway, flipped);
  }
  EXPECT_LE(sim.gateway.engine->half_open_count(), EngineOptions{}.half_open_per_address_max);
  sim.Run(absl::Minutes(1));
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 0u);
  ExpectUntouched();
}

// Of all that was ever sent only the last request gets an answer, and that is the old one's bytes.
TEST_F(EngineHostile, ReplayedRequestsGetTheCachedResponseOnly) {
  const std::vector<Datagram> requests = sim.client.sent, answers = sim.gateway.sent;
  sim.gateway.sent.clear();
  for (const Datagram& request : requests) sim.Deliver(sim.gateway, Arriving(request));
  ASSERT_EQ(sim.gateway.sent.size(), 1u);
  EXPECT_EQ(sim.gateway.sent[0].bytes, answers.back().bytes);
  EXPECT_EQ(sim.gateway.engine->counters().retransmits_answered, 1u);
  EXPECT_GT(sim.gateway.engine->counters().unexpected_message_id, 0u);
  ExpectUntouched();
}

// A recorded message from elsewhere must not make us send there (only a new one may).
TEST_F(EngineHostile, ReplayFromElsewhereDoesNotMoveThePeer) {
  for (const Datagram& request : std::vector<Datagram>(sim.client.sent)) {
    Datagram replayed = Arriving(request);
    replayed.remote = {*IpAddress::Parse("192.0.2.66"), 4500};
    sim.Deliver(sim.gateway, replayed);
  }
  EXPECT_TRUE(sim.gateway.moves.empty());
  ExpectUntouched();
}

TEST_F(EngineHostile, UnprotectedErrorsDoNotEndAnIkeSa) {
  const Header last = *ParseHeader(sim.client.sent.back().bytes);
  for (const NotifyType type : {NotifyType::kInvalidIkeSpi, NotifyType::kInvalidSyntax,
                                NotifyType::kAuthenticationFailed, NotifyType::kNoProposalChosen}) {
    for (uint32_t id = 0; id < 5; ++id) {
      Header header = last;
      header.exchange = ExchangeType::kInformational;
      header.message_id = id;
      for (const bool response : {false, true}) {
        header.response = response;
        sim.Deliver(sim.gateway, {{sim.gateway.address, 500},
                                  {sim.client.address, 500},
                                  EncodeMessage(header, {NotifyPayload{.type = type}})});
      }
    }
  }
  ExpectUntouched();
}

TEST_F(EngineHostile, LaterMajorVersionIsAnsweredAndEarlierIsNot) {
  sim.gateway.sent.clear();
  Datagram init = Arriving(sim.client.sent[0]);
  init.bytes[17] = 0x30;  // version 3.0
  sim.Deliver(sim.gateway, init);
  ASSERT_EQ(sim.gateway.sent.size(), 1u);
  const auto answer = ParseMessage(sim.gateway.sent[0].bytes);
  ASSERT_TRUE(answer.ok());
  EXPECT_NE(answer->FindNotify(NotifyType::kInvalidMajorVersion), nullptr);
  init.bytes[17] = 0x10;  // IKEv1
  sim.Deliver(sim.gateway, init);
  EXPECT_EQ(sim.gateway.sent.size(), 1u);
}

// A payload of type 200, critical, in front of a good IKE_SA_INIT.
TEST_F(EngineHostile, UnknownCriticalPayloadIsNamed) {
  sim.gateway.sent.clear();
  Datagram init = Arriving(sim.client.sent[0]);
  const uint8_t first = init.bytes[16];
  const uint8_t payload[] = {first, 0x80, 0, 4};
  init.bytes[16] = 200;
  init.bytes.insert(init.bytes.begin() + 28, std::begin(payload), std::end(payload));
  StoreBigEndian<uint32_t>(init.bytes.data() + 24, static_cast<uint32_t>(init.bytes.size()));
  sim.Deliver(sim.gateway, init);
  ASSERT_EQ(sim.gateway.sent.size(), 1u);
  const auto answer = ParseMessage(sim.gateway.sent[0].bytes);
  ASSERT_TRUE(answer.ok());
  const NotifyPayload* notify = answer->FindNotify(NotifyType::kUnsupportedCriticalPayload);
  ASSERT_NE(notify, nullptr);
  EXPECT_EQ(notify->data, Bytes{200});

  init.bytes[29] = 0;  // not critical: skipped
  sim.Deliver(sim.gateway, init);
  EXPECT_EQ(sim.gateway.engine->half_open_count(), 1u);
}

TEST_F(EngineHostile, NoiseIsCounted) {
  SeededRandom noise(5);
  const uint64_t before = sim.gateway.engine->counters().datagrams_received;
  for (int i = 0; i < 2000; ++i) {
    Bytes bytes(noise.Below(200));
    noise.Fill(bytes);
    sim.Deliver(sim.gateway, {{sim.gateway.address, 500}, {sim.client.address, 500}, bytes});
  }
  EXPECT_EQ(sim.gateway.engine->counters().datagrams_received, before + 2000);
  ExpectUntouched();
}

}  // namespace
}  // namespace sekisho::ike
