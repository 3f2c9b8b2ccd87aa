// The section `crypto`, and what it permits elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Config> Parse(const std::string& crypto, const std::string& suite = "aes128gcm16") {
  const std::string text =
      "ports: {wan: {device: net_null0, side: outside, addresses: [203.0.113.1/24]}}\n" + crypto +
      "\nsecrets: [{id: peer, psk: secret}]\n"
      "connections:\n"
      "  site:\n"
      "    local: {auth: psk, id: us}\n"
      "    remote: {auth: psk, ids: [peer]}\n"
      "    children:\n"
      "      net:\n"
      "        local: [10.1.0.0/16]\n"
      "        remote: [10.2.0.0/16]\n"
      "        esp_proposals: [" +
      suite + "]\n";
  return ParseConfig("gw.yaml", text, ConfigEnvironment{.cores = {0, 1}});
}

std::string ErrorOf(const std::string& crypto, const std::string& suite = "aes128gcm16") {
  const auto config = Parse(crypto, suite);
  return config.ok() ? "ok" : std::string(config.status().message());
}

// Devices are cryptodev's; who names none gets ipsec-mb, and who asks for cryptodev a device.
TEST(ConfigCrypto, BackendFollowsDevicesUnlessSaid) {
  const auto backend_of = [](const std::string& crypto) {
    const auto config = Parse(crypto);
    EXPECT_TRUE(config.ok()) << config.status();
    const fastpath::FastPathConfig fast = MakeFastPathConfig(*config);
    return std::pair(fast.crypto_backend, fast.crypto_devices);
  };
  using Kind = fastpath::CryptoBackendKind;
  using Devices = std::vector<std::string>;
  EXPECT_EQ(backend_of(""), std::pair(Kind::kIpsecMb, Devices{}));
  EXPECT_EQ(backend_of("crypto: {legacy: true}"), std::pair(Kind::kIpsecMb, Devices{}));
  EXPECT_EQ(backend_of("crypto: {backend: ipsec-mb}"), std::pair(Kind::kIpsecMb, Devices{}));
  EXPECT_EQ(backend_of("crypto: {devices: [crypto_openssl]}"),
            std::pair(Kind::kCryptodev, Devices{"crypto_openssl"}));
  EXPECT_EQ(backend_of("crypto: {backend: cryptodev}"),
            std::pair(Kind::kCryptodev, Devices{"crypto_aesni_mb"}));
}

TEST(ConfigCrypto, RefusesABackendThatCannotBe) {
  EXPECT_EQ(ErrorOf("crypto: {backend: qat}"),
            "gw.yaml:2: crypto.backend: found 'qat', want ipsec-mb or cryptodev");
  EXPECT_EQ(ErrorOf("crypto: {backend: ipsec-mb, devices: [crypto_openssl]}"),
            "gw.yaml:2: crypto.backend: found ipsec-mb beside devices, want devices only with "
            "backend: cryptodev");
}

TEST(ConfigCrypto, OldCiphersWantLegacy) {
  EXPECT_THAT(ErrorOf("", "3des-sha256"),
              HasSubstr("connections.site.children.net.esp_proposals[0]: found 3des, whose"));
  EXPECT_EQ(ErrorOf("crypto: {legacy: true}", "3des-sha256"), "ok");
  EXPECT_EQ(ErrorOf("", "null-sha1"), "ok");
}

}  // namespace
}  // namespace sekisho::slowpath
