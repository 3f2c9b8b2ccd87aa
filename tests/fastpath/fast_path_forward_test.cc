// What may cross the gateway in clear, and what becomes of everything else.
#include <gtest/gtest.h>

#include "fastpath/neighbour_table.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

class ForwardTest : public FastPathTest {
 protected:
  // Nothing at all left by any port.
  void ExpectSilence() {
    EXPECT_FALSE(gateway().Sent(kOutsidePort).has_value());
    EXPECT_FALSE(gateway().Sent(kInsidePort).has_value());
  }
};

// Before the first SetTables() nothing goes through.
TEST_F(ForwardTest, WithoutTablesTransitIsDropped) {
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.5", "198.51.100.9").Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kNoRoute), 1u);
}

TEST_F(ForwardTest, NoPolicyMeansDiscardInBothDirections) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "10.10.0.5", "198.51.100.9")});
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "10.10.0.6").Udp(1, 2).Build());
  gateway().ReceiveIp(kInsidePort, Ipv6("2001:db8:10::5", "2001:db8:f::1").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv6("2001:db8:f::1", "2001:db8:10::5").Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kSpdNoPolicy), 4u);
}

TEST_F(ForwardTest, DiscardPolicyDiscards) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kDiscard, "10.10.0.0/24", "198.51.100.0/24"),
                        MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "10.10.0.6").Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kSpdDiscard), 2u);
}

// A virtual address: what goes to it has no SA and never leaves in clear; what claims to come from
// it in clear does not come in; nor does it get an answer.
TEST_F(ForwardTest, ProtectedTrafficNeverGoesInClear) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kProtect, "0.0.0.0/0", "10.99.0.0/24"),
                        MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "10.99.0.1").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("10.99.0.1", "10.10.0.6").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("10.99.0.1", "203.0.113.1").IcmpEcho(1, 1).Build());
  // A time-exceeded message to a virtual address would leave in clear, too.
  gateway().ReceiveIp(kInsidePort, Ipv4("10.99.0.1", "198.51.100.9").Ttl(1).Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kSpdNoSa), 2u);
  EXPECT_EQ(gateway().drops(DropReason::kSpdClearInbound), 2u);
  EXPECT_EQ(gateway().drops(DropReason::kIpTtlExceeded), 1u);
  const std::optional<UpMessage> message = gateway().TakeMessage(UpMessage::Kind::kAcquire);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->acquire.policy, 0u);
  EXPECT_EQ(message->acquire.destination, Address("10.99.0.1"));
}

// From outside, in clear, the gateway answers on its outside addresses; its inside addresses are
// for those whom policy lets in.
TEST_F(ForwardTest, InsideAddressIsNotPingedFromOutside) {
  SetTables(gateway(), {});
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "10.10.0.254").IcmpEcho(1, 1).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kSpdNoPolicy), 1u);
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "203.0.113.1").IcmpEcho(1, 1).Build());
  gateway().Run();
  EXPECT_TRUE(gateway().SentIp(kOutsidePort).has_value());
}

// An inside host that writes an outsider's address as its source has the gateway answer to there.
// The answers repeat what it sent, so they cross by policy or not at all.
TEST_F(ForwardTest, AnswersCarryNothingOutPastPolicy) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kDiscard, "0.0.0.0/0", "198.51.100.9"),
                        MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("198.51.100.9", "10.10.0.254").IcmpEcho(1, 1).Payload(40).Build());
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("198.51.100.9", "192.0.2.1").Ttl(1).Udp(1, 2).Payload(40).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kSpdDiscard), 2u);
  EXPECT_EQ(gateway().drops(DropReason::kIpTtlExceeded), 1u);
}

// An outsider sends a first piece whose ports policy bypasses, under the addresses and ID of a
// packet of an inside host that policy discards. The host's second piece must not leave behind it.
TEST_F(ForwardTest, PiecesFromOutsideDoNotMixWithPiecesFromInside) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0[udp/53]", "0.0.0.0/0"),
                        MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0[udp/53]")});
  const auto piece = [](uint16_t source_port, uint16_t offset, bool more) {
    const Bytes whole = Ipv4("192.0.2.6", "198.51.100.9").Udp(source_port, 53).Payload(64).Build();
    return Ipv4("192.0.2.6", "198.51.100.9")
        .Id(7)
        .Fragment(offset, more)
        .Protocol(17)
        .Payload(ByteSpan(whole).subspan(20u + offset, 32 + (more ? 0 : 8)))
        .Build();
  };
  gateway().ReceiveIp(kOutsidePort, piece(53, 0, true));
  gateway().ReceiveIp(kInsidePort, piece(99, 32, false));
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().fast_path().GetAccounting().held, 2u);
}

