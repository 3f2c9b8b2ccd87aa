// Local delivery, and who is behind the NAT: clients in transport mode that look the same, and
// hosts that never heard of IPsec, all answered each in their own way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fastpath/checksum.h"
#include "tests/fastpath/esp_harness.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr const char* kUs = "203.0.113.1";
constexpr const char* kNat = "198.51.100.7";
constexpr const char* kPrivate = "10.0.0.2";

// A client in transport mode behind the NAT, which gives its UDP 4500 another port.
class Client {
 public:
  Client(Gateway& gateway, uint64_t peer, uint16_t nat_port, const char* crypto)
      : harness_(crypto, 64, 8), gateway_(gateway), nat_port_(nat_port) {
    // The gateway's half: the client is where the NAT is, and says what its address is.
    FastPath& fast_path = gateway.fast_path();
    const Spi to_gateway = *fast_path.AllocateSpi();
    TestSa at_gateway;
    at_gateway.mode = IpsecMode::kTransport;
    at_gateway.udp_encapsulation = true;
    at_gateway.peer = peer;
    at_gateway.local = {*TrafficSelector::Parse(kUs)};
    at_gateway.remote = {*TrafficSelector::Parse(kNat)};
    at_gateway.local_endpoint = {Address(kUs), 4500};
    at_gateway.remote_endpoint = {Address(kNat), nat_port};
    at_gateway.original_local = Address(kUs);
    at_gateway.original_remote = Address(kPrivate);
    // The client's half.
    TestSa at_client;
    at_client.mode = IpsecMode::kTransport;
    at_client.udp_encapsulation = true;
    at_client.local_endpoint = {Address(kPrivate), 4500};
    at_client.remote_endpoint = {Address(kUs), 4500};
    at_client.original_local = Address(kNat);
    at_client.original_remote = Address(kUs);
    const Spi to_client = *harness_.inbound->AllocateSpi();
    harness_.InstallInbound(at_client, to_client);
    harness_.InstallOutbound(at_client, to_gateway);
    EXPECT_TRUE(fast_path.InstallInbound(InboundParameters(at_gateway, to_gateway)).ok());
    out_ = *fast_path.InstallOutbound(OutboundParameters(at_gateway, to_client));
    gateway.Run();
  }

  // From the client's own address, through ESP and NAT to the gateway.
  void Send(const Bytes& packet) {
    EspResult result = harness_.Encap(MakeMbuf(packet));
    ASSERT_EQ(result.passed.size(), 1u);
    Bytes esp = BytesOf(result.passed[0].get());
    Translate(esp, /*source=*/true, kNat, nat_port_);
    gateway_.ReceiveIp(kOutsidePort, esp);
    gateway_.Run();
  }
  // What the gateway sent, if it was to this client: the packet inside.
  std::optional<Bytes> Receive(const Bytes& esp) {
    if (esp[9] != 17 || LoadBigEndian<uint16_t>(&esp[22]) != nat_port_) return std::nullopt;
    Bytes arrived = esp;
    Translate(arrived, /*source=*/false, kPrivate, 4500);
    EspResult result = harness_.Decap(MakeMbuf(arrived));
    if (result.passed.size() != 1) return std::nullopt;
    return BytesOf(result.passed[0].get());
  }
  void Disappear() {
    EXPECT_TRUE(gateway_.fast_path().Remove(out_).ok());
    gateway_.Run();
  }

 private:
  static void Translate(Bytes& packet, bool source, const char* address, uint16_t port) {
    const IpAddress to = Address(address);
    std::copy_n(to.bytes().data(), 4, packet.begin() + (source ? 12 : 16));
    StoreBigEndian<uint16_t>(&packet[source ? 20 : 22], port);
    packet[10] = packet[11] = 0;
    const uint16_t checksum = ChecksumFrom(OnesSum({packet.data(), 20}));
    std::memcpy(&packet[10], &checksum, 2);
  }

  EspHarness harness_;
  Gateway& gateway_;
  uint16_t nat_port_;
  SaHandle out_;
};

