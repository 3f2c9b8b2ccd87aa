// The crypto device behind ESP: which one runs what, what happens when it does not keep up, and
// what it leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "common/byte_order.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

TEST(EspCrypto, FullQueueIsADropOfItsOwnName) {
  const unsigned before = BuffersInUse();
  {
    EspHarness harness("crypto_aesni_mb0", 1024, 8, /*queue_size=*/32);
    TestSa sa;
    const Spi spi = harness.Loop(sa);
    EspResult result;
    uint32_t sent = 0;
    // Nothing is collected between the bursts.
    while (result.dropped.empty() && sent < 40 * kBurstMax) {
      std::vector<MbufPtr> packets;
      for (int i = 0; i < kBurstMax; ++i) {
        packets.push_back(
            Ipv4("198.51.100.7", "203.0.113.1").Esp(spi.value, ++sent).Payload(60).BuildMbuf());
      }
      harness.Submit(std::move(packets), result);
    }
    ASSERT_FALSE(result.dropped.empty());
    EXPECT_EQ(result.Reasons()[0], DropReason::kCryptoQueueFull);
    EXPECT_EQ(harness.backend->InFlight(WorkerId{0}), sent - result.dropped.size());
    harness.Finish(result);
    EXPECT_EQ(result.dropped.size(), sent);
    EXPECT_EQ(harness.inbound->Find(Be32::FromHost(spi.value))->in_flight, 0u);
  }
  EXPECT_EQ(BuffersInUse(), before);
}

TEST(EspCrypto, NamesSuiteAndDevicesWhereNoneRunsIt) {
  EspHarness harness("crypto_aesni_gcm0", 64, 8);
  EXPECT_TRUE(harness.backend->CheckSuite(SuiteOf("aes256gcm16-esn")).ok());
  const absl::Status status = harness.backend->CheckSuite(SuiteOf("aes256-sha512"));
  EXPECT_EQ(std::string(status.message()),
            "crypto: no device runs aes256-sha512 (devices: crypto_aesni_gcm0)");
  EXPECT_FALSE(harness.backend->CheckSuite(IpsecSuite{}).ok());
}

// The library behind it has no CCM with keys of 192 bits.
TEST(EspCrypto, AesniMbRunsEverySuiteButOneKeyLengthOfCcm) {
  EspHarness harness("crypto_aesni_mb0", 64, 8);
  for (const std::string& suite : AllSuiteNames()) {
    const bool missing = suite.find("aes192ccm") != std::string::npos;
    EXPECT_EQ(harness.backend->CheckSuite(SuiteOf(suite)).ok(), !missing) << suite;
  }
}

TEST(EspCrypto, TakesTheFirstDeviceThatCan) {
  EnsureEal();
  ASSERT_TRUE(CreateVdev("crypto_aesni_gcm0") && CreateVdev("crypto_openssl0"));
  auto backend = CryptodevBackend::Create(
      {.devices = {"crypto_aesni_gcm0", "crypto_openssl0"}, .workers = 2, .sessions_max = 8});
  ASSERT_TRUE(backend.ok());
  const IpsecSuite gcm = SuiteOf("aes128gcm16"), cbc = SuiteOf("aes128-sha256");
  const auto a =
      (*backend)->CreateSession(gcm, CryptoDirection::kEncrypt, TestEncryptionKey(gcm).span(), {});
  const auto b = (*backend)->CreateSession(
      cbc, CryptoDirection::kDecrypt, TestEncryptionKey(cbc).span(), TestIntegrityKey(cbc).span());
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->device, 0);
  EXPECT_EQ(b->device, 1);
  (*backend)->FreeSession(*a);
  (*backend)->FreeSession(*b);
}

// The memory of a freed session is the pool's, and still there to be looked at.
TEST(EspCrypto, LeavesNoKeyBehind) {
  EspHarness harness("crypto_aesni_mb0", 64, 8);
  for (const char* name : {"aes256gcm16", "aes256-sha512", "chacha20poly1305"}) {
    const IpsecSuite suite = SuiteOf(name);
    const auto session = harness.backend->CreateSession(suite, CryptoDirection::kDecrypt,
                                                        TestEncryptionKey(suite).span(),
                                                        TestIntegrityKey(suite).span());
    ASSERT_TRUE(session.ok());
    const size_t bytes = rte_mempool_from_obj(session->handle)->elt_size;
    const auto* memory = static_cast<const uint8_t*>(session->handle);
    EXPECT_NE(std::count(memory, memory + bytes, 0), static_cast<ptrdiff_t>(bytes));
    harness.backend->FreeSession(*session);
    EXPECT_EQ(std::count(memory, memory + bytes, 0), static_cast<ptrdiff_t>(bytes)) << name;
  }
}

TEST(EspCrypto, NamesADeviceThatIsNotThere) {
  EnsureEal();
  const auto backend = CryptodevBackend::Create({.devices = {"crypto_nowhere"}});
  EXPECT_EQ(std::string(backend.status().message()), "crypto: no device crypto_nowhere");
}

}  // namespace
}  // namespace sekisho::fastpath
