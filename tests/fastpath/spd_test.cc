#include "fastpath/spd.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <random>

#include "fastpath/parse.h"
#include "fastpath/route_table.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

struct Flow {
  IpAddress source, destination;
  uint8_t protocol = IPPROTO_UDP;
  uint16_t source_port = 1, destination_port = 2;
  PortId port{0};  // of the gateway
};

// The trusted way: every policy in order, every pair of selectors.
bool Holds(const TrafficSelector& selector, const IpAddress& address, uint8_t protocol,
           uint16_t port) {
  if (!selector.addresses.Contains(address)) return false;
  if (selector.protocol != kAnyProtocol && selector.protocol != protocol) return false;
  if (selector.ports.is_all()) return true;
  // RFC 4301, 4.4.1.1: OPAQUE is what cannot be seen, a range is what can.
  const bool seen = HasPorts(address.family(), protocol);
  return selector.ports.is_opaque() ? !seen : seen && selector.ports.Contains(port);
}
bool StandsOn(const Policy& policy, PortId port) {
  return policy.ports.empty() ||
         std::find(policy.ports.begin(), policy.ports.end(), port) != policy.ports.end();
}
uint32_t Walk(const std::vector<Policy>& policies, const Flow& flow, bool inbound) {
  const uint16_t second = HasTypes(flow.protocol) ? flow.source_port : flow.destination_port;
  for (uint32_t i = 0; i < policies.size(); ++i) {
    if (!StandsOn(policies[i], flow.port)) continue;
    const auto& sources = inbound ? policies[i].remote : policies[i].local;
    const auto& destinations = inbound ? policies[i].local : policies[i].remote;
    bool source = false, destination = false;
    for (const auto& s : sources) {
      source |= Holds(s, flow.source, flow.protocol, flow.source_port);
    }
    for (const auto& s : destinations) {
      destination |= Holds(s, flow.destination, flow.protocol, second);
    }
    if (source && destination) return i;
  }
  return kNoPolicy;
}

MbufPtr PacketOf(const Flow& flow) {
  MbufPtr mbuf = Ip(flow.source, flow.destination).Protocol(flow.protocol).BuildMbuf();
  PacketContext& context = ContextOf(mbuf.get());
  context.family = flow.source.is_v4() ? 4 : 6;
  context.protocol = flow.protocol;
  context.source_port = flow.source_port;
  context.destination_port = flow.destination_port;
  static const NextHop hops[] = {
      {PortId{0}, {}}, {PortId{1}, {}}, {PortId{2}, {}}, {PortId{3}, {}}};
  context.port_in = flow.port;
  context.next_hop = &hops[static_cast<size_t>(flow.port)];
  return mbuf;
}

void ExpectAgreement(const std::vector<Policy>& policies, const std::vector<Flow>& flows) {
  EnsureEal();
  const auto spd = Spd::Compile(policies);
  ASSERT_TRUE(spd.ok()) << spd.status();
  for (size_t start = 0; start < flows.size(); start += kBurstMax) {
    const size_t count = std::min<size_t>(kBurstMax, flows.size() - start);
    std::vector<MbufPtr> packets;
    std::vector<rte_mbuf*> burst;
    for (size_t i = 0; i < count; ++i) {
      packets.push_back(PacketOf(flows[start + i]));
      burst.push_back(packets.back().get());
    }
    for (const bool inbound : {false, true}) {
      if (inbound) {
        (*spd)->ClassifyInbound(burst);
      } else {
        (*spd)->ClassifyOutbound(burst);
      }
      for (size_t i = 0; i < count; ++i) {
        const Flow& flow = flows[start + i];
        ASSERT_EQ(ContextOf(burst[i]).policy, Walk(policies, flow, inbound))
            << flow.source.ToString() << ":" << flow.source_port << " "
            << flow.destination.ToString() << ":" << flow.destination_port << " protocol "
            << int{flow.protocol} << (inbound ? " in" : " out") << " by port "
            << static_cast<int>(flow.port);
      }
    }
  }
}

TrafficSelector Selector(const char* text) { return *TrafficSelector::Parse(text); }

