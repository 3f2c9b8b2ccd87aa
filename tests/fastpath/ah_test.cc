#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdio>

#include "fastpath/ah_decap.h"
#include "fastpath/ah_encap.h"
#include "fastpath/ah_mutable_fields.h"
#include "fastpath/parse.h"
#include "tests/fastpath/ah_vectors.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr Spi kSpi{0x1234};

IpsecSuite AhSuite(const std::string& name) {
  const auto suite = IpsecSuite::Parse(IpsecProtocol::kAh, name);
  SEKISHO_CHECK(suite.ok());
  return *suite;
}

TrafficSelectors Everything() {
  return {TrafficSelector::All(IpFamily::kIpv4), TrafficSelector::All(IpFamily::kIpv6)};
}

// An SA between 203.0.113.1 (us) and 198.51.100.7, or the same in IPv6.
template <typename Parameters>
Parameters AhParameters(const IpsecSuite& suite, IpsecMode mode, uint8_t family) {
  Parameters parameters;
  parameters.spi = kSpi;
  parameters.protocol = IpsecProtocol::kAh;
  parameters.mode = mode;
  parameters.suite = suite;
  parameters.integrity_key = TestIntegrityKey(suite);
  parameters.local = Everything();
  parameters.remote = Everything();
  parameters.local_endpoint = {Address(family == 4 ? "203.0.113.1" : "2001:db8:113::1"), 0};
  parameters.remote_endpoint = {Address(family == 4 ? "198.51.100.7" : "2001:db8:1::7"), 0};
  return parameters;
}
InboundSaParameters Inbound(const IpsecSuite& suite, IpsecMode mode, uint8_t family) {
  auto parameters = AhParameters<InboundSaParameters>(suite, mode, family);
  parameters.typed_spi = true;
  return parameters;
}
// The peer's end of the same SA.
OutboundSaParameters PeersOutbound(const IpsecSuite& suite, IpsecMode mode, uint8_t family) {
  auto parameters = AhParameters<OutboundSaParameters>(suite, mode, family);
  std::swap(parameters.local_endpoint, parameters.remote_endpoint);
  return parameters;
}

class AhTest : public testing::Test {
 protected:
  SaHandle Install(const InboundSaParameters& parameters) {
    const auto sa = harness_.inbound->Fill(parameters);
    if (!sa.ok()) std::fprintf(stderr, "%s\n", sa.status().ToString().c_str());
    SEKISHO_CHECK(sa.ok());
    SEKISHO_CHECK(harness_.inbound->Activate(sa->slot, sa->generation));
    return *sa;
  }
  SaHandle Install(const OutboundSaParameters& parameters) {
    const auto sa = harness_.outbound->Fill(parameters);
    if (!sa.ok()) std::fprintf(stderr, "%s\n", sa.status().ToString().c_str());
    SEKISHO_CHECK(sa.ok());
    harness_.outbound->Publish(*sa);
    return *sa;
  }
  // As the slow path does once the worker let go.
  void Retire() {
    ReportRetired(harness_.worker);
    for (const UpMessage& message : harness_.TakeUp()) {
      harness_.inbound->Release(message.sa.slot, message.sa.generation);
      harness_.outbound->Release(message.sa.slot, message.sa.generation);
    }
  }
  InboundSa* Slot(uint8_t family) {
    const Bytes address = Ip(Address(family == 4 ? "198.51.100.7" : "2001:db8:1::7"),
                             Address(family == 4 ? "203.0.113.1" : "2001:db8:113::1"))
                              .Udp(1, 1)
                              .Build();
    return harness_.inbound->Find(
        Be32::FromHost(kSpi.value), IpsecProtocol::kAh,
        family == 4 ? ByteSpan(address).subspan(16, 4) : ByteSpan(address).subspan(24, 16));
  }

