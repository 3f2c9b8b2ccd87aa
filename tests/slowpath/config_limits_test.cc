// How much there may be: of an SA's life, and of what workers remember.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

absl::StatusOr<Config> Parse(const std::string& text) {
  return ParseConfig("gw.yaml",
                     absl::StrCat("ports: {wan: {device: net_null1, side: outside}}\n", text),
                     ConfigEnvironment{.cores = {0, 1}});
}

absl::StatusOr<Config> WithChild(const std::string& keys) {
  return Parse(absl::StrCat(R"(secrets: [{id: "%any", psk: "0x0102"}]
connections:
  site:
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk}
    children:
      net: {local: [10.10.0.0/24], remote: [10.20.0.0/24])",
                            keys, "}\n"));
}

ike::ChildTemplate ChildWith(const std::string& keys) {
  const auto config = WithChild(keys);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->connections[0].connection->children[0] : ike::ChildTemplate{};
}

std::string ErrorOf(const absl::StatusOr<Config>& config) {
  return std::string(config.status().message());
}

TEST(ConfigTest, ChildrenLiveForBytesAndPackets) {
  const ike::ChildTemplate child = ChildWith(
      ", rekey_bytes: 1G, life_bytes: 1025M, rekey_packets: 1000, life_packets: "
      "18446744073709551615");
  EXPECT_EQ(child.rekey_bytes, uint64_t{1} << 30);
  EXPECT_EQ(child.life_bytes, uint64_t{1025} << 20);
  EXPECT_EQ(child.rekey_packets, 1000u);
  EXPECT_EQ(child.life_packets, UINT64_MAX);
  // One says nothing of another, and none is no limit.
  const ike::ChildTemplate soft = ChildWith(", rekey_bytes: 1K");
  EXPECT_EQ(soft.life_bytes, 0u);
  EXPECT_EQ(soft.rekey_packets, 0u);
  EXPECT_EQ(soft.life_packets, 0u);
  EXPECT_EQ(ChildWith(", life_packets: 7").life_packets, 7u);
}

TEST(ConfigTest, AnEndThatIsNotAfterTheRekeyIsRefused) {
  const std::string where = "gw.yaml:8: connections.site.children.net.";
  EXPECT_EQ(ErrorOf(WithChild(", rekey_bytes: 1M, life_bytes: 1024K")),
            where + "life_bytes: found 1024K, want more than rekey_bytes 1048576");
  EXPECT_EQ(ErrorOf(WithChild(", life_packets: 8, rekey_packets: 9")),
            where + "life_packets: found 8, want more than rekey_packets 9");
  EXPECT_EQ(ErrorOf(WithChild(", life_bytes: 1T")),
            where + "life_bytes: found '1T', want a number of bytes such as 1500, 64K, 100M or 2G");
  for (const char* key : {"rekey_packets", "life_packets"}) {
    EXPECT_EQ(
        ErrorOf(WithChild(absl::StrCat(", ", key, ": 0"))),
        absl::StrCat(where, key, ": found '0', want a number from 1 to 18446744073709551615"));
  }
}

TEST(ConfigTest, ReplayWindowIsAPowerOfTwo) {
  const auto window = [](int packets) {
    return Parse(absl::StrCat("crypto: {replay_window: ", packets, "}"));
  };
  EXPECT_EQ(MakeFastPathConfig(*Parse("crypto: {}")).replay_window, 1024u);
  for (const int packets : {64, 128, 1024, 4096}) {
    ASSERT_TRUE(window(packets).ok()) << packets;
    EXPECT_EQ(MakeFastPathConfig(*window(packets)).replay_window, static_cast<uint32_t>(packets));
  }
  for (const int packets : {0, 32, 63, 65, 1000, 4097, 8192}) {
    EXPECT_FALSE(window(packets).ok()) << packets;
  }
}

TEST(ConfigTest, FlowsAreLimited) {
  const auto flows = [](const char* value) {
    return Parse(absl::StrCat("memory: {flows: ", value, "}"));
  };
  EXPECT_EQ(Parse("memory: {}")->memory.flows, 65536u);
  EXPECT_EQ(MakeFastPathConfig(*flows("64")).flows_max, 64u);
  EXPECT_EQ(MakeFastPathConfig(*flows("1048576")).flows_max, 1048576u);
  for (const char* value : {"63", "1048577", "many", "-1"}) {
    EXPECT_EQ(ErrorOf(flows(value)), absl::StrCat("gw.yaml:2: memory.flows: found '", value,
                                                  "', want a number from 64 to 1048576"));
  }
}

}  // namespace
}  // namespace sekisho::slowpath