// Few distinct values, so that policies overlap and packets stand on their edges.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  uint32_t Roll(uint32_t sides) { return static_cast<uint32_t>(random_() % sides); }

  IpAddress Any(bool v6) {
    // Now and then the ends of the space, where an off-by-one would wrap.
    if (Roll(12) == 0) return v6 ? IpAddress::Any(IpFamily::kIpv6) : IpAddress();
    if (Roll(12) == 0) return IpAddress::Last(v6 ? IpFamily::kIpv6 : IpFamily::kIpv4);
    const uint32_t host = Roll(40);
    if (!v6) return IpAddress::V4(0x0a000000 + (Roll(3) << 16) + (Roll(3) << 8) + host);
    uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
    bytes[4 + Roll(4)] = static_cast<uint8_t>(Roll(3));
    bytes[8 + Roll(8)] = static_cast<uint8_t>(host);
    return IpAddress::V6(bytes);
  }
  TrafficSelector Some() {
    const bool v6 = Roll(2) == 0;
    TrafficSelector selector = TrafficSelector::All(v6 ? IpFamily::kIpv6 : IpFamily::kIpv4);
    const IpAddress a = Any(v6), b = Any(v6);
    switch (Roll(4)) {
      case 0:
        break;
      case 1:
        selector.addresses = IpRange::Single(a);
        break;
      case 2:
        selector.addresses = {std::min(a, b), std::max(a, b)};
        break;
      default:
        selector.addresses =
            IpPrefix(a, static_cast<int>(Roll(static_cast<uint32_t>(AddressBits(a.family())) + 1)))
                .ToRange();
    }
    if (Roll(2) == 0) selector.protocol = Protocol();
    if (Roll(3) == 0) {
      const uint16_t x = Port(), y = Port();
      selector.ports = {std::min(x, y), std::max(x, y)};
    }
    if (Roll(20) == 0) selector.ports = PortRange::Opaque();
    return selector;
  }
  uint8_t Protocol() {
    constexpr uint8_t kProtocols[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47, 132, 135, 255, 46};
    return kProtocols[Roll(9)];
  }
  uint16_t Port() {
    constexpr uint16_t kPorts[] = {0, 1, 53, 443, 0x0800, 1023, 1024, 65534, 65535};
    return kPorts[Roll(9)];
  }
  Flow AnyFlow() {
    const bool v6 = Roll(2) == 0;
    Flow flow{Any(v6), Any(v6), Protocol(), Port(), Port()};
    if (HasTypes(flow.protocol)) flow.destination_port = 0;
    // As parse leaves a packet that shows none.
    if (!HasPorts(flow.source.family(), flow.protocol)) {
      flow.source_port = flow.destination_port = 0;
    }
    return flow;
  }

 private:
  std::mt19937 random_;
};

std::vector<Policy> RandomPolicies(Dice& dice, size_t count) {
  std::vector<Policy> policies(count);
  for (Policy& policy : policies) {
    for (uint32_t n = dice.Roll(3) + (dice.Roll(10) != 0); n > 0; --n) {
      policy.local.push_back(dice.Some());
      policy.remote.push_back(dice.Some());
    }
  }
  return policies;
}

