#include "slowpath/neighbour_resolver.h"

#include <gtest/gtest.h>

namespace sekisho::slowpath {
namespace {

constexpr PortId kWan{0};
constexpr MacAddress kOurMac = {2, 0, 0, 0, 0, 1};
constexpr MacAddress kMac = {2, 0, 0, 0, 0, 0x77};
constexpr MacAddress kOtherMac = {2, 0, 0, 0, 0, 0x78};
const absl::Time kStart = absl::FromUnixSeconds(1000);

IpAddress Ip(const char* text) { return IpAddress::Parse(text).value(); }
const IpAddress kPeer = Ip("203.0.113.254");

// What the resolver said, as words: "send", "set 203.0.113.254", "forget 203.0.113.254".
std::string Words(const NeighbourResolver::Actions& actions) {
  std::string words;
  for (const auto& action : actions) {
    if (!words.empty()) words += ", ";
    if (std::holds_alternative<NeighbourResolver::SendFrame>(action)) {
      words += "send";
    } else if (const auto* set = std::get_if<NeighbourResolver::SetNeighbour>(&action)) {
      words += "set " + set->address.ToString();
    } else {
      words += "forget " + std::get<NeighbourResolver::ForgetNeighbour>(action).address.ToString();
    }
  }
  return words;
}

class NeighbourResolverTest : public testing::Test {
 protected:
  static std::vector<NeighbourInterface> Interfaces() {
    return {{.mac = kOurMac,
             .addresses = {InterfaceAddress::Parse("203.0.113.1/24").value(),
                           InterfaceAddress::Parse("2001:db8:113::1/64").value()}}};
  }
  std::string Resolve(const IpAddress& address) {
    NeighbourResolver::Actions actions;
    resolver_.HandleResolve(kWan, address, now_, actions);
    return Words(actions);
  }
  std::string Seen(const IpAddress& address, const MacAddress& mac = kMac) {
    NeighbourResolver::Actions actions;
    resolver_.HandleSeen(kWan, address, mac, now_, actions);
    return Words(actions);
  }
  // Lets time pass, stopping at every deadline on the way.
  std::string Advance(absl::Duration duration) {
    const absl::Time end = now_ + duration;
    NeighbourResolver::Actions actions;
    while (resolver_.next_deadline() <= end) {
      now_ = resolver_.next_deadline();
      resolver_.HandleTimers(now_, actions);
    }
    now_ = end;
    resolver_.HandleTimers(now_, actions);
    last_ = actions;
    return Words(actions);
  }

