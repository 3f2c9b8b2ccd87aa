// Each field of AH, of ESP and of the headers that stand in front of them, at its limits and
// beyond.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "fastpath/ah_decap.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr Spi kSpi{0x1234};
constexpr size_t kAhBytesV4 = 28, kAhBytesV6 = 32;

class IpsecFields : public testing::Test {
 protected:
  // Inbound SAs of AH with HMAC-SHA2-256-128 and this SPI, one for each family.
  void InstallAh(IpsecMode mode, bool esn = false) {
    for (const bool v6 : {false, true}) {
      TestSa sa;
      sa.suite = *IpsecSuite::Parse(IpsecProtocol::kAh, esn ? "sha256-esn" : "sha256");
      sa.mode = mode;
      sa.local_endpoint = {Address(v6 ? "2001:db8:113::1" : "203.0.113.1"), 0};
      sa.remote_endpoint = {Address(v6 ? "2001:db8:7::7" : "198.51.100.7"), 0};
      InboundSaParameters parameters = InboundParameters(sa, kSpi);
      parameters.protocol = IpsecProtocol::kAh;
      parameters.typed_spi = true;
      const auto filled = harness_.inbound->Fill(parameters);
      ASSERT_TRUE(filled.ok()) << filled.status();
      ASSERT_TRUE(harness_.inbound->Activate(filled->slot, filled->generation));
    }
  }

  struct Ah {
    uint8_t next_header = IPPROTO_UDP;
    int length = -1;  // of the header, in its own measure; -1: right
    uint32_t spi = kSpi.value, sequence = 1;
    size_t payload = 64;
  };
  // Not authentic: what gets as far as its ICV is dropped as kAhIntegrity.
  static Bytes AhBytesOf(bool v6, const Ah& ah) {
    Bytes bytes((v6 ? kAhBytesV6 : kAhBytesV4) + ah.payload, 0);
    bytes[0] = ah.next_header;
    bytes[1] = static_cast<uint8_t>(ah.length >= 0 ? ah.length : v6 ? 6 : 5);
    StoreBigEndian<uint32_t>(&bytes[4], ah.spi);
    StoreBigEndian<uint32_t>(&bytes[8], ah.sequence);
    return bytes;
  }
  static Bytes PacketOf(bool v6, const Ah& ah) {
    return (v6 ? Ipv6("2001:db8:7::7", "2001:db8:113::1") : Ipv4("198.51.100.7", "203.0.113.1"))
        .Protocol(IPPROTO_AH)
        .Payload(AhBytesOf(v6, ah))
        .Build();
  }
  // In IPv6, behind these extension headers, the first of which is of this type.
  static Bytes Behind(uint8_t type, const Bytes& extensions) {
    Bytes upper = extensions;
    const Bytes ah = AhBytesOf(/*v6=*/true, {});
    upper.insert(upper.end(), ah.begin(), ah.end());
    return Ipv6("2001:db8:7::7", "2001:db8:113::1").Protocol(type).Payload(upper).Build();
  }

  DropReason ReasonOf(const Bytes& packet) {
    MbufPtr owned = MakeMbuf(packet);
    rte_mbuf* mbuf = owned.get();
    PacketContext& context = ContextOf(mbuf);
    if (!ParseIp(mbuf, context)) return context.reason;
    if (context.protocol != IPPROTO_AH && context.protocol != IPPROTO_ESP) return DropReason::kNone;
    const bool ah = context.protocol == IPPROTO_AH;
    context.kind = ah ? PacketKind::kAh : PacketKind::kEsp;
    PacketList passed, dropped;
    (ah ? AhDecapSubmit : EspDecapSubmit)(harness_.worker, {&mbuf, 1}, passed, dropped);
    while (harness_.backend->InFlight(harness_.worker.id) != 0) {
      EspDecapFinish(harness_.worker, passed, dropped);
    }
    EXPECT_EQ(passed.size() + dropped.size(), 1u);
    return dropped.empty() ? DropReason::kNone : context.reason;
  }

  EspHarness harness_;
};

// RFC 4302, 2.2: one value is right; behind IPv4 the one of a header padded to eight bytes is taken
// too.
TEST_F(IpsecFields, PayloadLengthIsThatOfTheSa) {
  InstallAh(IpsecMode::kTunnel);
  for (const bool v6 : {false, true}) {
    for (int length = 0; length <= 255; ++length) {
      const bool right = length == 6 || (length == 5 && !v6);
      EXPECT_EQ(ReasonOf(PacketOf(v6, {.length = length, .payload = 1200})),
                right ? DropReason::kAhIntegrity : DropReason::kAhMalformed)
          << v6 << " " << length;
    }
  }
}