class HostTest : public FastPathTest {
 protected:
  Gateway& Start(std::vector<Policy> policies, uint32_t flows_max = 1024) {
    Gateway::Options options = SiteOptions();
    options.host = true;
    options.flows_max = flows_max;
    Gateway& made = AddGateway(options);
    SetTables(made, std::move(policies));
    return made;
  }
  static Policy Optional() {
    Policy policy = MakePolicy(PolicyAction::kProtect, kUs, "0.0.0.0/0");
    policy.optional = true;
    return policy;
  }
  // The packet without the Ethernet padding, or nothing.
  static std::optional<Bytes> AtHost(Gateway& gateway) { return gateway.SentIp(kHostPort); }
  static std::optional<Bytes> AnswerOf(Gateway& gateway, const Bytes& packet) {
    gateway.ReceiveIp(kHostPort, packet);
    gateway.Run();
    return gateway.SentIp(kOutsidePort);
  }
};

uint16_t SourcePort(const Bytes& packet) { return LoadBigEndian<uint16_t>(&packet[20]); }

PacketBuilder Request(const char* from, uint16_t port) {
  return Ipv4(from, kUs).Tcp(port, 80).Payload(32, static_cast<uint8_t>(port));
}
PacketBuilder Response(const char* to, uint16_t port) {
  return Ipv4(kUs, to).Tcp(80, port).Payload(64, static_cast<uint8_t>(port));
}

// --- Local delivery ------------------------------------------------------------------------------

TEST_F(HostTest, WhatPolicyLetsInIsDeliveredUpAndAnswered) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kBypass, kUs, "192.0.2.0/24")});
  const Bytes request = Ipv4("192.0.2.9", kUs).Tcp(40000, 80).Payload(9).Build();
  gateway.ReceiveIp(kOutsidePort, request);
  gateway.Run();
  EXPECT_EQ(AtHost(gateway), request);
  EXPECT_EQ(gateway.fast_path().GetAccounting().delivered, 1u);
  // Its own packets leave as they are: this machine is no router to itself.
  const Bytes answer = Ipv4(kUs, "192.0.2.9").Tcp(80, 40000).Payload(99).Build();
  EXPECT_EQ(AnswerOf(gateway, answer), answer);
}

TEST_F(HostTest, OnlyWhatTheInboundSpdLetsInGetsThere) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kProtect, kUs, "192.0.2.0/24"),
                            MakePolicy(PolicyAction::kDiscard, kUs, "192.0.3.0/24")});
  for (const char* from : {"192.0.2.9", "192.0.3.9", "192.0.4.9"}) {
    gateway.ReceiveIp(kOutsidePort, Ipv4(from, kUs).Tcp(40000, 80).Build());
  }
  gateway.Run();
  EXPECT_FALSE(AtHost(gateway).has_value());
  EXPECT_EQ(gateway.drops(DropReason::kSpdClearInbound), 1u);
  EXPECT_EQ(gateway.drops(DropReason::kSpdDiscard), 1u);
  EXPECT_EQ(gateway.drops(DropReason::kSpdNoPolicy), 1u);
}

TEST_F(HostTest, WithoutAHostPortItIsUnwanted) {
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, kUs, "0.0.0.0/0")});
  gateway().ReceiveIp(kOutsidePort, Ipv4("192.0.2.9", kUs).Tcp(40000, 80).Build());
  gateway().Run();
  EXPECT_EQ(gateway().drops(DropReason::kLocalUnwanted), 1u);
}

TEST_F(HostTest, TheOutboundSpdHoldsForTheHostToo) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kDiscard, kUs, "192.0.2.0/24"),
                            MakePolicy(PolicyAction::kProtect, kUs, "192.0.3.0/24")});
  EXPECT_FALSE(AnswerOf(gateway, Ipv4(kUs, "192.0.2.9").Tcp(1, 2).Build()).has_value());
  EXPECT_FALSE(AnswerOf(gateway, Ipv4(kUs, "192.0.3.9").Tcp(1, 2).Build()).has_value());
  EXPECT_FALSE(AnswerOf(gateway, Ipv4("192.0.2.1", "192.0.4.9").Tcp(1, 2).Build()).has_value());
  EXPECT_EQ(gateway.drops(DropReason::kSpdDiscard), 1u);
  EXPECT_EQ(gateway.drops(DropReason::kSpdNoSa), 1u);
  EXPECT_EQ(gateway.drops(DropReason::kHostSource), 1u);
}

