#include "fastpath/parse.h"

#include <gtest/gtest.h>

#include "fastpath/mbuf.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

constexpr MacAddress kOwnMac = {2, 0, 0, 0, 0, 1};

LocalAddresses Own() {
  LocalAddresses local;
  local.AddPort(PortId{0}, PortSide::kOutside, kOwnMac,
                std::vector<InterfaceAddress>{*InterfaceAddress::Parse("203.0.113.1/24"),
                                              *InterfaceAddress::Parse("2001:db8:113::1/64")});
  return local;
}

// What parse makes of an IP packet, and of a packet for us.
struct Outcome {
  bool ok;
  PacketContext context;
  size_t bytes;
};
Outcome Parse(const Bytes& packet, bool decapsulated = false) {
  static const LocalAddresses local = Own();
  const MbufPtr mbuf = MakeMbuf(packet);
  PacketContext& context = ContextOf(mbuf.get());
  context = {};
  context.decapsulated = decapsulated;
  const bool ok = ParseIp(mbuf.get(), context) && ClassifyLocal(mbuf.get(), local, context);
  return {ok, context, mbuf->data_len};
}
DropReason ReasonOf(const Bytes& packet) { return Parse(packet).context.reason; }
PacketKind KindOf(const Bytes& packet) {
  const Outcome outcome = Parse(packet);
  EXPECT_TRUE(outcome.ok) << Name(outcome.context.reason);
  return outcome.context.kind;
}

PacketBuilder Through4() { return Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder Through6() { return Ipv6("2001:db8::1", "2001:db8::2"); }
PacketBuilder ToUs4() { return Ipv4("198.51.100.9", "203.0.113.1"); }
PacketBuilder ToUs6() { return Ipv6("2001:db8::9", "2001:db8:113::1"); }

// The same header with a checksum that holds again, after `at` was set to `value`.
Bytes Ipv4With(size_t at, uint8_t value) {
  Bytes packet = Through4().Udp(7, 9).Payload(20).Build();
  packet[at] = value;
  packet[10] = packet[11] = 0;
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2) sum += LoadBigEndian<uint16_t>(&packet[i]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  StoreBigEndian<uint16_t>(&packet[10], static_cast<uint16_t>(~sum));
  return packet;
}

TEST(ParseTest, FindsPortsOfBothFamilies) {
  for (const Bytes& packet :
       {Through4().Udp(1234, 53).Payload(9).Build(), Through6().Udp(1234, 53).Payload(9).Build(),
        Through4().Tcp(1234, 53).Build(), Through6().Tcp(1234, 53).Build()}) {
    const Outcome outcome = Parse(packet);
    ASSERT_TRUE(outcome.ok);
    EXPECT_EQ(outcome.context.kind, PacketKind::kTransit);
    EXPECT_EQ(outcome.context.source_port, 1234);
    EXPECT_EQ(outcome.context.destination_port, 53);
    EXPECT_EQ(outcome.context.l4_offset, outcome.context.family == 4 ? 20 : 40);
  }
}

// RFC 7296, 3.13.1: type in the high half, code in the low.
TEST(ParseTest, IcmpTypeStandsForThePort) {
  EXPECT_EQ(Parse(Through4().IcmpEcho(1, 2).Build()).context.source_port, 8 << 8);
  EXPECT_EQ(Parse(Through6().IcmpEcho(1, 2).Build()).context.source_port, 128 << 8);
}

// Ethernet padding behind the packet goes.
TEST(ParseTest, CutsOffPadding) {
  for (Bytes packet : {Through4().Udp(1, 2).Build(), Through6().Udp(1, 2).Build()}) {
    const size_t bytes = packet.size();
    packet.resize(bytes + 18, 0xee);
    EXPECT_EQ(Parse(packet).bytes, bytes);
  }
}

// Each prefix of a packet fails, and says so with the name of the header that it cuts.
TEST(ParseTest, EveryTruncationFails) {
  for (const bool v4 : {true, false}) {
    const Bytes whole =
        v4 ? ToUs4().Udp(500, 500).Payload(12).Build() : ToUs6().Udp(500, 500).Payload(12).Build();
    for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const Outcome outcome = Parse(Bytes(whole.begin(), whole.begin() + bytes));
      EXPECT_FALSE(outcome.ok) << bytes;
      EXPECT_EQ(outcome.context.reason,
                v4 || bytes == 0 ? DropReason::kIpv4Malformed : DropReason::kIpv6Malformed);
    }
  }
}

