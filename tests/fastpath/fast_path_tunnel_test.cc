// What goes into one inside port comes out of the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fastpath/checksum.h"
#include "tests/fastpath/tunnel_fixture.h"

namespace sekisho::fastpath {
namespace {

TEST_F(TunnelTest, CarriesPacketsBothWays) {
  Connect(/*nat_port=*/0);
  a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(100).Build());
  a_.gateway->Run();
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 1u);
  EXPECT_EQ(b_.gateway->SentIp(kInsidePort),
            Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).Udp(1234, 80).Payload(100).Build());
  b_.gateway->ReceiveIp(kInsidePort,
                        Ipv4("10.20.0.7", "10.10.0.5").Udp(80, 1234).Payload(1000).Build());
  b_.gateway->Run();
  EXPECT_EQ(Carry(*b_.gateway, *a_.gateway), 1u);
  EXPECT_EQ(a_.gateway->SentIp(kInsidePort),
            Ipv4("10.20.0.7", "10.10.0.5").Ttl(62).Udp(80, 1234).Payload(1000).Build());
  EXPECT_EQ(a_.gateway->fast_path().Counters(a_.out)->packets, 1u);
  EXPECT_EQ(a_.gateway->fast_path().Counters(a_.in)->packets, 1u);
}

// What leaves is ESP, and neither addresses nor payload of the inner packet can be read in it.
TEST_F(TunnelTest, NothingOfTheInnerPacketLeavesInClear) {
  Connect(/*nat_port=*/0);
  const Bytes inner = AToB().Payload(100, 0x40).Build();
  a_.gateway->ReceiveIp(kInsidePort, inner);
  a_.gateway->Run();
  const std::optional<Bytes> outer = a_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(outer.has_value());
  EXPECT_EQ((*outer)[9], 50);
  EXPECT_EQ(std::search(outer->begin(), outer->end(), inner.begin() + 28, inner.begin() + 60),
            outer->end());
  EXPECT_EQ(std::search(outer->begin(), outer->end(), inner.begin() + 12, inner.begin() + 20),
            outer->end());
}

TEST_F(TunnelTest, GatewayAnswersPingThroughTheTunnel) {
  Connect(/*nat_port=*/0);
  a_.gateway->ReceiveIp(kInsidePort,
                        Ipv4("10.10.0.5", "10.20.0.254").IcmpEcho(3, 4).Payload(20).Build());
  a_.gateway->Run();
  Carry(*a_.gateway, *b_.gateway);
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
  EXPECT_EQ(Carry(*b_.gateway, *a_.gateway), 1u);
  const std::optional<Bytes> reply = a_.gateway->SentIp(kInsidePort);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(Bytes(reply->begin() + 12, reply->begin() + 20), FromHex("0a1400fe 0a0a0005"));
  EXPECT_EQ((*reply)[20], 0);
}

// RFC 7296, 2.23: an authenticated packet from another port is told upward once, and the slow path
// moves the outbound SA after it.
TEST_F(TunnelTest, FollowsThePeersPortBehindNat) {
  Connect(/*nat_port=*/40001);
  b_.gateway->ReceiveIp(kInsidePort, Ipv4("10.20.0.7", "10.10.0.5").Udp(80, 1234).Build());
  b_.gateway->Run();
  std::optional<Bytes> esp = b_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(esp.has_value());
  // The NAT now maps it to another port.
  StoreBigEndian<uint16_t>(&(*esp)[20], 40777);
  a_.gateway->ReceiveIp(kOutsidePort, *esp);
  a_.gateway->Run();
  EXPECT_TRUE(a_.gateway->SentIp(kInsidePort).has_value());
  const std::optional<UpMessage> moved = a_.gateway->TakeMessage(UpMessage::Kind::kPeerMoved);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->peer_moved.remote.ToString(), "203.0.113.2:40777");
  EXPECT_EQ(moved->peer_moved.slot, a_.in.slot);
  ASSERT_TRUE(a_.gateway->fast_path()
                  .MovePeer(a_.out, moved->peer_moved.local, moved->peer_moved.remote)
                  .ok());
  a_.gateway->ReceiveIp(kInsidePort, AToB().Build());
  a_.gateway->Run();
  const std::optional<Bytes> back = a_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*back)[22]), 40777);
}

TEST_F(TunnelTest, ReplayedAndForgedPacketsAreDropped) {
  Connect(/*nat_port=*/0);
  a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(64).Build());
  a_.gateway->Run();
  std::optional<Bytes> esp = a_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(esp.has_value());
  b_.gateway->ReceiveIp(kOutsidePort, *esp);
  b_.gateway->ReceiveIp(kOutsidePort, *esp);
  (*esp)[27] ^= 0x10;  // sequence number
  b_.gateway->ReceiveIp(kOutsidePort, *esp);
  b_.gateway->Run();
  EXPECT_TRUE(b_.gateway->SentIp(kInsidePort).has_value());
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
  EXPECT_EQ(b_.gateway->drops(DropReason::kEspReplayed), 1u);
  EXPECT_EQ(b_.gateway->drops(DropReason::kEspIntegrity), 1u);
  EXPECT_EQ(b_.gateway->fast_path().Counters(b_.in)->dropped, 2u) << "known to be this SA's";
  EXPECT_EQ(b_.gateway->fast_path().Counters(b_.in)->packets, 1u);
}