// IKE, ESP and ARP stay the worker's, whatever policy says.
TEST_F(HostTest, IkeIsNotTheHosts) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kBypass, kUs, "0.0.0.0/0")});
  gateway.ReceiveIp(kOutsidePort, Ipv4("192.0.2.9", kUs).Udp(500, 500).Payload(40).Build());
  gateway.ReceiveIp(kOutsidePort, Ipv4("192.0.2.9", kUs).Esp(0x12345678, 1).Payload(60).Build());
  gateway.Run();
  EXPECT_TRUE(gateway.Punted().has_value());
  EXPECT_EQ(gateway.drops(DropReason::kEspUnknownSpi), 1u);
  EXPECT_FALSE(AtHost(gateway).has_value());
}

// The host has one way out, whatever address it asks for; for its own ones it may look in peace.
TEST_F(HostTest, WeAnswerTheHostForItsNeighbours) {
  Gateway& gateway = Start({});
  const auto arp = [&](const char* who) {
    const IpAddress target = Address(who), sender = Address(kUs);
    Bytes frame = FromHex("ffffffffffff 020000000077 0806 0001 0800 06 04 0001 020000000077");
    frame.insert(frame.end(), sender.bytes().begin(), sender.bytes().end());
    frame.insert(frame.end(), 6, 0);
    frame.insert(frame.end(), target.bytes().begin(), target.bytes().end());
    gateway.Receive(kHostPort, frame);
    gateway.Run();
    return gateway.Sent(kHostPort);
  };
  const auto answer = arp("203.0.113.254");
  ASSERT_TRUE(answer.has_value());
  const MacAddress ours = gateway.mac(kHostPort);
  EXPECT_TRUE(std::equal(ours.begin(), ours.end(), answer->begin() + 22)) << "is at our address";
  EXPECT_FALSE(arp(kUs).has_value());
}

// A ring's other end has another MAC address than the port, unlike a tap's.
TEST_F(HostTest, TheHostsMacIsLearnedFromItsFrames) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kBypass, kUs, "0.0.0.0/0")});
  const auto mac = [&] {
    gateway.ReceiveIp(kOutsidePort, Ipv4("192.0.2.9", kUs).Tcp(40000, 80).Build());
    gateway.Run();
    const std::optional<Bytes> frame = gateway.Sent(kHostPort);
    MacAddress to = {};
    if (frame) std::copy_n(frame->begin(), 6, to.begin());
    return to;
  };
  EXPECT_EQ(mac(), gateway.mac(kHostPort));
  EXPECT_TRUE(AnswerOf(gateway, Ipv4(kUs, "192.0.2.9").Tcp(80, 40000).Build()).has_value());
  EXPECT_EQ(mac(), kHostMac);
}

// RFC 1191: the host learns what fits, from the one it was talking to.
TEST_F(HostTest, TheHostIsToldWhatIsTooBig) {
  Gateway& gateway = Start({Optional()});
  Client client(gateway, 1, 41001, "crypto_openssl3");
  client.Send(Request(kPrivate, 40000).Build());
  ASSERT_TRUE(AtHost(gateway).has_value());
  EXPECT_FALSE(AnswerOf(gateway, Response(kNat, 40000).DontFragment().Payload(1400).Build()));
  const std::optional<Bytes> icmp = AtHost(gateway);
  ASSERT_TRUE(icmp.has_value());
  EXPECT_EQ((*icmp)[20], 3);
  EXPECT_EQ((*icmp)[21], 4);
  EXPECT_EQ(IpAddress::V4(ByteSpan(*icmp).subspan(12, 4)), Address(kNat));
  EXPECT_EQ(gateway.drops(DropReason::kTooBig), 1u);
  const size_t mtu = LoadBigEndian<uint16_t>(&(*icmp)[26]);
  EXPECT_TRUE(AnswerOf(gateway, Response(kNat, 40000).DontFragment().Payload(mtu - 104).Build()));
}

// --- Behind one NAT ------------------------------------------------------------------------------

