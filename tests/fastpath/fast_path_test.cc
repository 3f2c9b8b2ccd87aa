#include "fastpath/fast_path.h"

#include <gtest/gtest.h>
#include <rte_eth_ring.h>

#include <array>
#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/local_addresses.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

Bytes ArpRequest(const MacAddress& from, const char* sender, const char* target) {
  Bytes frame = FromHex("ffffffffffff 000000000000 0806 0001 0800 06 04 0001");
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  const auto append = [&frame](ByteSpan bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
  };
  append(from);
  append(Address(sender).bytes());
  append(Bytes(6));
  append(Address(target).bytes());
  return frame;
}

// A host on the outside link asks for our address and is told, and the slow path learns of it.
TEST_F(FastPathTest, AnswersArpForItsAddress) {
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "203.0.113.1"));
  gateway().Run();
  const std::optional<Bytes> reply = gateway().Sent(kOutsidePort);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->size(), 60u);
  EXPECT_EQ(Bytes(reply->begin(), reply->begin() + 6), ToBytes(kHostMac));
  EXPECT_EQ((*reply)[21], 2);
  EXPECT_EQ(Bytes(reply->begin() + 22, reply->begin() + 28), ToBytes(gateway().mac(kOutsidePort)));
  EXPECT_EQ(Bytes(reply->begin() + 28, reply->begin() + 32),
            ToBytes(Address("203.0.113.1").bytes()));
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 1u);
}

// An address of the other port, a host off the link, and someone else's address get no answer.
TEST_F(FastPathTest, AnswersNoOtherArp) {
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "10.10.0.254"));
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "198.51.100.9", "203.0.113.1"));
  gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "203.0.113.77"));
  gateway().Run();
  EXPECT_FALSE(gateway().Sent(kOutsidePort).has_value());
  EXPECT_EQ(gateway().drops(DropReason::kArpNotForUs), 3u);
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 0u);
}

// A flood of ARP requests from ever new hosts uses up its own share, and packets still find their
// next hop.
TEST_F(FastPathTest, ArpFloodDoesNotKeepUsFromResolving) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  ASSERT_TRUE(
      gateway().fast_path().SetNeighbour(kOutsidePort, Address("203.0.113.9"), kHostMac).ok());
  for (int i = 0; i < 900; ++i) {
    gateway().Receive(kOutsidePort, ArpRequest(kHostMac, "203.0.113.9", "203.0.113.1"));
  }
  gateway().ReceiveIp(kInsidePort, Ipv4("10.10.0.5", "198.51.100.9").Udp(1, 2).Build());
  gateway().Run();
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kResolveNeighbour), 1u);
  EXPECT_EQ(gateway().drops(DropReason::kNeighbourUnresolved), 0u);
}

// An answer that nobody asked for makes no neighbour (RFC 4861, 7.2.5; the same for ARP).
TEST_F(FastPathTest, UnaskedAnswerMakesNoNeighbour) {
  Bytes answer = ArpRequest(kHostMac, "203.0.113.9", "203.0.113.1");
  answer[21] = 2;
  gateway().Receive(kOutsidePort, answer);
  gateway().Run();
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 0u);
}

TEST_F(FastPathTest, AnswersPingOfBothFamilies) {
  SetTables(gateway(), {});
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("10.10.0.1", "10.10.0.254").IcmpEcho(7, 1).Payload(100).Build());
  gateway().ReceiveIp(
      kInsidePort, Ipv6("2001:db8:10::1", "2001:db8:10::fe").IcmpEcho(7, 1).Payload(100).Build());
  gateway().Run();
  const std::optional<Bytes> reply = gateway().SentIp(kInsidePort);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(*reply, Ipv4("10.10.0.254", "10.10.0.1")
                        .Id(LoadBigEndian<uint16_t>(&(*reply)[4]))
                        .IcmpEcho(7, 1, true)
                        .Payload(100)
                        .Build());
  EXPECT_EQ(gateway().SentIp(kInsidePort),
            Ipv6("2001:db8:10::fe", "2001:db8:10::1").IcmpEcho(7, 1, true).Payload(100).Build());
}

