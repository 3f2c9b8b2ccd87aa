#include "slowpath/config.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sekisho::slowpath {
namespace {

// Every section; line numbers matter to the tests below.
constexpr const char* kValid = R"(workers:
  cores: [1]
memory:
  megabytes: 256
  packet_buffers: 8192
eal: [--log-level=8]
ports:
  wan:
    device: net_af_packet0,iface=gw-wan
    side: outside
    addresses: [203.0.113.1/24, 2001:db8:113::1/64]
    mtu: 1400
  lan:
    device: 0000:3b:00.0
    side: inside
    addresses: [10.10.0.254/24, "2001:db8:10::fe/64"]
routes:
  - {to: 0.0.0.0/0, via: 203.0.113.254}
  - {to: "::/0", via: "2001:db8:113::fe"}
  - {to: 10.0.0.0/8, port: lan}
crypto:
  devices: [crypto_aesni_mb, crypto_openssl]
  replay_window: 512
pools:
  staff4: {addresses: 10.99.0.1-10.99.0.200, dns: [10.10.0.53]}
  staff6: {addresses: "2001:db8:99::/112", dns: ["2001:db8:10::53"]}
secrets:
  - {id: client1.example.org, psk: "secret one"}
  - {id: client2.example.org, psk: 0x0102ff}
  - {id: "%any", psk: 0sAQL/}
connections:
  staff:
    local_addresses: [203.0.113.1]
    remote_addresses: [198.51.100.0/24, 192.0.2.1-192.0.2.9]
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk, ids: [client1.example.org, "*.example.net"]}
    ike_proposals: [aes256gcm16-prfsha256-x25519]
    pools: [staff4, staff6]
    rekey_time: 2h
    dpd_delay: 15s
    children:
      net:
        local: [10.10.0.0/24]
        remote: dynamic
        esp_proposals: [aes256gcm16]
        rekey_time: 30m
        rekey_bytes: 1G
  branch:
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk}
    remote_endpoint: 198.51.100.9
    start: true
    request_addresses: [ipv4, ipv6]
    children:
      net:
        local: ["10.10.0.0/24[tcp/443]"]
        remote: [10.20.0.0/16]
policies:
  - {name: users, action: ipsec, local: [10.10.0.0/24], remote: [10.99.0.0/24]}
  - {action: permit, local: [192.0.2.80/32], remote: [0.0.0.0/0]}
  - {name: rest, action: discard, local: [0.0.0.0/0], remote: [0.0.0.0/0]}
ike:
  retransmit_first: 500ms
  retransmit_factor: 2
  retransmit_tries: 3
  half_open_timeout: 10s
  half_open_max: 100
  cookie_threshold: 10
control:
  socket: run/gw.sock
log:
  level: debug
  file: gw.log
)";

const ConfigEnvironment kEnvironment{.cores = {0, 1}};

absl::StatusOr<Config> Parse(const std::string& text) {
  return ParseConfig("gw.yaml", text, kEnvironment);
}
std::string ErrorOf(const std::string& text) {
  const auto config = Parse(text);
  return config.ok() ? "ok" : std::string(config.status().message());
}

// kValid with one text exchanged for another; the text must be there.
std::string Edit(absl::string_view from, absl::string_view to) {
  std::string text = kValid;
  const size_t at = text.find(std::string(from));
  if (at == std::string::npos) return absl::StrCat("edit: '", from, "' is not in kValid");
  text.replace(at, from.size(), std::string(to));
  return text;
}