TEST_F(ForwardTest, TtlThatRunsOutIsToldToTheSender) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0"),
                        MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
  const Bytes v4 = Ipv4("10.10.0.6", "198.51.100.9").Ttl(1).Udp(1, 2).Payload(600).Build();
  const Bytes v6 = Ipv6("2001:db8:10::5", "2001:db8:f::1").Ttl(1).Udp(1, 2).Payload(1400).Build();
  gateway().ReceiveIp(kInsidePort, v4);
  gateway().ReceiveIp(kInsidePort, v6);
  gateway().Run();
  EXPECT_EQ(gateway().drops(DropReason::kIpTtlExceeded), 2u);
  const std::optional<Bytes> error4 = gateway().SentIp(kInsidePort);
  ASSERT_TRUE(error4.has_value());
  ASSERT_EQ(error4->size(), 576u);
  EXPECT_EQ((*error4)[20], 11);
  EXPECT_EQ(Bytes(error4->begin() + 28, error4->end()), Bytes(v4.begin(), v4.begin() + 548));
  const std::optional<Bytes> error6 = gateway().SentIp(kInsidePort);
  ASSERT_TRUE(error6.has_value());
  ASSERT_EQ(error6->size(), 1280u);
  EXPECT_EQ((*error6)[40], 3);
  EXPECT_EQ(Bytes(error6->begin() + 48, error6->end()), Bytes(v6.begin(), v6.begin() + 1232));
}

// RFC 1812, 4.3.2.7: an error about an error would go on for ever.
TEST_F(ForwardTest, NoErrorAboutAnError) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9")
                                       .Ttl(1)
                                       .Protocol(1)
                                       .Payload(FromHex("0300fcff 00000000"))
                                       .Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kIpTtlExceeded), 1u);
}

// One more than the limit of its kind makes no more errors, and every packet is still counted.
TEST_F(ForwardTest, ErrorsAreLimited) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  ASSERT_TRUE(gateway().fast_path().SetNeighbour(kInsidePort, Address("10.10.0.6"), kHostMac).ok());
  for (int i = 0; i < 200; ++i) {
    gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Ttl(1).Udp(1, 2).Build());
  }
  gateway().Run();
  int errors = 0;
  while (gateway().Sent(kInsidePort).has_value()) ++errors;
  EXPECT_GE(errors, 40);
  EXPECT_LT(errors, 100);
  EXPECT_EQ(gateway().drops(DropReason::kIpTtlExceeded), 200u);
}

// The far side of an MTU of 1280: IPv4 is cut where it may be, everything else is told.
TEST_F(ForwardTest, TooLargeForTheWayOut) {
  Gateway::Options options = SiteOptions();
  options.mtu = 1280;
  Gateway& small = AddGateway(options);
  SetTables(small, {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0"),
                    MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
  small.ReceiveIp(kInsidePort,
                  Ipv4("10.10.0.6", "198.51.100.9").Id(5).Udp(1, 2).Payload(1400).Build());
  small.Run();
  const std::optional<Bytes> first = small.SentIp(kOutsidePort);
  const std::optional<Bytes> second = small.SentIp(kOutsidePort);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->size(), 20u + 1256);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*first)[6]), 0x2000);
  EXPECT_EQ(second->size(), 20u + 152);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*second)[6]), 157);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*second)[4]), 5);

  small.ReceiveIp(kInsidePort,
                  Ipv4("10.10.0.6", "198.51.100.9").DontFragment().Udp(1, 2).Payload(1400).Build());
  small.ReceiveIp(kInsidePort,
                  Ipv6("2001:db8:10::6", "2001:db8:f::1").Udp(1, 2).Payload(1400).Build());
  small.Run();
  EXPECT_EQ(small.drops(DropReason::kTooBig), 2u);
  const std::optional<Bytes> error4 = small.SentIp(kInsidePort);
  ASSERT_TRUE(error4.has_value());
  EXPECT_EQ(Bytes(error4->begin() + 20, error4->begin() + 22), FromHex("0304"));
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*error4)[26]), 1280);
  const std::optional<Bytes> error6 = small.SentIp(kInsidePort);
  ASSERT_TRUE(error6.has_value());
  EXPECT_EQ((*error6)[40], 2);
  EXPECT_EQ(LoadBigEndian<uint32_t>(&(*error6)[44]), 1280u);
}