  NeighbourResolver resolver_{Interfaces(), 4};
  absl::Time now_ = kStart;
  NeighbourResolver::Actions last_;
};

TEST_F(NeighbourResolverTest, AsksThreeTimesOneSecondApartThenForgets) {
  EXPECT_EQ(Resolve(kPeer), "send");
  EXPECT_EQ(Advance(absl::Milliseconds(999)), "");
  EXPECT_EQ(Advance(absl::Milliseconds(1)), "send");
  EXPECT_EQ(Advance(absl::Seconds(1)), "send");
  EXPECT_EQ(Advance(absl::Seconds(1)), "forget 203.0.113.254");
  EXPECT_EQ(resolver_.size(), 0u);
  EXPECT_EQ(resolver_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(NeighbourResolverTest, AnAnswerSetsTheEntryAndEndsTheAsking) {
  Resolve(kPeer);
  EXPECT_EQ(Seen(kPeer), "set 203.0.113.254");
  EXPECT_EQ(Advance(absl::Seconds(59)), "");
  EXPECT_EQ(resolver_.List()[0].state, "reachable");
}

TEST_F(NeighbourResolverTest, WhoAsksTwiceIsNotAnsweredWithTwoRequests) {
  EXPECT_EQ(Resolve(kPeer), "send");
  EXPECT_EQ(Resolve(kPeer), "");
}

TEST_F(NeighbourResolverTest, AKnownNeighbourIsSaidOnceMore) {
  Resolve(kPeer);
  Seen(kPeer);
  EXPECT_EQ(Resolve(kPeer), "set 203.0.113.254");
}

// After 60 s: three probes to the neighbour alone, and the entry goes if none is answered.
TEST_F(NeighbourResolverTest, AnOldEntryIsProbedAndForgottenIfUnanswered) {
  Resolve(kPeer);
  Seen(kPeer);
  EXPECT_EQ(Advance(absl::Seconds(60)), "send");
  const Bytes& frame = std::get<NeighbourResolver::SendFrame>(last_[0]).frame;
  EXPECT_TRUE(std::equal(kMac.begin(), kMac.end(), frame.begin()));
  EXPECT_EQ(resolver_.List()[0].state, "probing");
  EXPECT_EQ(Advance(absl::Seconds(3)), "send, send, forget 203.0.113.254");
}

TEST_F(NeighbourResolverTest, AnAnsweredProbeKeepsTheEntryForAnotherMinute) {
  Resolve(kPeer);
  Seen(kPeer);
  Advance(absl::Seconds(61));
  EXPECT_EQ(Seen(kPeer), "set 203.0.113.254");
  EXPECT_EQ(Advance(absl::Seconds(59)), "");
  EXPECT_EQ(Advance(absl::Seconds(1)), "send");
}

TEST_F(NeighbourResolverTest, FollowsANeighbourThatMoves) {
  Resolve(kPeer);
  Seen(kPeer);
  EXPECT_EQ(Seen(kPeer, kOtherMac), "send");
  EXPECT_EQ(Advance(absl::Seconds(3)), "send, send, forget 203.0.113.254");
  EXPECT_EQ(Resolve(kPeer), "send");
  EXPECT_EQ(Seen(kPeer, kOtherMac), "set 203.0.113.254");
  EXPECT_EQ(resolver_.List()[0].mac, kOtherMac);
}

// A claim has the known neighbour asked, alone, and its answer settles the matter. More claims
// until then change nothing.
TEST_F(NeighbourResolverTest, AClaimDoesNotReplaceANeighbourThatAnswers) {
  Resolve(kPeer);
  Seen(kPeer);
  NeighbourResolver::Actions actions;
  resolver_.HandleSeen(kWan, kPeer, kOtherMac, now_, actions);
  ASSERT_EQ(Words(actions), "send");
  const Bytes& frame = std::get<NeighbourResolver::SendFrame>(actions[0]).frame;
  EXPECT_TRUE(std::equal(kMac.begin(), kMac.end(), frame.begin()));
  EXPECT_EQ(Seen(kPeer, kOtherMac), "");
  EXPECT_EQ(Seen(kPeer, kMac), "set 203.0.113.254");
  EXPECT_EQ(resolver_.List()[0].mac, kMac);
  EXPECT_EQ(resolver_.List()[0].state, "reachable");
}

TEST_F(NeighbourResolverTest, LearnsUnaskedOnlyFromItsNetworks) {
  EXPECT_EQ(Seen(Ip("203.0.113.9")), "set 203.0.113.9");
  EXPECT_EQ(Seen(Ip("fe80::9")), "set fe80::9");
  EXPECT_EQ(Seen(Ip("198.51.100.9")), "");
  EXPECT_EQ(Seen(Ip("203.0.113.1")), "");  // ourselves
  EXPECT_EQ(Seen(Ip("0.0.0.0")), "");
  EXPECT_EQ(resolver_.size(), 2u);
}

TEST_F(NeighbourResolverTest, IgnoresAddressesThatNoNeighbourCanHave) {
  Resolve(kPeer);
  EXPECT_EQ(Seen(kPeer, MacAddress{}), "");
  EXPECT_EQ(Seen(kPeer, MacAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "");
  EXPECT_EQ(resolver_.List()[0].state, "resolving");
}

TEST_F(NeighbourResolverTest, StrangersDoNotFillAFullTable) {
  for (const char* text : {"203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"})
    Seen(Ip(text));
  EXPECT_EQ(Seen(Ip("203.0.113.6")), "");
  EXPECT_EQ(resolver_.size(), 4u);
}

TEST_F(NeighbourResolverTest, AFullTableGivesUpTheOldestUnanswered) {
  Resolve(Ip("203.0.113.2"));
  Seen(Ip("203.0.113.2"));
  now_ += absl::Milliseconds(1);
  Resolve(Ip("203.0.113.3"));
  now_ += absl::Milliseconds(1);
  Resolve(Ip("203.0.113.4"));
  Seen(Ip("203.0.113.5"));
  EXPECT_EQ(Resolve(Ip("203.0.113.6")), "forget 203.0.113.3, send");
  EXPECT_EQ(resolver_.size(), 4u);
}

TEST_F(NeighbourResolverTest, AFullTableOfAnsweredEntriesGivesUpTheStalest) {
  for (const char* text : {"203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"}) {
    Seen(Ip(text));
    now_ += absl::Milliseconds(1);
  }
  Seen(Ip("203.0.113.2"));
  EXPECT_EQ(Resolve(Ip("203.0.113.6")), "forget 203.0.113.3, send");
}

TEST_F(NeighbourResolverTest, CannotAskWithoutAnAddressOfTheFamily) {
  NeighbourResolver only_v6(
      {{.mac = kOurMac, .addresses = {InterfaceAddress::Parse("2001:db8::1/64").value()}}});
  NeighbourResolver::Actions actions;
  only_v6.HandleResolve(kWan, kPeer, now_, actions);
  EXPECT_EQ(Words(actions), "forget 203.0.113.254");
  actions.clear();
  only_v6.HandleResolve(PortId{7}, kPeer, now_, actions);
  EXPECT_EQ(Words(actions), "");
}

// The whole frame by hand after RFC 826.
TEST(NeighbourFramesTest, ArpRequestIsWhatRfc826Says) {
  const Bytes frame = BuildArpRequest(kOurMac, Ip("203.0.113.1"), kPeer, std::nullopt);
  Bytes expected = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0, 0,   0,  0, 1, 0x08, 0x06,  //
                    0,    1,    0x08, 0,    6,    4,    0,   1,                             //
                    2,    0,    0,    0,    0,    1,    203, 0, 113, 1,                     //
                    0,    0,    0,    0,    0,    0,    203, 0, 113, 254};
  expected.resize(60);
  EXPECT_EQ(frame, expected);
}

uint16_t ChecksumOf(const Bytes& frame) {
  uint32_t sum = 58 + 32;
  for (size_t i = 22; i < 54 + 32; i += 2) sum += LoadBigEndian<uint16_t>(&frame[i]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// RFC 4861, 4.3 and 7.1.1: to the solicited-node group, hop limit 255, checksum right.
TEST(NeighbourFramesTest, SolicitationIsWhatRfc4861Says) {
  const Bytes frame = BuildNeighbourSolicitation(kOurMac, Ip("2001:db8:113::1"),
                                                 Ip("2001:db8:113::abcd:1234"), std::nullopt);
  ASSERT_EQ(frame.size(), 14u + 40 + 32);
  EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), (Bytes{0x33, 0x33, 0xff, 0xcd, 0x12, 0x34}));
  EXPECT_EQ(frame[21], 255);
  EXPECT_EQ(IpAddress::V6(ByteSpan(frame).subspan(38, 16)), Ip("ff02::1:ffcd:1234"));
  EXPECT_EQ(frame[54], 135);
  EXPECT_EQ(IpAddress::V6(ByteSpan(frame).subspan(62, 16)), Ip("2001:db8:113::abcd:1234"));
  EXPECT_EQ(Bytes(frame.end() - 8, frame.end()), (Bytes{1, 1, 2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(ChecksumOf(frame), 0xffff);
}

TEST(NeighbourFramesTest, AProbeGoesToTheNeighbourAlone) {
  const Bytes frame =
      BuildNeighbourSolicitation(kOurMac, Ip("2001:db8::1"), Ip("2001:db8::2"), kMac);
  EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), Bytes(kMac.begin(), kMac.end()));
  EXPECT_EQ(IpAddress::V6(ByteSpan(frame).subspan(38, 16)), Ip("2001:db8::2"));
  EXPECT_EQ(ChecksumOf(frame), 0xffff);
}

}  // namespace
}  // namespace sekisho::slowpath