// The same with IP lengths that fit, so that it is the upper layer that is cut.
TEST(ParseTest, EveryTruncatedUpperLayerFails) {
  for (size_t bytes = 0; bytes < 8; ++bytes) {
    EXPECT_EQ(ReasonOf(Through4().Protocol(17).Payload(bytes).Build()), DropReason::kUdpMalformed);
    EXPECT_EQ(ReasonOf(Through6().Protocol(17).Payload(bytes).Build()), DropReason::kUdpMalformed);
  }
  for (size_t bytes = 0; bytes < 20; ++bytes) {
    EXPECT_EQ(ReasonOf(Through4().Protocol(6).Payload(bytes).Build()), DropReason::kIpv4Malformed);
    EXPECT_EQ(ReasonOf(Through6().Protocol(6).Payload(bytes).Build()), DropReason::kIpv6Malformed);
  }
  for (size_t bytes = 0; bytes < 4; ++bytes) {
    EXPECT_EQ(ReasonOf(Through4().Protocol(1).Payload(bytes).Build()), DropReason::kIcmpMalformed);
    EXPECT_EQ(ReasonOf(Through6().Protocol(58).Payload(bytes).Build()), DropReason::kIcmpMalformed);
    EXPECT_EQ(ReasonOf(Through4().Protocol(132).Payload(bytes).Build()),
              DropReason::kIpv4Malformed);
  }
}

TEST(ParseTest, Ipv4HeaderFieldsAtTheirLimits) {
  EXPECT_EQ(ReasonOf(Ipv4With(0, 0x44)), DropReason::kIpv4Malformed);  // header of 16 bytes
  EXPECT_EQ(ReasonOf(Ipv4With(0, 0x55)), DropReason::kIpv4Malformed);  // version 5
  EXPECT_EQ(ReasonOf(Ipv4With(3, 19)), DropReason::kIpv4Malformed);    // shorter than its header
  EXPECT_EQ(ReasonOf(Ipv4With(3, 49)), DropReason::kIpv4Malformed);    // one more than there is
  EXPECT_EQ(ReasonOf(Ipv4With(3, 48)), DropReason::kNone);
  Bytes wrong = Ipv4With(8, 64);
  wrong[8] = 63;
  EXPECT_EQ(ReasonOf(wrong), DropReason::kIpv4Checksum);
}

TEST(ParseTest, UdpLengthThatLies) {
  for (const bool v4 : {true, false}) {
    const size_t at = (v4 ? 20 : 40) + 4;
    PacketBuilder builder = v4 ? Through4() : Through6();
    const Bytes good = builder.Udp(1, 2).Payload(10).Build();
    for (const uint8_t length : Bytes{0, 7, 19, 255}) {
      Bytes bad = good;
      bad[at + 1] = length;
      EXPECT_EQ(ReasonOf(bad), DropReason::kUdpMalformed) << int{length};
    }
  }
}