TEST_F(FastPathTest, PuntsIkeWithoutMarker) {
  gateway().ReceiveIp(kOutsidePort,
                      Ipv4("198.51.100.9", "203.0.113.1").Udp(1500, 500).Payload(300, 1).Build());
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "203.0.113.1")
                                        .Udp(40000, 4500)
                                        .Payload(Bytes(4))
                                        .Payload(300, 2)
                                        .Build());
  gateway().Run();
  UpMessage message;
  const std::optional<Bytes> plain = gateway().Punted(&message);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->size(), 300u);
  EXPECT_EQ((*plain)[0], 1);
  EXPECT_EQ(message.packet.local.ToString(), "203.0.113.1:500");
  EXPECT_EQ(message.packet.remote.ToString(), "198.51.100.9:1500");
  const std::optional<Bytes> marked = gateway().Punted(&message);
  ASSERT_TRUE(marked.has_value());
  EXPECT_EQ(marked->size(), 300u);
  EXPECT_EQ((*marked)[0], 2);
  EXPECT_EQ(message.packet.local.port, 4500);
}

TEST_F(FastPathTest, ForwardsWhatPolicyBypassesBothWays) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "10.10.0.5", "198.51.100.0/24")});
  gateway().ReceiveIp(kOutsidePort,
                      Ipv4("198.51.100.9", "10.10.0.5").Udp(99, 53).Payload(40).Build());
  gateway().ReceiveIp(kInsidePort,
                      Ipv4("10.10.0.5", "198.51.100.9").Udp(53, 99).Payload(40).Build());
  gateway().Run();
  EXPECT_EQ(gateway().SentIp(kInsidePort),
            Ipv4("198.51.100.9", "10.10.0.5").Ttl(63).Udp(99, 53).Payload(40).Build());
  EXPECT_EQ(gateway().SentIp(kOutsidePort),
            Ipv4("10.10.0.5", "198.51.100.9").Ttl(63).Udp(53, 99).Payload(40).Build());
  EXPECT_EQ(gateway().fast_path().PolicyHits(), std::vector<uint64_t>{2});
}

const Endpoint kOwnIke = {Address("203.0.113.1"), kIkePort};
const Endpoint kOwnNatT = {Address("203.0.113.1"), kIkeNatTPort};

TEST_F(FastPathTest, SendUdpLeavesWithHeadersAndMarker) {
  SetTables(gateway(), {});
  const Bytes payload(200, 0x5a);
  ASSERT_TRUE(
      gateway().fast_path().SendUdp(kOwnIke, {Address("198.51.100.9"), 500}, false, payload).ok());
  ASSERT_TRUE(
      gateway().fast_path().SendUdp(kOwnNatT, {Address("198.51.100.9"), 4711}, true, payload).ok());
  gateway().Run();  // to another peer: in no order with these
  ASSERT_TRUE(gateway()
                  .fast_path()
                  .SendUdp({Address("2001:db8:113::1"), 500}, {Address("2001:db8:f::1"), 500},
                           false, payload)
                  .ok());
  gateway().Run();
  const std::optional<Bytes> plain = gateway().SentIp(kOutsidePort);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(*plain, Ipv4("203.0.113.1", "198.51.100.9")
                        .Id(LoadBigEndian<uint16_t>(&(*plain)[4]))
                        .Udp(500, 500)
                        .Payload(payload)
                        .Build());
  const std::optional<Bytes> marked = gateway().SentIp(kOutsidePort);
  ASSERT_TRUE(marked.has_value());
  EXPECT_EQ(*marked, Ipv4("203.0.113.1", "198.51.100.9")
                         .Id(LoadBigEndian<uint16_t>(&(*marked)[4]))
                         .Udp(4500, 4711)
                         .Payload(Bytes(4))
                         .Payload(payload)
                         .Build());
  EXPECT_EQ(gateway().SentIp(kOutsidePort),
            Ipv6("2001:db8:113::1", "2001:db8:f::1").Udp(500, 500).Payload(payload).Build());
}