// After Remove() nothing leaves or enters under the SA, and the slot comes back.
TEST_F(TunnelTest, RemovedSasRetire) {
  Connect(/*nat_port=*/0);
  ASSERT_EQ(a_.gateway->fast_path().outbound_sas(), 1u);
  ASSERT_TRUE(a_.gateway->fast_path().Remove(a_.out).ok());
  ASSERT_TRUE(b_.gateway->fast_path().Remove(b_.in).ok());
  EXPECT_FALSE(a_.gateway->fast_path().Remove(a_.out).ok());
  a_.gateway->Run();
  b_.gateway->Run();
  EXPECT_EQ(a_.gateway->CountMessages(UpMessage::Kind::kSaRetired), 1u);
  EXPECT_EQ(b_.gateway->CountMessages(UpMessage::Kind::kSaRetired), 1u);
  EXPECT_EQ(a_.gateway->fast_path().outbound_sas(), 0u);
  EXPECT_EQ(b_.gateway->fast_path().inbound_sas(), 0u);
  a_.gateway->ReceiveIp(kInsidePort, AToB().Build());
  a_.gateway->Run();
  EXPECT_EQ(a_.gateway->drops(DropReason::kSpdNoSa), 1u);
  EXPECT_FALSE(a_.gateway->SentIp(kOutsidePort).has_value());
}

// A packet that is too large once encapsulated, and may be cut, crosses as fragments of the ESP
// packet; the far gateway puts them together.
TEST_F(TunnelTest, CutsWhatMayBeCut) {
  Connect(/*nat_port=*/kIkeNatTPort);
  a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1472).Build());
  a_.gateway->Run();
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
  EXPECT_EQ(b_.gateway->SentIp(kInsidePort),
            Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).Udp(1234, 80).Payload(1472).Build());
}

// One that may not be cut is told to its sender, with the size that would have fitted; and one of
// that size then fits exactly.
TEST_F(TunnelTest, TellsTheInnerMtuToTheSender) {
  Connect(/*nat_port=*/40001);
  a_.gateway->ReceiveIp(
      kInsidePort, Ipv4("10.10.0.5", "10.20.0.7").DontFragment().Udp(1, 2).Payload(1472).Build());
  a_.gateway->Run();
  EXPECT_EQ(a_.gateway->drops(DropReason::kTooBig), 1u);
  const std::optional<Bytes> error = a_.gateway->SentIp(kInsidePort);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ((*error)[20], 3);
  EXPECT_EQ((*error)[21], 4);
  const size_t mtu = LoadBigEndian<uint16_t>(&(*error)[26]);
  EXPECT_GT(mtu, 1400u);
  a_.gateway->ReceiveIp(
      kInsidePort,
      Ipv4("10.10.0.5", "10.20.0.7").DontFragment().Udp(1, 2).Payload(mtu - 28).Build());
  a_.gateway->Run();
  const std::optional<Bytes> esp = a_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(esp.has_value());
  EXPECT_LE(esp->size(), 1500u);
  EXPECT_GT(esp->size(), 1496u);
}

// A packet that came in fragments is seen whole by the policy, and crosses.
TEST_F(TunnelTest, ProtectsFragmentsAsTheWholePacket) {
  Connect(/*nat_port=*/0);
  const Bytes whole = AToB().Payload(2000).Build();
  const ByteSpan payload = ByteSpan(whole).subspan(20);
  const auto piece = [&](uint16_t offset, size_t size, bool more) {
    return Ipv4("10.10.0.5", "10.20.0.7")
        .Id(9)
        .Fragment(offset, more)
        .Protocol(17)
        .Payload(payload.subspan(offset, size))
        .Build();
  };
  a_.gateway->ReceiveIp(kInsidePort, piece(1480, payload.size() - 1480, false));
  a_.gateway->ReceiveIp(kInsidePort, piece(0, 1480, true));
  a_.gateway->Run();
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
  size_t bytes = 0;
  while (const std::optional<Bytes> out = b_.gateway->SentIp(kInsidePort))
    bytes += out->size() - 20;
  EXPECT_EQ(bytes, payload.size());
}

// The same over IPv6 outside, with and without UDP.
TEST_F(TunnelTest, CarriesPacketsOverIpv6) {
  for (const uint16_t port : {uint16_t{0}, kIkeNatTPort}) {
    Connect(port, 1500, "2001:db8:113::1", "2001:db8:113::2");
    a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1472).Build());
    a_.gateway->Run();
    EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
    EXPECT_EQ(b_.gateway->SentIp(kInsidePort),
              Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).Udp(1234, 80).Payload(1472).Build());
    TearDown();
  }
}