TEST(ParseTest, Martians) {
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1",
                             "255.255.255.255", "10.0.0.2"}) {
    EXPECT_EQ(ReasonOf(Ipv4(source, "10.0.0.2").Udp(1, 2).Build()), DropReason::kIpMartian)
        << source;
  }
  for (const char* destination : {"0.0.0.0", "127.1.2.3", "240.0.0.1"}) {
    EXPECT_EQ(ReasonOf(Ipv4("10.0.0.1", destination).Udp(1, 2).Build()), DropReason::kIpMartian)
        << destination;
  }
  for (const char* source : {"::", "::1", "ff02::1", "::ffff:10.0.0.1", "2001:db8::2"}) {
    EXPECT_EQ(ReasonOf(Ipv6(source, "2001:db8::2").Udp(1, 2).Build()), DropReason::kIpMartian)
        << source;
  }
  for (const char* destination : {"::", "::1", "::ffff:10.0.0.1"}) {
    EXPECT_EQ(ReasonOf(Ipv6("2001:db8::1", destination).Udp(1, 2).Build()), DropReason::kIpMartian)
        << destination;
  }
  EXPECT_EQ(ReasonOf(Ipv4("203.0.113.1", "10.0.0.2").Udp(1, 2).Build()), DropReason::kIpMartian);
}

// An extension header of `next` and 8 bytes, in front of UDP.
Bytes WithExtensions(const std::vector<uint8_t>& headers) {
  Bytes chain;
  for (size_t i = 0; i < headers.size(); ++i) {
    const uint8_t next = i + 1 < headers.size() ? headers[i + 1] : uint8_t{17};
    const Bytes header = {next, 0, 1, 4, 0, 0, 0, 0};
    chain.insert(chain.end(), header.begin(), header.end());
  }
  const Bytes udp = Through6().Udp(7, 9).Payload(10).Build();
  chain.insert(chain.end(), udp.begin() + 40, udp.end());
  return Through6().Protocol(headers[0]).Payload(chain).Build();
}

TEST(ParseTest, SkipsExtensionHeadersUpToTheLimit) {
  const Outcome outcome = Parse(WithExtensions({0, 43, 60}));
  ASSERT_TRUE(outcome.ok);
  EXPECT_EQ(outcome.context.protocol, 17);
  EXPECT_EQ(outcome.context.l4_offset, 64);
  EXPECT_EQ(outcome.context.destination_port, 9);
  EXPECT_TRUE(Parse(WithExtensions(std::vector<uint8_t>(kIpv6ExtensionHeadersMax, 60))).ok);
  EXPECT_EQ(ReasonOf(WithExtensions(std::vector<uint8_t>(kIpv6ExtensionHeadersMax + 1, 60))),
            DropReason::kIpv6Malformed);
}

// RFC 8200, 4.1: hop-by-hop options come first. RFC 5095: no routing header of type 0.
TEST(ParseTest, RefusesMisplacedAndAbolishedExtensionHeaders) {
  EXPECT_EQ(ReasonOf(WithExtensions({60, 0})), DropReason::kIpv6Malformed);
  Bytes routing = WithExtensions({43});
  routing[42] = 0;
  EXPECT_EQ(ReasonOf(routing), DropReason::kIpv6Malformed);
  Bytes beyond = WithExtensions({60});
  beyond[41] = 9;
  EXPECT_EQ(ReasonOf(beyond), DropReason::kIpv6Malformed);
}