  // What comes out of the inbound stages for one IP packet; its drop reason, or kNone.
  DropReason Decap(const Bytes& packet, Bytes* out = nullptr) {
    MbufPtr mbuf = MakeMbuf(packet);
    PacketContext& context = ContextOf(mbuf.get());
    context.kind = PacketKind::kTransit;
    if (!ParseIp(mbuf.get(), context)) return context.reason;
    return DecapParsed(std::move(mbuf), out);
  }
  DropReason DecapParsed(MbufPtr mbuf, Bytes* out) {
    rte_mbuf* packet = mbuf.release();
    PacketList passed, dropped;
    if (ContextOf(packet).protocol == IPPROTO_ESP) {
      ContextOf(packet).kind = PacketKind::kEsp;
      EspDecapSubmit(harness_.worker, {&packet, 1}, passed, dropped);
    } else {
      ContextOf(packet).kind = PacketKind::kAh;
      AhDecapSubmit(harness_.worker, {&packet, 1}, passed, dropped);
    }
    for (int i = 0; i < 100 && harness_.backend->InFlight(WorkerId{0}) != 0; ++i) {
      EspDecapFinish(harness_.worker, passed, dropped);
    }
    MbufPtr done(packet);
    if (!dropped.empty()) return ContextOf(packet).reason;
    if (out != nullptr) *out = BytesOf(packet);
    last_ = std::move(done);
    return DropReason::kNone;
  }
  // Likewise outbound: AH, or what was asked for by the packet's selectors.
  DropReason Encap(const Bytes& packet, Bytes* out = nullptr) {
    rte_mbuf* mbuf = MakeMbuf(packet).release();
    SEKISHO_CHECK(ParseIp(mbuf, ContextOf(mbuf)));
    harness_.outbound->LookUp({&mbuf, 1});
    PacketList passed, dropped;
    const OutboundSa* sa = ContextOf(mbuf).outbound_sa;
    const MbufPtr done(mbuf);
    if (sa == nullptr) return DropReason::kSpdNoSa;
    if (sa->protocol == IpsecProtocol::kAh) {
      AhEncapSubmit(harness_.worker, {&mbuf, 1}, passed, dropped);
    } else {
      EspEncapSubmit(harness_.worker, {&mbuf, 1}, passed, dropped);
    }
    for (int i = 0; i < 100 && harness_.backend->InFlight(WorkerId{0}) != 0; ++i) {
      EspEncapFinish(harness_.worker, passed, dropped);
    }
    if (!dropped.empty()) return ContextOf(mbuf).reason;
    if (out != nullptr) *out = BytesOf(mbuf);
    return DropReason::kNone;
  }

  EspHarness harness_;
  MbufPtr last_;  // the last packet that passed
};

SecretBytes SecretFromHex(const char* hex) { return SecretBytes(ByteSpan(FromHex(hex))); }

// Another implementation's packets: both what comes in and, where it has no say of its own (flow
// label, identification, DSCP of the outer header), what goes out.
TEST_F(AhTest, AgreesWithScapy) {
  for (const AhVector& vector : kAhVectors) {
    SCOPED_TRACE(vector.suite);
    const Bytes outer = FromHex(vector.outer);
    SCOPED_TRACE(testing::PrintToString(outer.size()));
    const uint8_t family = outer[0] >> 4;
    const IpsecMode mode = vector.transport ? IpsecMode::kTransport : IpsecMode::kTunnel;
    auto in = Inbound(AhSuite(vector.suite), mode, family);
    in.integrity_key = SecretFromHex(vector.key);
    const SaHandle sa = Install(in);
    if (vector.sequence >> 32 != 0) Slot(family)->window.Commit(0x100000000);
    Bytes inner;
    EXPECT_EQ(Decap(outer, &inner), DropReason::kNone);
    EXPECT_EQ(inner, FromHex(vector.inner));
    harness_.RemoveInbound(sa);
    Retire();
    if (!vector.transport) continue;

    auto out = PeersOutbound(AhSuite(vector.suite), mode, family);
    out.integrity_key = SecretFromHex(vector.key);
    const SaHandle peers = Install(out);
    Bytes made;
    for (uint32_t i = 0; i < 5; ++i) {
      ASSERT_EQ(Encap(FromHex(vector.inner), &made), DropReason::kNone);
    }
    if (vector.sequence >> 32 == 0) {
      EXPECT_EQ(made, outer);
    }
    harness_.RemoveOutbound(peers);
    Retire();
  }
}

