// Decisions that are kept: the same answers as when every packet is decided anew.
#include "fastpath/recall.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fastpath/decision_cache.h"
#include "tests/fastpath/fast_path_fixture.h"
#include "tests/fastpath/tunnel_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr const char* kInside[] = {"10.10.0.5", "10.10.0.6", "2001:db8:10::5"};
constexpr const char* kRemote[] = {"10.20.0.7", "10.20.0.8", "10.30.0.7", "192.0.2.1",
                                   "2001:db8:20::7"};
constexpr const char* kPrefixes[] = {"10.20.0.7/32", "10.20.0.0/24",     "10.0.0.0/8",
                                     "10.30.0.0/16", "2001:db8:20::/64", "2001:db8:20::7/128"};

// Two gateways that are told the same; one of them keeps no decisions.
class Pair {
 public:
  Pair(Gateway& keeps, Gateway& keeps_none) : both_{&keeps, &keeps_none} {}

  void SetTables(std::vector<Policy> policies, const char* next_hop) {
    for (Gateway* gateway : both_) {
      const std::vector<Route> routes = {
          {*IpPrefix::Parse("0.0.0.0/0"), kOutsidePort, Address(next_hop)},
          {*IpPrefix::Parse("::/0"), kOutsidePort, Address("2001:db8:113::fe")}};
      ASSERT_TRUE(gateway->fast_path().SetTables(policies, routes).ok());
      gateway->Run();
    }
  }

  void Install(const char* remote, uint8_t key, bool udp) {
    const Endpoint us = {Address("203.0.113.1"), udp ? kIkeNatTPort : uint16_t{0}};
    const Endpoint peer = {Address("198.51.100.7"), udp ? uint16_t{4501} : uint16_t{0}};
    const char* local = remote[0] == '1' ? "10.10.0.0/24" : "2001:db8:10::/64";
    Handles& handles = sas_.emplace_back();
    for (size_t i = 0; i < 2; ++i) {
      const absl::StatusOr<SaHandle> sa = both_[i]->fast_path().InstallOutbound(
          {.spi = Spi{0x1000u + key},
           .suite = {.encryption = {EncryptionId::kAesGcm16, 128}},
           .encryption_key = SecretBytes(Bytes(20, key)),
           .local = {*TrafficSelector::Parse(local)},
           .remote = {*TrafficSelector::Parse(remote)},
           .local_endpoint = us,
           .remote_endpoint = peer,
           .udp_encapsulation = udp});
      ASSERT_TRUE(sa.ok()) << sa.status();
      handles.of[i] = *sa;
      both_[i]->Run();
    }
  }
  void Remove(size_t index) {
    for (size_t i = 0; i < 2; ++i) {
      ASSERT_TRUE(both_[i]->fast_path().Remove(sas_[index].of[i]).ok());
      both_[i]->Run();
    }
    sas_.erase(sas_.begin() + static_cast<ptrdiff_t>(index));
  }
  void Move(size_t index, const Endpoint& us, const Endpoint& peer) {
    for (size_t i = 0; i < 2; ++i) {
      ASSERT_TRUE(both_[i]->fast_path().MovePeer(sas_[index].of[i], us, peer).ok());
      both_[i]->Run();
    }
  }
  void ForgetNeighbour() {
    for (Gateway* gateway : both_) {
      // Not there: it was forgotten before.
      (void)gateway->fast_path().ForgetNeighbour(kOutsidePort, Address("203.0.113.254"));
      gateway->Run();
    }
  }
  size_t sas() const { return sas_.size(); }