TEST(ConfigTest, ReadsTheMachineAndTheProgram) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->workers.cores, (std::vector<unsigned>{1}));
  EXPECT_EQ(config->memory.megabytes, 256u);
  EXPECT_EQ(config->memory.packet_buffers, 8192u);
  EXPECT_EQ(config->eal, (std::vector<std::string>{"--log-level=8"}));
  ASSERT_EQ(config->crypto.devices.size(), 2u);
  EXPECT_EQ(config->crypto.devices[1].name, "crypto_openssl");
  EXPECT_EQ(config->crypto.replay_window, 512u);
  EXPECT_EQ(config->ike.retransmit_first, absl::Milliseconds(500));
  EXPECT_EQ(config->ike.retransmit_factor, 2.0);
  EXPECT_EQ(config->ike.retransmit_tries, 3);
  EXPECT_EQ(config->ike.half_open_timeout, absl::Seconds(10));
  EXPECT_EQ(config->ike.half_open_max, 100u);
  EXPECT_EQ(config->ike.cookie_threshold, 10u);
  EXPECT_EQ(config->control.socket, "run/gw.sock");
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->log.file, "gw.log");
  EXPECT_TRUE(config->warnings.empty());
}

TEST(ConfigTest, ReadsPortsInOrder) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->ports.size(), 2u);
  const PortSettings& wan = config->ports[0];
  EXPECT_EQ(wan.port.name, "wan");
  EXPECT_EQ(wan.port.device, "net_af_packet0");
  EXPECT_EQ(wan.device.arguments, "net_af_packet0,iface=gw-wan");
  EXPECT_FALSE(wan.device.is_pci);
  EXPECT_EQ(wan.port.side, fastpath::PortSide::kOutside);
  EXPECT_EQ(wan.port.addresses[1].ToString(), "2001:db8:113::1/64");
  EXPECT_EQ(wan.port.mtu, 1400);
  EXPECT_TRUE(config->ports[1].device.is_pci);
  EXPECT_EQ(config->ports[1].port.side, fastpath::PortSide::kInside);
}

TEST(ConfigTest, FindsThePortOfARoute) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->routes.size(), 3u);
  EXPECT_EQ(config->routes[0].port, PortId{0});
  EXPECT_EQ(config->routes[1].gateway->ToString(), "2001:db8:113::fe");
  EXPECT_EQ(config->routes[2].port, PortId{1});
  EXPECT_EQ(config->routes[2].gateway, std::nullopt);
  // Besides, one for each of the four connected networks.
  EXPECT_EQ(AllRoutes(*config).size(), 7u);
  EXPECT_EQ(AllRoutes(*config)[2].destination.ToString(), "10.10.0.0/24");
}

TEST(ConfigTest, ReadsPools) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->pools.size(), 2u);
  EXPECT_EQ(config->pools[0].addresses.ToString(), "10.99.0.1-10.99.0.200");
  EXPECT_EQ(config->pools[1].addresses.first.ToString(), "2001:db8:99::1");
  EXPECT_EQ(config->pools[1].dns[0].ToString(), "2001:db8:10::53");
}

TEST(ConfigTest, ReadsConnections) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->connections.size(), 2u);
  const ike::Connection& staff = *config->connections[0].connection;
  EXPECT_EQ(staff.name, "staff");
  EXPECT_EQ(staff.local_addresses[0].ToString(), "203.0.113.1");
  EXPECT_EQ(staff.remote_addresses.size(), 2u);
  EXPECT_EQ(staff.local.identity.ToString(), "vpn.example.org");
  EXPECT_EQ(staff.remote.identities.size(), 2u);
  EXPECT_TRUE(staff.assign_ipv4 && staff.assign_ipv6);
  EXPECT_EQ(staff.rekey_time, absl::Hours(2));
  EXPECT_EQ(staff.dpd_delay, absl::Seconds(15));
  EXPECT_FALSE(config->connections[0].start);
  ASSERT_EQ(staff.children.size(), 1u);
  EXPECT_EQ(staff.children[0].local[0].ToString(), "10.10.0.0/24");
  EXPECT_TRUE(staff.children[0].remote.empty());
  EXPECT_EQ(staff.children[0].rekey_time, absl::Minutes(30));
  EXPECT_EQ(staff.children[0].life_time, absl::Minutes(33));
  EXPECT_EQ(staff.children[0].rekey_bytes, uint64_t{1} << 30);

  const ike::Connection& branch = *config->connections[1].connection;
  EXPECT_EQ(branch.remote_endpoint->ToString(), "198.51.100.9:500");
  EXPECT_TRUE(branch.request_ipv4 && branch.request_ipv6 && config->connections[1].start);
  EXPECT_EQ(branch.ike_proposals, DefaultIkeProposals());
  EXPECT_EQ(branch.children[0].local[0].ToString(),
            TrafficSelector::Parse("10.10.0.0/24[tcp/443]")->ToString());
}