// Each suite, both modes, all mixtures of families, with GMAC and ESN.
TEST_F(AhTest, EverySuiteGoesThroughBothModes) {
  int suites = 0;
  for (const IntegrityTraits& integrity : AllIntegrity()) {
    for (const bool esn : {false, true}) {
      const IpsecSuite suite = {.encryption = {}, .integrity = integrity.id, .esn = esn};
      if (!harness_.Runs(suite)) continue;
      ++suites;
      for (const uint8_t family : {uint8_t{4}, uint8_t{6}}) {
        for (const IpsecMode mode : {IpsecMode::kTunnel, IpsecMode::kTransport}) {
          SCOPED_TRACE(suite.ToString() + (family == 4 ? " v4 " : " v6 ") + Name(mode));
          const SaHandle in = Install(Inbound(suite, mode, family));
          const SaHandle out = Install(PeersOutbound(suite, mode, family));
          for (const bool inner_v4 : {true, false}) {
            if (mode == IpsecMode::kTransport && inner_v4 != (family == 4)) continue;
            const Bytes packet = mode == IpsecMode::kTunnel
                                     ? (inner_v4 ? Ipv4("10.99.0.5", "10.10.0.9")
                                                 : Ipv6("2001:db8:99::5", "2001:db8:10::9"))
                                           .Udp(1, 2)
                                           .Payload(100)
                                           .Build()
                                     : (inner_v4 ? Ipv4("198.51.100.7", "203.0.113.1")
                                                 : Ipv6("2001:db8:1::7", "2001:db8:113::1"))
                                           .Udp(1, 2)
                                           .Payload(100)
                                           .Build();
            Bytes protected_packet, back;
            ASSERT_EQ(Encap(packet, &protected_packet), DropReason::kNone);
            ASSERT_EQ(Decap(protected_packet, &back), DropReason::kNone);
            EXPECT_EQ(back, packet);
            EXPECT_EQ(Decap(protected_packet), DropReason::kAhReplayed);
          }
          harness_.RemoveInbound(in);
          harness_.RemoveOutbound(out);
          Retire();
        }
      }
    }
  }
  EXPECT_GE(suites, 8);
}

// RFC 4302, 3.3.3.1: what routers change on the way leaves the ICV valid; every other bit does not.
TEST_F(AhTest, CoversEveryBitButTheMutableOnes) {
  auto in = Inbound(AhSuite("sha256"), IpsecMode::kTransport, 4);
  in.anti_replay = false;
  Install(in);
  Install(PeersOutbound(AhSuite("sha256"), IpsecMode::kTransport, 4));
  Bytes good;
  ASSERT_EQ(Encap(Ipv4("198.51.100.7", "203.0.113.1").Udp(1, 2).Payload(20).Build(), &good),
            DropReason::kNone);
  ASSERT_EQ(Decap(good), DropReason::kNone);
  const auto with_checksum = [](Bytes packet) {
    uint32_t sum = 0;
    packet[10] = packet[11] = 0;
    for (size_t i = 0; i < 20; i += 2) sum += LoadBigEndian<uint16_t>(&packet[i]);
    sum = (sum & 0xffff) + (sum >> 16);
    StoreBigEndian<uint16_t>(&packet[10], static_cast<uint16_t>(~((sum & 0xffff) + (sum >> 16))));
    return packet;
  };
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes packet = good;
    packet[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
    const size_t at = bit / 8;
    if (at == 10 || at == 11) continue;  // an IP packet must have a checksum that holds
    const bool is_mutable = at == 1 || at == 8 || bit == 48 || bit == 49;  // 48, 49: evil bit, DF
    const DropReason reason = Decap(with_checksum(packet));
    EXPECT_EQ(reason == DropReason::kNone, is_mutable) << "bit " << bit << " " << Name(reason);
  }
}

TEST_F(AhTest, CutAtEveryByteIsDroppedUnderAName) {
  auto in = Inbound(AhSuite("sha256"), IpsecMode::kTunnel, 4);
  Install(in);
  Install(PeersOutbound(AhSuite("sha256"), IpsecMode::kTunnel, 4));
  Bytes good;
  ASSERT_EQ(Encap(Ipv4("10.99.0.5", "10.10.0.9").Udp(1, 2).Payload(20).Build(), &good),
            DropReason::kNone);
  for (size_t size = 20; size < good.size(); ++size) {
    Bytes cut = Ipv4("198.51.100.7", "203.0.113.1")
                    .Protocol(IPPROTO_AH)
                    .Payload(ByteSpan(good).subspan(20, size - 20))
                    .Build();
    const DropReason reason = Decap(cut);
    EXPECT_EQ(reason, size < 48 ? DropReason::kAhMalformed : DropReason::kAhIntegrity) << size;
  }
  EXPECT_EQ(Decap(good), DropReason::kNone) << "none of them moved the window";
}

