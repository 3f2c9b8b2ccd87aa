// Two gateways and the tunnel between them: what goes into one inside port comes out of the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "fastpath/checksum.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

const IpsecSuite kSuite = {.encryption = {EncryptionId::kAesGcm16, 256}};

SecretBytes Key(uint8_t fill) { return SecretBytes(Bytes(36, fill)); }

class TunnelTest : public FastPathTest {
 protected:
  struct End {
    Gateway* gateway;
    const char* outside;
    const char* inside_network;
    Spi spi;  // of its inbound SA
    SaHandle in, out;
  };

  // `nat_port`: UDP encapsulation, and the port that `b` is seen from. 0: plain ESP.
  void Connect(uint16_t nat_port, uint16_t mtu = 1500, const char* a_outside = "203.0.113.1",
               const char* b_outside = "203.0.113.2") {
    a_ = {&AddGateway(SiteOptions()), a_outside, "10.10.0.0/24", {}, {}, {}};
    b_ = {&AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24"),
                                   *InterfaceAddress::Parse("2001:db8:113::2/64")},
                       .inside = {*InterfaceAddress::Parse("10.20.0.254/24")},
                       .mtu = mtu,
                       .crypto_devices = {"crypto_openssl1"}}),
          b_outside,
          "10.20.0.0/24",
          {},
          {},
          {}};
    SetTables(*a_.gateway, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")});
    SetTables(*b_.gateway, {MakePolicy(PolicyAction::kProtect, "10.20.0.0/24", "10.10.0.0/24")});
    Install(a_, b_, 1, nat_port);
    Install(b_, a_, 2, nat_port);
  }

  Endpoint EndpointOf(const End& end, uint16_t nat_port) const {
    const uint16_t port = nat_port == 0 ? 0 : &end == &b_ ? nat_port : kIkeNatTPort;
    return {Address(end.outside), port};
  }

  // The SA pair that carries traffic from `from` to `to`.
  void Install(End& from, End& to, uint8_t key, uint16_t nat_port) {
    FastPath& receiver = to.gateway->fast_path();
    to.spi = *receiver.AllocateSpi();
    const TrafficSelectors from_net = {*TrafficSelector::Parse(from.inside_network)};
    const TrafficSelectors to_net = {*TrafficSelector::Parse(to.inside_network)};
    const bool udp = nat_port != 0;
    // The peer behind the NAT sees itself on port 4500.
    Endpoint own = EndpointOf(to, nat_port);
    if (udp) own.port = kIkeNatTPort;
    const absl::StatusOr<SaHandle> in =
        receiver.InstallInbound({.spi = to.spi,
                                 .suite = kSuite,
                                 .encryption_key = Key(key),
                                 .local = to_net,
                                 .remote = from_net,
                                 .local_endpoint = own,
                                 .remote_endpoint = EndpointOf(from, nat_port),
                                 .udp_encapsulation = udp});
    ASSERT_TRUE(in.ok()) << in.status();
    to.in = *in;
    Endpoint source = EndpointOf(from, nat_port);
    if (udp) source.port = kIkeNatTPort;
    const absl::StatusOr<SaHandle> out =
        from.gateway->fast_path().InstallOutbound({.spi = to.spi,
                                                   .suite = kSuite,
                                                   .encryption_key = Key(key),
                                                   .local = from_net,
                                                   .remote = to_net,
                                                   .local_endpoint = source,
                                                   .remote_endpoint = EndpointOf(to, nat_port),
                                                   .udp_encapsulation = udp});
    ASSERT_TRUE(out.ok()) << out.status();
    from.out = *out;
    a_.gateway->Run();
    b_.gateway->Run();
  }

  // Everything that left `from` by the outside port arrives at `to`; returns how many frames.
  size_t Carry(Gateway& from, Gateway& to) {
    size_t carried = 0;
    while (const std::optional<Bytes> packet = from.SentIp(kOutsidePort)) {
      to.ReceiveIp(kOutsidePort, *packet);
      ++carried;
    }
    to.Run();
    return carried;
  }

  End a_, b_;
};

PacketBuilder AToB(uint16_t port = 80) { return Ipv4("10.10.0.5", "10.20.0.7").Udp(1234, port); }

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

// What a router says that has `mtu` bytes of room for `packet`.
Bytes TooBig(const Bytes& packet, uint16_t mtu, size_t quoted = 128) {
  const bool v4 = packet[0] >> 4 == 4;
  Bytes icmp = v4 ? Bytes{3, 4, 0, 0, 0, 0} : Bytes{2, 0, 0, 0, 0, 0};
  icmp.push_back(static_cast<uint8_t>(mtu >> 8));
  icmp.push_back(static_cast<uint8_t>(mtu));
  icmp.insert(icmp.end(), packet.begin(),
              packet.begin() + static_cast<ptrdiff_t>(std::min(quoted, packet.size())));
  const ByteSpan all = packet;
  const IpAddress router = Address(v4 ? "192.0.2.77" : "2001:db8:77::77");
  const IpAddress to = v4 ? IpAddress::V4(all.subspan(12, 4)) : IpAddress::V6(all.subspan(8, 16));
  const uint16_t sum = ChecksumFrom(
      v4 ? OnesSum(icmp) : OnesSumWithPseudoHeader(router.bytes(), to.bytes(), 58, icmp));
  std::memcpy(&icmp[2], &sum, 2);
  return Ip(router, to).Protocol(v4 ? 1 : 58).Payload(icmp).Build();
}

