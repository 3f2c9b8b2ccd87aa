#include "slowpath/address_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"

namespace sekisho::slowpath {
namespace {

IpAddress Ip(const char* text) { return IpAddress::Parse(text).value(); }

ike::Identity Peer(absl::string_view name) {
  return {.type = ike::IdentityType::kFqdn, .data = Bytes(name.begin(), name.end())};
}

AddressPool Pool(const char* name, const char* addresses, std::vector<IpAddress> dns = {},
                 uint64_t remembered_max = AddressPool::kRememberedMax) {
  return AddressPool(name, ParsePoolAddresses(addresses).value(), std::move(dns), remembered_max);
}

ike::AskLease Ask(uint64_t ike_sa, absl::string_view peer, bool ipv4, bool ipv6) {
  return {.ike_sa = ike::IkeSaId{ike_sa},
          .connection = "staff",
          .peer = Peer(peer),
          .ipv4 = ipv4,
          .ipv6 = ipv6};
}

TEST(ParsePoolAddressesTest, LeavesOutNetworkAndBroadcastAddressOfAPrefix) {
  EXPECT_EQ(*ParsePoolAddresses("10.99.0.0/24"), (IpRange{Ip("10.99.0.1"), Ip("10.99.0.254")}));
  EXPECT_EQ(*ParsePoolAddresses("10.99.0.0/30"), (IpRange{Ip("10.99.0.1"), Ip("10.99.0.2")}));
}

// IPv6 has no broadcast, but the first address is the routers' anycast (RFC 4291, 2.6.1).
TEST(ParsePoolAddressesTest, LeavesOutTheFirstAddressOfAnIpv6Prefix) {
  EXPECT_EQ(*ParsePoolAddresses("2001:db8:99::/112"),
            (IpRange{Ip("2001:db8:99::1"), Ip("2001:db8:99::ffff")}));
}

TEST(ParsePoolAddressesTest, TakesRangesAndTinyPrefixesWhole) {
  EXPECT_EQ(*ParsePoolAddresses("10.99.0.0-10.99.0.255"),
            (IpRange{Ip("10.99.0.0"), Ip("10.99.0.255")}));
  EXPECT_EQ(*ParsePoolAddresses("10.99.0.0/31"), (IpRange{Ip("10.99.0.0"), Ip("10.99.0.1")}));
  EXPECT_EQ(*ParsePoolAddresses("10.99.0.7/32"), IpRange::Single(Ip("10.99.0.7")));
  EXPECT_FALSE(ParsePoolAddresses("10.99.0.0/33").ok());
}

TEST(AddressPoolTest, GivesOutEveryAddressOnceAndThenSaysSo) {
  AddressPool pool = Pool("staff4", "10.99.0.1-10.99.0.200");
  std::set<IpAddress> seen;
  for (int i = 0; i < 200; ++i) {
    const auto address = pool.Lease(Peer(absl::StrCat("client", i)));
    ASSERT_TRUE(address.ok());
    EXPECT_TRUE(pool.addresses().Contains(*address));
    seen.insert(*address);
  }
  EXPECT_EQ(seen.size(), 200u);
  EXPECT_EQ(pool.info().leased, 200u);
  EXPECT_EQ(pool.Lease(Peer("late")).status().message(),
            "pool staff4: all 200 addresses are leased");
}

TEST(AddressPoolTest, APeerThatComesBackGetsItsFormerAddress) {
  AddressPool pool = Pool("p", "10.99.0.0/24");
  const IpAddress first = pool.Lease(Peer("a")).value();
  const IpAddress second = pool.Lease(Peer("b")).value();
  EXPECT_NE(first, second);
  pool.Release(first);
  pool.Release(second);
  EXPECT_EQ(pool.Lease(Peer("b")).value(), second);
  EXPECT_EQ(pool.Lease(Peer("c")).value(), Ip("10.99.0.3"));
  EXPECT_EQ(pool.Lease(Peer("a")).value(), first);
}

// The address given back the longest ago goes first to a stranger; then its former owner gets
// another one.
TEST(AddressPoolTest, TakesTheAddressFreeTheLongestWhenNoneIsUnused) {
  AddressPool pool = Pool("p", "10.99.0.1-10.99.0.2");
  const IpAddress first = pool.Lease(Peer("a")).value();
  const IpAddress second = pool.Lease(Peer("b")).value();
  pool.Release(second);
  pool.Release(first);
  EXPECT_EQ(pool.Lease(Peer("c")).value(), second);
  EXPECT_EQ(pool.Lease(Peer("b")).value(), first);
  EXPECT_FALSE(pool.Lease(Peer("a")).ok());
}

TEST(AddressPoolTest, TwoTunnelsOfOneIdentityGetTwoAddresses) {
  AddressPool pool = Pool("p", "10.99.0.0/24");
  const IpAddress first = pool.Lease(Peer("a")).value();
  const IpAddress second = pool.Lease(Peer("a")).value();
  EXPECT_NE(first, second);
  pool.Release(first);
  EXPECT_EQ(pool.Lease(Peer("a")).value(), first);
}

// An IPv6 pool is far larger than any table: with two former owners remembered the third new peer
// is given an address that was used before, and leases still exceed that limit.
TEST(AddressPoolTest, AHugePoolRemembersAFewFormerOwners) {
  AddressPool pool = Pool("p6", "2001:db8::/64", {}, 2);
  EXPECT_EQ(pool.info().size, UINT64_MAX);
  const IpAddress first = pool.Lease(Peer("a")).value();
  EXPECT_EQ(first, Ip("2001:db8::1"));
  EXPECT_EQ(pool.Lease(Peer("b")).value(), Ip("2001:db8::2"));
  EXPECT_EQ(pool.Lease(Peer("c")).value(), Ip("2001:db8::3"));
  pool.Release(first);
  EXPECT_EQ(pool.Lease(Peer("d")).value(), first);
}

TEST(AddressPoolTest, LeasesAndReleasesAQuarterMillionAddresses) {
  AddressPool pool = Pool("big", "10.0.0.0/14");
  constexpr int kPeers = 250000;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kPeers; ++i) {
      ASSERT_EQ(pool.Lease(Peer(absl::StrCat(i))).value(),
                Ip("10.0.0.1").Plus(static_cast<uint64_t>(i)));
    }
    for (int i = 0; i < kPeers; ++i) pool.Release(Ip("10.0.0.1").Plus(static_cast<uint64_t>(i)));
  }
  EXPECT_EQ(pool.info().leased, 0u);
}

