#include "slowpath/manual_sas.h"

#include <gtest/gtest.h>

#include "common/byte_order.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::slowpath {
namespace {

using fastpath::Address;
using fastpath::Gateway;
using fastpath::Ipv4;
using fastpath::kInsidePort;
using fastpath::kOutsidePort;

constexpr const char* kUs = "203.0.113.1";
constexpr const char* kNat = "203.0.113.2";

// Tunnels in UDP to clients behind one NAT, which shows each under a port of its own.
class ManualSasTest : public fastpath::FastPathTest {
 protected:
  static ManualSaConfig SaOf(const std::string& name, UpMessage::Direction direction, uint32_t spi,
                             Endpoint local, Endpoint remote) {
    ManualSaConfig sa;
    sa.name = name;
    sa.direction = direction;
    sa.spi = Spi{spi};
    sa.suite = *IpsecSuite::Parse(IpsecProtocol::kEsp, "aes128-sha256");
    sa.encryption_key = SecretBytes(Bytes(16, 7));
    sa.integrity_key = SecretBytes(Bytes(32, 9));
    sa.local = std::move(local);
    sa.remote = std::move(remote);
    sa.udp_encapsulation = true;
    return sa;
  }
  // Traffic between 10.10.0.0/24 and this network.
  static void Between(ManualSaConfig& sa, const char* local, const char* remote) {
    sa.local_selectors = {*TrafficSelector::Parse(local)};
    sa.remote_selectors = {*TrafficSelector::Parse(remote)};
  }
  static uint16_t PortTo(const Bytes& packet) { return LoadBigEndian<uint16_t>(&packet[22]); }

  // The port that a packet to this host leaves for.
  static uint16_t SendTo(Gateway& from, const char* host) {
    from.ReceiveIp(kInsidePort, Ipv4("10.10.0.5", host).Udp(1, 2).Payload(20).Build());
    from.Run();
    const std::optional<Bytes> packet = from.SentIp(kOutsidePort);
    return packet.has_value() ? PortTo(*packet) : uint16_t{0};
  }