// Packets wait for their next hop's address, at most eight; the slow path is asked once; then they
// leave in order.
TEST_F(ForwardTest, PacketsWaitForTheirNeighbour) {
  gateway().answer_neighbours = false;
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  for (uint8_t i = 0; i < kNeighbourPendingMax + 2; ++i) {
    gateway().ReceiveIp(kInsidePort,
                        Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Payload(50, i).Build());
  }
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kResolveNeighbour), 1u);
  EXPECT_EQ(gateway().drops(DropReason::kNeighbourQueueFull), 2u);
  EXPECT_EQ(gateway().fast_path().GetAccounting().held, uint64_t{kNeighbourPendingMax});
  gateway().ExpectBalanced();
  const std::optional<UpMessage> asked = gateway().TakeMessage(UpMessage::Kind::kResolveNeighbour);
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(asked->neighbour.address, Address("203.0.113.254"));
  ASSERT_TRUE(
      gateway().fast_path().SetNeighbour(kOutsidePort, asked->neighbour.address, kHostMac).ok());
  gateway().Run();
  for (uint8_t i = 0; i < kNeighbourPendingMax; ++i) {
    const std::optional<Bytes> packet = gateway().SentIp(kOutsidePort);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ((*packet)[28], i);
  }
  EXPECT_EQ(gateway().fast_path().GetAccounting().held, 0u);
}

// Unresolvable: what waits is dropped under its name, and the next packet asks anew.
TEST_F(ForwardTest, ForgottenNeighbourDropsWhatWaits) {
  gateway().answer_neighbours = false;
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  for (int round = 1; round <= 2; ++round) {
    gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
    gateway().Run();
    EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kResolveNeighbour), size_t(round));
    ASSERT_TRUE(gateway().fast_path().ForgetNeighbour(kOutsidePort, Address("203.0.113.254")).ok());
    gateway().Run();
    EXPECT_EQ(gateway().drops(DropReason::kNeighbourUnresolved), uint64_t(round));
  }
}

// A sweep over a whole network asks for so many neighbours and no more; the packets to all others
// are dropped at once, and nothing stays behind for them.
TEST_F(ForwardTest, SweepIsBounded) {
  gateway().answer_neighbours = false;
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
  constexpr int kRounds = 4, kEach = 500;
  const IpAddress network = Address("2001:db8:10::1:0");
  for (int round = 0; round < kRounds; ++round) {
    for (uint64_t i = 0; i < kEach; ++i) {
      gateway().ReceiveIp(kOutsidePort,
                          Ip(Address("2001:db8:f::1"), network.Plus(uint64_t(round) * kEach + i))
                              .Udp(1, 2)
                              .Build());
    }
    gateway().Run();
  }
  const uint64_t held = gateway().fast_path().GetAccounting().held;
  EXPECT_EQ(held, gateway().CountMessages(UpMessage::Kind::kResolveNeighbour));
  EXPECT_EQ(held + gateway().drops(DropReason::kNeighbourUnresolved), uint64_t{kRounds * kEach});
  EXPECT_GE(held, 512u);
}

TEST_F(ForwardTest, LinkLocalAndMartianAddressesDoNotCross) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0"),
                        MakePolicy(PolicyAction::kBypass, "::/0", "::/0")});
  gateway().ReceiveIp(kInsidePort, Ipv6("fe80::5", "2001:db8:f::1").Udp(1, 2).Build());
  gateway().ReceiveIp(kInsidePort, Ipv4("169.254.3.4", "198.51.100.9").Udp(1, 2).Build());
  gateway().ReceiveIp(kInsidePort, Ipv4("127.0.0.1", "198.51.100.9").Udp(1, 2).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("10.10.0.254", "10.10.0.5").Udp(1, 2).Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kIpMartian), 4u);
}