// Two clients with the same private address, and a host without IPsec, all from the same port to
// the same service. Everyone gets their own answer: in ESP to whom it is due, in clear to whom it
// is.
TEST_F(HostTest, EveryoneBehindTheNatGetsTheirOwnAnswer) {
  Gateway& gateway = Start({Optional()});
  Client first(gateway, 1, 41001, "crypto_openssl3"), second(gateway, 2, 41002, "crypto_openssl4");
  first.Send(Request(kPrivate, 40000).Build());
  const std::optional<Bytes> from_first = AtHost(gateway);
  second.Send(Request(kPrivate, 40000).Build());
  const std::optional<Bytes> from_second = AtHost(gateway);
  gateway.ReceiveIp(kOutsidePort, Request(kNat, 40000).Build());
  gateway.Run();
  const std::optional<Bytes> from_plain = AtHost(gateway);
  ASSERT_TRUE(from_first && from_second && from_plain);

  // The host sees three connections from one address, with checksums that hold.
  EXPECT_EQ(*from_first, Request(kNat, 40000).Build());
  const uint16_t second_port = SourcePort(*from_second), plain_port = SourcePort(*from_plain);
  EXPECT_NE(second_port, 40000);
  EXPECT_NE(plain_port, 40000);
  EXPECT_NE(second_port, plain_port);
  EXPECT_EQ(*from_second, Ipv4(kNat, kUs).Tcp(second_port, 80).Payload(32, uint8_t{0x40}).Build());

  // In any order the answers find their way, also while the neighbours' tunnels are up.
  for (int round = 0; round < 2; ++round) {
    const auto to_plain = AnswerOf(gateway, Response(kNat, plain_port).Build());
    ASSERT_TRUE(to_plain.has_value());
    EXPECT_EQ(*to_plain,
              Ipv4(kUs, kNat).Tcp(80, 40000).Payload(64, static_cast<uint8_t>(plain_port)).Build());
    const auto to_second = AnswerOf(gateway, Response(kNat, second_port).Build());
    ASSERT_TRUE(to_second.has_value());
    EXPECT_FALSE(first.Receive(*to_second).has_value());
    EXPECT_EQ(
        second.Receive(*to_second),
        Ipv4(kUs, kPrivate).Tcp(80, 40000).Payload(64, static_cast<uint8_t>(second_port)).Build());
    const auto to_first = AnswerOf(gateway, Response(kNat, 40000).Build());
    ASSERT_TRUE(to_first.has_value());
    EXPECT_EQ(first.Receive(*to_first), Response(kPrivate, 40000).Build());
  }
}

// Two hosts that ping with the same identifier.
TEST_F(HostTest, EchoIsAnsweredToWhoeverAsked) {
  Gateway& gateway = Start({Optional()});
  Client first(gateway, 1, 41001, "crypto_openssl3"), second(gateway, 2, 41002, "crypto_openssl4");
  for (Client* client : {&first, &second}) {
    client->Send(Ipv4(kPrivate, kUs).IcmpEcho(77, 1).Payload(8).Build());
    const std::optional<Bytes> answer = gateway.SentIp(kOutsidePort);
    ASSERT_TRUE(answer.has_value());
    const std::optional<Bytes> echo = client->Receive(*answer);
    ASSERT_TRUE(echo.has_value());
    const Bytes want = Ipv4(kUs, kPrivate).IcmpEcho(77, 1, true).Payload(8).Build();
    EXPECT_EQ(Bytes(echo->begin() + 20, echo->end()), Bytes(want.begin() + 20, want.end()));
  }
  gateway.ReceiveIp(kOutsidePort, Ipv4(kNat, kUs).IcmpEcho(77, 1).Payload(8).Build());
  gateway.Run();
  const std::optional<Bytes> plain = gateway.SentIp(kOutsidePort);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ((*plain)[9], 1) << "in clear, as it came";
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*plain)[24]), 77);
}

