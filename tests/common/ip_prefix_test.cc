#include "common/ip_prefix.h"

#include <gtest/gtest.h>

#include "common/ip_range.h"

namespace sekisho {
namespace {

IpAddress Ip(const char* text) { return IpAddress::Parse(text).value(); }
IpRange Range(const char* text) { return IpRange::Parse(text).value(); }

TEST(IpPrefixTest, ParsesAndPrints) {
  EXPECT_EQ(IpPrefix::Parse("10.0.0.0/8")->ToString(), "10.0.0.0/8");
  EXPECT_EQ(IpPrefix::Parse("10.0.0.1")->ToString(), "10.0.0.1/32");
  EXPECT_EQ(IpPrefix::Parse("::/0")->ToString(), "::/0");
  EXPECT_EQ(IpPrefix::Parse("2001:db8::/32")->ToString(), "2001:db8::/32");
}

// Host bits set are an error that shows the prefix that was probably meant.
TEST(IpPrefixTest, RefusesHostBits) {
  const auto result = IpPrefix::Parse("10.0.0.1/24");
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("10.0.0.0/24"), absl::string_view::npos);
}

TEST(IpPrefixTest, RefusesBadLengths) {
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/a", "::/129"}) {
    EXPECT_FALSE(IpPrefix::Parse(text).ok()) << text;
  }
}

TEST(IpPrefixTest, ContainsItsRange) {
  const IpPrefix prefix = *IpPrefix::Parse("192.0.2.64/26");
  EXPECT_EQ(prefix.ToRange(), Range("192.0.2.64-192.0.2.127"));
  EXPECT_TRUE(prefix.Contains(Ip("192.0.2.127")));
  EXPECT_FALSE(prefix.Contains(Ip("192.0.2.128")));
  EXPECT_FALSE(prefix.Contains(Ip("::")));
}

TEST(IpPrefixTest, FromRangeOnlyWhereExact) {
  EXPECT_EQ(IpPrefix::FromRange(Range("10.0.0.0-10.255.255.255"))->ToString(), "10.0.0.0/8");
  EXPECT_EQ(IpPrefix::FromRange(IpRange::All(IpFamily::kIpv6))->ToString(), "::/0");
  EXPECT_FALSE(IpPrefix::FromRange(Range("10.0.0.0-10.0.0.2")).has_value());
  EXPECT_FALSE(IpPrefix::FromRange(Range("10.0.0.1-10.0.0.2")).has_value());
}

// The cover's prefixes stand end to end and are as many as the textbook example needs.
TEST(IpPrefixTest, CoverIsExactAndShort) {
  const auto prefixes = IpPrefix::Cover(Range("10.0.0.1-10.0.0.8"));
  ASSERT_EQ(prefixes.size(), 4u);
  EXPECT_EQ(prefixes[0].ToString(), "10.0.0.1/32");
  EXPECT_EQ(prefixes[1].ToString(), "10.0.0.2/31");
  EXPECT_EQ(prefixes[2].ToString(), "10.0.0.4/30");
  EXPECT_EQ(prefixes[3].ToString(), "10.0.0.8/32");
  EXPECT_EQ(IpPrefix::Cover(IpRange::All(IpFamily::kIpv4)).size(), 1u);
  EXPECT_EQ(IpPrefix::Cover(Range("0.0.0.1-255.255.255.254")).size(), 62u);
  EXPECT_EQ(IpPrefix::Cover(Range("::1-::1")).size(), 1u);
}

TEST(IpRangeTest, ParsesThreeForms) {
  EXPECT_TRUE(Range("10.0.0.1").is_single());
  EXPECT_EQ(Range("10.0.0.0/30"), Range("10.0.0.0-10.0.0.3"));
  EXPECT_EQ(Range("10.0.0.1-10.0.0.3").ToString(), "10.0.0.1-10.0.0.3");
  EXPECT_FALSE(IpRange::Parse("10.0.0.3-10.0.0.1").ok());
  EXPECT_FALSE(IpRange::Parse("10.0.0.3-::1").ok());
}

TEST(IpRangeTest, Intersects) {
  EXPECT_EQ(*Range("10.0.0.0/24").Intersect(Range("10.0.0.128-10.0.1.5")), Range("10.0.0.128/25"));
  EXPECT_FALSE(Range("10.0.0.0/24").Intersect(Range("10.0.1.0/24")).has_value());
  EXPECT_FALSE(Range("0.0.0.0/0").Intersect(Range("::/0")).has_value());
}

TEST(InterfaceAddressTest, KeepsHostBits) {
  const auto address = InterfaceAddress::Parse("192.0.2.1/24");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->ToString(), "192.0.2.1/24");
  EXPECT_EQ(address->network().ToString(), "192.0.2.0/24");
}

}  // namespace
}  // namespace sekisho
