#include "fastpath/route_table.h"

#include <gtest/gtest.h>

#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

Route To(const char* prefix, uint16_t port, const char* gateway = nullptr) {
  Route route = {*IpPrefix::Parse(prefix), PortId{port}, std::nullopt};
  if (gateway != nullptr) route.gateway = Address(gateway);
  return route;
}

absl::StatusOr<RouteTable> Build(std::vector<Route> routes) {
  static int made = 0;
  return RouteTable::Build("routes" + std::to_string(made++), std::move(routes), 4);
}

int PortTo(const RouteTable& table, const char* destination) {
  const NextHop* hop = table.LookUp(Address(destination));
  return hop == nullptr ? -1 : static_cast<int>(hop->port);
}

TEST(RouteTableTest, LongestPrefixWins) {
  const auto table = Build({To("0.0.0.0/0", 0, "192.0.2.1"), To("10.0.0.0/8", 1),
                            To("10.1.0.0/16", 2), To("10.1.2.3/32", 3), To("2001:db8::/32", 1),
                            To("2001:db8:1::/48", 2), To("2001:db8:1::7/128", 3)});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(PortTo(*table, "11.0.0.1"), 0);
  EXPECT_EQ(PortTo(*table, "10.9.9.9"), 1);
  EXPECT_EQ(PortTo(*table, "10.1.2.4"), 2);
  EXPECT_EQ(PortTo(*table, "10.1.2.3"), 3);
  EXPECT_EQ(PortTo(*table, "2001:db8:2::"), 1);
  EXPECT_EQ(PortTo(*table, "2001:db8:1::8"), 2);
  EXPECT_EQ(PortTo(*table, "2001:db8:1::7"), 3);
  EXPECT_EQ(PortTo(*table, "2001:db9::"), -1);
  EXPECT_EQ(table->LookUp(Address("11.0.0.1"))->gateway, Address("192.0.2.1"));
}

TEST(RouteTableTest, EmptyTableKnowsNoWay) {
  const auto table = Build({});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(PortTo(*table, "10.0.0.1"), -1);
  EXPECT_EQ(PortTo(*table, "::1"), -1);
}

TEST(RouteTableTest, FirstOfTwoWins) {
  const auto table = Build({To("10.0.0.0/8", 1), To("10.0.0.0/8", 2)});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(PortTo(*table, "10.0.0.1"), 1);
}

TEST(RouteTableTest, RefusesWhatCannotBe) {
  EXPECT_EQ(Build({To("10.0.0.0/8", 9)}).status().message(),
            "route to 10.0.0.0/8: no port number 9");
  EXPECT_EQ(Build({To("10.0.0.0/8", 0, "2001:db8::1")}).status().message(),
            "route to 10.0.0.0/8: gateway 2001:db8::1 is of the other family");
  EXPECT_TRUE(absl::IsInvalidArgument(
      Build(std::vector<Route>(kRoutesMax + 1, To("10.0.0.0/8", 0))).status()));
}

// The limit itself fits, with prefixes that share nothing.
TEST(RouteTableTest, HoldsAsManyAsItSays) {
  std::vector<Route> routes;
  for (uint32_t i = 0; i < kRoutesMax; ++i) {
    routes.push_back({IpPrefix(IpAddress::V4(i * 0x00100007u), 32), PortId{1}, std::nullopt});
  }
  const auto table = Build(routes);
  ASSERT_TRUE(table.ok()) << table.status();
  for (const Route& route : routes) EXPECT_NE(table->LookUp(route.destination.address()), nullptr);
}

}  // namespace
}  // namespace sekisho::fastpath