  // A burst arrives at both; what leaves them, and what they count, is the same.
  void Send(const std::vector<Bytes>& packets) {
    for (Gateway* gateway : both_) {
      for (const Bytes& packet : packets) gateway->ReceiveIp(kInsidePort, packet);
      gateway->Run();
    }
    for (;;) {
      const std::optional<Bytes> a = Next(0), b = Next(1);
      ASSERT_EQ(a, b);
      if (!a.has_value()) break;
    }
    // ICMP to the senders, of which there may be so many in a second.
    for (Gateway* gateway : both_) {
      while (gateway->Sent(kInsidePort).has_value()) {
      }
    }
    ASSERT_EQ(both_[0]->fast_path().Drops(), both_[1]->fast_path().Drops());
    ASSERT_EQ(both_[0]->fast_path().PolicyHits(), both_[1]->fast_path().PolicyHits());
    ASSERT_EQ(both_[0]->fast_path().PolicyDrops(), both_[1]->fast_path().PolicyDrops());
    for (const Handles& sa : sas_) {
      const SaCounters a = *both_[0]->fast_path().Counters(sa.of[0]);
      const SaCounters b = *both_[1]->fast_path().Counters(sa.of[1]);
      ASSERT_EQ(a.packets, b.packets);
      ASSERT_EQ(a.bytes, b.bytes);
      ASSERT_EQ(a.dropped, b.dropped);
    }
  }

 private:
  struct Handles {
    SaHandle of[2];
  };
  // Without what is random: the identification of fragments.
  std::optional<Bytes> Next(size_t which) {
    std::optional<Bytes> packet = both_[which]->SentIp(kOutsidePort);
    if (!packet.has_value() || (*packet)[0] >> 4 != 4) return packet;
    if ((LoadBigEndian<uint16_t>(&(*packet)[6]) & 0x3fff) != 0) {
      (*packet)[4] = (*packet)[5] = (*packet)[10] = (*packet)[11] = 0;
    }
    return packet;
  }

  Gateway* both_[2];
  std::vector<Handles> sas_;
};

constexpr uint32_t kSasMax = 4;  // so few that new ones come into the slots of old ones

uint64_t Recalled(Gateway& gateway) {
  uint64_t recalled = 0;
  for (const WorkerInfo& worker : gateway.fast_path().Workers()) recalled += worker.recalled;
  return recalled;
}

Gateway::Options WithDecisions(uint32_t decisions_max) {
  Gateway::Options options = FastPathTest::SiteOptions();
  options.decisions_max = decisions_max;
  options.sas_max = kSasMax;
  options.workers = 1;  // that meets all its own SAs
  options.crypto_devices = {decisions_max == 0 ? "crypto_openssl1" : "crypto_openssl0"};
  return options;
}