TEST(Spd, AgreesWithAWalkOverRandomPolicies) {
  for (uint32_t seed = 1; seed <= 16; ++seed) {
    Dice dice(seed);
    const std::vector<Policy> policies = RandomPolicies(dice, 1 + dice.Roll(40));
    std::vector<Flow> flows;
    for (int i = 0; i < 600; ++i) flows.push_back(dice.AnyFlow());
    ExpectAgreement(policies, flows);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

// Each policy stands on some of three ports or on all; the fourth port has only the latter.
TEST(Spd, EachPortHasItsOwnList) {
  for (uint32_t seed = 100; seed < 103; ++seed) {
    Dice dice(seed);
    std::vector<Policy> policies = RandomPolicies(dice, 30);
    for (Policy& policy : policies) {
      for (uint16_t port = 0; port < 3; ++port) {
        if (dice.Roll(3) == 0) policy.ports.push_back(PortId{port});
      }
    }
    std::vector<Flow> flows;
    for (int i = 0; i < 600; ++i) {
      flows.push_back(dice.AnyFlow());
      flows.back().port = PortId{static_cast<uint16_t>(dice.Roll(4))};
    }
    ExpectAgreement(policies, flows);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

TEST(Spd, PortsWithEqualListsShareOne) {
  EnsureEal();
  Policy all, first, second;
  all.local = all.remote = {Selector("0.0.0.0/0")};
  first = second = all;
  first.ports = {PortId{0}, PortId{1}};
  second.ports = {PortId{2}};
  EXPECT_EQ((*Spd::Compile({all}))->lists(), 1u);
  EXPECT_EQ((*Spd::Compile({first, all}))->lists(), 2u);
  EXPECT_EQ((*Spd::Compile({first, second, all}))->lists(), 3u);
}

// A range of ports is of protocols that have ports, OPAQUE of those that have none, ANY of both.
TEST(Spd, OpaquePortsAreThoseThatCannotBeSeen) {
  Policy ports, opaque, both;
  ports.local = {Selector("10.0.0.0/8[any/0-1023]")};
  opaque.local = {Selector("10.0.0.0/8[any/opaque]"), Selector("::/0[47/opaque]")};
  both.local = {Selector("10.0.0.0/8"), Selector("::/0")};
  ports.remote = opaque.remote = both.remote = {Selector("0.0.0.0/0"), Selector("::/0")};
  std::vector<Flow> flows;
  for (int protocol = 0; protocol <= 255; ++protocol) {
    for (const char* source : {"10.0.0.1", "2001:db8::1"}) {
      Flow flow{Address(source), Address(source[0] == '1' ? "8.8.8.8" : "2001:db8::2"),
                static_cast<uint8_t>(protocol), 80, 81};
      if (HasTypes(flow.protocol)) flow.destination_port = 0;
      if (!HasPorts(flow.source.family(), flow.protocol)) flow.source_port = 0;
      flows.push_back(flow);
    }
  }
  ExpectAgreement({ports, opaque, both}, flows);
  ExpectAgreement({opaque, ports, both}, flows);
}

// Ten thousand as people write them: networks, services, ranges, hosts, many of them overlapping.
TEST(Spd, TenThousandPoliciesAgreeWithAWalk) {
  Dice dice(11);
  std::vector<Policy> policies;
  for (int i = 0; i < 10000; ++i) {
    const bool v6 = i % 4 == 0;
    const auto address = [&](uint32_t net) {
      if (!v6) return IpAddress::V4(net << 24 | dice.Roll(1 << 16) << 8);
      const uint8_t bytes[16] = {0x20,
                                 0x01,
                                 0x0d,
                                 0xb8,
                                 static_cast<uint8_t>(net),
                                 static_cast<uint8_t>(dice.Roll(256)),
                                 static_cast<uint8_t>(dice.Roll(256))};
      return IpAddress::V6(bytes);
    };
    Policy policy;
    policy.local = {{.addresses = IpPrefix(address(10), v6 ? 56 : 24).ToRange()}};
    const int bits =
        v6 ? 48 + static_cast<int>(dice.Roll(9)) : 14 + static_cast<int>(dice.Roll(11));
    policy.remote = {{.addresses = IpPrefix(address(172), bits).ToRange()}};
    if (dice.Roll(4) == 0) {
      policy.local[0].protocol = IPPROTO_TCP;
      policy.local[0].ports = PortRange::Single(static_cast<uint16_t>(dice.Roll(1024)));
    }
    policies.push_back(std::move(policy));
  }
  std::vector<Flow> flows;
  for (int i = 0; i < 4000; ++i) {
    // Most of them where a policy is.
    const Policy& policy = policies[dice.Roll(10000)];
    flows.push_back({policy.local[0].addresses.first.Plus(dice.Roll(256)),
                     policy.remote[0].addresses.first.Plus(dice.Roll(256)), IPPROTO_TCP,
                     static_cast<uint16_t>(dice.Roll(1024)), 443});
  }
  ExpectAgreement(policies, flows);
}

// A thousand nested and overlapping policies of the kind that people write.
TEST(Spd, AgreesWithAWalkOverManyPrefixes) {
  Dice dice(7);
  std::vector<Policy> policies;
  for (int i = 0; i < 1000; ++i) {
    const bool v6 = i % 2 == 0;
    const int bits =
        v6 ? 32 + static_cast<int>(dice.Roll(97)) : 8 + static_cast<int>(dice.Roll(25));
    Policy policy;
    policy.local = {{.addresses = IpPrefix(dice.Any(v6), bits).ToRange()}};
    policy.remote = {{.addresses = IpPrefix(dice.Any(v6), bits / 2).ToRange()}};
    policies.push_back(policy);
  }
  std::vector<Flow> flows;
  for (int i = 0; i < 5000; ++i) flows.push_back(dice.AnyFlow());
  ExpectAgreement(policies, flows);
}

// IPv4 and IPv6 rules beside each other, from the first list that is compiled on: each family has
// tries of its own, of rules of its own size.
TEST(Spd, BothFamiliesStandInOneList) {
  const auto selectors = [](const char* text) {
    return TrafficSelectors{TrafficSelector::Parse(text).value()};
  };
  const auto address = [](const char* text) { return IpAddress::Parse(text).value(); };
  ExpectAgreement(
      {{.name = "four",
        .action = PolicyAction::kBypass,
        .local = selectors("10.10.0.0/24"),
        .remote = selectors("10.99.0.0/24")},
       {.name = "six",
        .action = PolicyAction::kProtect,
        .local = selectors("2001:db8:10::/64"),
        .remote = selectors("2001:db8:99::/112")}},
      {{.source = address("10.10.0.1"), .destination = address("10.99.0.1")},
       {.source = address("2001:db8:10::1"), .destination = address("2001:db8:99::1")},
       {.source = address("2001:db8:11::1"), .destination = address("2001:db8:99::1")}});
}

TEST(Spd, TheFirstOfTwoEqualPoliciesDecides) {
  Policy all;
  all.local = {Selector("0.0.0.0/0"), Selector("::/0")};
  all.remote = all.local;
  Policy one = all;
  one.local = {Selector("10.0.0.1")};
  const Flow flow{Address("10.0.0.1"), Address("10.0.0.2")};
  ExpectAgreement({one, all, all}, {flow});
  ExpectAgreement({all, one, all}, {flow});
  EnsureEal();
  const auto spd = Spd::Compile({all, one, all});
  MbufPtr packet = PacketOf(flow);
  rte_mbuf* burst[] = {packet.get()};
  (*spd)->ClassifyOutbound(burst);
  EXPECT_EQ(ContextOf(packet.get()).policy, 0u);
}

TEST(Spd, EdgesOfRangesAndPorts) {
  Policy policy;
  policy.local = {Selector("10.0.0.3-10.0.0.12[udp/100-200]"),
                  Selector("2001:db8::ffff-2001:db8::1:2[udp]")};
  policy.remote = {Selector("255.255.255.254-255.255.255.255"), Selector("::/0[0/7]")};
  std::vector<Flow> flows;
  for (const char* a : {"10.0.0.2", "10.0.0.3", "10.0.0.7", "10.0.0.8", "10.0.0.12", "10.0.0.13"}) {
    for (const char* b : {"255.255.255.253", "255.255.255.254", "255.255.255.255"}) {
      for (const uint16_t port : std::initializer_list<uint16_t>{99, 100, 200, 201}) {
        flows.push_back({Address(a), Address(b), IPPROTO_UDP, port, 7});
        flows.push_back({Address(b), Address(a), IPPROTO_UDP, 7, port});
        flows.push_back({Address(a), Address(b), IPPROTO_TCP, port, 7});
      }
    }
  }
  for (const char* a :
       {"2001:db8::fffe", "2001:db8::ffff", "2001:db8::1:0", "2001:db8::1:2", "2001:db8::1:3"}) {
    for (const uint16_t port : std::initializer_list<uint16_t>{6, 7, 8}) {
      flows.push_back({Address(a), Address("::5"), IPPROTO_UDP, 1, port});
    }
  }
  ExpectAgreement({policy}, flows);
}

TEST(Spd, NoPolicyMatchesNothing) {
  ExpectAgreement({},
                  {{Address("10.0.0.1"), Address("10.0.0.2")}, {Address("::1"), Address("::2")}});
  Policy empty;
  Policy mixed;  // no packet has ends of two families
  mixed.local = {Selector("10.0.0.0/8")};
  mixed.remote = {Selector("::/0")};
  ExpectAgreement({empty, mixed}, {{Address("10.0.0.1"), Address("10.0.0.2")}});
}

// A policy for echo requests names type 8 on one side or on both.
TEST(Spd, IcmpTypeAndCodeMayStandOnEitherSide) {
  Policy ping, out, back;
  ping.local = {Selector("10.0.0.0/24[icmp/8/0]")};
  ping.remote = {Selector("0.0.0.0/0[icmp/8/0]")};
  out.local = {Selector("10.0.0.0/24")};
  out.remote = {Selector("0.0.0.0/0[icmp/3/0]")};
  std::vector<Flow> flows;
  for (const uint16_t type_code : std::initializer_list<uint16_t>{0x0800, 0x0300, 0, 0x0801}) {
    flows.push_back({Address("10.0.0.1"), Address("8.8.8.8"), IPPROTO_ICMP, type_code, 0});
    flows.push_back({Address("8.8.8.8"), Address("10.0.0.1"), IPPROTO_ICMP, type_code, 0});
  }
  ExpectAgreement({ping, out}, flows);
  MbufPtr packet = Ipv4("10.0.0.1", "8.8.8.8").IcmpEcho(1, 1).BuildMbuf();
  ASSERT_TRUE(ParseIp(packet.get(), ContextOf(packet.get())));
  rte_mbuf* burst[] = {packet.get()};
  const auto spd = Spd::Compile({out, ping});
  (*spd)->ClassifyOutbound(burst);
  EXPECT_EQ(ContextOf(packet.get()).policy, 1u);
}

// Ranges that split into too many prefixes on both sides are refused by the policy's name.
TEST(Spd, RefusesPoliciesThatExplode) {
  EnsureEal();
  Policy policy;
  policy.name = "wide";
  for (int i = 0; i < 40; ++i) {
    policy.local.push_back(Selector("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
  }
  policy.remote = policy.local;
  const auto spd = Spd::Compile({policy});
  ASSERT_FALSE(spd.ok());
  EXPECT_NE(std::string(spd.status().message()).find("policy 'wide'"), std::string::npos);
}

}  // namespace
}  // namespace sekisho::fastpath