TEST_F(AhTest, RefusesWhatIsNotItsOwn) {
  auto in = Inbound(AhSuite("sha256"), IpsecMode::kTunnel, 4);
  in.remote = {*TrafficSelector::Parse("10.99.0.0/24")};
  Install(in);
  Install(PeersOutbound(AhSuite("sha256"), IpsecMode::kTunnel, 4));
  Bytes outside;
  ASSERT_EQ(Encap(Ipv4("10.98.0.5", "10.10.0.9").Udp(1, 2).Build(), &outside), DropReason::kNone);
  EXPECT_EQ(Decap(outside), DropReason::kAhSelectors);
  const auto ah = [](const char* to, const char* bytes) {
    return Ipv4("198.51.100.7", to).Protocol(IPPROTO_AH).Payload(FromHex(bytes)).Build();
  };
  EXPECT_EQ(Decap(ah("203.0.113.1",
                     "04050000 00001235 00000001"
                     "00000000000000000000000000000000")),
            DropReason::kAhUnknownSpi);
  EXPECT_EQ(Decap(ah("203.0.113.9",
                     "04050000 00001234 00000001"
                     "00000000000000000000000000000000")),
            DropReason::kAhWrongDestination);
  EXPECT_EQ(Decap(ah("203.0.113.1",
                     "04040000 00001234 00000001"
                     "00000000000000000000000000000000")),
            DropReason::kAhMalformed);
}

// RFC 4301, 4.1: SPI, protocol and destination together name an SA.
TEST_F(AhTest, TypedSpiMayStandForSeveralSasOfDifferentAddresses) {
  const IpsecSuite suite = AhSuite("sha256");
  Install(Inbound(suite, IpsecMode::kTunnel, 4));
  InboundSa* v4 = Slot(4);
  ASSERT_NE(v4, nullptr);
  EXPECT_EQ(Slot(6), v4) << "the only one; its destination is compared later";
  EXPECT_TRUE(absl::IsAlreadyExists(
      harness_.inbound->Fill(Inbound(suite, IpsecMode::kTunnel, 4)).status()));
  Install(Inbound(suite, IpsecMode::kTunnel, 6));
  EXPECT_EQ(Slot(4), v4);
  EXPECT_NE(Slot(6), v4);
  EXPECT_EQ(harness_.inbound->Find(Be32::FromHost(kSpi.value), IpsecProtocol::kEsp, {}), nullptr);
  auto reserved = Inbound(suite, IpsecMode::kTunnel, 4);
  reserved.spi = Spi{255};
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.inbound->Fill(reserved).status()));
}

// --- Lifetimes -----------------------------------------------------------------------------------

TEST_F(AhTest, PacketLifetimesEndAnSaAtTheExactPacket) {
  const IpsecSuite suite = AhSuite("sha256");
  auto in = Inbound(suite, IpsecMode::kTransport, 4);
  in.lifetimes = {.soft_packets = 2, .hard_packets = 3};
  const SaHandle in_sa = Install(in);
  auto out = PeersOutbound(suite, IpsecMode::kTransport, 4);
  out.lifetimes = {.soft_packets = 3, .hard_packets = 5};
  Install(out);
  const Bytes packet = Ipv4("198.51.100.7", "203.0.113.1").Udp(1, 2).Payload(20).Build();
  using Kind = UpMessage::Kind;
  std::vector<Kind> said;
  for (int i = 1; i <= 7; ++i) {
    Bytes made;
    const DropReason sent = Encap(packet, &made);
    EXPECT_EQ(sent, i <= 5 ? DropReason::kNone : DropReason::kSaLifetime) << i;
    if (sent == DropReason::kNone) {
      EXPECT_EQ(Decap(made), i <= 3 ? DropReason::kNone : DropReason::kSaLifetime) << i;
    }
    for (const UpMessage& message : harness_.TakeUp()) {
      const bool inbound = message.sa.direction == UpMessage::Direction::kInbound;
      EXPECT_EQ(i, inbound ? (message.kind == Kind::kSoftExpiry ? 2 : 4)
                           : (message.kind == Kind::kSoftExpiry ? 3 : 6));
      said.push_back(message.kind);
    }
  }
  EXPECT_EQ(said.size(), 4u) << "each once";
  EXPECT_EQ(harness_.inbound->Counters(in_sa)->packets, 3u);
}