// An IKE message with certificates: cut on the way out, whole again on the way in, both families,
// the fragments arriving last first.
TEST_F(FastPathTest, LargeIkeIsCutAndPutTogether) {
  SetTables(gateway(), {});
  Bytes payload(3000);
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<uint8_t>(i * 7 + i / 256);
  Gateway& peer = AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24"),
                                          *InterfaceAddress::Parse("2001:db8:113::2/64")},
                              .inside = {*InterfaceAddress::Parse("10.20.0.254/24")},
                              .crypto_devices = {"crypto_openssl1"}});
  for (const bool v4 : {true, false}) {
    const Endpoint from = {Address(v4 ? "203.0.113.1" : "2001:db8:113::1"), 4500};
    const Endpoint to = {Address(v4 ? "203.0.113.2" : "2001:db8:113::2"), 4500};
    ASSERT_TRUE(gateway().fast_path().SendUdp(from, to, true, payload).ok());
    gateway().Run();
    std::vector<Bytes> pieces;
    while (const std::optional<Bytes> piece = gateway().SentIp(kOutsidePort)) {
      EXPECT_LE(piece->size(), 1500u);
      pieces.push_back(*piece);
    }
    EXPECT_EQ(pieces.size(), 3u);
    for (size_t i = pieces.size(); i-- > 0;) peer.ReceiveIp(kOutsidePort, pieces[i]);
    peer.Run();
    UpMessage message;
    EXPECT_EQ(peer.Punted(&message), payload);
    EXPECT_EQ(message.packet.remote, from);
    EXPECT_EQ(message.packet.local, to);
  }
}

// Fragments of which one is missing are held, and counted so.
TEST_F(FastPathTest, IncompleteFragmentsAreHeld) {
  gateway().ReceiveIp(kOutsidePort, Ipv4("198.51.100.9", "203.0.113.1")
                                        .Id(3)
                                        .Fragment(0, true)
                                        .Protocol(17)
                                        .Payload(800)
                                        .Build());
  gateway().Run();
  EXPECT_EQ(gateway().fast_path().GetAccounting().held, 1u);
  EXPECT_FALSE(gateway().Punted().has_value());
}