class PathMtuTest : public TunnelTest {
 protected:
  uint16_t Learned() { return a_.gateway->fast_path().Counters(a_.out)->path_mtu; }
  // One ESP packet of a large inner one.
  Bytes Sealed() {
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(1300).Build());
    a_.gateway->Run();
    const std::optional<Bytes> packet = a_.gateway->SentIp(kOutsidePort);
    SEKISHO_CHECK(packet.has_value());
    return *packet;
  }
  void Say(const Bytes& message) {
    a_.gateway->ReceiveIp(kOutsidePort, message);
    a_.gateway->Run();
  }
};

// RFC 4301, 8.2.1: a router on the way says that it has less room; the SA's packets become no
// larger than that, and inner senders are told what is left for theirs.
TEST_F(PathMtuTest, IsLearnedPerSaAndToldToInnerSenders) {
  struct Case {
    uint16_t nat_port;
    const char *a, *b;
  };
  for (const Case& c :
       {Case{0, "203.0.113.1", "203.0.113.2"}, Case{kIkeNatTPort, "203.0.113.1", "203.0.113.2"},
        Case{0, "2001:db8:113::1", "2001:db8:113::2"},
        Case{kIkeNatTPort, "2001:db8:113::1", "2001:db8:113::2"}}) {
    Connect(c.nat_port, 1500, c.a, c.b);
    Say(TooBig(Sealed(), 1300));
    EXPECT_EQ(Learned(), 1300) << c.a << " " << c.nat_port;
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(1272).Build());
    a_.gateway->Run();
    const std::optional<Bytes> error = a_.gateway->SentIp(kInsidePort);
    ASSERT_TRUE(error.has_value());
    const size_t inner = LoadBigEndian<uint16_t>(&(*error)[26]);
    EXPECT_GT(inner, 1180u);
    EXPECT_EQ(Bytes(error->begin() + 20, error->begin() + 22), FromHex("0304"));
    // As large as was told: fits exactly.
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(inner - 28).Build());
    a_.gateway->Run();
    const std::optional<Bytes> esp = a_.gateway->SentIp(kOutsidePort);
    ASSERT_TRUE(esp.has_value());
    EXPECT_LE(esp->size(), 1300u);
    EXPECT_GT(esp->size(), 1296u);
    // What may be cut is, to the size of the path, and arrives.
    a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1400).Build());
    a_.gateway->Run();
    EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
    EXPECT_TRUE(b_.gateway->SentIp(kInsidePort).has_value());
    TearDown();
  }
}

TEST_F(PathMtuTest, FragmentsOfEspFitThePath) {
  Connect(/*nat_port=*/0);
  Say(TooBig(Sealed(), 600));
  a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1400).Build());
  a_.gateway->Run();
  size_t pieces = 0;
  while (const std::optional<Bytes> piece = a_.gateway->SentIp(kOutsidePort)) {
    EXPECT_LE(piece->size(), 600u);
    ++pieces;
  }
  EXPECT_EQ(pieces, 3u);
}

// Whoever does not see our packets cannot make them smaller.
TEST_F(PathMtuTest, IsNotLearnedFromWhatDoesNotQuoteAnSa) {
  Connect(/*nat_port=*/0);
  const Bytes esp = Sealed();
  const auto ignored = [&](const Bytes& message) {
    Say(message);
    return Learned() == 0;
  };
  const auto changed = [&](size_t at, uint8_t bits) {
    Bytes other = esp;
    other[at] ^= bits;
    return other;
  };
  EXPECT_TRUE(ignored(TooBig(changed(23, 1), 1300))) << "another SPI";
  EXPECT_TRUE(ignored(TooBig(changed(19, 4), 1300))) << "another peer";
  EXPECT_EQ(a_.gateway->drops(DropReason::kIcmpNotAboutUs), 0u);
  EXPECT_TRUE(ignored(TooBig(changed(9, 50 ^ 6), 1300))) << "TCP";
  EXPECT_TRUE(ignored(TooBig(esp, 575))) << "less than any link carries";
  EXPECT_TRUE(ignored(TooBig(esp, 0))) << "no size";
  EXPECT_TRUE(ignored(TooBig(esp, static_cast<uint16_t>(esp.size())))) << "it did fit";
  EXPECT_TRUE(ignored(TooBig(esp, 1300, 23))) << "SPI not quoted";
  EXPECT_TRUE(ignored(TooBig(esp, 1300, 10)));
  Bytes damaged = TooBig(esp, 1300);
  damaged[60] ^= 1;
  EXPECT_TRUE(ignored(damaged));
  EXPECT_EQ(a_.gateway->drops(DropReason::kIcmpNotAboutUs), 7u);
  EXPECT_FALSE(ignored(TooBig(esp, 1300, 28))) << "eight bytes are enough";
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
