#include "common/ip_address.h"

#include <gtest/gtest.h>

#include "common/endpoint.h"

namespace sekisho {
namespace {

IpAddress Ip(const char* text) { return IpAddress::Parse(text).value(); }

TEST(IpAddressTest, ParsesAndPrints) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1"}) {
    EXPECT_EQ(Ip(text).ToString(), text);
  }
}

// The error says what was found and what is wanted.
TEST(IpAddressTest, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"", "192.0.2", "192.0.2.256", "192.0.2.1/24", "2001:db8::g", "fe80::1%eth0"}) {
    const auto result = IpAddress::Parse(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.status().message().find(text), absl::string_view::npos);
  }
}

TEST(IpAddressTest, OrdersFamilyFirstThenNumber) {
  EXPECT_LT(Ip("10.0.0.1"), Ip("10.0.0.2"));
  EXPECT_LT(Ip("9.255.255.255"), Ip("10.0.0.0"));
  EXPECT_LT(Ip("255.255.255.255"), Ip("::"));
}

TEST(IpAddressTest, Arithmetic) {
  EXPECT_EQ(Ip("10.0.0.255").Next(), Ip("10.0.1.0"));
  EXPECT_EQ(Ip("10.0.1.0").Previous(), Ip("10.0.0.255"));
  EXPECT_EQ(Ip("2001:db8::ffff").Next(), Ip("2001:db8::1:0"));
  EXPECT_EQ(Ip("10.0.0.0").Plus(0x1ff), Ip("10.0.1.255"));
  EXPECT_EQ(Ip("255.255.255.255").Next(), Ip("0.0.0.0"));
}

TEST(IpAddressTest, Kinds) {
  EXPECT_TRUE(Ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(Ip("ff02::1").is_multicast());
  EXPECT_FALSE(Ip("223.255.255.255").is_multicast());
  EXPECT_TRUE(Ip("169.254.1.1").is_link_local());
  EXPECT_TRUE(Ip("febf::1").is_link_local());
  EXPECT_FALSE(Ip("fec0::1").is_link_local());
  EXPECT_TRUE(Ip("255.255.255.255").is_broadcast());
  EXPECT_FALSE(IpAddress::Last(IpFamily::kIpv6).is_broadcast());
}

TEST(EndpointTest, Prints) {
  EXPECT_EQ((Endpoint{Ip("192.0.2.1"), 500}.ToString()), "192.0.2.1:500");
  EXPECT_EQ((Endpoint{Ip("::1"), 4500}.ToString()), "[::1]:4500");
}

}  // namespace
}  // namespace sekisho