Policy Protecting(const char* local, const char* remote, Handling handling) {
  return {.name = "policy",
          .action = PolicyAction::kProtect,
          .local = {*TrafficSelector::Parse(local)},
          .remote = {*TrafficSelector::Parse(remote)},
          .handling = handling};
}

// Fragmented before encryption: each ESP packet is whole and fits, and the far gateway forwards
// the pieces as they are.
TEST_F(TunnelTest, CutsBeforeEncryptionWherePolicySaysSo) {
  for (const Handling handling :
       {Handling{.fragment_before_encryption = true}, Handling{.df = Handling::Df::kSet}}) {
    Connect(/*nat_port=*/0);
    SetTables(*a_.gateway, {Protecting("10.10.0.0/24", "10.20.0.0/24", handling)});
    a_.gateway->ReceiveIp(kInsidePort, AToB().Id(77).Payload(1472).Build());
    a_.gateway->Run();
    size_t outer = 0, inner = 0;
    while (const std::optional<Bytes> packet = a_.gateway->SentIp(kOutsidePort)) {
      EXPECT_EQ(LoadBigEndian<uint16_t>(&(*packet)[6]) & 0x3fff, 0) << "a fragment of ESP";
      EXPECT_LE(packet->size(), 1500u);
      b_.gateway->ReceiveIp(kOutsidePort, *packet);
      ++outer;
    }
    EXPECT_EQ(outer, 2u);
    b_.gateway->Run();
    size_t bytes = 0;
    while (const std::optional<Bytes> packet = b_.gateway->SentIp(kInsidePort)) {
      EXPECT_EQ(LoadBigEndian<uint16_t>(&(*packet)[4]), 77);
      EXPECT_NE(LoadBigEndian<uint16_t>(&(*packet)[6]) & 0x3fff, 0);
      bytes += packet->size() - 20;
      ++inner;
    }
    EXPECT_EQ(inner, 2u);
    EXPECT_EQ(bytes, 1480u);
    EXPECT_EQ(a_.gateway->fast_path().Counters(a_.out)->packets, 2u);
    TearDown();
  }
}

// DF cleared: what may not be cut by others is cut by us, as ESP, and nobody is told.
TEST_F(TunnelTest, ClearsDfWherePolicySaysSo) {
  Connect(/*nat_port=*/0);
  SetTables(*a_.gateway,
            {Protecting("10.10.0.0/24", "10.20.0.0/24", {.df = Handling::Df::kClear})});
  a_.gateway->ReceiveIp(
      kInsidePort,
      Ipv4("10.10.0.5", "10.20.0.7").DontFragment().Udp(1234, 80).Payload(1472).Build());
  a_.gateway->Run();
  EXPECT_FALSE(a_.gateway->SentIp(kInsidePort).has_value());
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
  EXPECT_EQ(
      b_.gateway->SentIp(kInsidePort),
      Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).DontFragment().Udp(1234, 80).Payload(1472).Build());
}

// SYNs are clamped on their way into the tunnel and on their way out of it.
TEST_F(TunnelTest, ClampsTheMssBothWays) {
  Connect(/*nat_port=*/0);
  SetTables(*a_.gateway, {Protecting("10.10.0.0/24", "10.20.0.0/24", {.tcp_mss_max = 1300})});
  const auto syn = [](const char* from, const char* to) {
    Bytes tcp = FromHex("04d2 0050 00000001 00000000 6002 ffff 0000 0000 020405b4");
    Bytes packet = Ipv4(from, to).Protocol(6).Payload(tcp).Build();
    return packet;
  };
  const auto mss = [](const std::optional<Bytes>& packet) {
    return packet.has_value() ? LoadBigEndian<uint16_t>(&(*packet)[42]) : 0;
  };
  a_.gateway->ReceiveIp(kInsidePort, syn("10.10.0.5", "10.20.0.7"));
  a_.gateway->Run();
  Carry(*a_.gateway, *b_.gateway);
  EXPECT_EQ(mss(b_.gateway->SentIp(kInsidePort)), 1300);
  b_.gateway->ReceiveIp(kInsidePort, syn("10.20.0.7", "10.10.0.5"));
  b_.gateway->Run();
  Carry(*b_.gateway, *a_.gateway);
  EXPECT_EQ(mss(a_.gateway->SentIp(kInsidePort)), 1300);
  EXPECT_EQ(a_.gateway->fast_path().PolicyHits(), std::vector<uint64_t>{1});
}

// ESP for an SPI that nobody has.
TEST_F(TunnelTest, UnknownSpiIsDropped) {
  Connect(/*nat_port=*/0);
  a_.gateway->ReceiveIp(kOutsidePort,
                        Ipv4("203.0.113.2", "203.0.113.1").Esp(0x12345678, 1).Payload(64).Build());
  a_.gateway->Run();
  EXPECT_EQ(a_.gateway->drops(DropReason::kEspUnknownSpi), 1u);
}

}  // namespace
}  // namespace sekisho::fastpath
