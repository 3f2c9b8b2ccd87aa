// What depends on the port: its policies, its VLAN, its link, its gateways, and who may come in by
// it.
#include <gtest/gtest.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

class PortsTest : public FastPathTest {
 protected:
  // Nothing at all left by any port.
  void ExpectSilence() {
    EXPECT_FALSE(gateway().Sent(kOutsidePort).has_value());
    EXPECT_FALSE(gateway().Sent(kInsidePort).has_value());
  }
};

// A policy on another port does not count here; and one that drops counts its drops.
TEST_F(PortsTest, PoliciesStandOnTheirPortsAndCount) {
  Policy elsewhere = MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0");
  elsewhere.ports = {kInsidePort};
  Policy here = MakePolicy(PolicyAction::kBypass, "10.10.0.6", "0.0.0.0/0");
  here.ports = {kOutsidePort};
  SetTables(gateway(),
            {elsewhere, here, MakePolicy(PolicyAction::kDiscard, "10.10.0.7", "0.0.0.0/0"),
             MakePolicy(PolicyAction::kProtect, "10.10.0.8", "0.0.0.0/0")});
  for (const char* source : {"10.10.0.6", "10.10.0.7", "10.10.0.8", "10.10.0.9"}) {
    gateway().ReceiveIp(kInsidePort, Ipv4(source, "198.51.100.9").Udp(1, 2).Build());
  }
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "10.10.0.7").Udp(1, 2).Build());
  gateway().Run();
  EXPECT_TRUE(gateway().Sent(kOutsidePort).has_value());
  ExpectSilence();
  EXPECT_EQ(gateway().fast_path().PolicyHits(), (std::vector<uint64_t>{0, 1, 2, 1}));
  EXPECT_EQ(gateway().fast_path().PolicyDrops(), (std::vector<uint64_t>{0, 0, 2, 1}));
  EXPECT_EQ(gateway().drops(DropReason::kSpdNoPolicy), 1u);
}

// RFC 2827: from outside nobody is an inside host, whatever policy would let through; not in
// transit, not towards us, not in IKE.
TEST_F(PortsTest, InsideSourcesDoNotComeFromOutside) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0"),
                        MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
  gateway().ReceiveIp(kOutsidePort, Ipv4("10.10.0.66", "10.10.0.5").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv6("2001:db8:10::66", "2001:db8:10::5").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("10.10.0.66", "203.0.113.1").IcmpEcho(1, 1).Build());
  gateway().ReceiveIp(kOutsidePort,
                      Ipv4("10.10.0.66", "203.0.113.1").Udp(500, 500).Payload(100).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_FALSE(gateway().Punted().has_value());
  EXPECT_EQ(gateway().drops(DropReason::kIpSpoofed), 4u);
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "10.10.0.5").Udp(1, 2).Build());
  gateway().Run();
  EXPECT_TRUE(gateway().Sent(kInsidePort).has_value());
}