// A length that is right, of a packet that ends before it.
TEST_F(IpsecFields, IcvThatIsCut) {
  InstallAh(IpsecMode::kTransport);
  for (const bool v6 : {false, true}) {
    const Bytes whole = AhBytesOf(v6, {.payload = 0});
    for (size_t size = 0; size <= whole.size(); ++size) {
      const Bytes packet =
          (v6 ? Ipv6("2001:db8:7::7", "2001:db8:113::1") : Ipv4("198.51.100.7", "203.0.113.1"))
              .Protocol(IPPROTO_AH)
              .Payload(ByteSpan(whole).first(size))
              .Build();
      EXPECT_EQ(ReasonOf(packet),
                size < whole.size() ? DropReason::kAhMalformed : DropReason::kAhIntegrity)
          << v6 << " " << size;
    }
  }
}

// RFC 4302 and 4303, 2.1 and 2.4: 0 to 255 name no SA, nor does anything else that none has.
TEST_F(IpsecFields, ReservedSpisNameNoSa) {
  InstallAh(IpsecMode::kTunnel);
  TestSa sa;
  harness_.InstallInbound(sa, *harness_.inbound->AllocateSpi());
  std::vector<uint32_t> spis = {256, 0x1233, 0x1235, 0x7fffffff, 0x80000000, 0xffffffff};
  for (uint32_t spi = 0; spi < 256; ++spi) spis.push_back(spi);
  for (const uint32_t spi : spis) {
    EXPECT_EQ(ReasonOf(PacketOf(false, {.spi = spi})), DropReason::kAhUnknownSpi) << spi;
    EXPECT_EQ(ReasonOf(PacketOf(true, {.spi = spi})), DropReason::kAhUnknownSpi) << spi;
    EXPECT_EQ(ReasonOf(Ipv4("198.51.100.7", "203.0.113.1").Esp(spi, 1).Payload(size_t{64}).Build()),
              DropReason::kEspUnknownSpi)
        << spi;
  }
}

// RFC 4302 and 4303, 3.3.2: the first is 1. A number far ahead is as good as any that is new, and
// without its ICV it moves nothing.
TEST_F(IpsecFields, SequenceNumbersAtTheirLimits) {
  InstallAh(IpsecMode::kTunnel);
  TestSa sa;
  const Spi esp = *harness_.inbound->AllocateSpi();
  const SaHandle handle = harness_.InstallInbound(sa, esp);
  const auto esp_reason = [&](uint32_t sequence) {
    return ReasonOf(
        Ipv4("198.51.100.7", "203.0.113.1").Esp(esp.value, sequence).Payload(size_t{64}).Build());
  };
  for (const bool v6 : {false, true}) {
    EXPECT_EQ(ReasonOf(PacketOf(v6, {.sequence = 0})), DropReason::kAhReplayed);
    for (const uint32_t sequence : {1u, 64u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 1u}) {
      EXPECT_EQ(ReasonOf(PacketOf(v6, {.sequence = sequence})), DropReason::kAhIntegrity);
    }
  }
  EXPECT_EQ(esp_reason(0), DropReason::kEspReplayed);
  for (const uint32_t sequence : {1u, 64u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 1u}) {
    EXPECT_EQ(esp_reason(sequence), DropReason::kEspIntegrity);
  }
  EXPECT_EQ(harness_.inbound->Counters(handle)->sequence, 0u);
}

// The same where the half that is sent is not all of it.
TEST_F(IpsecFields, ExtendedSequenceNumbersAtTheirLimits) {
  InstallAh(IpsecMode::kTunnel, /*esn=*/true);
  for (const bool v6 : {false, true}) {
    for (const uint32_t sequence : {0u, 1u, 64u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 1u}) {
      const DropReason reason = ReasonOf(PacketOf(v6, {.sequence = sequence}));
      EXPECT_TRUE(reason == DropReason::kAhIntegrity || reason == DropReason::kAhReplayed);
      if (sequence == 1) {
        EXPECT_EQ(reason, DropReason::kAhIntegrity);
      }
    }
  }
}

