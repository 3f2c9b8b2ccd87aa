#include "fastpath/neighbour_table.h"

#include <gtest/gtest.h>

#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

TEST(NeighbourTableTest, AddressAndPortTogetherAreTheKey) {
  auto table = NeighbourTable::Create("neighbours-key");
  ASSERT_TRUE(table.ok()) << table.status();
  Neighbour* one = table->FindOrAdd(PortId{0}, Address("10.0.0.1"));
  ASSERT_NE(one, nullptr);
  EXPECT_FALSE(one->resolved);
  one->resolved = true;
  EXPECT_EQ(table->FindOrAdd(PortId{0}, Address("10.0.0.1")), one);
  EXPECT_EQ(table->Find(PortId{1}, Address("10.0.0.1")), nullptr);
  EXPECT_EQ(table->Find(PortId{0}, Address("2001:db8::1")), nullptr);
  table->Remove(PortId{0}, Address("10.0.0.1"));
  EXPECT_EQ(table->Find(PortId{0}, Address("10.0.0.1")), nullptr);
  EXPECT_FALSE(table->FindOrAdd(PortId{0}, Address("10.0.0.1"))->resolved);
}

// At the limit a new one is refused, and one that goes makes room.
TEST(NeighbourTableTest, IsBounded) {
  auto table = NeighbourTable::Create("neighbours-limit");
  ASSERT_TRUE(table.ok()) << table.status();
  uint32_t added = 0;
  while (added <= 2 * kNeighboursMax &&
         table->FindOrAdd(PortId{0}, IpAddress::V4(0x0a000000 + added)) != nullptr) {
    ++added;
  }
  EXPECT_GT(added, kNeighboursMax * 9 / 10);
  EXPECT_LE(added, kNeighboursMax + 1);
  table->Remove(PortId{0}, IpAddress::V4(0x0a000000));
  EXPECT_NE(table->FindOrAdd(PortId{0}, IpAddress::V4(0x0a000000)), nullptr);
}

}  // namespace
}  // namespace sekisho::fastpath