  std::unique_ptr<Logger> log_ = *Logger::Open({.level = LogLevel::kError});
};

TEST_F(ManualSasTest, WhatGoesToAPeerFollowsIt) {
  using enum UpMessage::Direction;
  Gateway& us = AddGateway(SiteOptions());
  SetTables(us, {MakePolicy(fastpath::PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/16")});
  Gateway& client = AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24")},
                                .inside = {*InterfaceAddress::Parse("10.20.1.254/24")},
                                .crypto_devices = {"crypto_openssl1"}});
  SetTables(client, {MakePolicy(fastpath::PolicyAction::kProtect, "10.20.1.0/24", "10.10.0.0/24")});

  const Endpoint here = {Address(kUs), 4500};
  const Endpoint first = {Address(kNat), 41001}, second = {Address(kNat), 41002};
  std::vector<ManualSaConfig> sas = {
      SaOf("in-1", kInbound, 0x1001, here, first), SaOf("out-1", kOutbound, 0x1002, here, first),
      SaOf("in-2", kInbound, 0x1003, here, second), SaOf("out-2", kOutbound, 0x1004, here, second)};
  for (size_t i = 0; i < sas.size(); ++i) {
    Between(sas[i], "10.10.0.0/24", i < 2 ? "10.20.1.0/24" : "10.20.2.0/24");
  }
  ManualSas manual(us.fast_path(), *log_);
  ASSERT_TRUE(manual.Install(sas, absl::UnixEpoch()).ok());
  us.Run();
  // The first client's end, which the NAT gave a new port.
  std::vector<ManualSaConfig> its = {
      SaOf("out", kOutbound, 0x1001, {Address(kNat), 4500}, {Address(kUs), 4500})};
  Between(its[0], "10.20.1.0/24", "10.10.0.0/24");
  ManualSas at_client(client.fast_path(), *log_);
  ASSERT_TRUE(at_client.Install(its, absl::UnixEpoch()).ok());
  client.Run();
  ASSERT_EQ(SendTo(us, "10.20.1.7"), 41001);
  ASSERT_EQ(SendTo(us, "10.20.2.7"), 41002);

  client.ReceiveIp(kInsidePort, Ipv4("10.20.1.7", "10.10.0.5").Udp(1, 2).Payload(20).Build());
  client.Run();
  std::optional<Bytes> moved = client.SentIp(kOutsidePort);
  ASSERT_TRUE(moved.has_value());
  StoreBigEndian<uint16_t>(&(*moved)[20], 51001);
  us.ReceiveIp(kOutsidePort, *moved);
  us.Run();
  const auto message = us.TakeMessage(UpMessage::Kind::kPeerMoved);
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(manual.HandlePeerMoved(message->peer_moved));
  us.Run();
  EXPECT_EQ(SendTo(us, "10.20.1.7"), 51001);
  EXPECT_EQ(SendTo(us, "10.20.2.7"), 41002) << "another peer, behind the same NAT";

  // The worker says each place once: a move that its full ring refused is made later.
  UpMessage::PeerMoved again = message->peer_moved;
  again.remote.port = 51002;
  while (us.fast_path().ForgetNeighbour(kInsidePort, Address("10.10.0.77")).ok()) {
  }
  EXPECT_TRUE(manual.HandlePeerMoved(again));
  us.Run();
  EXPECT_EQ(SendTo(us, "10.20.1.7"), 51001);
  manual.RetryPending();
  us.Run();
  EXPECT_EQ(SendTo(us, "10.20.1.7"), 51002);
  // Once: what came later stands.
  again.remote.port = 51003;
  EXPECT_TRUE(manual.HandlePeerMoved(again));
  manual.RetryPending();
  us.Run();
  EXPECT_EQ(SendTo(us, "10.20.1.7"), 51003);

  UpMessage::PeerMoved ikes = message->peer_moved;
  ++ikes.generation;
  EXPECT_FALSE(manual.HandlePeerMoved(ikes)) << "IKE's";
}

// Lifetimes in time: at soft_time it is said, at hard_time the SA is gone, also where the ring is
// full just then.
TEST_F(ManualSasTest, TimeEndsAnSa) {
  Gateway& us = AddGateway(SiteOptions());
  SetTables(us, {MakePolicy(fastpath::PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/16")});
  const Endpoint here = {Address(kUs), 4500}, there = {Address(kNat), 41001};
  std::vector<ManualSaConfig> sas = {
      SaOf("out", UpMessage::Direction::kOutbound, 0x1002, here, there)};
  Between(sas[0], "10.10.0.0/24", "10.20.1.0/24");
  sas[0].soft_time = absl::Minutes(1);
  sas[0].hard_time = absl::Minutes(2);
  ManualSas manual(us.fast_path(), *log_);
  const absl::Time start = absl::UnixEpoch();
  ASSERT_TRUE(manual.Install(sas, start).ok());
  us.Run();
  ASSERT_EQ(SendTo(us, "10.20.1.7"), 41001);
  EXPECT_EQ(manual.List()[0].expires_at, start + absl::Minutes(2));
  for (const absl::Duration age : {absl::Seconds(59), absl::Seconds(60), absl::Seconds(119)}) {
    manual.HandleTimers(start + age);
    us.Run();
    EXPECT_EQ(manual.List()[0].state, "installed");
    EXPECT_EQ(SendTo(us, "10.20.1.7"), 41001) << age;
  }
  while (us.fast_path().ForgetNeighbour(kInsidePort, Address("10.10.0.77")).ok()) {
  }
  manual.HandleTimers(start + absl::Minutes(2));
  EXPECT_EQ(manual.List()[0].state, "expired");
  us.Run();
  manual.RetryPending();
  us.Run();
  EXPECT_EQ(us.fast_path().outbound_sas(), 0u);
  EXPECT_EQ(SendTo(us, "10.20.1.7"), 0) << "nothing, and never in clear";
  EXPECT_EQ(us.drops(fastpath::DropReason::kSpdNoSa), 1u);
}

}  // namespace
}  // namespace sekisho::slowpath
