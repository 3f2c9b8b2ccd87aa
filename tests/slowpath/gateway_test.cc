#include "slowpath/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_dev.h>
#include <unistd.h>

#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tests/fastpath/eal_environment.h"

namespace sekisho::slowpath {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() { fastpath::EnsureEal(); }

  absl::Status Create(const std::string& suites) {
    // A port that was closed is gone, so each gateway has its own.
    const std::string device = absl::StrCat("net_null", 90 + made_++);
    EXPECT_TRUE(fastpath::CreateVdev(device));
    const absl::Cleanup remove = [&] { rte_eal_hotplug_remove("vdev", device.c_str()); };
    const std::string text =
        absl::StrCat("ports: {wan: {device: ", device,
                     ", side: outside, addresses: [203.0.113.1/24]}}\n"
                     "memory: {packet_buffers: 4095, child_sas: 64}\n"
                     "control: {socket: ",
                     testing::TempDir(), "/gateway-test-", getpid(),
                     "}\n"
                     "secrets: [{id: peer, psk: secret}]\n"
                     "connections:\n"
                     "  site:\n"
                     "    local: {auth: psk, id: us}\n"
                     "    remote: {auth: psk, ids: [peer]}\n"
                     "    children:\n"
                     "      net: {local: [10.1.0.0/16], remote: [10.2.0.0/16], esp_proposals: [",
                     suites, "]}\n");
    const auto config = ParseConfig("gw.yaml", text, ConfigEnvironment{.cores = {1}});
    if (!config.ok()) return config.status();
    return Gateway::Create(*config, /*with_console=*/false, *log_).status();
  }

 private:
  int made_ = 0;
  std::unique_ptr<Logger> log_ = *Logger::Open({.level = LogLevel::kError});
};

// Intel IPsec-MB has no CCM with keys of 192 bits. That is said at the start, and where it stands.
TEST_F(GatewayTest, ASuiteThatNothingRunsIsRefusedAtTheStart) {
  const absl::Status accepted = Create("aes256gcm16");
  EXPECT_TRUE(accepted.ok()) << accepted;
  const absl::Status refused = Create("aes256gcm16, aes192ccm16");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("gw.yaml: connections.site.children.net.esp_proposals: "),
                    HasSubstr("ipsec-mb does not run aes192ccm16")));
}

}  // namespace
}  // namespace sekisho::slowpath