TEST_F(FastPathTest, SendUdpRefusesWhatCannotBe) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      gateway().fast_path().SendUdp(kOwnIke, {Address("2001:db8::1"), 500}, false, Bytes(10))));
  EXPECT_TRUE(absl::IsInvalidArgument(gateway().fast_path().SendUdp(
      kOwnIke, {Address("198.51.100.9"), 500}, false, Bytes(65'400))));
  EXPECT_TRUE(absl::IsInvalidArgument(gateway().fast_path().SendFrame(PortId{9}, Bytes(60))));
  EXPECT_TRUE(absl::IsInvalidArgument(gateway().fast_path().SendFrame(kInsidePort, Bytes(5))));
}

TEST_F(FastPathTest, SendFrameLeavesAsItIs) {
  const Bytes frame = ArpRequest(gateway().mac(kInsidePort), "10.10.0.254", "10.10.0.9");
  ASSERT_TRUE(gateway().fast_path().SendFrame(kInsidePort, frame).ok());
  gateway().Run();
  std::optional<Bytes> sent = gateway().Sent(kInsidePort);
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->size(), 60u);
  sent->resize(frame.size());
  EXPECT_EQ(*sent, frame);
}

TEST_F(FastPathTest, KeepalivesAreConsumedAndOtherShortDatagramsDropped) {
  const auto send = [this](Bytes payload) {
    gateway().ReceiveIp(
        kOutsidePort,
        Ipv4("198.51.100.9", "203.0.113.1").Udp(40000, 4500).Payload(payload).Build());
  };
  send({0xff});
  send({0xfe});
  send({});
  send({0, 0, 0, 0});
  gateway().Run();
  EXPECT_EQ(gateway().fast_path().GetAccounting().consumed, 1u);
  EXPECT_EQ(gateway().drops(DropReason::kNatTKeepaliveMalformed), 3u);
}

// Neighbour discovery: a solicitation for our address is answered, and its sender reported.
Bytes Solicitation(const char* source, const char* target, bool with_option) {
  Bytes icmp = FromHex("87 00 0000 00000000");
  const IpAddress asked = Address(target);
  icmp.insert(icmp.end(), asked.bytes().begin(), asked.bytes().end());
  if (with_option) {
    const Bytes option = FromHex("01 01 020000000077");
    icmp.insert(icmp.end(), option.begin(), option.end());
  }
  const IpAddress group = SolicitedNodeAddress(asked);
  const uint16_t checksum =
      ChecksumFrom(OnesSumWithPseudoHeader(Address(source).bytes(), group.bytes(), 58, icmp));
  std::memcpy(&icmp[2], &checksum, 2);
  return Ip(Address(source), group).Ttl(255).Protocol(58).Payload(icmp).Build();
}

TEST_F(FastPathTest, AnswersNeighbourSolicitation) {
  gateway().ReceiveIp(kOutsidePort, Solicitation("2001:db8:113::9", "2001:db8:113::1", true));
  gateway().Run();
  const std::optional<Bytes> frame = gateway().Sent(kOutsidePort);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(Bytes(frame->begin(), frame->begin() + 6), ToBytes(kHostMac));
  ASSERT_EQ(frame->size(), 14u + 72);
  EXPECT_EQ((*frame)[21], 255);
  const ByteSpan icmp = ByteSpan(*frame).subspan(54);
  EXPECT_EQ(icmp[0], 136);
  EXPECT_EQ(icmp[4], 0xe0);
  EXPECT_EQ(ToBytes(icmp.subspan(26, 6)), ToBytes(gateway().mac(kOutsidePort)));
  EXPECT_EQ(OnesSumWithPseudoHeader(ByteSpan(*frame).subspan(22, 16),
                                    ByteSpan(*frame).subspan(38, 16), 58, icmp),
            0xffff);
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 1u);
}

// RFC 4862, 5.4.3: somebody is about to take our address. All nodes are told whose it is.
TEST_F(FastPathTest, DefendsItsAddressAgainstDuplicates) {
  gateway().ReceiveIp(kOutsidePort, Solicitation("::", "2001:db8:113::1", false));
  gateway().Run();
  const std::optional<Bytes> frame = gateway().Sent(kOutsidePort);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(Bytes(frame->begin(), frame->begin() + 6), FromHex("333300000001"));
  EXPECT_EQ((*frame)[58], 0xa0);
  EXPECT_EQ(gateway().CountMessages(UpMessage::Kind::kNeighbourSeen), 0u);
}

// RFC 4861, 7.1.1: each of these is to be ignored.
TEST_F(FastPathTest, IgnoresInvalidSolicitations) {
  Bytes forwarded = Solicitation("2001:db8:113::9", "2001:db8:113::1", true);
  forwarded[7] = 254;
  Bytes damaged = Solicitation("2001:db8:113::9", "2001:db8:113::1", true);
  damaged[50] ^= 1;
  gateway().ReceiveIp(kOutsidePort, forwarded);
  gateway().ReceiveIp(kOutsidePort, damaged);
  gateway().ReceiveIp(kOutsidePort, Solicitation("::", "2001:db8:113::1", true));
  gateway().ReceiveIp(kOutsidePort, Solicitation("2001:db8:ffff::9", "2001:db8:113::1", true));
  gateway().Run();
  EXPECT_EQ(gateway().drops(DropReason::kNdMalformed), 4u);
  EXPECT_FALSE(gateway().Sent(kOutsidePort).has_value());
}

// A flood of IKE leaves the up ring room for the rest: what is above the share is dropped by name.
TEST_F(FastPathTest, IkeAboveItsShareIsDropped) {
  const Bytes ike = Ipv4("198.51.100.9", "203.0.113.1").Udp(500, 500).Payload(28).Build();
  constexpr int kRounds = 6, kEach = 500;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kEach; ++i) gateway().ReceiveIp(kOutsidePort, ike);
    // The slow path sleeps.
    while (gateway().fast_path().RunOnce()) {
    }
  }
  const Accounting books = gateway().fast_path().GetAccounting();
  EXPECT_GE(books.punted, 2048u);
  EXPECT_EQ(books.punted + books.dropped, uint64_t{kRounds * kEach});
  EXPECT_EQ(gateway().drops(DropReason::kPuntRateLimited), books.dropped);
  gateway().Run();
}

