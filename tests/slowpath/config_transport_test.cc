// The keys about transport mode and local delivery.
#include <gtest/gtest.h>

#include <string>

#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

// The machine's own stack: a port, transport mode to it, and peers that need not speak IPsec.
TEST(ConfigTransport, ReadsWhatServesTheMachineItself) {
  const auto config = ParseConfig("gw.yaml", R"(ports:
  wan: {device: net_null0, side: outside, addresses: [203.0.113.1/24]}
  own: {device: "net_tap0,iface=sekisho0", side: host, mtu: 1400}
secrets:
  - {id: "%any", psk: secret}
connections:
  clients:
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk}
    children:
      own: {mode: transport, local: ["203.0.113.1/32[udp/1701]"], remote: dynamic}
      either: {mode: transport-or-tunnel, local: [203.0.113.1/32], remote: [0.0.0.0/0]}
policies:
  - {name: own, action: protect, optional: true, local: [203.0.113.1/32], remote: [0.0.0.0/0]}
)",
                                  {.cores = {0, 1}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ports[1].port.side, fastpath::PortSide::kHost);
  const auto& children = config->connections[0].connection->children;
  EXPECT_EQ(children[0].mode, IpsecMode::kTransport);
  EXPECT_FALSE(children[0].may_fall_back);
  EXPECT_TRUE(children[0].remote.empty());
  EXPECT_EQ(children[1].mode, IpsecMode::kTransport);
  EXPECT_TRUE(children[1].may_fall_back);
  EXPECT_TRUE(config->policies[0].optional);
}

TEST(ConfigTransport, SaysWhatIsWrong) {
  const auto config = ParseConfig("gw.yaml", R"(ports:
  wan: {device: net_null0, side: outside, addresses: [203.0.113.1/24]}
  own: {device: net_tap0, side: host, addresses: [203.0.114.1/24]}
  more: {device: net_tap1, side: host}
secrets:
  - {id: "%any", psk: secret}
connections:
  clients:
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk}
    children:
      own: {mode: both, local: [203.0.113.1/32], remote: [0.0.0.0/0]}
policies:
  - {action: bypass, optional: true, local: [203.0.113.1/32], remote: [0.0.0.0/0]}
)",
                                  {.cores = {0, 1}});
  ASSERT_FALSE(config.ok());
  const std::string error(config.status().message());
  for (const char* want :
       {"gw.yaml:3: ports.own: found addresses on the host port, want them on the ports that they "
        "are reached by; the machine's own end of it has them too",
        "gw.yaml:4: ports.more: found a second port with side: host, want one at most",
        "gw.yaml:12: connections.clients.children.own.mode: found 'both', want tunnel, "
        "transport or transport-or-tunnel",
        "gw.yaml:14: policies[0].optional: found optional: true without action: protect, which it "
        "is about"}) {
    EXPECT_NE(error.find(want), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace sekisho::slowpath
