// What ports and policies may say beyond the least.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

absl::StatusOr<Config> Parse(const std::string& text) {
  return ParseConfig("gw.yaml", text, ConfigEnvironment{.cores = {0, 1}});
}

TEST(ConfigTest, PortsMayHaveAVlanAndNoReversePath) {
  const auto parse = [](const char* keys) {
    return Parse(absl::StrCat("ports: {wan: {device: net_null1, side: outside, ", keys, "}}"));
  };
  EXPECT_EQ(parse("mtu: 1400")->ports[0].port.vlan, 0);
  EXPECT_TRUE(parse("mtu: 1400")->ports[0].port.reverse_path);
  EXPECT_EQ(parse("vlan: 100")->ports[0].port.vlan, 100);
  EXPECT_FALSE(parse("reverse_path: off")->ports[0].port.reverse_path);
  EXPECT_EQ(parse("vlan: 4095").status().message(),
            "gw.yaml:1: ports.wan.vlan: found '4095', want a number from 1 to 4094");
  EXPECT_EQ(parse("reverse_path: loose").status().message(),
            "gw.yaml:1: ports.wan.reverse_path: found 'loose', want strict or off");
}

TEST(ConfigTest, PoliciesMayStandOnSomePorts) {
  const auto config = Parse(R"(
ports:
  lan: {device: net_null0, side: inside}
  a: {device: net_null1, side: outside}
  b: {device: net_null2, side: outside}
policies:
  - {action: bypass, local: [0.0.0.0/0], remote: [0.0.0.0/0]}
  - {action: bypass, local: [0.0.0.0/0], remote: [0.0.0.0/0], ports: [b]}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->policies[0].ports.empty());
  EXPECT_EQ(config->policies[1].ports, std::vector<PortId>{PortId{2}});
  EXPECT_EQ(Parse("ports: {lan: {device: net_null0, side: inside},\n"
                  "        wan: {device: net_null1, side: outside}}\n"
                  "policies:\n"
                  "  - {action: bypass, local: [::/0], remote: [::/0], ports: [lan]}\n"
                  "  - {action: bypass, local: [::/0], remote: [::/0], ports: [wam]}")
                .status()
                .message(),
            "gw.yaml:4: policies[0].ports[0]: found lan, an inside port, want an outside one\n"
            "gw.yaml:5: policies[1].ports[0]: found 'wam', want one of the ports lan, wan");
}

TEST(ConfigTest, PoliciesSayHowPacketsAreHandled) {
  const std::string ports = "ports: {wan: {device: net_null1, side: outside}}\npolicies:\n";
  const auto policy = [&](const char* keys) {
    return absl::StrCat(ports, "  - {action: protect, local: [\"::/0\"], remote: [\"::/0\"], ",
                        keys, "}\n");
  };
  const auto handling = [&](const char* keys) { return Parse(policy(keys))->policies[0].handling; };
  using fastpath::Handling;
  EXPECT_EQ(handling("df: copy, dscp: copy, fragment: after"), Handling{});
  EXPECT_EQ(handling("df: set"), Handling{.df = Handling::Df::kSet});
  EXPECT_EQ(handling("df: clear, dscp: ef"),
            (Handling{.df = Handling::Df::kClear, .dscp = uint8_t{46}}));
  EXPECT_EQ(handling("dscp: 0").dscp, 0);
  EXPECT_EQ(handling("dscp: af42").dscp, 36);
  EXPECT_EQ(handling("dscp: cs6").dscp, 48);
  EXPECT_EQ(handling("fragment: before, tcp_mss: 1300"),
            (Handling{.fragment_before_encryption = true, .tcp_mss_max = 1300}));
  const auto error = [&](const char* keys) {
    return std::string(Parse(policy(keys)).status().message());
  };
  EXPECT_EQ(error("df: keep"), "gw.yaml:3: policies[0].df: found 'keep', want copy, set or clear");
  EXPECT_EQ(error("dscp: 64"),
            "gw.yaml:3: policies[0].dscp: found '64', want copy, a number from 0 to 63, or cs0 to "
            "cs7, af11 to af43, ef, va, le");
  EXPECT_EQ(error("dscp: af44").substr(0, 43), "gw.yaml:3: policies[0].dscp: found 'af44', ");
  EXPECT_EQ(error("fragment: never"),
            "gw.yaml:3: policies[0].fragment: found 'never', want before or after (encryption)");
  EXPECT_EQ(error("tcp_mss: 50"),
            "gw.yaml:3: policies[0].tcp_mss: found '50', want a number from 88 to 9000");
  EXPECT_EQ(Parse(absl::StrCat(ports,
                               "  - {action: bypass, local: [10.0.0.0/8], "
                               "remote: [10.0.0.0/8], df: set}\n"))
                .status()
                .message(),
            "gw.yaml:3: policies[0].df: found it under a policy that does not protect, want "
            "action: protect with it");
}

}  // namespace
}  // namespace sekisho::slowpath