// New tables take effect whole, and the ones before are let go of.
TEST_F(ForwardTest, TablesAreSwappedWhole) {
  for (int round = 0; round < 10; ++round) {
    const bool open = round % 2 == 0;
    SetTables(gateway(), {MakePolicy(open ? PolicyAction::kBypass : PolicyAction::kDiscard,
                                     "0.0.0.0/0", "0.0.0.0/0")});
    gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
    gateway().Run();
    EXPECT_EQ(gateway().Sent(kOutsidePort).has_value(), open);
  }
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kTablesSwapped),
            10u * gateway().fast_path().worker_count());
}

// Policies change a hundred times while a worker forwards. What both the old and the new list let
// through all arrives; of what both forbid nothing does; and each is counted once.
TEST_F(ForwardTest, SwapUnderTrafficLosesNothingAndLeaksNothing) {
  FastPath& fast_path = gateway().fast_path();
  const auto set = [&](int round) {
    std::vector<Policy> policies;
    if (round % 2 == 1) {
      policies.push_back(MakePolicy(PolicyAction::kDiscard, "10.10.0.7", "0.0.0.0/0"));
      for (int i = 0; i < 50; ++i) {
        policies.push_back(MakePolicy(PolicyAction::kDiscard, "10.77.0.0/16", "198.18.0.0/15"));
      }
    }
    policies.push_back(MakePolicy(PolicyAction::kBypass, "10.10.0.6", "0.0.0.0/0"));
    return fast_path.SetTables(std::move(policies), {{*IpPrefix::Parse("0.0.0.0/0"), kOutsidePort,
                                                      Address("203.0.113.254")}});
  };
  ASSERT_TRUE(set(0).ok());
  ASSERT_TRUE(fast_path.SetNeighbour(kOutsidePort, Address("203.0.113.254"), kHostMac).ok());
  gateway().Run();
  const Bytes allowed = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Payload(20).Build();
  const Bytes forbidden = Ipv4("10.10.0.7", "198.51.100.9").Udp(1, 2).Payload(20).Build();
  ASSERT_TRUE(fast_path.Start().ok());
  constexpr uint64_t kSwaps = 100, kEach = 8;
  uint64_t arrived = 0, offered = 0, swaps = 0;
  const auto collect = [&] {
    while (const std::optional<Bytes> packet = gateway().SentIp(kOutsidePort)) {
      EXPECT_EQ((*packet)[15], 6) << "a packet that both lists forbid";
      ++arrived;
    }
    std::array<UpMessage, 8> said;
    while (fast_path.PollUp(said) > 0) continue;
  };
  while (swaps < kSwaps) {
    for (uint64_t i = 0; i < kEach; ++i) {
      gateway().ReceiveIp(kInsidePort, allowed);
      gateway().ReceiveIp(kInsidePort, forbidden);
    }
    offered += kEach;
    // Refused while a worker has not come round to earlier ones.
    if (set(static_cast<int>(swaps) + 1).ok()) ++swaps;
    // Never more on the wires than they hold.
    while (arrived + 4 * kEach < offered) collect();
  }
  while (arrived < offered) collect();
  fast_path.Stop();
  gateway().Run();
  collect();
  EXPECT_EQ(arrived, offered);
  EXPECT_EQ(gateway().drops(DropReason::kSpdDiscard) + gateway().drops(DropReason::kSpdNoPolicy),
            offered);
}

// Tables that no worker took up yet are not piled up without end.
TEST_F(ForwardTest, SetTablesWithoutRoundsIsRefusedInTheEnd) {
  absl::Status status;
  int accepted = 0;
  for (; accepted < 10 && status.ok(); ++accepted) status = gateway().fast_path().SetTables({}, {});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(accepted, 5);
  gateway().Run();
  EXPECT_TRUE(gateway().fast_path().SetTables({}, {}).ok());
}