// An SA never carries more bytes than it may, and what is smaller does not slip in at the end.
TEST_F(AhTest, ByteLifetimesEndAnSaForGood) {
  const IpsecSuite suite = AhSuite("sha256");
  Install(Inbound(suite, IpsecMode::kTransport, 4));
  auto out = PeersOutbound(suite, IpsecMode::kTransport, 4);
  out.lifetimes = {.soft_bytes = 60, .hard_bytes = 150};
  const SaHandle sa = Install(out);
  const auto packet = [](size_t bytes) {
    return Ipv4("198.51.100.7", "203.0.113.1").Udp(1, 2).Payload(bytes - 28).Build();
  };
  EXPECT_EQ(Encap(packet(60)), DropReason::kNone);
  EXPECT_EQ(Encap(packet(89)), DropReason::kNone);
  EXPECT_EQ(Encap(packet(40)), DropReason::kSaLifetime);
  EXPECT_EQ(Encap(packet(29)), DropReason::kSaLifetime);
  EXPECT_EQ(harness_.outbound->Counters(sa)->bytes, 149u);
  const auto up = harness_.TakeUp();
  ASSERT_EQ(up.size(), 2u);
  EXPECT_EQ(up[0].kind, UpMessage::Kind::kSoftExpiry);
  EXPECT_EQ(up[1].kind, UpMessage::Kind::kHardExpiry);
}

// --- Nested SAs ----------------------------------------------------------------------------------

// ESP in tunnel mode inside of AH in transport mode, as RFC 4301, 4.3 draws it, and each layer
// without the other.
TEST_F(AhTest, EspGoesIntoAhAndOutOfItAgain) {
  const IpsecSuite suite = AhSuite("sha256");
  auto ah_in = Inbound(suite, IpsecMode::kTransport, 4);
  ah_in.only_around_esp = true;
  const SaHandle ah = Install(ah_in);
  InboundSaParameters esp_in = InboundParameters({}, Spi{0x2000});
  esp_in.typed_spi = true;
  esp_in.local_endpoint.port = esp_in.remote_endpoint.port = 0;
  esp_in.within = ah;
  Install(esp_in);

  auto ah_out = PeersOutbound(suite, IpsecMode::kTransport, 4);
  ah_out.remote.clear();  // protects nothing of its own
  const SaHandle then = Install(ah_out);
  OutboundSaParameters esp_out = OutboundParameters(Mirrored({}), Spi{0x2000});
  esp_out.then = then;
  const SaHandle esp = Install(esp_out);

  const Bytes packet = Ipv4("10.99.0.5", "10.10.0.9").Udp(1, 2).Payload(100).Build();
  Bytes both, esp_only, back;
  ASSERT_EQ(Encap(packet, &both), DropReason::kNone);
  EXPECT_EQ(both[9], IPPROTO_AH);
  ASSERT_EQ(Decap(both, &esp_only), DropReason::kNone);
  EXPECT_EQ(esp_only[9], IPPROTO_ESP);
  EXPECT_EQ(Decap(esp_only), DropReason::kIpsecLayerMissing) << "it came in without AH";
  ASSERT_EQ(Encap(packet, &both), DropReason::kNone);
  ASSERT_EQ(Decap(both), DropReason::kNone);
  ASSERT_EQ(DecapParsed(std::move(last_), &back), DropReason::kNone);
  EXPECT_EQ(back, packet);

  // AH around something else than ESP.
  harness_.RemoveOutbound(esp);
  harness_.RemoveOutbound(then);
  Install(PeersOutbound(suite, IpsecMode::kTransport, 4));
  Bytes ah_only;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Encap(Ipv4("198.51.100.7", "203.0.113.1").Udp(1, 2).Build(), &ah_only),
              DropReason::kNone);
  }
  EXPECT_EQ(Decap(ah_only), DropReason::kIpsecLayerMissing);
}