TEST_F(PortsTest, ReversePathMayBeOff) {
  Gateway::Options options = SiteOptions();
  options.reverse_path = false;
  Gateway& lax = AddGateway(options);
  SetTables(lax, {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  lax.ReceiveIp(kOutsidePort, Ipv4("10.10.0.66", "10.10.0.5").Udp(1, 2).Build());
  lax.Run();
  EXPECT_TRUE(lax.Sent(kInsidePort).has_value());
}

// A port without a link drops under its name; when the link is back packets go out again.
TEST_F(PortsTest, LinkGoesDownAndUpAgain) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const auto forward = [&] {
    // Links are looked at ten times a second.
    const uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 8;
    while (rte_rdtsc() < until) gateway().fast_path().RunOnce();
    gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
    gateway().Run();
    return gateway().Sent(kOutsidePort).has_value();
  };
  EXPECT_TRUE(forward());
  ASSERT_EQ(rte_eth_dev_set_link_down(gateway().device(kOutsidePort)), 0);
  EXPECT_FALSE(forward());
  EXPECT_EQ(gateway().drops(DropReason::kPortDown), 1u);
  ASSERT_EQ(rte_eth_dev_set_link_up(gateway().device(kOutsidePort)), 0);
  EXPECT_TRUE(forward());
  EXPECT_EQ(gateway().drops(DropReason::kPortDown), 1u);
}

// New routes by SetTables(): the next packet goes to the new gateway, by longest prefix.
TEST_F(PortsTest, GatewayChangesWithTheTables) {
  gateway().answer_neighbours = false;
  const auto hop = [&](std::vector<Route> routes, const char* to) {
    const Policy all = MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0");
    const Policy all6 = MakePolicy(PolicyAction::kBypass, "::/0", "::/0");
    EXPECT_TRUE(gateway().fast_path().SetTables({all, all6}, std::move(routes)).ok());
    gateway().Run();
    const bool v4 = Address(to).is_v4();
    gateway().ReceiveIp(
        kInsidePort,
        Ip(Address(v4 ? "10.10.0.6" : "2001:db8:10::6"), Address(to)).Udp(1, 2).Build());
    gateway().Run();
    const auto asked = gateway().TakeMessage(UpMessage::Kind::kResolveNeighbour);
    if (!asked.has_value()) return std::string("none");
    EXPECT_TRUE(gateway().fast_path().ForgetNeighbour(kOutsidePort, asked->neighbour.address).ok());
    gateway().Run();
    return asked->neighbour.address.ToString();
  };
  const auto route = [](const char* to, const char* via) {
    return Route{*IpPrefix::Parse(to), kOutsidePort, Address(via)};
  };
  EXPECT_EQ(hop({route("0.0.0.0/0", "203.0.113.254")}, "198.51.100.9"), "203.0.113.254");
  EXPECT_EQ(hop({route("0.0.0.0/0", "203.0.113.253")}, "198.51.100.9"), "203.0.113.253");
  EXPECT_EQ(hop({route("0.0.0.0/0", "203.0.113.253"), route("198.51.100.0/24", "203.0.113.9"),
                 route("198.51.0.0/16", "203.0.113.8")},
                "198.51.100.9"),
            "203.0.113.9");
  EXPECT_EQ(hop({route("198.51.100.0/25", "203.0.113.9")}, "198.51.100.200"), "none");
  EXPECT_EQ(hop({route("::/0", "2001:db8:113::fe"), route("2001:db8:f::/48", "2001:db8:113::f")},
                "2001:db8:f::1"),
            "2001:db8:113::f");
}

// IEEE 802.1Q on the outside port: its frames have its tag, in and out; all others are dropped
// under a name. The inside port knows no VLAN.
TEST_F(PortsTest, VlanPortTakesAndSendsItsOwnTagOnly) {
  Gateway::Options options = SiteOptions();
  options.vlan = 100;
  Gateway& tagged = AddGateway(options);
  SetTables(tagged, {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const auto frame = [&](PortId port, const char* tag, const Bytes& packet) {
    Bytes bytes = Ethernet(tagged.mac(port), kHostMac).Build();
    bytes.resize(12);
    const Bytes added = FromHex(tag);
    bytes.insert(bytes.end(), added.begin(), added.end());
    bytes.insert(bytes.end(), {0x08, 0x00});
    bytes.insert(bytes.end(), packet.begin(), packet.end());
    return bytes;
  };
  const Bytes in = Ipv4("198.51.100.9", "10.10.0.5").Udp(1, 2).Payload(30).Build();
  tagged.Receive(kOutsidePort, frame(kOutsidePort, "", in));
  tagged.Receive(kOutsidePort, frame(kOutsidePort, "8100 0065", in));
  tagged.Receive(kOutsidePort, frame(kOutsidePort, "8100 0000", in));
  tagged.Receive(kInsidePort, frame(kInsidePort, "8100 0064", in));
  tagged.Run();
  EXPECT_FALSE(tagged.Sent(kInsidePort).has_value());
  EXPECT_EQ(tagged.drops(DropReason::kEthernetVlan), 4u);
  tagged.Receive(kOutsidePort, frame(kOutsidePort, "8100 e064", in));  // its priority is no matter
  tagged.Run();
  EXPECT_TRUE(tagged.SentIp(kInsidePort).has_value());
  Bytes cut = frame(kOutsidePort, "8100", {});
  cut.resize(16);
  tagged.Receive(kOutsidePort, cut);
  tagged.Run();
  EXPECT_EQ(tagged.drops(DropReason::kEthernetTruncated), 1u);

  // A tag of VLAN 0 is none.
  const Bytes out = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Payload(30).Build();
  tagged.Receive(kInsidePort, frame(kInsidePort, "8100 6000", out));
  tagged.Run();
  const std::optional<Bytes> sent = tagged.Sent(kOutsidePort);
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(Bytes(sent->begin() + 12, sent->begin() + 18), FromHex("8100 0064 0800"));
  EXPECT_EQ(Bytes(sent->begin() + 18, sent->begin() + 18 + static_cast<ptrdiff_t>(out.size())),
            Ipv4("10.10.0.6", "198.51.100.9").Ttl(63).Udp(1, 2).Payload(30).Build());
  EXPECT_EQ(Bytes(sent->begin(), sent->begin() + 6), Bytes(kHostMac.begin(), kHostMac.end()));

  // ARP is answered under the tag.
  const MacAddress mac = tagged.mac(kOutsidePort);
  Bytes arp = FromHex(
      "ffffffffffff 020000000077 8100 0064 0806 0001 0800 06 04 0001"
      "020000000077 cb007109 000000000000 cb007101");
  tagged.Receive(kOutsidePort, arp);
  tagged.Run();
  const std::optional<Bytes> answer = tagged.Sent(kOutsidePort);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(Bytes(answer->begin() + 12, answer->begin() + 18), FromHex("8100 0064 0806"));
  EXPECT_EQ(Bytes(answer->begin() + 6, answer->begin() + 12), Bytes(mac.begin(), mac.end()));
  EXPECT_EQ((*answer)[25], 2);
}

// The link is looked at in a worker's first round.
TEST_F(PortsTest, WhatWouldLeaveByAPortWithoutALinkIsDropped) {
  rte_eth_dev_set_link_down(gateway().device(kOutsidePort));
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kPortDown), 1u);
}

}  // namespace
}  // namespace sekisho::fastpath