// Lcore 1 runs the worker while this thread plays the slow path.
TEST_F(FastPathTest, WorkerThreadStartsForwardsAndStops) {
  FastPath& fast_path = gateway().fast_path();
  ASSERT_TRUE(
      fast_path
          .SetTables({MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")},
                     {{*IpPrefix::Parse("0.0.0.0/0"), kOutsidePort, Address("203.0.113.254")}})
          .ok());
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(fast_path.Start().ok());
    const Bytes packet = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Payload(100).Build();
    int sent = 0;
    for (int i = 0; i < 50; ++i) gateway().ReceiveIp(kInsidePort, packet);
    while (sent < 50) {
      std::array<UpMessage, 8> said;
      const size_t count = fast_path.PollUp(said);
      for (size_t i = 0; i < count; ++i) {
        if (said[i].kind == UpMessage::Kind::kResolveNeighbour) {
          ASSERT_TRUE(
              fast_path.SetNeighbour(kOutsidePort, said[i].neighbour.address, kHostMac).ok());
        }
      }
      while (gateway().Sent(kOutsidePort).has_value()) ++sent;
      static_cast<void>(fast_path.GetAccounting());
      // What did not fit the queue of a neighbour that was not yet known.
      if (gateway().drops(DropReason::kNeighbourQueueFull) + sent >= 50) break;
    }
    fast_path.Stop();
  }
  gateway().Run();
}

TEST_F(FastPathTest, CreateNamesThePortThatIsMissing) {
  FastPathConfig config;
  config.ports.push_back({.name = "wan", .device = "net_ring_nowhere,key=value"});
  config.worker_lcores = {1};
  config.mbufs = 512;
  const absl::Status status = FastPath::Create(config).status();
  EXPECT_EQ(status.message(),
            "port wan: device net_ring_nowhere: DPDK does not have it; check its name, driver and "
            "network interface");
}

// Whatever is wrong after the ports were opened, they can be opened again.
TEST_F(FastPathTest, FailedCreateLeavesNothingBehind) {
  rte_ring* const wire = rte_ring_create("undo", 64, SOCKET_ID_ANY, 0);
  ASSERT_GE(rte_eth_from_ring(wire), 0);
  ASSERT_TRUE(CreateVdev("crypto_openssl2"));
  FastPathConfig config;
  config.ports.push_back({.name = "wan", .device = "net_ring_undo"});
  config.worker_lcores = {1};
  config.inbound_sas_max = config.outbound_sas_max = 16;
  config.mbufs = 512;
  FastPathConfig wrong = config;
  wrong.crypto_devices = {"crypto_nowhere"};
  EXPECT_FALSE(FastPath::Create(wrong).ok());
  wrong = config;
  wrong.crypto_devices = {"crypto_openssl2"};
  wrong.ports.push_back({.name = "lan", .device = "net_ring_nowhere"});
  EXPECT_FALSE(FastPath::Create(wrong).ok());
  wrong = config;
  wrong.ports[0].mtu = 100;
  EXPECT_EQ(FastPath::Create(wrong).status().message(),
            "port wan: found an MTU of 100, want 576 to 9600");
  wrong = config;
  wrong.mbufs = 1u << 24;
  EXPECT_TRUE(absl::IsResourceExhausted(FastPath::Create(wrong).status()));
  config.crypto_devices = {"crypto_openssl2"};
  EXPECT_TRUE(FastPath::Create(config).ok());
  rte_ring_free(wire);
}

TEST_F(FastPathTest, StateForShowCommands) {
  const std::vector<PortInfo> ports = gateway().fast_path().Ports();
  ASSERT_EQ(ports.size(), 2u);
  EXPECT_EQ(ports[0].name, "wan");
  EXPECT_EQ(ports[0].driver, "net_ring");
  EXPECT_EQ(ports[0].side, PortSide::kOutside);
  EXPECT_TRUE(ports[0].link_up);
  EXPECT_EQ(gateway().fast_path().Drops().size(), kDropReasons - 1);
}

}  // namespace
}  // namespace sekisho::fastpath
