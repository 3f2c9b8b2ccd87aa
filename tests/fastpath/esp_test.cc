#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/byte_order.h"
#include "fastpath/outer_header.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"
#include "tests/fastpath/esp_suite_vectors.h"
#include "tests/fastpath/esp_vectors.h"

namespace sekisho::fastpath {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr const char* kDevices[] = {"crypto_aesni_mb0", "crypto_aesni_gcm0", "crypto_openssl0",
                                    "ipsec-mb"};
constexpr Spi kVectorSpi{0x04000007};

PacketBuilder InnerV4(size_t payload = 20) {
  return Ipv4("10.99.0.5", "10.10.0.9").Udp(1234, 53).Payload(payload);
}
PacketBuilder InnerV6(size_t payload = 20) {
  return Ipv6("2001:db8:99::5", "2001:db8:10::9").Udp(1234, 53).Payload(payload);
}

// --- Against another implementation --------------------------------------------------------------

std::vector<EspVector> AllVectors() {
  std::vector<EspVector> vectors(std::begin(kEspVectors), std::end(kEspVectors));
  vectors.insert(vectors.end(), std::begin(kEspSuiteVectors), std::end(kEspSuiteVectors));
  return vectors;
}

TestSa VectorSa(const EspVector& vector, const Bytes& outer) {
  TestSa sa;
  sa.suite = SuiteOf(vector.suite);
  sa.suite.esn = vector.esn;
  sa.encryption_key = SecretBytes(FromHex(vector.encryption_key));
  sa.integrity_key = SecretBytes(FromHex(vector.integrity_key));
  sa.udp_encapsulation = vector.natt;
  const bool v4 = outer[0] >> 4 == 4;
  sa.local_endpoint = {Address(v4 ? "203.0.113.1" : "2001:db8:113::1"), 4500};
  sa.remote_endpoint = {Address(v4 ? "198.51.100.7" : "2001:db8:7::7"), 40001};
  return sa;
}

class EspDevice : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(, EspDevice, testing::ValuesIn(kDevices), [](const auto& param) {
  std::string name = param.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

TEST_P(EspDevice, DecapsulatesThePacketsOfAnotherImplementation) {
  int ran = 0;
  for (const EspVector& vector : AllVectors()) {
    const Bytes outer = FromHex(vector.outer);
    const TestSa sa = VectorSa(vector, outer);
    EspHarness harness(GetParam(), 64, 8);
    if (!harness.Runs(sa.suite)) continue;
    ++ran;
    harness.TakeSpi(kVectorSpi);
    harness.InstallInbound(sa, kVectorSpi);
    InboundSa* slot = harness.inbound->Find(Be32::FromHost(kVectorSpi.value));
    ASSERT_NE(slot, nullptr);
    if (vector.esn) slot->window.Commit(vector.sequence - 16);
    const EspResult result = harness.Decap(MakeMbuf(outer));
    ASSERT_EQ(result.passed.size(), 1u)
        << vector.suite << " " << vector.sequence << " " << Name(result.Reasons().at(0));
    EXPECT_EQ(BytesOf(result.passed[0].get()), FromHex(vector.inner));
    EXPECT_EQ(slot->window.top(), vector.sequence);
  }
  EXPECT_GT(ran, 0);
}

// But for CBC the IV is the sequence number in the vectors as in ours: all bytes are compared.
TEST_P(EspDevice, EncapsulatesToThePacketsOfAnotherImplementation) {
  int ran = 0;
  for (const EspVector& vector : AllVectors()) {
    const Bytes outer = FromHex(vector.outer);
    const TestSa sa = Mirrored(VectorSa(vector, outer));
    EspHarness harness(GetParam(), 64, 8);
    const bool random_iv = sa.suite.encryption.id == EncryptionId::kAesCbc ||
                           sa.suite.encryption.id == EncryptionId::k3DesCbc;
    if (random_iv || !harness.Runs(sa.suite)) continue;
    ++ran;
    harness.InstallOutbound(sa, kVectorSpi);
    MbufPtr inner = MakeMbuf(FromHex(vector.inner));
    // Finds the SA, to start it at the vector's sequence number.
    ASSERT_TRUE(ParseIp(inner.get(), ContextOf(inner.get())));
    rte_mbuf* burst[] = {inner.get()};
    harness.outbound->LookUp(burst);
    ASSERT_NE(ContextOf(inner.get()).outbound_sa, nullptr);
    ContextOf(inner.get()).outbound_sa->sequence_next = vector.sequence;
    const EspResult result = harness.Encap(std::move(inner));
    ASSERT_EQ(result.passed.size(), 1u) << vector.suite;
    EXPECT_EQ(BytesOf(result.passed[0].get()), outer) << vector.suite << " " << vector.sequence;
  }
  EXPECT_GT(ran, 0);
}

// --- There and back ------------------------------------------------------------------------------

struct Mixture {
  const char* device;
  std::string suite;
  bool natt;
  bool outer_v6;
};

std::vector<Mixture> AllMixtures() {
  std::vector<Mixture> mixtures;
  for (const char* device : kDevices) {
    for (const std::string& suite : AllSuiteNames()) {
      for (const bool natt : {false, true}) {
        for (const bool v6 : {false, true}) mixtures.push_back({device, suite, natt, v6});
      }
    }
  }
  return mixtures;
}

TestSa MixtureSa(const Mixture& mixture) {
  TestSa sa;
  sa.suite = SuiteOf(mixture.suite);
  sa.udp_encapsulation = mixture.natt;
  if (mixture.outer_v6) {
    sa.local_endpoint.address = Address("2001:db8:113::1");
    sa.remote_endpoint.address = Address("2001:db8:7::7");
  }
  return sa;
}

TEST(Esp, RoundTripsEverySizeOfEverySuiteInEveryMixture) {
  const unsigned before = BuffersInUse();
  int ran = 0;
  for (const Mixture& mixture : AllMixtures()) {
    EspHarness harness(mixture.device, 64, 8);
    const TestSa sa = MixtureSa(mixture);
    if (!harness.Runs(sa.suite)) continue;
    ++ran;
    harness.Loop(sa);
    // Every size around the blocks, then in uneven steps.
    for (size_t size = 0; size <= 1440; size += size < 70 ? 1 : 137) {
      std::vector<MbufPtr> packets;
      packets.push_back(InnerV4(size).BuildMbuf());
      packets.push_back(InnerV6(size).BuildMbuf());
      const Bytes want[] = {BytesOf(packets[0].get()), BytesOf(packets[1].get())};
      EspResult out = harness.Encap(std::move(packets));
      ASSERT_EQ(out.passed.size(), 2u) << mixture.suite << " " << size;
      for (size_t i = 0; i < 2; ++i) {
        OutboundSa shape;
        shape.layout = LayoutOf(
            sa.suite, {TestEncryptionKey(sa.suite).span(), TestIntegrityKey(sa.suite).span()},
            mixture.natt, sa.local_endpoint.address.family());
        WriteOuterHeader(shape, sa.local_endpoint, sa.remote_endpoint);
        EXPECT_EQ(out.passed[i]->data_len, EncapsulatedSize(shape, want[i].size()));
        EXPECT_GE(InnerSizeMax(shape, out.passed[i]->data_len), want[i].size());
      }
      EspResult in = harness.Decap(std::move(out.passed));
      ASSERT_EQ(in.passed.size(), 2u) << mixture.device << " " << mixture.suite << " " << size
                                      << " " << Name(in.Reasons().at(0));
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(BytesOf(in.passed[i].get()), want[i]) << mixture.suite << " " << size;
        const PacketContext& context = ContextOf(in.passed[i].get());
        EXPECT_EQ(context.family, i == 0 ? 4 : 6);
        EXPECT_EQ(context.destination_port, 53);
        EXPECT_TRUE(context.decapsulated);
        EXPECT_EQ(context.kind, PacketKind::kTransit);
        EXPECT_EQ(context.inbound_sa, nullptr);
      }
    }
  }
  EXPECT_GT(ran, 40);
  EXPECT_EQ(BuffersInUse(), before);
}

TEST(Esp, FullBurstsOfEverySuiteComeBackInOrder) {
  for (const std::string& suite : AllSuiteNames()) {
    EspHarness harness("crypto_aesni_mb0", 64, 8);
    TestSa sa;
    sa.suite = SuiteOf(suite);
    if (!harness.Runs(sa.suite)) continue;
    harness.Loop(sa);
    std::vector<MbufPtr> packets;
    std::vector<Bytes> want;
    for (size_t i = 0; i < kBurstMax; ++i) {
      packets.push_back(InnerV4(i * 40).BuildMbuf());
      want.push_back(BytesOf(packets.back().get()));
    }
    EspResult out = harness.Encap(std::move(packets));
    ASSERT_EQ(out.passed.size(), kBurstMax);
    EspResult in = harness.Decap(std::move(out.passed));
    ASSERT_EQ(in.passed.size(), kBurstMax) << suite;
    for (size_t i = 0; i < kBurstMax; ++i) EXPECT_EQ(BytesOf(in.passed[i].get()), want[i]);
  }
}

// --- What strangers send -------------------------------------------------------------------------

class EspOfSuite : public testing::TestWithParam<const char*> {
 protected:
  EspOfSuite() {
    sa_.suite = SuiteOf(GetParam());
    sa_.udp_encapsulation = true;
    spi_ = harness_.Loop(sa_);
  }
  Bytes EspPacket(size_t payload = 20) {
    EspResult out = harness_.Encap(InnerV4(payload).BuildMbuf());
    SEKISHO_CHECK(out.passed.size() == 1);
    return BytesOf(out.passed[0].get());
  }
  EspHarness harness_;
  TestSa sa_;
  Spi spi_;
};
INSTANTIATE_TEST_SUITE_P(, EspOfSuite,
                         testing::Values("aes128gcm16", "aes256gcm16-esn", "chacha20poly1305",
                                         "aes128-sha256", "aes256-sha512-esn"),
                         [](const auto& param) {
                           std::string name = param.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

constexpr size_t kEspAt = 28;  // behind IPv4 and UDP

TEST_P(EspOfSuite, RefusesEveryFlippedBitAndDoesNotMoveTheWindow) {
  const Bytes good = EspPacket();
  InboundSa* slot = harness_.inbound->Find(Be32::FromHost(spi_.value));
  for (size_t bit = kEspAt * 8; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ 1 << bit % 8);
    EspResult in = harness_.Decap(MakeMbuf(bad));
    ASSERT_EQ(in.passed.size(), 0u) << bit;
    // A flip in the SPI is another SA's; one in the number may also put it before the first.
    const DropReason reason = in.Reasons().at(0);
    if (bit < (kEspAt + 4) * 8) {
      EXPECT_EQ(reason, DropReason::kEspUnknownSpi) << bit;
    } else if (bit < (kEspAt + 8) * 8) {
      EXPECT_THAT(reason, testing::AnyOf(DropReason::kEspIntegrity, DropReason::kEspReplayed));
    } else {
      EXPECT_EQ(reason, DropReason::kEspIntegrity) << bit;
    }
    ASSERT_EQ(slot->window.top(), 0u);
  }
  EXPECT_EQ(harness_.Decap(MakeMbuf(good)).passed.size(), 1u);
}

// The IP and UDP lengths say what is there: the cut is between two hosts, not on the wire.
TEST_P(EspOfSuite, RefusesEveryTruncation) {
  const Bytes good = EspPacket();
  for (size_t length = kEspAt; length < good.size(); ++length) {
    Bytes esp(good.begin() + kEspAt, good.begin() + static_cast<ptrdiff_t>(length));
    EspResult in = harness_.Decap(
        Ipv4("198.51.100.7", "203.0.113.1").Udp(40001, 4500).Payload(esp).BuildMbuf());
    ASSERT_EQ(in.passed.size(), 0u) << length;
    EXPECT_THAT(in.Reasons().at(0),
                testing::AnyOf(DropReason::kEspMalformed, DropReason::kEspIntegrity))
        << length;
    if (length < kEspAt + 8 + 8 + 16 + 1) {
      EXPECT_EQ(in.Reasons().at(0), DropReason::kEspMalformed) << length;
    }
  }
}

TEST_P(EspOfSuite, AcceptsTheOneAndRefusesTheOtherOfTwoInOneBurst) {
  const Bytes good = EspPacket();
  std::vector<MbufPtr> twice;
  twice.push_back(MakeMbuf(good));
  twice.push_back(MakeMbuf(good));
  EspResult in = harness_.Decap(std::move(twice));
  EXPECT_EQ(in.passed.size(), 1u);
  EXPECT_THAT(in.Reasons(), ElementsAre(DropReason::kEspReplayed));
  EXPECT_THAT(harness_.Decap(MakeMbuf(good)).Reasons(), ElementsAre(DropReason::kEspReplayed));
}

TEST_P(EspOfSuite, CountsPacketsAndBytesPerSa) {
  const Bytes good = EspPacket(100);
  const SaHandle in_sa{UpMessage::Direction::kInbound, spi_.slot(), 1};
  harness_.Decap(MakeMbuf(good));
  harness_.Decap(MakeMbuf(good));
  const auto counters = harness_.inbound->Counters(in_sa);
  ASSERT_TRUE(counters.ok());
  EXPECT_EQ(counters->packets, 1u);
  EXPECT_EQ(counters->bytes, 128u);
  EXPECT_EQ(counters->dropped, 1u);
  EXPECT_EQ(counters->sequence, 1u);
  EXPECT_EQ(harness_.backend->InFlight(WorkerId{0}), 0u);
}

}  // namespace
}  // namespace sekisho::fastpath
