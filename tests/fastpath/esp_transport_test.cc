// ESP in transport mode: between a packet's own header and what it carries (RFC 4303, 3.1.1; RFC
// 3948).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "fastpath/checksum.h"
#include "fastpath/parse.h"
#include "fastpath/transport_header.h"
#include "tests/fastpath/esp_harness.h"
#include "tests/fastpath/esp_transport_vectors.h"

namespace sekisho::fastpath {
namespace {

using ::testing::ElementsAre;

constexpr Spi kVectorSpi{0x04000007};

TestSa VectorSa(const EspTransportVector& vector) {
  TestSa sa;
  sa.suite = SuiteOf(vector.suite);
  sa.encryption_key = SecretBytes(FromHex(vector.encryption_key));
  sa.integrity_key = SecretBytes(FromHex(vector.integrity_key));
  sa.mode = IpsecMode::kTransport;
  sa.udp_encapsulation = vector.natt;
  const bool v4 = FromHex(vector.plain)[0] >> 4 == 4;
  sa.local_endpoint = {Address(v4 ? "203.0.113.1" : "2001:db8:113::1"), 4500};
  sa.remote_endpoint = {Address(v4 ? "198.51.100.7" : "2001:db8:7::7"), 40001};
  if (vector.natt) {
    sa.original_remote = Address(v4 ? "10.0.0.2" : "fd00::2");
    sa.original_local = sa.local_endpoint.address;
  }
  return sa;
}

Bytes Decapsulated(const EspTransportVector& vector, const TestSa& sa) {
  EspHarness harness("crypto_openssl0", 64, 8);
  if (!harness.Runs(sa.suite)) return FromHex(vector.restored);
  harness.TakeSpi(kVectorSpi);
  harness.InstallInbound(sa, kVectorSpi);
  const EspResult result = harness.Decap(MakeMbuf(FromHex(vector.arrived)));
  if (result.passed.size() != 1) {
    ADD_FAILURE() << vector.name << ": " << Name(result.Reasons().at(0));
    return {};
  }
  const PacketContext& context = ContextOf(result.passed[0].get());
  EXPECT_TRUE(context.may_nest && context.decapsulated) << vector.name;
  EXPECT_EQ(context.learns_flow, vector.natt) << vector.name;
  return BytesOf(result.passed[0].get());
}

TEST(EspTransport, RestoresThePacketsOfAnotherImplementation) {
  for (const EspTransportVector& vector : kEspTransportVectors) {
    EXPECT_EQ(Decapsulated(vector, VectorSa(vector)), FromHex(vector.restored)) << vector.name;
  }
}

// RFC 3948, 3.1.2: where nobody said what the peer's own address is, checksums are made anew.
TEST(EspTransport, MakesChecksumsAnewWhereTheOriginalAddressesAreNotKnown) {
  int behind_nat = 0;
  for (const EspTransportVector& vector : kEspTransportVectors) {
    if (!vector.natt) continue;
    ++behind_nat;
    TestSa sa = VectorSa(vector);
    sa.original_local = sa.original_remote = std::nullopt;
    EXPECT_EQ(Decapsulated(vector, sa), FromHex(vector.restored)) << vector.name;
  }
  EXPECT_EQ(behind_nat, 3);
}

TEST(EspTransport, ProtectsToThePacketsOfAnotherImplementation) {
  int compared = 0;
  for (const EspTransportVector& vector : kEspTransportVectors) {
    TestSa sa = Mirrored(VectorSa(vector));
    EspHarness harness("crypto_openssl0", 64, 8);
    // Unpredictable IVs cannot be compared. And destination options that are for the last
    // destination only go in clear there, and encrypted here: RFC 4303 allows both.
    if (sa.suite.integrity != IntegrityId::kNone || !harness.Runs(sa.suite) ||
        std::string(vector.name) == "v6 hop-by-hop and destination options") {
      continue;
    }
    const Bytes plain = FromHex(vector.plain);
    // Behind NAT the sender's own address is the private one.
    const ByteSpan packet(plain);
    sa.local_endpoint.address = plain[0] >> 4 == 4 ? IpAddress::V4(packet.subspan(12, 4))
                                                   : IpAddress::V6(packet.subspan(8, 16));
    std::swap(sa.local_endpoint.port, sa.remote_endpoint.port);
    sa.local_endpoint.port = 40001;
    sa.remote_endpoint.port = 4500;
    harness.InstallOutbound(sa, kVectorSpi);
    MbufPtr mbuf = MakeMbuf(plain);
    ASSERT_TRUE(ParseIp(mbuf.get(), ContextOf(mbuf.get())));
    rte_mbuf* burst[] = {mbuf.get()};
    harness.outbound->LookUp(burst);
    ASSERT_NE(ContextOf(mbuf.get()).outbound_sa, nullptr);
    ContextOf(mbuf.get()).outbound_sa->sequence_next = vector.sequence;
    ContextOf(mbuf.get()).outbound_sa = nullptr;
    const EspResult result = harness.Encap(std::move(mbuf));
    ASSERT_EQ(result.passed.size(), 1u) << vector.name;
    EXPECT_EQ(BytesOf(result.passed[0].get()), FromHex(vector.sent)) << vector.name;
    const PacketContext& context = ContextOf(result.passed[0].get());
    EXPECT_EQ(context.protocol, vector.natt ? IPPROTO_UDP : IPPROTO_ESP);
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

// Every size, so every padding, both families, in UDP and not.
TEST(EspTransport, WhatGoesInComesOut) {
  for (const bool v6 : {false, true}) {
    for (const bool udp : {false, true}) {
      for (const char* suite : {"aes128gcm16", "aes256-sha256"}) {
        EspHarness harness;
        TestSa sa;
        sa.suite = SuiteOf(suite);
        sa.mode = IpsecMode::kTransport;
        sa.udp_encapsulation = udp;
        const char* here = v6 ? "2001:db8:113::1" : "203.0.113.1";
        const char* there = v6 ? "2001:db8:7::7" : "198.51.100.7";
        sa.local_endpoint = {Address(here), 4500};
        sa.remote_endpoint = {Address(there), 40001};
        harness.Loop(sa);
        for (size_t size = 0; size < 40; ++size) {
          const Bytes packet = (v6 ? Ipv6(there, here) : Ipv4(there, here))
                                   .TrafficClass(0xb9)
                                   .Tcp(40000, 80)
                                   .Payload(size)
                                   .Build();
          EspResult out = harness.Encap(MakeMbuf(packet));
          ASSERT_EQ(out.passed.size(), 1u) << Name(out.Reasons().at(0));
          EXPECT_EQ(BytesOf(out.passed[0].get())[1], packet[1]) << "the header is its own";
          EspResult back = harness.Decap(std::move(out.passed[0]));
          ASSERT_EQ(back.passed.size(), 1u) << Name(back.Reasons().at(0));
          EXPECT_EQ(BytesOf(back.passed[0].get()), packet);
        }
      }
    }
  }
}

// RFC 4303, 3.1.1: what only the last destination reads is better encrypted, and what stands before
// a routing header is not for it alone.
TEST(EspTransport, LeavesInClearWhatRoutersRead) {
  const Bytes options = FromHex("0001 04000000 0000");  // next header is patched below
  const auto packet = [&](std::initializer_list<uint8_t> chain) {
    Bytes body;
    std::vector<uint8_t> types(chain);
    for (size_t i = 0; i < types.size(); ++i) {
      Bytes header = options;
      header[0] = i + 1 < types.size() ? types[i + 1] : uint8_t{IPPROTO_UDP};
      header[1] = 0;
      if (types[i] == IPPROTO_ROUTING) header[2] = 253, header[3] = 0;
      body.insert(body.end(), header.begin(), header.end());
    }
    const Bytes udp = FromHex("04d2 0035 0008 0000");
    body.insert(body.end(), udp.begin(), udp.end());
    return Ipv6("2001:db8:7::7", "2001:db8:113::1")
        .Protocol(types.empty() ? uint8_t{IPPROTO_UDP} : types[0])
        .Payload(body)
        .Build();
  };
  const auto clear = [&](std::initializer_list<uint8_t> chain) {
    const ClearHeaders headers = ClearHeadersOf(packet(chain));
    return std::pair{int{headers.bytes}, int{headers.next_at}};
  };
  constexpr uint8_t kHop = IPPROTO_HOPOPTS, kRouting = IPPROTO_ROUTING, kOptions = IPPROTO_DSTOPTS;
  EXPECT_EQ(clear({}), std::pair(40, 6));
  EXPECT_EQ(clear({kHop}), std::pair(48, 40));
  EXPECT_EQ(clear({kOptions}), std::pair(40, 6));
  EXPECT_EQ(clear({kHop, kOptions}), std::pair(48, 40));
  EXPECT_EQ(clear({kOptions, kRouting}), std::pair(56, 48));
  EXPECT_EQ(clear({kHop, kOptions, kRouting, kOptions}), std::pair(64, 56));
  const ClearHeaders before = HeadersBefore(packet({kHop, kOptions}), 56);
  EXPECT_EQ(before.bytes, 56);
  EXPECT_EQ(before.next_at, 48);
}

TestSa Plain() {
  TestSa sa;
  sa.mode = IpsecMode::kTransport;
  return sa;
}

// RFC 4301, 7 and 4.1.
TEST(EspTransport, RefusesFragmentsAndWhatIsBetweenOtherEnds) {
  EspHarness harness;
  harness.InstallOutbound(Plain(), Spi{0x1000});
  const auto reasons = [&](const PacketBuilder& packet) {
    return harness.Encap(packet.BuildMbuf()).Reasons();
  };
  const char* us = "203.0.113.1";
  const char* them = "198.51.100.7";
  EXPECT_THAT(reasons(Ipv4(us, them).Udp(1, 2)), ElementsAre());
  EXPECT_THAT(reasons(Ipv4(us, them).Fragment(0, true).Protocol(17).Payload(16)),
              ElementsAre(DropReason::kEspTransportFragment));
  EXPECT_THAT(reasons(Ipv4("203.0.113.2", them).Udp(1, 2)),
              ElementsAre(DropReason::kEspTransportEnds));
  EXPECT_THAT(reasons(Ipv4(us, "198.51.100.8").Udp(1, 2)),
              ElementsAre(DropReason::kEspTransportEnds));
  EXPECT_THAT(reasons(Ipv6("2001:db8::1", "2001:db8::2").Udp(1, 2)),
              ElementsAre(DropReason::kEspTransportEnds));
}

// The selectors say what may come out of an SA, whatever it does to the header.
TEST(EspTransport, ChecksSelectorsAfterDecapsulation) {
  EspHarness harness;
  TestSa sa = Plain();
  const Spi spi = *harness.inbound->AllocateSpi();
  harness.InstallOutbound(Mirrored(sa), spi);
  sa.local = {*TrafficSelector::Parse("203.0.113.1[udp/53]")};
  harness.InstallInbound(sa, spi);
  const auto refusal = [&](uint16_t port) {
    EspResult out = harness.Encap(Ipv4("198.51.100.7", "203.0.113.1").Udp(1, port).BuildMbuf());
    return harness.Decap(std::move(out.passed.at(0))).Reasons();
  };
  EXPECT_THAT(refusal(53), ElementsAre());
  EXPECT_THAT(refusal(54), ElementsAre(DropReason::kEspSelectors));
}

TEST(EspTransport, FollowsAMovedPeer) {
  EspHarness harness;
  TestSa sa = Plain();
  sa.udp_encapsulation = true;
  const SaHandle out = harness.InstallOutbound(sa, Spi{0x1000});
  ASSERT_TRUE(harness.outbound->Move(out.slot, out.generation, sa.local_endpoint,
                                     {sa.remote_endpoint.address, 51000}));
  EspResult result =
      harness.Encap(Ipv4("203.0.113.1", "198.51.100.7").Udp(53, 1234).Payload(9).BuildMbuf());
  ASSERT_EQ(result.passed.size(), 1u);
  const Bytes packet = BytesOf(result.passed[0].get());
  EXPECT_EQ(LoadBigEndian<uint16_t>(&packet[20]), 4500);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&packet[22]), 51000);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&packet[24]), packet.size() - 20);
}

TEST(TransportChecksum, WordByWordIsAsMadeAnew) {
  for (uint32_t i = 0; i < 3000; ++i) {
    const auto first = static_cast<uint16_t>(i * 40503u), second = static_cast<uint16_t>(i * 257u);
    const auto other = static_cast<uint16_t>(~(i * 9176u));
    const auto sum = [](uint16_t a, uint16_t b) {
      const uint32_t total = uint32_t{a} + b;
      return static_cast<uint16_t>(~((total & 0xffff) + (total >> 16)));
    };
    // Both zeros are the same number.
    const auto same = [](uint16_t a, uint16_t b) { return a % 0xffff == b % 0xffff; };
    EXPECT_TRUE(same(UpdatedChecksum(sum(first, other), first, second), sum(second, other))) << i;
  }
}

}  // namespace
}  // namespace sekisho::fastpath