class RecallTest : public TunnelTest {
 protected:
  std::vector<Policy> SomePolicies(std::mt19937& random) {
    std::vector<Policy> policies;
    if (random() % 3 == 0) {
      policies.push_back(
          MakePolicy(PolicyAction::kDiscard, "10.10.0.5/32", "10.20.0.0/24[udp/80]"));
    }
    if (random() % 3 == 0) {
      policies.push_back(MakePolicy(PolicyAction::kBypass, "10.10.0.6/32", "10.20.0.8/32"));
    }
    policies.push_back(MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.0.0.0/8"));
    if (random() % 3 == 0) policies.back().handling.tcp_mss_max = 1000;
    if (random() % 3 == 0) policies.back().handling.dscp = 46;
    if (random() % 3 == 0) policies.back().handling.df = Handling::Df::kClear;
    policies.push_back(MakePolicy(PolicyAction::kProtect, "2001:db8:10::/64", "2001:db8:20::/48"));
    if (random() % 2 == 0) {
      policies.push_back(MakePolicy(PolicyAction::kBypass, "10.10.0.0/24", "192.0.2.0/24"));
    }
    if (random() % 4 == 0) policies.back().optional = false;
    return policies;
  }

  // Packets of one flow: between flows there is no order to be kept.
  std::vector<Bytes> SomeBurst(std::mt19937& random) {
    const bool v6 = random() % 4 == 0;
    const char* from = v6 ? kInside[2] : kInside[random() % 2];
    const char* to = v6 ? kRemote[4] : kRemote[random() % 4];
    const uint16_t port = random() % 2 == 0 ? 80 : 443;
    const bool tcp = random() % 2 == 0;
    std::vector<Bytes> packets(1 + random() % 24);
    for (Bytes& packet : packets) packet = SomePacket(random, from, to, tcp, port);
    return packets;
  }

  // One in ten is not plain.
  Bytes SomePacket(std::mt19937& random, const char* from, const char* to, bool tcp,
                   uint16_t port) {
    const bool v6 = Address(from).is_v6();
    PacketBuilder packet = Ip(Address(from), Address(to));
    if (random() % 50 == 0) packet.Ttl(1);
    if (!v6 && random() % 2 == 0) packet.DontFragment();
    if (!v6 && random() % 20 == 0) packet.TrafficClass(0x2b);
    constexpr size_t kSizes[] = {0, 100, 1300, 1440};
    if (tcp) {
      packet.Tcp(1234, port);
      constexpr uint8_t kSyn = 2, kAck = 16;
      packet.Patch(v6 ? 53 : 33, {random() % 10 == 0 ? kSyn : kAck});
    } else {
      packet.Udp(1234, port);
    }
    Bytes bytes = packet.Payload(kSizes[random() % std::size(kSizes)]).Build();
    if (!v6 && random() % 50 == 0) bytes[10] ^= 1;                  // its checksum is wrong
    if (random() % 50 == 0 && bytes.size() > 60) bytes.resize(50);  // or its end is missing
    if (!v6 && random() % 50 == 0) {                                // or it is a fragment
      bytes = Ipv4(from, to).Id(7).Fragment(64, false).Protocol(17).Payload(40).Build();
    }
    return bytes;
  }

  void SomeEvent(std::mt19937& random, Pair& pair) {
    switch (random() % 8) {
      case 0:
        pair.SetTables(SomePolicies(random), random() % 2 == 0 ? "203.0.113.254" : "203.0.113.253");
        break;
      case 1:
      case 2:
        if (pair.sas() < kSasMax) {
          pair.Install(kPrefixes[random() % std::size(kPrefixes)],
                       static_cast<uint8_t>(random() % 200), random() % 2 == 0);
        }
        break;
      case 3:
        if (pair.sas() > 0) pair.Remove(random() % pair.sas());
        break;
      case 4:
        if (pair.sas() > 0) {
          pair.Move(random() % pair.sas(), {Address("203.0.113.1"), kIkeNatTPort},
                    {Address(random() % 2 == 0 ? "198.51.100.8" : "203.0.113.77"), 4502});
        }
        break;
      case 5:
        pair.ForgetNeighbour();
        break;
      default:
        break;
    }
  }
};

// Bursts of any packets between changes of policies, routes, neighbours, SAs and their ends: a
// gateway that keeps decisions sends the same packets, byte by byte and in the same order, and
// counts the same as one that keeps none.
class RecallOfAnyTest : public RecallTest, public testing::WithParamInterface<unsigned> {};

TEST_P(RecallOfAnyTest, AgreesWithDecidingEveryPacketAnew) {
  std::mt19937 random(GetParam());
  Gateway& keeps = AddGateway(WithDecisions(64));  // so few that flows take each other's place
  Pair pair(keeps, AddGateway(WithDecisions(0)));
  pair.SetTables(SomePolicies(random), "203.0.113.254");
  for (int step = 0; step < 400; ++step) {
    SomeEvent(random, pair);
    for (int burst = 0; burst < 5; ++burst) {
      pair.Send(SomeBurst(random));
      ASSERT_FALSE(HasFatalFailure()) << "step " << step;
    }
  }
  // Both ways were gone.
  EXPECT_GT(Recalled(keeps), 300u);
  EXPECT_LT(Recalled(keeps), keeps.fast_path().GetAccounting().received / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecallOfAnyTest, testing::Values(1u, 2u, 3u));

// The second packet of a flow is recalled, and so is every one after it; with none kept, none is.
TEST_F(RecallTest, SecondPacketOfAFlowIsRecalled) {
  Gateway& gateway = AddGateway(WithDecisions(64));
  Gateway& keeps_none = AddGateway(WithDecisions(0));
  Pair both(gateway, keeps_none);
  both.SetTables({MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")},
                 "203.0.113.254");
  both.Install("10.20.0.0/24", 1, false);
  // Another flow finds the way there: the first packets of all wait for the neighbour.
  for (int i = 0; i < 2; ++i) both.Send({AToB(443).Payload(100).Build()});
  ASSERT_EQ(Recalled(gateway), 0u);
  for (int i = 0; i < 5; ++i) both.Send({AToB(80).Payload(100).Build()});
  EXPECT_EQ(Recalled(gateway), 4u);
  EXPECT_EQ(Recalled(keeps_none), 0u);
}

// What both the old and the new policies forbid, and what only the new ones do, never leaves.
TEST_F(RecallTest, NewPoliciesHoldFromTheNextPacketOn) {
  Gateway& gateway = AddGateway(WithDecisions(64));
  Pair one(gateway, AddGateway(WithDecisions(0)));
  one.SetTables({MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")},
                "203.0.113.254");
  one.Install("10.20.0.0/24", 1, false);
  for (int i = 0; i < 3; ++i) one.Send({AToB().Payload(100).Build()});
  ASSERT_GT(Recalled(gateway), 0u);
  one.SetTables({MakePolicy(PolicyAction::kDiscard, "10.10.0.0/24", "10.20.0.0/24")},
                "203.0.113.254");
  one.Send({AToB().Payload(100).Build()});
  EXPECT_EQ(gateway.drops(DropReason::kSpdDiscard), 1u);
}

// A rekeyed SA and a narrower one take over at once; without any SA nothing leaves.
TEST_F(RecallTest, NewerAndNarrowerSasTakeOver) {
  Gateway& gateway = AddGateway(WithDecisions(64));
  SetTables(gateway, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.0.0.0/8")});
  std::vector<SaHandle> sas;
  const auto install = [&](const char* remote, uint32_t spi) {
    const auto sa = gateway.fast_path().InstallOutbound(
        {.spi = Spi{spi},
         .suite = {.encryption = {EncryptionId::kAesGcm16, 128}},
         .encryption_key = SecretBytes(Bytes(20, 1)),
         .local = {*TrafficSelector::Parse("10.10.0.0/24")},
         .remote = {*TrafficSelector::Parse(remote)},
         .local_endpoint = {Address("203.0.113.1"), 0},
         .remote_endpoint = {Address("198.51.100.7"), 0}});
    ASSERT_TRUE(sa.ok());
    sas.push_back(*sa);
    gateway.Run();
  };
  const auto spi_of_next = [&]() -> uint32_t {
    gateway.ReceiveIp(kInsidePort, AToB().Payload(100).Build());
    gateway.Run();
    const std::optional<Bytes> packet = gateway.SentIp(kOutsidePort);
    return packet.has_value() ? LoadBigEndian<uint32_t>(&(*packet)[20]) : 0;
  };
  const auto expect = [&](uint32_t spi) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(spi_of_next(), spi);
  };
  install("10.20.0.0/24", 0x1001);
  expect(0x1001);
  install("10.20.0.0/24", 0x1002);
  expect(0x1002);
  install("10.0.0.0/8", 0x1003);
  expect(0x1002);
  install("10.20.0.7/32", 0x1004);
  expect(0x1004);
  for (const auto& [last, then] : {std::pair{3, 0x1002u}, {1, 0x1001u}, {0, 0x1003u}, {2, 0u}}) {
    ASSERT_TRUE(gateway.fast_path().Remove(sas[static_cast<size_t>(last)]).ok());
    gateway.Run();
    expect(then);
  }
  EXPECT_EQ(gateway.drops(DropReason::kSpdNoSa), 3u);
  EXPECT_GT(Recalled(gateway), 6u);
}

// Behind a hundred SAs of the same remote network, which are for another host here, the one that a
// flow goes by still gives way to a newer one.
TEST_F(RecallTest, NewestOfManyTakesOver) {
  Gateway::Options options = WithDecisions(64);
  options.sas_max = 128;
  Gateway& gateway = AddGateway(options);
  SetTables(gateway, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.0.0.0/8")});
  const auto install = [&](const char* local, uint32_t spi) {
    ASSERT_TRUE(gateway.fast_path()
                    .InstallOutbound({.spi = Spi{spi},
                                      .suite = {.encryption = {EncryptionId::kAesGcm16, 128}},
                                      .encryption_key = SecretBytes(Bytes(20, 1)),
                                      .local = {*TrafficSelector::Parse(local)},
                                      .remote = {*TrafficSelector::Parse("10.20.0.0/24")},
                                      .local_endpoint = {Address("203.0.113.1"), 0},
                                      .remote_endpoint = {Address("198.51.100.7"), 0}})
                    .ok());
    gateway.Run();
  };
  const auto expect = [&](uint32_t spi) {
    for (int packet = 0; packet < 3; ++packet) {
      gateway.ReceiveIp(kInsidePort, AToB().Payload(100).Build());
      gateway.Run();
      const std::optional<Bytes> sent = gateway.SentIp(kOutsidePort);
      ASSERT_TRUE(sent.has_value());
      EXPECT_EQ(LoadBigEndian<uint32_t>(&(*sent)[20]), spi);
    }
  };
  install("10.10.0.0/24", 0x1000);
  expect(0x1000);
  for (uint32_t i = 1; i <= 100; ++i) install("10.10.0.99/32", 0x1000 + i);
  expect(0x1000);
  install("10.10.0.0/24", 0x2000);
  expect(0x2000);
  EXPECT_GE(Recalled(gateway), 4u);
}

FlowId4 FlowOf(uint32_t number) {
  FlowId4 flow = {};
  std::memcpy(flow.addresses, &number, sizeof(number));
  flow.protocol = 17;
  return flow;
}

TEST(DecisionCache, FindsWhatWasPut) {
  EnsureEal();
  DecisionCache<FlowId4> cache = *DecisionCache<FlowId4>::Create(64);
  const FlowId4 flow = FlowOf(1);
  EXPECT_EQ(cache.Find(flow, flow.Hash()), nullptr);
  cache.Put(flow, {.policy = 1, .sa_slot = 2, .version = 3});
  cache.Put(flow, {.policy = 4, .sa_slot = 5, .version = 6});
  ASSERT_NE(cache.Find(flow, flow.Hash()), nullptr);
  EXPECT_EQ(cache.Find(flow, flow.Hash())->policy, 4u);
  FlowId4 other = flow;
  other.port_in = 1;
  EXPECT_EQ(cache.Find(other, flow.Hash()), nullptr);
}

// Many more flows than places: the newest is always there, and none answers for another.
TEST(DecisionCache, FullBucketsMakeRoom) {
  EnsureEal();
  DecisionCache<FlowId4> cache = *DecisionCache<FlowId4>::Create(64);
  size_t there = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    cache.Put(FlowOf(i), {.policy = i, .sa_slot = 0, .version = 0});
    ASSERT_NE(cache.Find(FlowOf(i), FlowOf(i).Hash()), nullptr);
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    const Decision* decision = cache.Find(FlowOf(i), FlowOf(i).Hash());
    if (decision == nullptr) continue;
    EXPECT_EQ(decision->policy, i);
    ++there;
  }
  EXPECT_LE(there, 64u);
  EXPECT_GT(there, 40u);
}

// Also when the count of what was forgotten begins anew.
TEST(DecisionCache, ForgottenStaysForgotten) {
  EnsureEal();
  DecisionCache<FlowId4> cache = *DecisionCache<FlowId4>::Create(64);
  const FlowId4 flow = FlowOf(1);
  cache.Put(flow, {});
  for (int i = 0; i < 70000; ++i) {
    cache.Forget();
    ASSERT_EQ(cache.Find(flow, flow.Hash()), nullptr) << i;
  }
}

}  // namespace
}  // namespace sekisho::fastpath