TEST_F(ForwardTest, RouteThatCannotBeIsRefusedAndNothingChanges) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const absl::Status status = gateway().fast_path().SetTables(
      {}, {{*IpPrefix::Parse("0.0.0.0/0"), PortId{7}, Address("203.0.113.254")}});
  EXPECT_EQ(status.message(), "route to 0.0.0.0/0: no port number 7");
  EXPECT_EQ(gateway().fast_path().policies().size(), 1u);
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build());
  gateway().Run();
  EXPECT_TRUE(gateway().Sent(kOutsidePort).has_value());
}

TEST_F(ForwardTest, SourceIsAnAddressOfThePortOut) {
  EXPECT_FALSE(gateway().fast_path().SourceFor(Address("198.51.100.9")).ok());
  SetTables(gateway(), {});
  EXPECT_EQ(*gateway().fast_path().SourceFor(Address("198.51.100.9")), Address("203.0.113.1"));
  EXPECT_EQ(*gateway().fast_path().SourceFor(Address("10.10.0.9")), Address("10.10.0.254"));
  EXPECT_EQ(*gateway().fast_path().SourceFor(Address("2001:db8:f::1")), Address("2001:db8:113::1"));
}

// RFC 7126, 4.3: loose and strict source routes; other options, whole ones, go through.
TEST_F(ForwardTest, SourceRoutesAreDropped) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const auto with_options = [](const char* options) {
    Bytes packet = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build();
    const Bytes bytes = FromHex(options);
    packet.insert(packet.begin() + 20, bytes.begin(), bytes.end());
    packet[0] = static_cast<uint8_t>(0x45 + bytes.size() / 4);
    packet[3] = static_cast<uint8_t>(packet.size());
    packet[10] = packet[11] = 0;
    uint32_t sum = 0;
    for (size_t i = 0; i < 20 + bytes.size(); i += 2) sum += LoadBigEndian<uint16_t>(&packet[i]);
    sum = (sum & 0xffff) + (sum >> 16);
    StoreBigEndian<uint16_t>(&packet[10], static_cast<uint16_t>(~((sum & 0xffff) + (sum >> 16))));
    return packet;
  };
  gateway().ReceiveIp(kInsidePort, with_options("01 83 07 04 0a0a0005"));
  gateway().ReceiveIp(kInsidePort, with_options("89 07 04 0a0a0005 00"));
  gateway().ReceiveIp(kInsidePort, with_options("07 01 0000"));   // an option of less than itself
  gateway().ReceiveIp(kInsidePort, with_options("01 07 07 00"));  // beyond the header
  gateway().ReceiveIp(kInsidePort, with_options("94 04 0000"));   // router alert
  gateway().Run();
  EXPECT_TRUE(gateway().SentIp(kOutsidePort).has_value());
  EXPECT_EQ(gateway().drops(DropReason::kIpSourceRoute), 2u);
  EXPECT_EQ(gateway().drops(DropReason::kIpv4Malformed), 2u);
  ExpectSilence();
}

// RFC 1122, 3.3.6: what all of the link got is not forwarded to one host.
TEST_F(ForwardTest, UnicastInABroadcastFrameIsDropped) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const MacAddress everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  gateway().Receive(kInsidePort, Ethernet(everybody, kHostMac)
                                     .Ip(Address("10.10.0.6"), Address("198.51.100.9"))
                                     .Udp(1, 2)
                                     .Build());
  gateway().Run();
  ExpectSilence();
  EXPECT_EQ(gateway().drops(DropReason::kEthernetNotForUs), 1u);
}

// Frames for other machines, unknown types and runts never reach IP.
TEST_F(ForwardTest, FramesThatAreNotForUs) {
  const Bytes packet = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build();
  Bytes frame =
      Ethernet(kHostMac, kHostMac).Ip(Address("10.10.0.6"), Address("198.51.100.9")).Build();
  gateway().Receive(kInsidePort, frame);
  frame = FromHex("ffffffffffff 020000000001 88cc 0000");
  gateway().Receive(kInsidePort, frame);
  gateway().Receive(kInsidePort, FromHex("ffffffffffff 0200"));
  gateway().Run();
  EXPECT_EQ(gateway().drops(DropReason::kEthernetNotForUs), 1u);
  EXPECT_EQ(gateway().drops(DropReason::kEthernetUnknownType), 1u);
  EXPECT_EQ(gateway().drops(DropReason::kEthernetTruncated), 1u);
}

}  // namespace
}  // namespace sekisho::fastpath