// Over IPv6 the headers of ESP leave less headroom than AH's own and the copy of what is in front
// of it need: the longest ICV and IV there are.
TEST_F(AhTest, LongestHeadersOverIpv6GoOutAndIn) {
  const IpsecSuite suite = AhSuite("sha512");
  const SaHandle ah = Install(Inbound(suite, IpsecMode::kTransport, 6));
  const TestSa esp = {.suite = SuiteOf("aes256-sha512"),
                      .local_endpoint = {Address("2001:db8:113::1"), 0},
                      .remote_endpoint = {Address("2001:db8:1::7"), 0}};
  InboundSaParameters esp_in = InboundParameters(esp, Spi{0x2000});
  esp_in.typed_spi = true;
  esp_in.within = ah;
  Install(esp_in);
  auto ah_out = PeersOutbound(suite, IpsecMode::kTransport, 6);
  ah_out.remote.clear();
  OutboundSaParameters esp_out = OutboundParameters(Mirrored(esp), Spi{0x2000});
  esp_out.then = Install(ah_out);
  Install(esp_out);

  const Bytes packet = Ipv4("10.99.0.5", "10.10.0.9").Udp(1, 2).Payload(100).Build();
  Bytes both, back;
  ASSERT_EQ(Encap(packet, &both), DropReason::kNone);
  EXPECT_EQ(both[6], IPPROTO_AH);
  ASSERT_EQ(Decap(both), DropReason::kNone);
  ASSERT_EQ(DecapParsed(std::move(last_), &back), DropReason::kNone);
  EXPECT_EQ(back, packet);
}

// Where AH is gone, nothing leaves with ESP alone.
TEST_F(AhTest, PacketsOfANestedSaDoNotLeaveWithoutTheOther) {
  auto ah_out = PeersOutbound(AhSuite("sha256"), IpsecMode::kTransport, 4);
  ah_out.remote.clear();
  const SaHandle then = Install(ah_out);
  OutboundSaParameters esp_out = OutboundParameters(Mirrored({}), Spi{0x2000});
  esp_out.then = then;
  Install(esp_out);
  harness_.RemoveOutbound(then);
  EXPECT_EQ(Encap(Ipv4("10.99.0.5", "10.10.0.9").Udp(1, 2).Build()),
            DropReason::kIpsecLayerMissing);
}

// --- Mutable fields ------------------------------------------------------------------------------

TEST(AhMutableFields, ZeroesTheIpv4OptionsThatChange) {
  // Router Alert stays; Record Route and Time Stamp are zeroed whole (RFC 4302, A1).
  Bytes header = FromHex(
      "4a2e0030 00074000 09330b0a c6336407 cb007101"
      "94040001 07070400000000 01 44080500 00000000 00000000");
  ASSERT_TRUE(ZeroMutableFields(header));
  EXPECT_EQ(header, FromHex("4a000030 00070000 00330000 c6336407 cb007101"
                            "94040001 00000000000000 01 00000000 00000000 00000000"));
  Bytes lies = FromHex("4600001c 00000000 40330000 c6336407 cb007101 07050400");
  EXPECT_FALSE(ZeroMutableFields(lies));
}

TEST(AhMutableFields, ZeroesTheIpv6OptionsThatMayChangeAndForetellsRoutes) {
  const std::string addresses = "20010db8000100000000000000000007 20010db8011300000000000000000001";
  Bytes header =
      FromHex(("65a12345 00100002 " + addresses + "3300 3e0401020304 1e020506 0000 0000").c_str());
  header[4 + 1] = 0x10;
  header[6] = 0;   // hop-by-hop
  header[41] = 1;  // 16 bytes
  header.resize(56);
  ASSERT_TRUE(ZeroMutableFields(header));
  EXPECT_EQ(header[0], 0x60);
  EXPECT_EQ(header[1], 0);
  EXPECT_EQ(header[7], 0);
  EXPECT_EQ(Bytes(header.begin() + 40, header.begin() + 52), FromHex("3301 3e0400000000 1e020506"));

  // One address left to visit: it becomes the destination, and the destination takes its place.
  Bytes routed = FromHex(
      ("60000000 00182b40 " + addresses + "33020201 00000000 20010db8022200000000000000000002")
          .c_str());
  ASSERT_TRUE(ZeroMutableFields(routed));
  EXPECT_EQ(Bytes(routed.begin() + 24, routed.begin() + 40),
            FromHex("20010db8022200000000000000000002"));
  EXPECT_EQ(Bytes(routed.begin() + 48, routed.end()), FromHex("20010db8011300000000000000000001"));
  EXPECT_EQ(routed[43], 0);

  Bytes fragment = FromHex(("60000000 00082c40 " + addresses + "3300000100000001").c_str());
  EXPECT_FALSE(ZeroMutableFields(fragment)) << "AH is never behind a fragment header";
}

}  // namespace
}  // namespace sekisho::fastpath