// A host that reports an error about a packet names it as its sender knows it.
TEST_F(HostTest, ErrorsAboutATranslatedFlowNameItsOwnPort) {
  Gateway& gateway = Start({Optional()});
  Client first(gateway, 1, 41001, "crypto_openssl3"), second(gateway, 2, 41002, "crypto_openssl4");
  const auto datagram = [](const char* from, uint16_t port) {
    return Ipv4(from, kUs).Udp(port, 53).Payload(12).Build();
  };
  first.Send(datagram(kPrivate, 5000));
  ASSERT_TRUE(AtHost(gateway).has_value());
  second.Send(datagram(kPrivate, 5000));
  const std::optional<Bytes> seen = AtHost(gateway);
  ASSERT_TRUE(seen.has_value());
  ASSERT_NE(SourcePort(*seen), 5000);
  // Port unreachable, quoting what the host saw.
  Bytes message = FromHex("0303 0000 00000000");
  message.insert(message.end(), seen->begin(), seen->begin() + 28);
  const uint16_t checksum = ChecksumFrom(OnesSum(message));
  std::memcpy(&message[2], &checksum, 2);
  const auto answer = AnswerOf(gateway, Ipv4(kUs, kNat).Protocol(1).Payload(message).Build());
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(first.Receive(*answer).has_value());
  const std::optional<Bytes> error = second.Receive(*answer);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*error)[48]), 5000);
  EXPECT_EQ(OnesSum(ByteSpan(*error).subspan(20)), 0xffff);
}

TEST_F(HostTest, WhatHasNoPortToTellItApartByIsDropped) {
  Gateway& gateway = Start({Optional()});
  Client first(gateway, 1, 41001, "crypto_openssl3"), second(gateway, 2, 41002, "crypto_openssl4");
  first.Send(Ipv4(kPrivate, kUs).Protocol(47).Payload(20).Build());
  EXPECT_TRUE(AtHost(gateway).has_value());
  second.Send(Ipv4(kPrivate, kUs).Protocol(47).Payload(20).Build());
  EXPECT_FALSE(AtHost(gateway).has_value());
  EXPECT_EQ(gateway.drops(DropReason::kFlowConflict), 1u);
}

// A flow that came through an SA never leaves in clear: with the SA gone it is dropped. And when
// the client comes anew, as another peer, its connection goes on.
TEST_F(HostTest, AProtectedFlowNeverLeavesInClear) {
  Gateway& gateway = Start({Optional()});
  Client first(gateway, 1, 41001, "crypto_openssl3");
  first.Send(Request(kPrivate, 40000).Build());
  ASSERT_TRUE(AtHost(gateway).has_value());
  first.Disappear();
  EXPECT_FALSE(AnswerOf(gateway, Response(kNat, 40000).Build()).has_value());
  EXPECT_EQ(gateway.drops(DropReason::kSpdNoSa), 1u);

  Client again(gateway, 2, 41005, "crypto_openssl4");
  again.Send(Request(kPrivate, 40000).Build());
  EXPECT_EQ(AtHost(gateway), Request(kNat, 40000).Build()) << "the same connection";
  const auto answer = AnswerOf(gateway, Response(kNat, 40000).Build());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(again.Receive(*answer).has_value());
}

// Nobody who stands outside can speak into a protected connection.
TEST_F(HostTest, AClearPacketWithAProtectedFlowsPortsIsAnotherConnection) {
  Gateway& gateway = Start({Optional()});
  Client client(gateway, 1, 41001, "crypto_openssl3");
  client.Send(Request(kPrivate, 40000).Build());
  ASSERT_TRUE(AtHost(gateway).has_value());
  gateway.ReceiveIp(kOutsidePort, Request(kNat, 40000).Build());
  gateway.Run();
  const std::optional<Bytes> forged = AtHost(gateway);
  ASSERT_TRUE(forged.has_value());
  EXPECT_NE(SourcePort(*forged), 40000);
}

TEST_F(HostTest, AFullFlowTableDropsUnderItsName) {
  Gateway& gateway = Start({Optional()}, /*flows_max=*/8);
  for (uint16_t port = 1; port <= 6; ++port) {
    gateway.ReceiveIp(kOutsidePort, Ipv4(kNat, kUs).Udp(port, 53).Payload(4).Build());
  }
  gateway.Run();
  EXPECT_EQ(gateway.drops(DropReason::kFlowTableFull), 2u);
  // What is authentic still finds room.
  Client client(gateway, 1, 41001, "crypto_openssl3");
  while (AtHost(gateway).has_value()) {
  }
  client.Send(Request(kPrivate, 40000).Build());
  EXPECT_TRUE(AtHost(gateway).has_value());
}