// Options of IPv4 in front of AH: lengths that lie never get as far as the ICV.
TEST_F(IpsecFields, Ipv4OptionsThatLie) {
  InstallAh(IpsecMode::kTransport);
  for (const uint8_t type : {uint8_t{7}, uint8_t{68}, uint8_t{148}, uint8_t{222}}) {
    for (int length = 0; length <= 255; ++length) {
      Bytes packet = PacketOf(false, {});
      const Bytes options = {type, static_cast<uint8_t>(length), 0, 0, 0, 0, 0, 0};
      packet.insert(packet.begin() + 20, options.begin(), options.end());
      packet[0] = 0x47;
      StoreBigEndian<uint16_t>(&packet[2], static_cast<uint16_t>(packet.size()));
      packet[10] = packet[11] = 0;
      uint32_t sum = 0;
      for (size_t i = 0; i < 28; i += 2) sum += LoadBigEndian<uint16_t>(&packet[i]);
      sum = (sum & 0xffff) + (sum >> 16);
      StoreBigEndian<uint16_t>(&packet[10], static_cast<uint16_t>(~(sum + (sum >> 16))));
      // What an option leaves over is zeros: the end of the list.
      EXPECT_EQ(ReasonOf(packet),
                length >= 2 && length <= 8 ? DropReason::kAhIntegrity : DropReason::kIpv4Malformed)
          << int{type} << " " << length;
    }
  }
}

// Lengths of extension headers that lie: AH is not where they say, or nothing is.
TEST_F(IpsecFields, Ipv6ExtensionHeaderLengthsThatLie) {
  InstallAh(IpsecMode::kTransport);
  for (const uint8_t type : {uint8_t{IPPROTO_HOPOPTS}, uint8_t{IPPROTO_DSTOPTS}}) {
    for (int length = 0; length <= 255; ++length) {
      const DropReason reason =
          ReasonOf(Behind(type, {IPPROTO_AH, static_cast<uint8_t>(length), 1, 4, 0, 0, 0, 0}));
      if (length == 0) {
        EXPECT_EQ(reason, DropReason::kAhIntegrity);
      } else {
        EXPECT_TRUE(reason == DropReason::kIpv6Malformed || reason == DropReason::kAhMalformed ||
                    reason == DropReason::kAhUnknownSpi)
            << int{type} << " " << length << " " << Name(reason);
      }
    }
  }
}

// The same of the options in them, which AH has to read; and of routes.
TEST_F(IpsecFields, Ipv6OptionsAndRoutesThatLie) {
  InstallAh(IpsecMode::kTransport);
  for (const uint8_t type : {uint8_t{0x05}, uint8_t{0x3e}, uint8_t{0xff}}) {
    for (int length = 0; length <= 255; ++length) {
      const Bytes options = {IPPROTO_AH, 0, type, static_cast<uint8_t>(length), 0, 0, 0, 0};
      EXPECT_EQ(ReasonOf(Behind(IPPROTO_DSTOPTS, options)),
                length <= 4 ? DropReason::kAhIntegrity : DropReason::kAhMalformed)
          << int{type} << " " << length;
    }
  }
  // An option without a length.
  EXPECT_EQ(ReasonOf(Behind(IPPROTO_DSTOPTS, {IPPROTO_AH, 0, 1, 3, 0, 0, 0, 5})),
            DropReason::kAhMalformed);
  for (int type = 0; type <= 255; ++type) {
    for (const int left : {0, 1, 2, 255}) {
      Bytes routing(24, 0);
      routing[0] = IPPROTO_AH;
      routing[1] = 2;
      routing[2] = static_cast<uint8_t>(type);
      routing[3] = static_cast<uint8_t>(left);
      const DropReason wanted = type == 0   ? DropReason::kIpv6Malformed  // RFC 5095
                                : left == 0 ? DropReason::kAhIntegrity
                                // The address that is foretold is no SA's.
                                : type == 2 && left == 1 ? DropReason::kAhIntegrity
                                                         : DropReason::kAhMalformed;
      EXPECT_EQ(ReasonOf(Behind(IPPROTO_ROUTING, routing)), wanted) << type << " " << left;
    }
  }
}

// RFC 8200, 4.1: a chain of extension headers that comes to no end.
TEST_F(IpsecFields, ChainsOfExtensionHeadersEnd) {
  InstallAh(IpsecMode::kTransport);
  for (int count = 1; count <= 20; ++count) {
    Bytes chain;
    for (int i = 0; i < count; ++i) {
      const uint8_t next = i + 1 == count ? uint8_t{IPPROTO_AH} : uint8_t{IPPROTO_DSTOPTS};
      const Bytes header = {next, 0, 1, 4, 0, 0, 0, 0};
      chain.insert(chain.end(), header.begin(), header.end());
    }
    EXPECT_EQ(ReasonOf(Behind(IPPROTO_DSTOPTS, chain)), count <= kIpv6ExtensionHeadersMax
                                                            ? DropReason::kAhIntegrity
                                                            : DropReason::kIpv6Malformed)
        << count;
  }
}

}  // namespace
}  // namespace sekisho::fastpath