// A connection is given the secrets of the peers that it lets in, and no others.
TEST(ConfigTest, HandsSecretsToConnections) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  const ike::Connection& staff = *config->connections[0].connection;
  ASSERT_EQ(staff.psks.size(), 1u);
  const auto psk = staff.psks.find(ike::Identity::Parse("client1.example.org").value());
  ASSERT_NE(psk, staff.psks.end());
  EXPECT_EQ(std::string(psk->second.span().begin(), psk->second.span().end()), "secret one");
  EXPECT_EQ(ToBytes(staff.any_psk->span()), (Bytes{1, 2, 255}));
  const ike::Connection& branch = *config->connections[1].connection;
  EXPECT_EQ(branch.psks.size(), 2u);
  EXPECT_EQ(ToBytes(branch.psks.at(ike::Identity::Parse("client2.example.org").value()).span()),
            (Bytes{1, 2, 255}));
}

TEST(ConfigTest, ReadsPoliciesInOrder) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->policies.size(), 3u);
  EXPECT_EQ(config->policies[0].action, fastpath::PolicyAction::kProtect);
  EXPECT_EQ(config->policies[1].action, fastpath::PolicyAction::kBypass);
  EXPECT_EQ(config->policies[1].name, "policy-2");
  EXPECT_EQ(config->policies[2].action, fastpath::PolicyAction::kDiscard);
}

