// What runs the algorithms, against known answers and against each other: crypto devices and
// ipsec-mb behind one seam.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fastpath/ipsec_mb_library.h"
#include "fastpath/parse.h"
#include "tests/fastpath/crypto_vectors.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr const char* kBackends[] = {"ipsec-mb", "crypto_aesni_mb0", "crypto_openssl0"};
constexpr size_t kFront = 20;  // bytes before what is crypted, which nobody may touch
constexpr uint8_t kFrontByte = 0xf5;

std::string TestName(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// --- Known answers -------------------------------------------------------------------------------

// "null-sha1" is in AH "sha1", and "aes128gmac" has a namesake there (RFC 4543, 4).
std::vector<IpsecSuite> SuitesOf(const CryptoVector& vector) {
  std::vector<IpsecSuite> suites = {SuiteOf(vector.suite)};
  std::string ah = vector.suite;
  if (ah.rfind("null-", 0) == 0) ah.erase(0, 5);
  if (auto suite = IpsecSuite::Parse(IpsecProtocol::kAh, ah); suite.ok()) suites.push_back(*suite);
  return suites;
}

// One job on one backend, with the bytes of a vector.
class VectorRun {
 public:
  VectorRun(CryptoBackend& backend, const IpsecSuite& suite, const CryptoVector& vector)
      : backend_(backend), suite_(suite), vector_(vector) {
    encryption_key_ = FromHex(vector.encryption_key);
    integrity_key_ = FromHex(vector.integrity_key);
    // The salt is not the session's concern, but stands behind the key.
    const IpsecSuiteTraits traits = Find(suite);
    if (traits.encryption == nullptr && integrity_key_.empty()) integrity_key_ = encryption_key_;
    if (traits.encryption == nullptr) encryption_key_.clear();
    encryption_key_.resize(traits.encryption_key_bytes());
    integrity_key_.resize(traits.integrity_key_bytes());
    layout_ = LayoutOf(suite, {encryption_key_, integrity_key_}, false, IpFamily::kIpv4);
  }

  // `data` in place and `icv` behind it; the reason that the context has in the end.
  DropReason Run(CryptoDirection direction, Bytes& data, Bytes& icv) {
    const auto session = backend_.CreateSession(suite_, direction, encryption_key_, integrity_key_);
    SEKISHO_CHECK(session.ok());
    Bytes packet(kFront, kFrontByte);
    packet.insert(packet.end(), data.begin(), data.end());
    packet.insert(packet.end(), icv.begin(), icv.end());
    MbufPtr mbuf = MakeMbuf(packet);
    PacketPrivate& priv = PrivateOf(mbuf.get());
    const Bytes iv = FromHex(vector_.iv), aad = FromHex(vector_.aad);
    std::copy(iv.begin(), iv.end(), priv.iv);
    std::copy(aad.begin(), aad.end(), priv.aad);
    auto* start = rte_pktmbuf_mtod(mbuf.get(), uint8_t*);
    const auto bytes = static_cast<uint32_t>(data.size());
    const CryptoJob job = {.mbuf = mbuf.get(),
                           .session = *session,
                           .cipher_offset = kFront,
                           .cipher_bytes = bytes,
                           .auth_offset = kFront,
                           .auth_bytes = bytes,
                           .icv = start + kFront + data.size(),
                           .kind = layout_.kind,
                           .icv_bytes = layout_.icv_bytes,
                           .aad_bytes = static_cast<uint8_t>(aad.size())};
    SEKISHO_CHECK(backend_.Submit(WorkerId{0}, direction, {&job, 1}) == 1);
    rte_mbuf* done[1] = {mbuf.get()};
    while (!backend_.is_synchronous() && backend_.Collect(WorkerId{0}, direction, done) == 0) {
    }
    SEKISHO_CHECK(done[0] == mbuf.get() && backend_.InFlight(WorkerId{0}) == 0);
    backend_.FreeSession(*session);
    packet = BytesOf(mbuf.get());
    EXPECT_EQ(std::count(packet.begin(), packet.begin() + kFront, kFrontByte), kFront);
    std::copy_n(packet.begin() + kFront, data.size(), data.begin());
    std::copy_n(packet.begin() + static_cast<ptrdiff_t>(kFront + data.size()), icv.size(),
                icv.begin());
    return ContextOf(mbuf.get()).reason;
  }
  size_t icv_bytes() const { return layout_.icv_bytes; }

 private:
  CryptoBackend& backend_;
  const IpsecSuite suite_;
  const CryptoVector& vector_;
  Bytes encryption_key_, integrity_key_;
  EspLayout layout_;
};

// That a copy computes right, all other tests of the backend show: their worker has one.
TEST(IpsecMbLibrary, IsEachWorkersOwn) {
  const IpsecMbLibrary& first = IpsecMbLibraryOf(0);
  const IpsecMbLibrary& second = IpsecMbLibraryOf(1);
  if (first.shared) GTEST_SKIP() << "no copy can be loaded here, or under this sanitizer";
  EXPECT_NE(first.alloc, &alloc_mb_mgr);
  EXPECT_NE(first.alloc, second.alloc);
  EXPECT_NE(first.init, second.init);
  EXPECT_EQ(&IpsecMbLibraryOf(0), &first);
  // Its calls are its own, too, not the original's.
  const auto make = [](const IpsecMbLibrary& library) {
    IpsecMbManagerPtr manager(library.alloc(0), {&library});
    library.init(manager.get(), nullptr);
    return manager;
  };
  EXPECT_NE(make(first)->gcm128_enc, make(second)->gcm128_enc);
  EXPECT_NE(make(first)->gcm128_enc, make(IpsecMbLibrary())->gcm128_enc);
}

class CryptoBackendTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(, CryptoBackendTest, testing::ValuesIn(kBackends), TestName);

// Encrypts to the answer; decrypts it again; refuses it with any byte of the ICV changed.
TEST_P(CryptoBackendTest, GivesTheKnownAnswers) {
  const auto backend = MakeBackend(GetParam(), 16);
  int ran = 0;
  for (const CryptoVector& vector : kCryptoVectors) {
    for (const IpsecSuite& suite : SuitesOf(vector)) {
      if (!backend->CheckSuite(suite).ok()) continue;
      ++ran;
      SCOPED_TRACE(std::string(vector.source) + " " + suite.ToString());
      VectorRun run(*backend, suite, vector);
      const Bytes plaintext = FromHex(vector.plaintext), ciphertext = FromHex(vector.ciphertext);
      Bytes data = plaintext, icv(run.icv_bytes(), 0);
      ASSERT_EQ(run.Run(CryptoDirection::kEncrypt, data, icv), DropReason::kNone);
      EXPECT_EQ(data, ciphertext);
      if (vector.icv[0] != '\0') {
        EXPECT_EQ(icv, FromHex(vector.icv));
      }
      const Bytes good = icv;
      ASSERT_EQ(run.Run(CryptoDirection::kDecrypt, data, icv), DropReason::kNone);
      EXPECT_EQ(data, plaintext);
      for (size_t i = 0; i < good.size(); ++i) {
        data = ciphertext;
        icv = good;
        icv[i] = static_cast<uint8_t>(icv[i] ^ 0x80);
        EXPECT_EQ(run.Run(CryptoDirection::kDecrypt, data, icv), DropReason::kEspIntegrity) << i;
      }
    }
  }
  EXPECT_GT(ran, 50);
}

// --- One against the other -----------------------------------------------------------------------

struct Pair {
  const char* encrypts;
  const char* decrypts;
};

PacketBuilder Inner(size_t payload) {
  return Ipv4("10.99.0.5", "10.10.0.9").Udp(1234, 53).Payload(payload);
}

// Both ends of one tunnel on two backends, past the 32nd bit where the suite has ESN.
class Tunnel {
 public:
  Tunnel(const Pair& pair, const IpsecSuite& suite)
      : here_(pair.encrypts, 1024, 8), there_(pair.decrypts, 1024, 8) {
    TestSa sa;
    sa.suite = suite;
    runs_ = here_.Runs(suite) && there_.Runs(suite);
    if (!runs_) return;
    const Spi spi = *there_.inbound->AllocateSpi();
    there_.InstallInbound(sa, spi);
    here_.InstallOutbound(Mirrored(sa), spi);
    if (!suite.esn) return;
    constexpr uint64_t kLast = 0x7'ffff'fff0;
    there_.inbound->Find(Be32::FromHost(spi.value))->window.Commit(kLast);
    MbufPtr probe = Inner(0).BuildMbuf();
    SEKISHO_CHECK(ParseIp(probe.get(), ContextOf(probe.get())));
    rte_mbuf* burst[] = {probe.get()};
    here_.outbound->LookUp(burst);
    ContextOf(probe.get()).outbound_sa->sequence_next = kLast + 1;
  }
  bool runs() const { return runs_; }
  EspResult Send(std::vector<MbufPtr> packets) { return here_.Encap(std::move(packets)); }
  EspResult Receive(std::vector<MbufPtr> packets) { return there_.Decap(std::move(packets)); }

 private:
  EspHarness here_, there_;
  bool runs_ = false;
};

class CryptoPairTest : public testing::TestWithParam<Pair> {};
INSTANTIATE_TEST_SUITE_P(
    , CryptoPairTest,
    testing::Values(Pair{"ipsec-mb", "crypto_openssl0"}, Pair{"crypto_openssl0", "ipsec-mb"},
                    Pair{"ipsec-mb", "crypto_aesni_mb0"}, Pair{"crypto_aesni_mb0", "ipsec-mb"}),
    [](const auto& parameter) {
      std::string name = std::string(parameter.param.encrypts) + "_to_" + parameter.param.decrypts;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_P(CryptoPairTest, TheOneDecryptsEverySizeOfTheOther) {
  constexpr size_t kSizeMax = 10 * kBurstMax;
  const unsigned before = BuffersInUse();
  int ran = 0;
  for (const std::string& name : AllSuiteNames()) {
    Tunnel tunnel(GetParam(), SuiteOf(name));
    if (!tunnel.runs()) continue;
    ++ran;
    for (size_t size = 0; size < kSizeMax; size += kBurstMax) {
      std::vector<MbufPtr> packets;
      std::vector<Bytes> want;
      for (size_t i = 0; i < kBurstMax; ++i) {
        packets.push_back(Inner(size + i).BuildMbuf());
        want.push_back(BytesOf(packets.back().get()));
      }
      EspResult sent = tunnel.Send(std::move(packets));
      ASSERT_EQ(sent.passed.size(), kBurstMax) << name;
      EspResult received = tunnel.Receive(std::move(sent.passed));
      ASSERT_EQ(received.passed.size(), kBurstMax)
          << name << " " << size << " " << Name(received.Reasons().at(0));
      for (size_t i = 0; i < kBurstMax; ++i) {
        ASSERT_EQ(BytesOf(received.passed[i].get()), want[i]) << name << " " << size + i;
      }
    }
  }
  EXPECT_GT(ran, 60);
  EXPECT_EQ(BuffersInUse(), before);
}

// Sequence number, IV where there is one, what is encrypted, and both ends of the ICV.
TEST_P(CryptoPairTest, RefusesWhatWasChangedOnTheWay) {
  for (const std::string& name : AllSuiteNames()) {
    Tunnel tunnel(GetParam(), SuiteOf(name));
    if (!tunnel.runs()) continue;
    std::vector<MbufPtr> packets;
    packets.push_back(Inner(40).BuildMbuf());
    EspResult sent = tunnel.Send(std::move(packets));
    ASSERT_EQ(sent.passed.size(), 1u);
    const Bytes good = BytesOf(sent.passed[0].get());
    for (const size_t at : {size_t{27}, size_t{28}, good.size() / 2, good.size() - 12,
                            good.size() - 8, good.size() - 1}) {
      Bytes bad = good;
      bad[at] = static_cast<uint8_t>(bad[at] ^ 0x02);
      std::vector<MbufPtr> forged;
      forged.push_back(MakeMbuf(bad));
      const EspResult received = tunnel.Receive(std::move(forged));
      EXPECT_THAT(received.Reasons(), testing::ElementsAre(DropReason::kEspIntegrity))
          << name << " " << at;
    }
    std::vector<MbufPtr> again;
    again.push_back(MakeMbuf(good));
    EXPECT_EQ(tunnel.Receive(std::move(again)).passed.size(), 1u) << name;
  }
}

// --- ipsec-mb itself -----------------------------------------------------------------------------

TEST(IpsecMb, RunsEverySuiteButOneKeyLengthOfCcm) {
  const auto backend = MakeBackend("ipsec-mb", 0);
  for (const std::string& name : AllSuiteNames()) {
    const bool missing = name.find("aes192ccm") != std::string::npos;
    EXPECT_EQ(backend->CheckSuite(SuiteOf(name)).ok(), !missing) << name;
  }
  EXPECT_EQ(std::string(backend->CheckSuite(SuiteOf("aes192ccm16")).message()),
            "crypto: ipsec-mb does not run aes192ccm16; a device of cryptodev may");
  for (const IntegrityTraits& integrity : AllIntegrity()) {
    EXPECT_TRUE(backend->CheckSuite({Encryption{}, integrity.id}).ok()) << integrity.name;
  }
  EXPECT_FALSE(backend->CheckSuite(IpsecSuite{}).ok());
  EXPECT_THAT(backend->Describe(), testing::StartsWith("ipsec-mb "));
}

TEST(IpsecMb, RefusesKeysOfAnotherSize) {
  const auto backend = MakeBackend("ipsec-mb", 0);
  const IpsecSuite suite = SuiteOf("aes256-sha256");
  EXPECT_FALSE(backend
                   ->CreateSession(suite, CryptoDirection::kEncrypt, Bytes(16),
                                   TestIntegrityKey(suite).span())
                   .ok());
  EXPECT_FALSE(backend
                   ->CreateSession(suite, CryptoDirection::kEncrypt,
                                   TestEncryptionKey(suite).span(), Bytes(20))
                   .ok());
}

// Suites of both ways of calling in one burst, some refused by their ICVs: everything comes back in
// the order it went in, each with its own verdict.
TEST(IpsecMb, MixedBurstsComeBackInOrder) {
  EspHarness harness("ipsec-mb", 64, 64);
  const std::vector<std::string> names = {"aes128gcm16", "aes256-sha256", "chacha20poly1305",
                                          "aes128gmac",  "null-sha1",     "aes256ccm16"};
  std::vector<MbufPtr> received;
  for (size_t i = 0; i < kBurstMax; ++i) {
    EspHarness sender("crypto_aesni_mb0", 64, 8);
    TestSa sa;
    sa.suite = SuiteOf(names[i % names.size()]);
    const Spi spi = *harness.inbound->AllocateSpi();
    harness.InstallInbound(sa, spi);
    sender.InstallOutbound(Mirrored(sa), spi);
    Bytes packet = BytesOf(sender.Encap(Inner(i).BuildMbuf()).passed.at(0).get());
    if (i % 5 == 0) packet.back() = static_cast<uint8_t>(packet.back() ^ 1);
    received.push_back(MakeMbuf(packet));
  }
  const EspResult result = harness.Decap(std::move(received));
  EXPECT_EQ(result.dropped.size(), 7u);
  ASSERT_EQ(result.passed.size(), kBurstMax - 7u);
  size_t at = 0;
  for (size_t i = 0; i < kBurstMax; ++i) {
    if (i % 5 == 0) continue;
    EXPECT_EQ(BytesOf(result.passed[at++].get()), Inner(i).Build()) << i;
  }
}

// rte_free() leaves the memory mapped; nothing else took it meanwhile.
TEST(IpsecMb, LeavesNoKeyBehind) {
  const auto backend = MakeBackend("ipsec-mb", 0);
  for (const char* name : {"aes256gcm16", "aes256-sha512", "chacha20poly1305"}) {
    const IpsecSuite suite = SuiteOf(name);
    const auto session =
        backend->CreateSession(suite, CryptoDirection::kDecrypt, TestEncryptionKey(suite).span(),
                               TestIntegrityKey(suite).span());
    ASSERT_TRUE(session.ok());
    const auto* memory = static_cast<const uint8_t*>(session->handle);
    // Behind what the allocator itself writes into what it has back.
    constexpr size_t kFrom = 64, kBytes = 512;
    const auto zeros = [&] { return std::count(memory + kFrom, memory + kFrom + kBytes, 0); };
    EXPECT_LT(zeros(), static_cast<ptrdiff_t>(kBytes));
    backend->FreeSession(*session);
    EXPECT_EQ(zeros(), static_cast<ptrdiff_t>(kBytes)) << name;
  }
}

}  // namespace
}  // namespace sekisho::fastpath
