#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

using ::testing::HasSubstr;

constexpr const char* kPorts = R"(ports:
  wan:
    device: net_af_packet0,iface=gw-wan
    side: outside
    addresses: [203.0.113.1/24, 2001:db8:113::1/64]
)";
constexpr const char* kKeys =
    "encryption_key: 0x000102030405060708090a0b0c0d0e0f, "
    "integrity_key: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr const char* kAhKey =
    "integrity_key: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// One SA of ESP; `more` replaces or adds keys.
std::string Sa(absl::string_view name, absl::string_view spi, absl::string_view direction,
               absl::string_view suite = "aes128-sha256", absl::string_view keys = kKeys,
               absl::string_view more = "") {
  return absl::StrCat("  - {name: ", name, ", spi: ", spi, ", direction: ", direction,
                      ", suite: ", suite, ", ", keys,
                      ", local: 203.0.113.1, remote: 198.51.100.7, local_selectors: [10.0.0.0/8], "
                      "remote_selectors: [192.0.2.0/24]",
                      more, "}\n");
}
absl::StatusOr<Config> Parse(absl::string_view sas) {
  return ParseConfig("gw.yaml", absl::StrCat(kPorts, "sas:\n", sas), {.cores = {0}});
}
std::string ErrorOf(absl::string_view sas) {
  const auto config = Parse(sas);
  return config.ok() ? "ok" : std::string(config.status().message());
}

TEST(ConfigSas, ReadsAnSaInFull) {
  const auto config = Parse(
      Sa("a", "0x1234", "in", "aes128-sha256", kKeys,
         ", encapsulation: udp, remote_port: 40000, anti_replay: true, lifetimes: {soft_bytes: 1M, "
         "hard_bytes: 2M, soft_packets: 10, hard_packets: 20, soft_time: 1h, hard_time: 2h}") +
      Sa("b", "4294967295", "out"));
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->sas.size(), 2u);
  const ManualSaConfig& a = config->sas[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.direction, UpMessage::Direction::kInbound);
  EXPECT_EQ(a.spi, Spi{0x1234});
  EXPECT_EQ(a.protocol, IpsecProtocol::kEsp);
  EXPECT_EQ(a.mode, IpsecMode::kTunnel);
  EXPECT_EQ(a.suite.ToString(), "aes128-sha256");
  EXPECT_EQ(a.encryption_key.size(), 16u);
  EXPECT_EQ(a.integrity_key.size(), 32u);
  EXPECT_EQ(a.local.ToString(), "203.0.113.1:4500");
  EXPECT_EQ(a.remote.ToString(), "198.51.100.7:40000");
  EXPECT_TRUE(a.udp_encapsulation);
  EXPECT_TRUE(a.anti_replay);
  EXPECT_EQ(a.lifetimes.soft_bytes, 1u << 20);
  EXPECT_EQ(a.lifetimes.hard_packets, 20u);
  EXPECT_EQ(a.hard_time, absl::Hours(2));
  const ManualSaConfig& b = config->sas[1];
  EXPECT_EQ(b.spi, Spi{0xffffffff});
  EXPECT_FALSE(b.anti_replay) << "RFC 4303, 3.4.3";
}

TEST(ConfigSas, RefusesReservedSpisAndWhatIsNone) {
  for (const char* spi : {"0", "255", "0xff", "4294967296", "0x", "one"}) {
    EXPECT_THAT(ErrorOf(Sa("a", spi, "in")), HasSubstr("want an SPI from 256")) << spi;
  }
  EXPECT_EQ(ErrorOf(Sa("a", "256", "in")), "ok");
}

// RFC 8221, 3: the same IVs would come again after a restart.
TEST(ConfigSas, RefusesCountersUnderAStaticKeyAndSaysWhy) {
  for (const char* suite : {"aes128gcm16", "aes256gcm8", "aes128ccm16", "chacha20poly1305",
                            "aes128ctr-sha256", "aes128gmac"}) {
    const std::string error = ErrorOf(Sa("a", "0x1000", "in", suite, "encryption_key: 0x00"));
    EXPECT_THAT(error, HasSubstr("with it the same IVs")) << suite;
    EXPECT_THAT(error, HasSubstr(".suite")) << suite;
  }
  EXPECT_THAT(
      ErrorOf(Sa("a", "0x1000", "in", "aes128gmac", "integrity_key: 0x00", ", protocol: ah")),
      HasSubstr("with it the same IVs"));
}

