#include "common/traffic_selector.h"

#include <gtest/gtest.h>

namespace sekisho {
namespace {

TrafficSelector Ts(const char* text) { return TrafficSelector::Parse(text).value(); }

TrafficSelectors List(std::initializer_list<const char*> texts) {
  TrafficSelectors list;
  for (const char* text : texts) list.push_back(Ts(text));
  return list;
}

TEST(TrafficSelectorTest, ParsesAndPrints) {
  for (const char* text : {"10.0.0.0/8", "10.0.0.1-10.0.0.9", "10.0.0.1/32[udp/1701]", "::/0[tcp]",
                           "10.0.0.0/8[tcp/1000-2000]", "10.0.0.0/8[47]", "10.0.0.0/8[tcp/opaque]",
                           "10.0.0.0/8[any/opaque]", "10.0.0.0/8[any/53]", "0.0.0.0/0[icmp/8]",
                           "0.0.0.0/0[icmp/8/0]", "0.0.0.0/0[icmp/3-5]", "0.0.0.0/0[icmp/3/0-4]",
                           "0.0.0.0/0[icmp/3/1-4/2]", "::/0[ipv6-icmp/135]", "::/0[mobility/5]"}) {
    EXPECT_EQ(Ts(text).ToString(), text);
  }
  EXPECT_FALSE(TrafficSelector::Parse("10.0.0.0/8[tcp").ok());
  EXPECT_FALSE(TrafficSelector::Parse("10.0.0.0/8[frob]").ok());
  EXPECT_FALSE(TrafficSelector::Parse("10.0.0.0/8[tcp/70000]").ok());
  EXPECT_FALSE(TrafficSelector::Parse("10.0.0.0/8[tcp/20-10]").ok());
  for (const char* text :
       {"0.0.0.0/0[icmp/256]", "0.0.0.0/0[icmp/3/256]", "0.0.0.0/0[icmp/5-3]", "0.0.0.0/0[icmp/3/]",
        "0.0.0.0/0[icmp/]", "0.0.0.0/0[icmp/-4]", "0.0.0.0/0[icmp/3/4-2]", "0.0.0.0/0[tcp/80/1]"}) {
    EXPECT_FALSE(TrafficSelector::Parse(text).ok()) << text;
  }
}

TEST(TrafficSelectorTest, AnyAndTypesAreRanges) {
  EXPECT_EQ(Ts("10.0.0.0/8[any]"), Ts("10.0.0.0/8"));
  EXPECT_EQ(Ts("10.0.0.0/8[tcp/any]"), Ts("10.0.0.0/8[tcp]"));
  EXPECT_EQ(Ts("0.0.0.0/0[icmp/8]").ports, (PortRange{0x0800, 0x08ff}));
  EXPECT_EQ(Ts("0.0.0.0/0[icmp/8/0]").ports, PortRange::Single(0x0800));
  EXPECT_EQ(Ts("0.0.0.0/0[1/3/4]").ports, PortRange::Single(0x0304));
  EXPECT_TRUE(Ts("10.0.0.0/8[tcp/opaque]").ports.is_opaque());
}

TEST(TrafficSelectorTest, Contains) {
  EXPECT_TRUE(Ts("10.0.0.0/8").Contains(Ts("10.1.0.0/16[tcp/80]")));
  EXPECT_FALSE(Ts("10.0.0.0/8[tcp]").Contains(Ts("10.1.0.0/16")));
  EXPECT_FALSE(Ts("10.0.0.0/8[tcp/80]").Contains(Ts("10.1.0.0/16[tcp/80-81]")));
  EXPECT_FALSE(Ts("10.0.0.0/8").Contains(Ts("::/0")));
}

// RFC 7296, 2.9: the responder answers with a subset of what was proposed.
TEST(TrafficSelectorTest, NarrowsToTheCommonPart) {
  EXPECT_EQ(Narrow(List({"0.0.0.0/0"}), List({"10.10.0.0/24"})), List({"10.10.0.0/24"}));
  EXPECT_EQ(Narrow(List({"10.10.0.0/25"}), List({"10.10.0.0/24"})), List({"10.10.0.0/25"}));
  EXPECT_EQ(Narrow(List({"0.0.0.0/0", "::/0"}), List({"10.0.0.0/8", "2001:db8::/32"})),
            List({"10.0.0.0/8", "2001:db8::/32"}));
  EXPECT_TRUE(Narrow(List({"10.11.0.0/24"}), List({"10.10.0.0/24"})).empty());
  EXPECT_EQ(Narrow(List({"10.0.0.0/8[udp]"}), List({"10.0.0.0/8[udp/53]"})),
            List({"10.0.0.0/8[udp/53]"}));
}

// The first selector of a TSi may be the packet that triggered the exchange (RFC 7296, 2.9); the
// wider one that follows swallows it.
TEST(TrafficSelectorTest, NarrowLeavesOutWhatIsContained) {
  EXPECT_EQ(Narrow(List({"10.0.0.5/32[tcp/80]", "10.0.0.0/8"}), List({"10.0.0.0/8"})),
            List({"10.0.0.0/8"}));
}

TEST(PortRangeTest, OpaqueMeetsOnlyItselfAndAll) {
  EXPECT_EQ(PortRange::Opaque().Intersect(PortRange::All()), PortRange::Opaque());
  EXPECT_FALSE(PortRange::Opaque().Intersect(PortRange::Single(80)).has_value());
  EXPECT_TRUE(PortRange::All().Contains(PortRange::Opaque()));
  EXPECT_FALSE(PortRange::Single(80).Contains(PortRange::Opaque()));
}

}  // namespace
}  // namespace sekisho