// A connection that the host begins: in ESP to a peer whose address is its own, in clear to its
// neighbour, who has no SA, and to a NAT, where nobody knows whom it is for.
TEST_F(HostTest, UnderAnOptionalPolicyTheHostsOwnConnectionsUseTheSaThatIsThere) {
  Gateway& gateway = Start({Optional()});
  const Client behind_nat(gateway, 1, 41001, "crypto_openssl3");
  TestSa direct;
  direct.mode = IpsecMode::kTransport;
  direct.peer = 2;
  direct.local = {*TrafficSelector::Parse(kUs)};
  direct.remote = {*TrafficSelector::Parse("192.0.2.9")};
  direct.local_endpoint = {Address(kUs), 500};
  direct.remote_endpoint = {Address("192.0.2.9"), 500};
  ASSERT_TRUE(
      gateway.fast_path().InstallOutbound(OutboundParameters(direct, Spi(0xabcdef01))).ok());
  gateway.Run();
  const auto protocol_towards = [&](const char* remote) {
    const auto sent = AnswerOf(gateway, Ipv4(kUs, remote).Tcp(50000, 22).Payload(9).Build());
    return sent ? (*sent)[9] : 0;
  };
  EXPECT_EQ(protocol_towards("192.0.2.9"), 50);
  EXPECT_EQ(protocol_towards("192.0.2.10"), 6);
  EXPECT_EQ(protocol_towards(kNat), 6);
}

// Without `optional` clear packets stay out, and new connections of ours go by the selectors.
TEST_F(HostTest, APolicyThatIsNotOptionalWantsIpsec) {
  Gateway& gateway = Start({MakePolicy(PolicyAction::kProtect, kUs, "0.0.0.0/0")});
  Client first(gateway, 1, 41001, "crypto_openssl3"), second(gateway, 2, 41002, "crypto_openssl4");
  gateway.ReceiveIp(kOutsidePort, Request(kNat, 40000).Build());
  gateway.Run();
  EXPECT_EQ(gateway.drops(DropReason::kSpdClearInbound), 1u);
  first.Send(Request(kPrivate, 40000).Build());
  second.Send(Request(kPrivate, 40001).Build());
  ASSERT_TRUE(AtHost(gateway) && AtHost(gateway));
  const auto to_first = AnswerOf(gateway, Response(kNat, 40000).Build());
  ASSERT_TRUE(to_first.has_value());
  EXPECT_TRUE(first.Receive(*to_first).has_value());
  const auto to_second = AnswerOf(gateway, Response(kNat, 40001).Build());
  ASSERT_TRUE(to_second.has_value());
  EXPECT_TRUE(second.Receive(*to_second).has_value());
  EXPECT_TRUE(AnswerOf(gateway, Ipv4(kUs, kNat).Tcp(50000, 22).Build()).has_value());
}

// Fragments of ours are put together before transport mode, and the ESP packet is cut after it.
TEST_F(HostTest, FragmentsAreProtectedWhole) {
  Gateway& gateway = Start({Optional()});
  Client client(gateway, 1, 41001, "crypto_openssl3");
  client.Send(Ipv4(kPrivate, kUs).Udp(5000, 53).Payload(12).Build());
  ASSERT_TRUE(AtHost(gateway).has_value());
  const Bytes whole = Ipv4(kUs, kNat).Udp(53, 5000).Payload(2000).Build();
  const ByteSpan body = ByteSpan(whole).subspan(20);
  gateway.ReceiveIp(
      kHostPort,
      Ipv4(kUs, kNat).Id(9).Fragment(0, true).Protocol(17).Payload(body.first(1200)).Build());
  gateway.ReceiveIp(
      kHostPort,
      Ipv4(kUs, kNat).Id(9).Fragment(1200, false).Protocol(17).Payload(body.subspan(1200)).Build());
  gateway.Run();
  const auto first = gateway.SentIp(kOutsidePort), second = gateway.SentIp(kOutsidePort);
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first)[9], 17);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*first)[22]), 41001);
  EXPECT_NE((*first)[6] & 0x20, 0) << "more fragments of one ESP packet";
  EXPECT_FALSE(gateway.SentIp(kOutsidePort).has_value());
}

}  // namespace
}  // namespace sekisho::fastpath
