#include "fastpath/fast_path.h"

#include <gtest/gtest.h>

#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

Bytes ArpRequest(const MacAddress& from, const char* sender, const char* target) {
  Bytes frame = FromHex("ffffffffffff 000000000000 0806 0001 0800 06 04 0001");
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  const auto append = [&frame](ByteSpan bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
  };
  append(from);
  append(Address(sender).bytes());
  append(Bytes(6));
  append(Address(target).bytes());
  return frame;
}

// A host on the outside link asks for our address and is told, and the slow path learns of it.
TEST_F(FastPathTest, AnswersArpForItsAddress) {
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "203.0.113.1"));
  gateway().Run();
  const std::optional<Bytes> reply = gateway().Sent(kOutsidePort);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->size(), 60u);
  EXPECT_EQ(Bytes(reply->begin(), reply->begin() + 6), ToBytes(kHostMac));
  EXPECT_EQ((*reply)[21], 2);
  EXPECT_EQ(Bytes(reply->begin() + 22, reply->begin() + 28), ToBytes(gateway().mac(kOutsidePort)));
  EXPECT_EQ(Bytes(reply->begin() + 28, reply->begin() + 32),
            ToBytes(Address("203.0.113.1").bytes()));
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 1u);
}

// An address of the other port, a host off the link, and someone else's address get no answer.
TEST_F(FastPathTest, AnswersNoOtherArp) {
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "10.10.0.254"));
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "198.51.100.9", "203.0.113.1"));
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "203.0.113.77"));
  gateway().Run();
  EXPECT_FALSE(gateway().Sent(kOutsidePort).has_value());
  EXPECT_EQ(gateway().drops(DropReason::kArpNotForUs), 3u);
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 0u);
}

TEST_F(FastPathTest, AnswersPingOfBothFamilies) {
  SetTables(gateway(), {});
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("10.10.0.1", "10.10.0.254").IcmpEcho(7, 1).Payload(100).Build());
  gateway().ReceiveIp(
      kInsidePort, Ipv6("2001:db8:10::1", "2001:db8:10::fe").IcmpEcho(7, 1).Payload(100).Build());
  gateway().Run();
  const std::optional<Bytes> reply = gateway().SentIp(kInsidePort);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(*reply, Ipv4("10.10.0.254", "10.10.0.1")
                        .Id(LoadBigEndian<uint16_t>(&(*reply)[4]))
                        .IcmpEcho(7, 1, true)
                        .Payload(100)
                        .Build());
  EXPECT_EQ(gateway().SentIp(kInsidePort),
            Ipv6("2001:db8:10::fe", "2001:db8:10::1").IcmpEcho(7, 1, true).Payload(100).Build());
}

TEST_F(FastPathTest, PuntsIkeWithoutMarker) {
  gateway().ReceiveIp(kOutsidePort,
                      Ipv4("198.51.100.9", "203.0.113.1").Udp(1500, 500).Payload(300, 1).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "203.0.113.1")
                                        .Udp(40000, 4500)
                                        .Payload(Bytes(4))
                                        .Payload(300, 2)
                                        .Build());
  gateway().Run();
  UpMessage message;
  const std::optional<Bytes> plain = gateway().Punted(&message);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->size(), 300u);
  EXPECT_EQ((*plain)[0], 1);
  EXPECT_EQ(message.packet.local.ToString(), "203.0.113.1:500");
  EXPECT_EQ(message.packet.remote.ToString(), "198.51.100.9:1500");
  const std::optional<Bytes> marked = gateway().Punted(&message);
  ASSERT_TRUE(marked.has_value());
  EXPECT_EQ(marked->size(), 300u);
  EXPECT_EQ((*marked)[0], 2);
  EXPECT_EQ(message.packet.local.port, 4500);
}

TEST_F(FastPathTest, ForwardsWhatPolicyBypassesBothWays) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "10.10.0.5", "198.51.100.0/24")});
  gateway().ReceiveIp(kOutsidePort,
                      Ipv4("198.51.100.9", "10.10.0.5").Udp(99, 53).Payload(40).Build());
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("10.10.0.5", "198.51.100.9").Udp(53, 99).Payload(40).Build());
  gateway().Run();
  EXPECT_EQ(gateway().SentIp(kInsidePort),
            Ipv4("198.51.100.9", "10.10.0.5").Ttl(63).Udp(99, 53).Payload(40).Build());
  EXPECT_EQ(gateway().SentIp(kOutsidePort),
            Ipv4("10.10.0.5", "198.51.100.9").Ttl(63).Udp(53, 99).Payload(40).Build());
  EXPECT_EQ(gateway().fast_path().PolicyHits(), std::vector<uint64_t>{2});
}

}  // namespace
}  // namespace sekisho::fastpath