TEST(ParseTest, FragmentsAreMarkedAndHaveNoPorts) {
  const auto piece = [](PacketBuilder builder, uint16_t offset, bool more, size_t bytes) {
    if (builder.Build()[0] >> 4 == 4) {
      return Parse(builder.Fragment(offset, more).Protocol(17).Payload(bytes).Build());
    }
    Bytes header = {17, 0, 0, 0, 0, 0, 0, 1};
    StoreBigEndian<uint16_t>(&header[2], static_cast<uint16_t>(offset | (more ? 1 : 0)));
    return Parse(builder.Protocol(44).Payload(header).Payload(bytes).Build());
  };
  for (const bool v4 : {true, false}) {
    const Outcome through = piece(v4 ? Through4() : Through6(), 0, true, 64);
    ASSERT_TRUE(through.ok);
    EXPECT_TRUE(through.context.fragment);
    EXPECT_EQ(through.context.kind, PacketKind::kTransit);
    EXPECT_EQ(through.context.source_port, 0);
    const Outcome ours = piece(v4 ? ToUs4() : ToUs6(), 64, false, 10);
    ASSERT_TRUE(ours.ok);
    EXPECT_EQ(ours.context.kind, PacketKind::kFragment);
    // Not a multiple of eight though more follow; nothing in it; beyond the largest packet.
    EXPECT_FALSE(piece(v4 ? ToUs4() : ToUs6(), 0, true, 63).ok);
    EXPECT_FALSE(piece(v4 ? ToUs4() : ToUs6(), 64, false, 0).ok);
    EXPECT_FALSE(piece(v4 ? ToUs4() : ToUs6(), 65528, false, 1000).ok);
  }
  // RFC 6946: a fragment header around a whole packet changes nothing.
  const Bytes udp = ToUs6().Udp(9, 500).Payload(28).Build();
  const Bytes header = {17, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(KindOf(ToUs6().Protocol(44).Payload(header).Payload(ByteSpan(udp).subspan(40)).Build()),
            PacketKind::kIke);
}

// RFC 3948, 2.2 and 2.3.
TEST(ParseTest, TellsApartWhatComesOnPort4500) {
  const auto kind = [](const Bytes& payload) {
    return KindOf(ToUs4().Udp(40000, 4500).Payload(payload).Build());
  };
  EXPECT_EQ(kind({0xff}), PacketKind::kNatTKeepalive);
  EXPECT_EQ(kind(Bytes(32)), PacketKind::kIke);
  EXPECT_EQ(kind(Bytes(32, 1)), PacketKind::kEspInUdp);
  EXPECT_EQ(kind({0, 0, 0, 1, 0}), PacketKind::kEspInUdp);
  EXPECT_EQ(KindOf(ToUs6().Udp(40000, 4500).Payload(Bytes(32)).Build()), PacketKind::kIke);
}

TEST(ParseTest, KindsOfPacketsForUs) {
  EXPECT_EQ(KindOf(ToUs4().Udp(40000, 500).Payload(28).Build()), PacketKind::kIke);
  EXPECT_EQ(KindOf(ToUs4().Udp(500, 501).Payload(28).Build()), PacketKind::kLocal);
  EXPECT_EQ(KindOf(ToUs4().Esp(1000, 1).Payload(40).Build()), PacketKind::kEsp);
  EXPECT_EQ(KindOf(ToUs4().IcmpEcho(1, 1).Build()), PacketKind::kIcmpEcho);
  EXPECT_EQ(KindOf(ToUs6().IcmpEcho(1, 1).Build()), PacketKind::kIcmpEcho);
  EXPECT_EQ(KindOf(ToUs4().IcmpEcho(1, 1, true).Build()), PacketKind::kLocal);
  EXPECT_EQ(KindOf(ToUs4().Tcp(1, 22).Build()), PacketKind::kLocal);
  EXPECT_EQ(KindOf(Ipv4("198.51.100.9", "203.0.113.255").IcmpEcho(1, 1).Build()),
            PacketKind::kLocal);
  EXPECT_EQ(KindOf(Ipv4("198.51.100.9", "224.0.0.1").IcmpEcho(1, 1).Build()), PacketKind::kLocal);
}

// IKE and ESP inside a tunnel, and neighbour discovery above all, are not for us.
TEST(ParseTest, OutOfATunnelOnlyEchoIsForUs) {
  EXPECT_EQ(Parse(ToUs4().Udp(1, 500).Payload(28).Build(), true).context.kind, PacketKind::kLocal);
  EXPECT_EQ(Parse(ToUs4().Esp(1000, 1).Payload(40).Build(), true).context.kind, PacketKind::kLocal);
  EXPECT_EQ(Parse(ToUs6().Protocol(58).Payload(Bytes{135, 0, 0, 0}).Build(), true).context.kind,
            PacketKind::kLocal);
  EXPECT_EQ(Parse(ToUs4().IcmpEcho(1, 1).Build(), true).context.kind, PacketKind::kIcmpEcho);
}

TEST(ParseTest, UdpChecksumOfIkeMustHold) {
  Bytes packet = ToUs4().Udp(500, 500).Payload(30).Build();
  packet[40] ^= 1;
  EXPECT_EQ(ReasonOf(packet), DropReason::kUdpMalformed);
  packet[26] = packet[27] = 0;  // RFC 768: none
  EXPECT_EQ(ReasonOf(packet), DropReason::kNone);
  Bytes v6 = ToUs6().Udp(500, 500).Payload(30).Build();
  v6[46] = v6[47] = 0;  // RFC 8200, 8.1: there must be one
  EXPECT_EQ(ReasonOf(v6), DropReason::kUdpMalformed);
  // RFC 3948, 2.1: of ESP in UDP it is ignored.
  Bytes esp = ToUs4().Udp(4500, 4500).Payload(Bytes(40, 1)).Build();
  esp[26] ^= 1;
  EXPECT_EQ(ReasonOf(esp), DropReason::kNone);
}

// Bytes behind the UDP length are not the datagram's.
TEST(ParseTest, CutsToTheUdpLength) {
  Bytes packet = ToUs4().Udp(500, 500).Payload(30).Build();
  packet[25] = 8 + 28;
  packet[26] = packet[27] = 0;
  EXPECT_EQ(Parse(packet).bytes, 20u + 8 + 28);
}

TEST(ParseTest, EthernetTypeAndVersionMustAgree) {
  const MbufPtr mbuf = Ethernet(kOwnMac, {2, 0, 0, 0, 0, 9})
                           .Ip(Address("10.0.0.1"), Address("10.0.0.2"))
                           .Udp(1, 2)
                           .Patch(12, {0x86, 0xdd})
                           .BuildMbuf();
  PacketContext context = {};
  EXPECT_FALSE(ParseFrame(mbuf.get(), kOwnMac, /*vlan=*/0, context));
}

// No flipped bit of a good packet of any kind crashes, or is read beyond its end.
TEST(ParseTest, FlippedBitsDoNotCrash) {
  for (const Bytes& packet :
       {ToUs4().Udp(4500, 4500).Payload(40).Build(), ToUs6().Udp(500, 500).Payload(40).Build(),
        WithExtensions({0, 43, 60}),
        ToUs6().Protocol(44).Payload(Bytes{17, 0, 0, 9, 0, 0, 0, 1}).Payload(16).Build(),
        ToUs4().IcmpEcho(1, 1).Build()}) {
    for (size_t bit = 0; bit < packet.size() * 8; ++bit) {
      Bytes flipped = packet;
      flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      const Outcome outcome = Parse(flipped);
      EXPECT_EQ(outcome.ok, outcome.context.reason == DropReason::kNone);
    }
  }
}

// RFC 4301, 4.4.1.1: the type of a mobility header is a selector; the header is the last of all.
TEST(ParseTest, MobilityTypeStandsForThePort) {
  MbufPtr binding = Ipv6("2001:db8::1", "2001:db8::2")
                        .Protocol(135)
                        .Payload(Bytes{59, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                        .BuildMbuf();
  PacketContext& context = ContextOf(binding.get());
  ASSERT_TRUE(ParseIp(binding.get(), context));
  EXPECT_EQ(context.protocol, 135);
  EXPECT_EQ(context.source_port, 0x0500);
  EXPECT_EQ(context.destination_port, 0);
  MbufPtr cut = Ipv6("2001:db8::1", "2001:db8::2").Protocol(135).Payload(Bytes(7)).BuildMbuf();
  EXPECT_FALSE(ParseIp(cut.get(), ContextOf(cut.get())));
  EXPECT_EQ(ContextOf(cut.get()).reason, DropReason::kIpv6Malformed);
}

}  // namespace
}  // namespace sekisho::fastpath