TEST(ConfigSas, ChecksKeysAndNeverShowsThem) {
  const std::string odd = ErrorOf(Sa("a", "0x1000", "in", "aes128-sha256",
                                     "encryption_key: 0xabcde, integrity_key: 0xfeedface"));
  EXPECT_THAT(odd, HasSubstr("encryption_key: found no key, want 0x and pairs"));
  EXPECT_THAT(odd, HasSubstr("found a key of 4 bytes, want 32 for sha256"));
  EXPECT_THAT(odd, ::testing::Not(HasSubstr("abcde")));
  EXPECT_THAT(odd, ::testing::Not(HasSubstr("feedface")));
  EXPECT_THAT(ErrorOf(Sa("a", "0x1000", "in", "aes128-sha256", kAhKey)),
              HasSubstr("missing encryption_key, want 0x and 32 hexadecimal digits for aes128"));
  EXPECT_THAT(ErrorOf(Sa("a", "0x1000", "in", "null-sha256", kKeys)),
              HasSubstr("found a key, want none"));
  EXPECT_THAT(ErrorOf(Sa("a", "0x1000", "in", "aes128-sha256",
                         absl::StrCat("encryption_key_file: nowhere, ", kAhKey))),
              HasSubstr("cannot read 'nowhere'"));
}

TEST(ConfigSas, RefusesTheSameSaTwice) {
  EXPECT_THAT(ErrorOf(Sa("a", "0x1000", "in") + Sa("b", "4096", "in")),
              HasSubstr("found SPI 0x00001000, which 'a' has for esp to the same address"));
  EXPECT_THAT(ErrorOf(Sa("a", "0x1000", "in") + Sa("a", "0x1001", "in")),
              HasSubstr("found name 'a' a second time"));
  // The other direction, the other protocol: other SAs.
  EXPECT_EQ(ErrorOf(Sa("a", "0x1000", "in") + Sa("b", "0x1000", "out") +
                    Sa("c", "0x1000", "in", "sha256", kAhKey, ", protocol: ah")),
            "ok");
}

TEST(ConfigSas, ChecksEndsSelectorsAndLifetimes) {
  EXPECT_THAT(ErrorOf("  - {name: a, spi: 256, direction: in, suite: null-sha256, local: "
                      "203.0.113.2, remote: \"2001:db8::7\"}\n"),
              ::testing::AllOf(HasSubstr("want an address of one of our ports"),
                               HasSubstr("want the family of 203.0.113.2"),
                               HasSubstr("local_selectors: missing")));
  EXPECT_THAT(ErrorOf(Sa("a", "256", "in", "aes128-sha256", kKeys,
                         ", lifetimes: {soft_packets: 9, "
                         "hard_packets: 9}")),
              HasSubstr("found soft_packets that is not below hard_packets"));
  EXPECT_THAT(ErrorOf(Sa("a", "256", "in", "sha256", kAhKey, ", protocol: ah, encapsulation: udp")),
              HasSubstr("found udp with AH"));
  EXPECT_THAT(ErrorOf(Sa("a", "256", "out", "aes128-sha256", kKeys, ", anti_replay: true")),
              HasSubstr("want it on the way in"));
  EXPECT_THAT(ErrorOf(Sa("a", "256", "in", "aes128-sha256", kKeys, ", remote_port: 9")),
              HasSubstr("want it only with encapsulation: udp"));
  // Transport mode needs no selectors.
  const auto config = Parse(
      absl::StrCat("  - {name: a, spi: 256, direction: in, mode: transport, protocol: ah, suite: "
                   "sha256, local: 203.0.113.1, remote: 198.51.100.7, ",
                   kAhKey, "}\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToString(config->sas[0].remote_selectors), "198.51.100.7/32");
}

TEST(ConfigSas, NestsEspInAhOfTheSameEnds) {
  const std::string ah =
      Sa("ah", "0x2000", "out", "sha256", kAhKey, ", protocol: ah, mode: transport");
  EXPECT_EQ(ErrorOf(Sa("esp", "0x1000", "out", "aes128-sha256", kKeys, ", then: ah") + ah), "ok");
  EXPECT_THAT(ErrorOf(Sa("esp", "0x1000", "in", "aes128-sha256", kKeys, ", within: ah") + ah),
              HasSubstr("want the name of an SA with protocol: ah and the same direction"));
  EXPECT_THAT(ErrorOf(Sa("esp", "0x1000", "out", "aes128-sha256", kKeys, ", within: ah") + ah),
              HasSubstr("want it on esp with direction: in"));
}

}  // namespace
}  // namespace sekisho::slowpath