TEST(ConfigTest, EverySectionButPortsHasDefaults) {
  const auto config = Parse("ports: {wan: {device: net_null0, side: outside}}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->workers.cores, (std::vector<unsigned>{1}));
  EXPECT_EQ(config->crypto.backend, fastpath::CryptoBackendKind::kIpsecMb);
  EXPECT_TRUE(config->crypto.devices.empty());
  EXPECT_FALSE(config->crypto.permission.legacy);
  EXPECT_EQ(config->control.socket, "/run/sekisho/sekisho.sock");
  EXPECT_EQ(config->log.file, "-");
}

TEST(ConfigTest, FastPathConfigNamesWhatWasProbed) {
  const auto config = Parse(kValid);
  ASSERT_TRUE(config.ok());
  const fastpath::FastPathConfig fast = MakeFastPathConfig(*config);
  EXPECT_EQ(fast.ports[0].device, "net_af_packet0");
  EXPECT_EQ(fast.crypto_backend, fastpath::CryptoBackendKind::kCryptodev);
  EXPECT_EQ(fast.crypto_devices, (std::vector<std::string>{"crypto_aesni_mb", "crypto_openssl"}));
  EXPECT_EQ(fast.mbufs, 8192u);
  EXPECT_EQ(fast.replay_window, 512u);
}

struct BadEdit {
  const char* from;
  const char* to;
  const char* error;
};

// One change to a valid file, and the whole error that it must give.
class BadConfigTest : public testing::TestWithParam<BadEdit> {};

TEST_P(BadConfigTest, SaysWhereWhatWasFoundAndWhatIsWanted) {
  EXPECT_EQ(ErrorOf(Edit(GetParam().from, GetParam().to)), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Machine, BadConfigTest,
    testing::Values(
        BadEdit{"cores: [1]", "cores: []", "gw.yaml:2: workers.cores: found 0 cores, want 1 to 64"},
        BadEdit{"cores: [1]", "cores: [1, 0, 1]",
                "gw.yaml:2: workers.cores[2]: found core 1 a second time"},
        BadEdit{"cores: [1]", "cores: [7]",
                "gw.yaml:2: workers.cores[0]: found core 7, want one that this process may use: "
                "0, 1"},
        BadEdit{"megabytes: 256", "megabytes: lots",
                "gw.yaml:4: memory.megabytes: found 'lots', want a number from 64 to 1048576"},
        BadEdit{"megabytes: 256", "megabyte: 256",
                "gw.yaml:4: memory.megabyte: unknown key, did you mean 'megabytes'?"},
        BadEdit{
            "megabytes: 256", "megabytes: 256\n  iface=x: 1",
            "gw.yaml:5: memory.iface=x: unknown key; a value with a comma in it needs quotes, or "
            "a line of its own"},
        BadEdit{"ports:", "prots:",
                "gw.yaml:1: ports: missing, want at least one port with side: outside\n"
                "gw.yaml:7: prots: unknown key, did you mean 'ports'?"},
        BadEdit{"[crypto_aesni_mb, crypto_openssl]", "[aesni]",
                "gw.yaml:22: crypto.devices[0]: found 'aesni', want a PCI address such as "
                "0000:3d:00.0, or a DPDK vdev such as crypto_aesni_mb"},
        BadEdit{"crypto_openssl]", "crypto_aesni_mb]",
                "gw.yaml:22: crypto.devices: found 'crypto_aesni_mb' a second time"},
        BadEdit{"replay_window: 512", "replay_window: 500",
                "gw.yaml:23: crypto.replay_window: found '500', want a power of two from 64 to "
                "4096"},
        BadEdit{"500ms", "500",
                "gw.yaml:63: ike.retransmit_first: found '500', want a duration such as 500ms, "
                "30s, 5m, 4h or 1d"},
        BadEdit{"500ms", "2h",
                "gw.yaml:63: ike.retransmit_first: found '2h', want a duration from 100ms to 1m"},
        BadEdit{"retransmit_factor: 2", "retransmit_factor: 0.5",
                "gw.yaml:64: ike.retransmit_factor: found '0.5', want a factor from 1.0 to 10.0"},
        BadEdit{"level: debug", "level: chatty",
                "gw.yaml:72: log.level: found 'chatty', want debug, info, warning or error"},
        BadEdit{"  socket: run/gw.sock", "  - run/gw.sock",
                "gw.yaml:70: control: found a list, want keys with values"},
        BadEdit{"level: debug", "level: [debug]",
                "gw.yaml:72: log.level: found a list, want a value"}));

INSTANTIATE_TEST_SUITE_P(
    Network, BadConfigTest,
    testing::Values(
        BadEdit{"net_af_packet0,iface=gw-wan", "eno1",
                "gw.yaml:9: ports.wan.device: found 'eno1', want a PCI address such as "
                "0000:3b:00.0, or a DPDK vdev such as net_af_packet0,iface=eth1"},
        BadEdit{"side: inside", "side: left",
                "gw.yaml:15: ports.lan.side: found 'left', want outside, inside or host"},
        BadEdit{"side: outside", "side: inside",
                "gw.yaml:8: ports: found no outside port, want at least one with side: outside"},
        BadEdit{"    device: 0000:3b:00.0\n", "",
                "gw.yaml:14: ports.lan.device: missing, want a PCI address, or a DPDK vdev such "
                "as net_af_packet0,iface=eth1"},
        BadEdit{"device: 0000:3b:00.0", "device: net_af_packet0",
                "gw.yaml:14: ports.lan: found device net_af_packet0, which port wan has already"},
        BadEdit{"mtu: 1400", "mtu: 1000",
                "gw.yaml:9: ports.wan: found mtu 1000, want at least 1280 on a port with IPv6 "
                "addresses"},
        BadEdit{"10.10.0.254/24,", "203.0.113.9/28,",
                "gw.yaml:14: ports.lan: found 203.0.113.9/28, which overlaps with 203.0.113.1/24 "
                "of port wan"},
        BadEdit{"via: 203.0.113.254", "via: 198.51.100.1",
                "gw.yaml:18: routes[0].via: found 198.51.100.1, want a gateway on the network of "
                "one of our ports"},
        BadEdit{"via: 203.0.113.254", "via: 203.0.113.1",
                "gw.yaml:18: routes[0].via: found 203.0.113.1, want another one than our own"},
        BadEdit{"via: 203.0.113.254", "via: \"2001:db8:113::fe\"",
                "gw.yaml:18: routes[0].via: found 2001:db8:113::fe, want a gateway of the family "
                "of 0.0.0.0/0"},
        BadEdit{"port: lan", "port: dmz",
                "gw.yaml:20: routes[2].port: found 'dmz', want one of the ports wan, lan"},
        BadEdit{", port: lan", "", "gw.yaml:20: routes[2]: missing, want via (a gateway) or port"},
        BadEdit{"to: 10.0.0.0/8", "to: 0.0.0.0/0",
                "gw.yaml:20: routes[2]: found 0.0.0.0/0 a second time"},
        BadEdit{"{addresses: 10.99.0.1-10.99.0.200,", "{adresses: 10.99.0.0/24,",
                "gw.yaml:25: pools.staff4.addresses: missing, want 10.99.0.1-10.99.0.200 or "
                "10.99.0.0/24, say, or likewise IPv6\n"
                "gw.yaml:25: pools.staff4.adresses: unknown key, did you mean 'addresses'?"},
        BadEdit{"staff6: {addresses: \"2001:db8:99::/112\"", "more4: {addresses: 10.99.0.7",
                "gw.yaml:26: pools.more4: found 10.99.0.7/32, which overlaps with "
                "10.99.0.1-10.99.0.200 of pool staff4\n"
                "gw.yaml:38: connections.staff.pools[1]: found 'staff6', want one of the pools "
                "staff4, more4"},
        BadEdit{"10.99.0.1-10.99.0.200", "10.10.0.200-10.10.0.254",
                "gw.yaml:25: pools.staff4.addresses: found 10.10.0.200-10.10.0.254, which holds "
                "10.10.0.254 of port lan"},
        BadEdit{"action: ipsec", "action: encrypt",
                "gw.yaml:59: policies[0].action: found 'encrypt', want protect, bypass or "
                "discard"},
        BadEdit{"remote: [10.99.0.0/24]", "remote: []",
                "gw.yaml:59: policies[0].remote: found no selector, want at least one"},
        BadEdit{"remote: [10.99.0.0/24]", "remote: [\"::/0\"]",
                "gw.yaml:59: policies[0]: found local 10.10.0.0/24 with remote ::/0, want the "
                "same families, IPv4 or IPv6 or both, on each side"},
        BadEdit{"name: rest", "name: users",
                "gw.yaml:61: policies[2]: found name 'users' a second time"}));

INSTANTIATE_TEST_SUITE_P(
    Connections, BadConfigTest,
    testing::Values(
        BadEdit{"psk: 0x0102ff", "psk: 0x0102f",
                "gw.yaml:29: secrets[1].psk: found '0x' without pairs of hexadecimal digits after "
                "it, want 0x<hex>, 0s<base64> or text"},
        BadEdit{"psk: 0sAQL/", "psk: 0sA-",
                "gw.yaml:30: secrets[2].psk: found '0s' without base64 after it, want 0x<hex>, "
                "0s<base64> or text"},
        BadEdit{"psk: \"secret one\"", "psk: \"\"",
                "gw.yaml:28: secrets[0].psk: found an empty key, want some bytes"},
        BadEdit{", psk: \"secret one\"", "",
                "gw.yaml:28: secrets[0]: missing, want psk or psk_file"},
        BadEdit{"psk: \"secret one\"", "psk_file: no-such.psk",
                "gw.yaml:28: secrets[0].psk_file: cannot read 'no-such.psk': No such file or "
                "directory"},
        BadEdit{"id: client2.example.org", "id: client1.example.org",
                "gw.yaml:29: secrets[1]: found a second secret for this id"},
        BadEdit{"id: client2.example.org", "id: \"*.example.org\"",
                "gw.yaml:29: secrets[1].id: found '*.example.org', want one identity, or %any"},
        BadEdit{"[203.0.113.1]", "[203.0.113.2]",
                "gw.yaml:33: connections.staff.local_addresses[0]: found 203.0.113.2, want an "
                "address of one of our ports: 203.0.113.1, 2001:db8:113::1, 10.10.0.254, "
                "2001:db8:10::fe"},
        BadEdit{"pools: [staff4, staff6]", "pools: [staff5]",
                "gw.yaml:38: connections.staff.pools[0]: found 'staff5', want one of the pools "
                "staff4, staff6\n"
                "gw.yaml:44: connections.staff.children.net.remote: found dynamic on a connection "
                "without pools, want pools or selectors"},
        BadEdit{"pools: [staff4, staff6]", "pools: [staff6]",
                "gw.yaml:44: connections.staff.children.net.remote: found pools of another family "
                "than local 10.10.0.0/24, want a pool of its family"},
        BadEdit{"remote: [10.20.0.0/16]", "remote: dynamic",
                "gw.yaml:57: connections.branch.children.net.remote: found dynamic on a connection "
                "without pools, want pools or selectors"},
        BadEdit{"{auth: psk, id: vpn.example.org}", "{auth: psk}",
                "gw.yaml:35: connections.staff.local: missing id, want our identity such as "
                "vpn.example.org"},
        BadEdit{"{auth: psk, id: vpn.example.org}", "{auth: certificate}",
                "gw.yaml:35: connections.staff.local: missing, want certificate and key with "
                "auth: certificate"},
        BadEdit{"{auth: psk, id: vpn.example.org}", "{auth: psk, id: a.example, key: a.pem}",
                "gw.yaml:35: connections.staff.local.key: found with auth: psk, want it with "
                "auth: certificate only"},
        BadEdit{"remote: {auth: psk}", "remote: {auth: certificate}",
                "gw.yaml:50: connections.branch.remote: missing ca, want the PEM files of the "
                "authorities that sign the peers"},
        BadEdit{"remote: {auth: psk}", "remote: {auth: password}",
                "gw.yaml:50: connections.branch.remote.auth: found 'password', want psk or "
                "certificate"},
        BadEdit{"        rekey_bytes: 1G", "        life_time: 30m",
                "gw.yaml:47: connections.staff.children.net.life_time: found 30m, want more than "
                "rekey_time 30m"},
        BadEdit{"rekey_bytes: 1G", "rekey_bytes: 1T",
                "gw.yaml:47: connections.staff.children.net.rekey_bytes: found '1T', want a number "
                "of bytes such as 1500, 64K, 100M or 2G"},
        BadEdit{"    remote_endpoint: 198.51.100.9\n", "",
                "gw.yaml:51: connections.branch.start: found start: true without remote_endpoint, "
                "want the address to call\n"
                "gw.yaml:52: connections.branch.request_addresses: found without remote_endpoint, "
                "want it where we call the peer"},
        BadEdit{"[ipv4, ipv6]", "[ipv5]",
                "gw.yaml:53: connections.branch.request_addresses[0]: found 'ipv5', want ipv4 or "
                "ipv6"},
        BadEdit{"remote_endpoint: 198.51.100.9", "remote_endpoint: gw.example.org",
                "gw.yaml:51: connections.branch.remote_endpoint: found 'gw.example.org', want an "
                "address such as 198.51.100.9, 198.51.100.9:500, 2001:db8::9 or "
                "[2001:db8::9]:500"},
        BadEdit{"  branch:", "  b ranch:",
                "gw.yaml:48: connections: found name 'b ranch', want up to 63 letters, digits, "
                "'-', '_' and '.'"}));

// What comes out of other parsers: only place and form are checked here.
TEST(BadConfigTest, AddsThePlaceToWhatOtherParsersSay) {
  for (const auto& [from, to, place] : std::vector<std::array<const char*, 3>>{
           {"10.99.0.1-10.99.0.200", "10.99.0.0/33",
            "gw.yaml:25: pools.staff4.addresses: found '10.99.0.0/33', want"},
           {"203.0.113.1/24", "203.0.113.1/40", "gw.yaml:11: ports.wan.addresses[0]: found"},
           {"[aes256gcm16]", "[des]",
            "gw.yaml:45: connections.staff.children.net.esp_proposals[0]: found algor"},
           {"[aes256gcm16-prfsha256-x25519]", "[aes256gcm16]",
            "gw.yaml:37: connections.staff.ike_proposals[0]: "},
           {"local: [192.0.2.80/32]", "local: [192.0.2.80/32, here]",
            "gw.yaml:60: policies[1].local[1]: found 'here'"}}) {
    EXPECT_EQ(ErrorOf(Edit(from, to)).substr(0, std::string(place).size()), place);
  }
}

TEST(BadConfigTest, APskConnectionNeedsASecret) {
  const std::string error = ErrorOf(R"(ports: {wan: {device: net_null0, side: outside}}
secrets: [{id: other.example.org, psk: x}]
connections:
  staff:
    local: {auth: psk, id: vpn.example.org}
    remote: {auth: psk, ids: ["*.example.net"]}
    children: {net: {local: 10.0.0.0/8, remote: 10.1.0.0/16}}
)");
  EXPECT_EQ(error,
            "gw.yaml:5: connections.staff: found auth: psk and no secret for its peers, want one "
            "in secrets, by id or %any");
}

TEST(BadConfigTest, SaysWhatIsNotYaml) {
  EXPECT_EQ(ErrorOf("ports:\n  wan: [1, 2\n").substr(0, 21), "gw.yaml:3: not YAML: ");
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\n"), "gw.yaml:3: found key 'a' a second time");
  EXPECT_EQ(ErrorOf("a: 1\n---\nb: 2\n"), "gw.yaml:3: found a second document, want one");
  EXPECT_EQ(ErrorOf("- 1\n").substr(0, 49), "gw.yaml:1: found a list, want keys with values\ngw");
}

// Nine nested aliases of nine would be 400 million nodes.
TEST(BadConfigTest, RefusesAliasesThatExplode) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [");
    for (int j = 0; j < 9; ++j) absl::StrAppend(&text, j == 0 ? "" : ", ", "*a", i - 1);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_NE(ErrorOf(text).find("too large, with its aliases written out"), std::string::npos);
}

TEST(BadConfigTest, ReportsAllErrorsByLineUpToTwenty) {
  std::string text = "ports: {wan: {device: net_null0, side: outside}}\npolicies:\n";
  for (int i = 0; i < 30; ++i)
    absl::StrAppend(&text, "  - {action: x, local: 10.0.0.1, remote: 10.0.0.2}\n");
  const std::vector<std::string> lines = absl::StrSplit(ErrorOf(text), '\n');
  ASSERT_EQ(lines.size(), 20u);
  EXPECT_EQ(lines[0].substr(0, 10), "gw.yaml:3:");
  EXPECT_EQ(lines[19].substr(0, 11), "gw.yaml:22:");
}

// Every prefix of a valid file is read without a crash; most are wrong, none is undefined.
TEST(BadConfigTest, SurvivesEveryPrefixOfAFile) {
  const std::string text = kValid;
  for (size_t length = 0; length < text.size(); length += 7) ErrorOf(text.substr(0, length));
}

TEST(LoadConfigTest, NamesTheFileThatCannotBeRead) {
  EXPECT_EQ(LoadConfig("/nonexistent/gw.yaml", kEnvironment).status().message(),
            "cannot read configuration /nonexistent/gw.yaml: No such file or directory");
  EXPECT_FALSE(LoadConfig("/", kEnvironment).ok());
}

}  // namespace
}  // namespace sekisho::slowpath
