// What strangers send in masses, class by class: each has its share of the slow path and of what we
// answer, and while one is used up the others are as good as ever. Time stands still, so that no
// share fills up again.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr const char* kUs = "203.0.113.1";
constexpr const char* kStranger = "198.51.100.9";
constexpr const char* kUser = "10.10.0.6";

Bytes ArpRequest() {  // 203.0.113.9 asks for 203.0.113.1
  return FromHex(
      "ffffffffffff 020000000077 0806 0001 0800 06 04 0001"
      "020000000077 cb007109 000000000000 cb007101");
}

// About an ESP packet as we send them.
Bytes TooBig(uint32_t spi) {
  Bytes icmp = FromHex("0304 0000 0000 0514");
  const Bytes quoted = Ipv4(kUs, kStranger).Esp(spi, 1).Payload(size_t{1400}).Build();
  icmp.insert(icmp.end(), quoted.begin(), quoted.begin() + 64);
  const uint16_t checksum = ChecksumFrom(OnesSum(icmp));
  std::memcpy(&icmp[2], &checksum, sizeof checksum);
  return Ipv4("192.0.2.77", kUs).Protocol(1).Payload(icmp).Build();
}

class FloodTest : public FastPathTest {
 protected:
  enum Class : int { kIke, kArp, kResolve, kAcquire, kTooBig, kExpired, kClasses };

  void Start() {
    gateway().answer_neighbours = false;
    SetTables(gateway(), {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/16"),
                          MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0"),
                          MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
    FastPath& fast_path = gateway().fast_path();
    ASSERT_TRUE(fast_path.SetNeighbour(kInsidePort, Address(kUser), kHostMac).ok());
    ASSERT_TRUE(fast_path.SetNeighbour(kOutsidePort, Address("203.0.113.9"), kHostMac).ok());
    ASSERT_TRUE(fast_path.SetNeighbour(kOutsidePort, Address("203.0.113.254"), kHostMac).ok());
    fast_path.RunOnce(rte_rdtsc());
  }

  // The `number`th of its class arrives.
  void Offer(Class each, int number) {
    const std::string host = std::to_string(number % 250 + 1);
    switch (each) {
      case kIke:
        return gateway().ReceiveIp(kOutsidePort, Ipv4(kStranger, kUs)
                                                     .Udp(static_cast<uint16_t>(1000 + number), 500)
                                                     .Payload(28)
                                                     .Build());
      case kArp:
        return gateway().Receive(kOutsidePort, ArpRequest());
      case kResolve:
        return gateway().ReceiveIp(
            kInsidePort,
            Ipv6("2001:db8:10::6", ("2001:db8:113::" + std::to_string(1000 + number)).c_str())
                .Udp(1, 2)
                .Build());
      case kAcquire:
        return gateway().ReceiveIp(
            kInsidePort, Ipv4(kUser, ("10.20." + std::to_string(number / 250) + "." + host).c_str())
                             .Udp(1, 2)
                             .Build());
      case kTooBig:
        return gateway().ReceiveIp(kOutsidePort, TooBig(0x1000 + static_cast<uint32_t>(number)));
      case kExpired:
        return gateway().ReceiveIp(kInsidePort, Ipv4(kUser, kStranger).Ttl(1).Udp(1, 2).Build());
      case kClasses:
        return;
    }
  }
  // The worker's rounds; the slow path sleeps. What leaves by the ports is counted.
  void Rounds() {
    while (gateway().fast_path().RunOnce()) {
    }
    while (gateway().Sent(kInsidePort).has_value()) ++sent_inside_;
    while (gateway().Sent(kOutsidePort).has_value()) ++sent_outside_;
  }
  void Flood(Class each, int count) {
    for (int i = 0; i < count; ++i) {
      Offer(each, i);
      if (i % 256 == 255) Rounds();
    }
    Rounds();
  }
  // Offers one of this class: was it treated as if it were alone?
  bool IsServed(Class each, int number) {
    const uint64_t limited = gateway().drops(DropReason::kPuntRateLimited);
    const uint64_t unresolved = gateway().drops(DropReason::kNeighbourUnresolved);
    sent_inside_ = sent_outside_ = 0;
    Offer(each, number);
    Rounds();
    if (gateway().drops(DropReason::kPuntRateLimited) != limited ||
        gateway().drops(DropReason::kUpRingFull) != 0 ||
        gateway().drops(DropReason::kNeighbourUnresolved) != unresolved) {
      return false;
    }
    switch (each) {
      case kArp:
        return sent_outside_ == 1;
      case kExpired:
        return sent_inside_ == 1;
      default:
        return true;  // what the slow path hears is looked at afterwards
    }
  }

  uint64_t sent_inside_ = 0, sent_outside_ = 0;
};

TEST_F(FloodTest, OfOneClassLeavesTheOthersAlone) {
  constexpr int kFlood[kClasses] = {3000, 2000, 900, 1000, 1000, 1000};
  constexpr int kOne = 5000;
  for (int flood = 0; flood < kClasses; ++flood) {
    SCOPED_TRACE(flood);
    Start();
    Flood(static_cast<Class>(flood), kFlood[flood]);
    for (int each = 0; each < kClasses; ++each) {
      if (each == flood) continue;
      EXPECT_TRUE(IsServed(static_cast<Class>(each), kOne)) << each;
    }
    // The slow path wakes up, and finds all of it.
    gateway().Run();
    bool ike = false, resolve = false, acquire = false;
    UpMessage message;
    while (gateway().Punted(&message).has_value()) ike |= message.packet.remote.port == 1000 + kOne;
    while (const auto asked = gateway().TakeMessage(UpMessage::Kind::kResolveNeighbour)) {
      resolve |= asked->neighbour.address == Address("2001:db8:113::6000");
    }
    while (const auto wanted = gateway().TakeMessage(UpMessage::Kind::kAcquire)) {
      acquire |= wanted->acquire.destination == Address("10.20.20.1");
    }
    EXPECT_TRUE(ike || flood == kIke);
    EXPECT_TRUE(resolve || flood == kResolve);
    EXPECT_TRUE(acquire || flood == kAcquire);
    TearDown();
  }
}

// Each flood itself stops at its share.
TEST_F(FloodTest, OfEachClassStopsAtItsShare) {
  Start();
  Flood(kTooBig, 1000);
  EXPECT_EQ(gateway().drops(DropReason::kPuntRateLimited), 800u);
  Flood(kIke, 3000);
  EXPECT_EQ(gateway().drops(DropReason::kPuntRateLimited), 800u + 952u);
  Flood(kResolve, 900);
  EXPECT_EQ(gateway().drops(DropReason::kNeighbourUnresolved), 900u - 512u);
  sent_inside_ = 0;
  Flood(kExpired, 1000);
  EXPECT_EQ(sent_inside_, 50u) << "errors";
  Flood(kAcquire, 1000);
  gateway().Run();
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kAcquire), 64u);
  while (gateway().Punted().has_value()) {
  }
}

}  // namespace
}  // namespace sekisho::fastpath
