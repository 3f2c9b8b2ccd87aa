// How much there may be of what workers remember.
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

std::string ErrorOf(const absl::StatusOr<Config>& config) {
  return std::string(config.status().message());
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
