#include "fastpath/flow_table.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <set>

#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

constexpr FlowOwner kFirst{.clear = false, .peer = 1}, kSecond{.clear = false, .peer = 2};
constexpr FlowOwner kClear{.clear = true, .peer = 0};
constexpr uint64_t kHz = 1000;

FlowKey Key(uint16_t remote_port, uint8_t protocol = IPPROTO_TCP) {
  return {.local = WideAddress::From(Address("203.0.113.1")),
          .remote = WideAddress::From(Address("198.51.100.7")),
          .local_port = 80,
          .remote_port = remote_port,
          .family = 4,
          .protocol = protocol};
}

TEST(FlowTable, FindsAFlowFromBothSides) {
  FlowTable table(16, kHz, 1);
  EXPECT_EQ(table.FindSeen(Key(40000)), nullptr);
  Flow* flow = table.Add(Key(40000), kFirst, true, 0).flow;
  ASSERT_NE(flow, nullptr);
  EXPECT_FALSE(flow->translated());
  EXPECT_EQ(table.FindSeen(Key(40000)), flow);
  EXPECT_EQ(table.FindSent(Key(40000), kFirst), flow);
  EXPECT_EQ(table.FindSent(Key(40000), kSecond), nullptr);
  EXPECT_EQ(table.FindSent(Key(40000), kClear), nullptr);
  table.Remove(*flow);
  EXPECT_EQ(table.FindSeen(Key(40000)), nullptr);
  EXPECT_EQ(table.FindSent(Key(40000), kFirst), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

// Three that look the same: each has its own port here, and its own there.
TEST(FlowTable, TellsApartWhatLooksTheSame) {
  FlowTable table(16, kHz, 7);
  std::set<uint16_t> ports;
  for (const FlowOwner& owner : {kFirst, kSecond, kClear}) {
    Flow* flow = table.Add(Key(40000), owner, true, 0).flow;
    ASSERT_NE(flow, nullptr);
    EXPECT_EQ(flow->port, 40000);
    EXPECT_EQ(table.FindSent(Key(40000), owner), flow);
    EXPECT_EQ(table.FindSeen(flow->seen), flow);
    ports.insert(flow->seen.remote_port);
  }
  EXPECT_EQ(ports.size(), 3u);
  EXPECT_EQ(*ports.begin() >= FlowTable::kPortLeast, true);
}

TEST(FlowTable, RefusesWhatHasNoPortToTellItApartBy) {
  FlowTable table(16, kHz, 7);
  ASSERT_NE(table.Add(Key(0, IPPROTO_ESP), kFirst, false, 0).flow, nullptr);
  const auto second = table.Add(Key(0, IPPROTO_ESP), kSecond, false, 0);
  EXPECT_EQ(second.flow, nullptr);
  EXPECT_EQ(second.reason, DropReason::kFlowConflict);
}

// What comes in clear, anybody sends: it leaves room for others.
TEST(FlowTable, IsBoundedAndClearFlowsHaveHalfOfIt) {
  FlowTable table(64, kHz, 3);
  uint16_t port = 1;
  for (; port <= 32; ++port) {
    ASSERT_NE(table.Add(Key(port), kClear, true, 0).flow, nullptr) << port;
  }
  EXPECT_EQ(table.Add(Key(port), kClear, true, 0).reason, DropReason::kFlowTableFull);
  for (; port <= 64; ++port) {
    ASSERT_NE(table.Add(Key(port), kFirst, true, 0).flow, nullptr) << port;
  }
  EXPECT_EQ(table.Add(Key(port), kFirst, true, 0).reason, DropReason::kFlowTableFull);
  EXPECT_EQ(table.size(), 64u);
  EXPECT_EQ(table.clear_size(), 32u);
  table.Remove(*table.FindSeen(Key(5)));
  EXPECT_NE(table.Add(Key(port), kClear, true, 0).flow, nullptr);
}

void ExpireAll(FlowTable& table, uint64_t now) {
  for (size_t i = 0; i < FlowTable::kExpireParts; ++i) table.Expire(now);
}

TEST(FlowTable, ForgetsWhatIsIdle) {
  FlowTable table(64, kHz, 3);
  table.Add(Key(1, IPPROTO_UDP), kFirst, true, 0);
  table.Add(Key(2), kFirst, true, 0);
  Flow* closed = table.Add(Key(3), kFirst, true, 0).flow;
  closed->fin_in = true;
  ExpireAll(table, FlowTable::kTcpClosedSeconds * kHz + 1);
  EXPECT_EQ(table.size(), 3u) << "half closed is open";
  closed->fin_out = true;
  ExpireAll(table, FlowTable::kTcpClosedSeconds * kHz + 1);
  EXPECT_EQ(table.size(), 2u);
  ExpireAll(table, FlowTable::kIdleSeconds * kHz);
  EXPECT_EQ(table.size(), 2u);
  ExpireAll(table, FlowTable::kIdleSeconds * kHz + 1);
  EXPECT_EQ(table.FindSeen(Key(1, IPPROTO_UDP)), nullptr);
  EXPECT_NE(table.FindSeen(Key(2)), nullptr);
  ExpireAll(table, FlowTable::kTcpIdleSeconds * kHz + 1);
  EXPECT_EQ(table.size(), 0u);
}

TEST(FlowTable, SurvivesManyRandomChanges) {
  FlowTable table(256, kHz, 99);
  std::set<std::pair<uint16_t, uint64_t>> there;
  uint32_t dice = 12345;
  for (int i = 0; i < 20000; ++i) {
    dice = dice * 1664525 + 1013904223;
    const auto port = static_cast<uint16_t>(2000 + (dice >> 16) % 60);
    const FlowOwner owner{.clear = false, .peer = 1 + (dice >> 24) % 4};
    Flow* flow = table.FindSent(Key(port), owner);
    EXPECT_EQ(flow != nullptr, there.count({port, owner.peer}) == 1);
    if (flow != nullptr) {
      table.Remove(*flow);
      there.erase({port, owner.peer});
    } else {
      flow = table.Add(Key(port), owner, true, 0).flow;
      ASSERT_NE(flow, nullptr);
      EXPECT_EQ(table.FindSeen(flow->seen), flow);
      there.insert({port, owner.peer});
    }
  }
  EXPECT_EQ(table.size(), there.size());
}

TEST(FlowTable, OneThatWasNeverMadeHoldsNothing) {
  FlowTable table;
  EXPECT_EQ(table.FindSeen(Key(1)), nullptr);
  EXPECT_EQ(table.Add(Key(1), kFirst, true, 0).reason, DropReason::kFlowTableFull);
  table.Expire(1);
}

// Both directions of a flow, and every worker, agree on it.

}  // namespace
}  // namespace sekisho::fastpath