class AddressPoolsTest : public testing::Test {
 protected:
  static std::vector<AddressPool> MakePools() {
    std::vector<AddressPool> pools;
    pools.push_back(Pool("small4", "10.99.0.1", {Ip("10.10.0.53")}));
    pools.push_back(Pool("more4", "10.98.0.1-10.98.0.2", {Ip("10.10.0.54")}));
    pools.push_back(Pool("staff6", "2001:db8:99::/112", {Ip("2001:db8:10::53")}));
    return pools;
  }
  uint64_t Leased(size_t pool) const { return pools_.List()[pool].leased; }

  AddressPools pools_{MakePools()};
};

TEST_F(AddressPoolsTest, LeasesBothFamiliesWithTheirNameServers) {
  const auto lease = pools_.Lease(Ask(1, "a", true, true), {"small4", "staff6"});
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->ipv4, Ip("10.99.0.1"));
  EXPECT_EQ(lease->ipv6, Ip("2001:db8:99::1"));
  EXPECT_EQ(lease->dns, (std::vector<IpAddress>{Ip("10.10.0.53"), Ip("2001:db8:10::53")}));
}

TEST_F(AddressPoolsTest, GoesOnToTheNextPoolOfTheFamily) {
  ASSERT_TRUE(pools_.Lease(Ask(1, "a", true, false), {"small4", "more4"}).ok());
  const auto lease = pools_.Lease(Ask(2, "b", true, false), {"small4", "more4"});
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->ipv4, Ip("10.98.0.1"));
  EXPECT_EQ(lease->ipv6, std::nullopt);
}

TEST_F(AddressPoolsTest, GivesWhatItHasPoolsFor) {
  const auto lease = pools_.Lease(Ask(1, "a", true, true), {"staff6"});
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->ipv4, std::nullopt);
  EXPECT_TRUE(lease->ipv6.has_value());
}

TEST_F(AddressPoolsTest, FailsWithNoPoolOfTheFamily) {
  EXPECT_EQ(pools_.Lease(Ask(1, "a", true, false), {"staff6"}).status().message(),
            "connection staff: no pool for virtual IPv4 addresses");
}

// The IPv4 address that was already taken goes back when IPv6 fails, and the other way about.
TEST_F(AddressPoolsTest, AFailedLeaseHoldsNothing) {
  ASSERT_TRUE(pools_.Lease(Ask(1, "a", true, false), {"small4"}).ok());
  const auto lease = pools_.Lease(Ask(2, "b", true, true), {"small4", "staff6"});
  EXPECT_EQ(lease.status().message(), "pool small4: all 1 addresses are leased");
  EXPECT_EQ(Leased(2), 0u);
  EXPECT_EQ(pools_.Leases().size(), 1u);
}

TEST_F(AddressPoolsTest, AskedTwiceAnswersTheSame) {
  const auto first = pools_.Lease(Ask(1, "a", true, true), {"more4", "staff6"});
  const auto again = pools_.Lease(Ask(1, "a", true, true), {"more4", "staff6"});
  EXPECT_EQ(first->ipv4, again->ipv4);
  EXPECT_EQ(Leased(1), 1u);
}

TEST_F(AddressPoolsTest, ReleaseGivesBackAllOfAnIkeSa) {
  ASSERT_TRUE(pools_.Lease(Ask(1, "a", true, true), {"small4", "staff6"}).ok());
  pools_.Release(ike::IkeSaId{2});
  EXPECT_EQ(Leased(0) + Leased(2), 2u);
  pools_.Release(ike::IkeSaId{1});
  pools_.Release(ike::IkeSaId{1});
  EXPECT_EQ(Leased(0) + Leased(2), 0u);
}

}  // namespace
}  // namespace sekisho::slowpath
