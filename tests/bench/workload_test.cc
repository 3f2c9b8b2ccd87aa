#include "bench/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace sekisho::bench {
namespace {

Setup SetupOf(uint32_t sas, uint32_t policies, Mode mode = Mode::kTunnel) {
  return {.sas = sas,
          .policies = policies,
          .suite = *IpsecSuite::Parse(IpsecProtocol::kEsp, "aes128gcm16"),
          .mode = mode};
}

// The first policy that a packet of this SA meets, as an SPD decides.
const fastpath::Policy* FirstMatch(const std::vector<fastpath::Policy>& policies,
                                   const Workload& workload, uint32_t sa) {
  const auto contains = [](const TrafficSelector& selector, const IpAddress& address) {
    return selector.addresses.Contains(address) && selector.protocol == kAnyProtocol;
  };
  for (const fastpath::Policy& policy : policies) {
    if (contains(policy.local[0], workload.Server(sa)) &&
        contains(policy.remote[0], workload.User(sa))) {
      return &policy;
    }
  }
  return nullptr;
}

TEST(WorkloadTest, EveryPacketOfEverySaIsProtectedAndTheyAreSpreadOverThePolicies) {
  for (const Mode mode : {Mode::kTunnel, Mode::kTransport}) {
    for (const uint32_t count : {1u, 100u, 1000u}) {
      const Workload workload(SetupOf(2000, count, mode));
      const std::vector<fastpath::Policy> policies = workload.Policies();
      ASSERT_EQ(policies.size(), count);
      std::set<const fastpath::Policy*> met;
      for (uint32_t sa = 0; sa < 2000; ++sa) {
        const fastpath::Policy* policy = FirstMatch(policies, workload, sa);
        ASSERT_NE(policy, nullptr);
        EXPECT_EQ(policy->action, fastpath::PolicyAction::kProtect);
        met.insert(policy);
      }
      const auto protects = std::count_if(policies.begin(), policies.end(), [](const auto& each) {
        return each.action == fastpath::PolicyAction::kProtect;
      });
      EXPECT_EQ(met.size(), static_cast<size_t>(protects));
    }
  }
}

TEST(WorkloadTest, NoTwoSasShareAUserAPeerOrAKey) {
  const Workload workload(SetupOf(5000, 100));
  std::set<IpAddress> users, peers;
  std::set<std::vector<uint8_t>> keys;
  for (uint32_t sa = 0; sa < 5000; ++sa) {
    users.insert(workload.User(sa));
    peers.insert(workload.Peer(sa).address);
    for (const bool inbound : {false, true}) {
      const Workload::Keys each = workload.KeysOf(sa, inbound);
      keys.insert({each.encryption.span().begin(), each.encryption.span().end()});
    }
  }
  EXPECT_EQ(users.size(), 5000u);
  EXPECT_EQ(peers.size(), 5000u);
  EXPECT_EQ(keys.size(), 10'000u);
}

TEST(WorkloadTest, ImixIsSevenToFourToOneInEveryDozen) {
  const Row row = {.setup = SetupOf(10, 1), .size = {}};
  const std::vector<PacketSpec> packets = Workload::Packets(row, 120, 1);
  for (size_t dozen = 0; dozen < packets.size(); dozen += 12) {
    std::map<uint16_t, int> count;
    for (size_t i = dozen; i < dozen + 12; ++i) ++count[packets[i].bytes];
    EXPECT_EQ(count, (std::map<uint16_t, int>{{64, 7}, {570, 4}, {1400, 1}}));
  }
}

TEST(WorkloadTest, ASeedDecidesTheOrderOfSas) {
  const Row row = {.setup = SetupOf(1000, 1), .size = {64}, .flows_per_sa = 3};
  const auto order = [&](uint64_t seed) {
    std::vector<uint32_t> sas;
    for (const PacketSpec& packet : Workload::Packets(row, 500, seed)) sas.push_back(packet.sa);
    return sas;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST(WorkloadTest, InTurnsNoSaComesTwiceBeforeAllHaveCome) {
  const Row row = {.setup = SetupOf(100, 1), .size = {64}};
  const std::vector<PacketSpec> packets = Workload::Packets(row, 200, 1, /*in_turns=*/true);
  for (const size_t turn : {0, 100}) {
    std::set<uint32_t> sas;
    for (size_t i = turn; i < turn + 100; ++i) sas.insert(packets[i].sa);
    EXPECT_EQ(sas.size(), 100u);
  }
}

}  // namespace
}  // namespace sekisho::bench
