// AH between two gateways, alone and around ESP: through the ports, the SPD and however many
// workers there are.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "fastpath/ah_encap.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kPackets = 40;  // more than one burst, so that workers have to keep their order

IpsecSuite SuiteNamed(IpsecProtocol protocol, const char* name) {
  const auto suite = IpsecSuite::Parse(protocol, name);
  EXPECT_TRUE(suite.ok()) << suite.status();
  return *suite;
}

// One end, and the network behind it; in transport mode its machine's own stack stands there.
struct End {
  Gateway* gateway = nullptr;
  const char* outside = nullptr;
  const char* network = nullptr;
  SaHandle ah_in, ah_out, esp_in, esp_out;
};

class AhGatewayTest : public FastPathTest, public testing::WithParamInterface<uint32_t> {
 protected:
  void Start(bool host) {
    Gateway::Options site = SiteOptions();
    site.host = host;
    site.workers = GetParam();
    a_ = {.gateway = &AddGateway(site), .outside = "203.0.113.1", .network = "10.10.0.0/24"};
    Gateway::Options other = site;
    other.outside = {*InterfaceAddress::Parse("203.0.113.2/24")};
    other.inside = {*InterfaceAddress::Parse("10.20.0.254/24")};
    other.crypto_devices = {"crypto_openssl1"};
    b_ = {.gateway = &AddGateway(other), .outside = "203.0.113.2", .network = "10.20.0.0/24"};
    if (host) {
      a_.network = a_.outside;
      b_.network = b_.outside;
    }
    for (const auto& [at, peer, host_inside] :
         {std::tuple(&a_, &b_, "10.10.0.5"), std::tuple(&b_, &a_, "10.20.0.7")}) {
      FastPath& fast_path = at->gateway->fast_path();
      EXPECT_TRUE(fast_path.SetNeighbour(kOutsidePort, Address(peer->outside), kHostMac).ok());
      EXPECT_TRUE(fast_path.SetNeighbour(kInsidePort, Address(host_inside), kHostMac).ok());
    }
    SetTables(*a_.gateway, {MakePolicy(PolicyAction::kProtect, a_.network, b_.network)});
    SetTables(*b_.gateway, {MakePolicy(PolicyAction::kProtect, b_.network, a_.network)});
  }

  template <typename Parameters>
  static Parameters SaOf(const End& at, const End& peer, IpsecProtocol protocol, IpsecMode mode,
                         Spi spi) {
    Parameters parameters;
    parameters.spi = spi;
    parameters.protocol = protocol;
    parameters.mode = mode;
    const bool ah = protocol == IpsecProtocol::kAh;
    parameters.suite = SuiteNamed(protocol, ah ? "sha256" : "aes128-sha256");
    if (!ah) parameters.encryption_key = SecretBytes(Bytes(16, 7));
    parameters.integrity_key = SecretBytes(Bytes(32, 9));
    parameters.local = {*TrafficSelector::Parse(at.network)};
    parameters.remote = {*TrafficSelector::Parse(peer.network)};
    parameters.local_endpoint = {Address(at.outside), 0};
    parameters.remote_endpoint = {Address(peer.outside), 0};
    return parameters;
  }
  static InboundSaParameters In(const End& at, const End& peer, IpsecProtocol protocol,
                                IpsecMode mode, Spi spi) {
    auto parameters = SaOf<InboundSaParameters>(at, peer, protocol, mode, spi);
    parameters.typed_spi = true;
    return parameters;
  }
  static OutboundSaParameters Out(const End& at, const End& peer, IpsecProtocol protocol,
                                  IpsecMode mode, Spi spi) {
    return SaOf<OutboundSaParameters>(at, peer, protocol, mode, spi);
  }

  // All SPIs are typed ones; frames arrive at the first worker, these are the second's to take.
  void InstallAh(IpsecMode mode) {
    const auto of = [](const End& end) -> FastPath& { return end.gateway->fast_path(); };
    uint32_t slot = 7;
    for (const auto& [from, to] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      const Spi spi = Spi::Make(1, WorkerId{1}, SlotId{++slot});
      to->ah_in = Installed(of(*to).InstallInbound(In(*to, *from, IpsecProtocol::kAh, mode, spi)));
      from->ah_out =
          Installed(of(*from).InstallOutbound(Out(*from, *to, IpsecProtocol::kAh, mode, spi)));
    }
    a_.gateway->Run();
    b_.gateway->Run();
  }
  // ESP in tunnel mode, in AH of the mode given; one worker's inside of the other's.
  void InstallNested(IpsecMode ah_mode) {
    const auto of = [](const End& end) -> FastPath& { return end.gateway->fast_path(); };
    uint32_t slot = 7;
    for (const auto& [from, to] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      const Spi ah = Spi::Make(1, WorkerId{1}, SlotId{++slot});
      const Spi esp = Spi::Make(1, WorkerId{0}, SlotId{++slot});
      InboundSaParameters ah_in = In(*to, *from, IpsecProtocol::kAh, ah_mode, ah);
      ah_in.only_around_esp = true;
      ah_in.anti_replay = false;
      ah_in.local = {*TrafficSelector::Parse(to->outside)};
      ah_in.remote = {*TrafficSelector::Parse(from->outside)};
      to->ah_in = Installed(of(*to).InstallInbound(ah_in));
      InboundSaParameters esp_in = In(*to, *from, IpsecProtocol::kEsp, IpsecMode::kTunnel, esp);
      esp_in.within = to->ah_in;
      to->esp_in = Installed(of(*to).InstallInbound(esp_in));
      OutboundSaParameters ah_out = Out(*from, *to, IpsecProtocol::kAh, ah_mode, ah);
      ah_out.remote.clear();  // protects nothing of its own
      from->ah_out = Installed(of(*from).InstallOutbound(ah_out));
      OutboundSaParameters esp_out = Out(*from, *to, IpsecProtocol::kEsp, IpsecMode::kTunnel, esp);
      esp_out.then = from->ah_out;
      from->esp_out = Installed(of(*from).InstallOutbound(esp_out));
    }
    a_.gateway->Run();
    b_.gateway->Run();
  }
  static SaHandle Installed(const absl::StatusOr<SaHandle>& sa) {
    EXPECT_TRUE(sa.ok()) << sa.status();
    return sa.value_or(SaHandle());
  }

  // The `number`th packet from one end's network to the other's.
  static Bytes Packet(const End& from, const End& to, size_t number, uint8_t ttl) {
    const bool host = from.network == from.outside;
    const auto inside = [&](const End& end) {
      return host ? end.outside : end.network[3] == '1' ? "10.10.0.5" : "10.20.0.7";
    };
    return Ipv4(inside(from), inside(to))
        .Ttl(ttl)
        .Udp(1234, 80)
        .Payload(100, static_cast<uint8_t>(number))
        .Build();
  }
  // What one end sends by its outside port for kPackets of these.
  static std::vector<Bytes> Protect(const End& from, const End& to) {
    const PortId port = from.network == from.outside ? kHostPort : kInsidePort;
    for (size_t i = 0; i < kPackets; ++i) from.gateway->ReceiveIp(port, Packet(from, to, i, 64));
    from.gateway->Run();
    std::vector<Bytes> sent;
    while (const auto packet = from.gateway->SentIp(kOutsidePort)) sent.push_back(*packet);
    return sent;
  }
  static void Arrive(const End& at, const std::vector<Bytes>& packets) {
    for (const Bytes& packet : packets) at.gateway->ReceiveIp(kOutsidePort, packet);
    at.gateway->Run();
  }
  // All of them come out there, in their order.
  static void ExpectDelivered(const End& from, const End& to) {
    const bool host = from.network == from.outside;
    for (size_t i = 0; i < kPackets; ++i) {
      EXPECT_EQ(to.gateway->SentIp(host ? kHostPort : kInsidePort),
                Packet(from, to, i, host ? 64 : 62))
          << i;
    }
    EXPECT_FALSE(to.gateway->SentIp(host ? kHostPort : kInsidePort).has_value());
  }
  void ExpectBothWays(uint8_t outer_protocol) {
    for (const auto& [from, to] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      const std::vector<Bytes> sent = Protect(*from, *to);
      ASSERT_EQ(sent.size(), kPackets);
      for (const Bytes& packet : sent) EXPECT_EQ(packet[9], outer_protocol);
      Arrive(*to, sent);
      ExpectDelivered(*from, *to);
      EXPECT_EQ(to->gateway->fast_path().Counters(to->ah_in)->packets, kPackets);
      EXPECT_EQ(from->gateway->fast_path().Counters(from->ah_out)->packets, kPackets);
      EXPECT_EQ(from->gateway->fast_path().Counters(from->ah_out)->sequence, kPackets);
    }
  }

  End a_, b_;
};

TEST_P(AhGatewayTest, TunnelModeCarriesPacketsBothWays) {
  Start(/*host=*/false);
  InstallAh(IpsecMode::kTunnel);
  ExpectBothWays(IPPROTO_AH);
}

TEST_P(AhGatewayTest, TransportModeServesTheMachineItself) {
  Start(/*host=*/true);
  InstallAh(IpsecMode::kTransport);
  ExpectBothWays(IPPROTO_AH);
}

TEST_P(AhGatewayTest, ReplayedAndDamagedPacketsAreDroppedUnderTheirNames) {
  Start(/*host=*/false);
  InstallAh(IpsecMode::kTunnel);
  std::vector<Bytes> sent = Protect(a_, b_);
  ASSERT_EQ(sent.size(), kPackets);
  Bytes damaged = sent.back();
  damaged.at(damaged.size() - 1) ^= 1;
  Arrive(b_, {damaged});
  EXPECT_EQ(b_.gateway->drops(DropReason::kAhIntegrity), 1u);
  Arrive(b_, sent);
  ExpectDelivered(a_, b_);
  Arrive(b_, sent);
  EXPECT_EQ(b_.gateway->drops(DropReason::kAhReplayed), kPackets);
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
}

TEST_P(AhGatewayTest, EspInsideOfAhGoesBothWays) {
  Start(/*host=*/false);
  InstallNested(IpsecMode::kTransport);
  ExpectBothWays(IPPROTO_AH);
  EXPECT_EQ(b_.gateway->fast_path().Counters(b_.esp_in)->packets, kPackets);
}

TEST_P(AhGatewayTest, EspInsideOfAhInTunnelModeGoesBothWays) {
  Start(/*host=*/false);
  InstallNested(IpsecMode::kTunnel);
  ExpectBothWays(IPPROTO_AH);
  EXPECT_EQ(b_.gateway->fast_path().Counters(b_.esp_in)->packets, kPackets);
}

// RFC 4301, 4.3: each of the two is required.
TEST_P(AhGatewayTest, OneOfTwoNestedLayersIsNotEnough) {
  Start(/*host=*/false);
  InstallNested(IpsecMode::kTransport);
  const std::vector<Bytes> sent = Protect(a_, b_);
  ASSERT_EQ(sent.size(), kPackets);
  // ESP alone: what stood behind AH's 28 bytes.
  std::vector<Bytes> esp_only;
  for (const Bytes& packet : sent) {
    esp_only.push_back(Ipv4("203.0.113.1", "203.0.113.2")
                           .Protocol(IPPROTO_ESP)
                           .Payload(ByteSpan(packet).subspan(20 + 28))
                           .Build());
  }
  Arrive(b_, esp_only);
  EXPECT_EQ(b_.gateway->drops(DropReason::kIpsecLayerMissing), kPackets);
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
  Arrive(b_, sent);
  ExpectDelivered(a_, b_);
  // AH alone, around something else.
  ASSERT_TRUE(a_.gateway->fast_path().Remove(a_.esp_out).ok());
  a_.gateway->Run();
  Installed(a_.gateway->fast_path().InstallOutbound(
      Out(a_, b_, IpsecProtocol::kAh, IpsecMode::kTunnel, Spi::Make(1, WorkerId{1}, SlotId{8}))));
  Arrive(b_, Protect(a_, b_));
  EXPECT_EQ(b_.gateway->drops(DropReason::kIpsecLayerMissing), 2 * kPackets);
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
}

// Where AH is gone nothing leaves with ESP alone.
TEST_P(AhGatewayTest, NothingLeavesWithoutTheOuterOfTwoSas) {
  Start(/*host=*/false);
  InstallNested(IpsecMode::kTransport);
  ASSERT_TRUE(a_.gateway->fast_path().Remove(a_.ah_out).ok());
  a_.gateway->Run();
  EXPECT_TRUE(Protect(a_, b_).empty());
  EXPECT_EQ(a_.gateway->drops(DropReason::kIpsecLayerMissing), kPackets);
}

// RFC 4302, 3.3.4: AH is made before fragments are, and covers the identification that each of them
// has. The far end puts them together and finds the ICV right.
TEST_P(AhGatewayTest, WhatLeavesInFragmentsVerifiesWhenWholeAgain) {
  Start(/*host=*/false);
  InstallAh(IpsecMode::kTunnel);
  for (uint8_t number = 0; number < 3; ++number) {
    const auto large = [&](uint8_t ttl) {
      return Ipv4("10.10.0.5", "10.20.0.7").Ttl(ttl).Udp(1, 2).Payload(1472, number).Build();
    };
    a_.gateway->ReceiveIp(kInsidePort, large(64));
    a_.gateway->Run();
    std::vector<Bytes> pieces;
    while (const auto piece = a_.gateway->SentIp(kOutsidePort)) pieces.push_back(*piece);
    EXPECT_EQ(pieces.size(), 2u);
    Arrive(b_, pieces);
    EXPECT_EQ(b_.gateway->SentIp(kInsidePort), large(62));
  }
  EXPECT_EQ(b_.gateway->drops(DropReason::kAhIntegrity), 0u);
}

// Both overheads together: what is too large is said with the size that does fit.
TEST_P(AhGatewayTest, SendersAreToldWhatFitsIntoBothLayers) {
  Start(/*host=*/false);
  InstallNested(IpsecMode::kTransport);
  const auto packet = [](size_t bytes) {
    return Ipv4("10.10.0.5", "10.20.0.7").DontFragment().Udp(1, 2).Payload(bytes - 28).Build();
  };
  a_.gateway->ReceiveIp(kInsidePort, packet(1480));
  a_.gateway->Run();
  const std::optional<Bytes> icmp = a_.gateway->SentIp(kInsidePort);
  ASSERT_TRUE(icmp.has_value());
  const size_t mtu = LoadBigEndian<uint16_t>(&(*icmp)[26]);
  a_.gateway->ReceiveIp(kInsidePort, packet(mtu));
  a_.gateway->Run();
  const std::optional<Bytes> largest = a_.gateway->SentIp(kOutsidePort);
  ASSERT_TRUE(largest.has_value());
  EXPECT_LE(largest->size(), 1500u);
  EXPECT_GT(largest->size(), 1500u - 16u);
  EXPECT_FALSE(a_.gateway->SentIp(kOutsidePort).has_value()) << "in one piece";
}

// Headers inside of headers of one and the same SA: some are taken off, and then no more.
TEST_P(AhGatewayTest, HeadersInsideOfHeadersEnd) {
  Start(/*host=*/true);
  InstallAh(IpsecMode::kTransport);
  EspHarness peer;
  const Spi spi = Spi::Make(1, WorkerId{1}, SlotId{9});
  const auto sa = peer.outbound->Fill(Out(b_, a_, IpsecProtocol::kAh, IpsecMode::kTransport, spi));
  ASSERT_TRUE(sa.ok()) << sa.status();
  peer.outbound->Publish(*sa);
  const Bytes innermost = Ipv4(b_.outside, a_.outside).Udp(1234, 80).Payload(40).Build();
  for (int layers = 1; layers <= kIpsecLayersMax + 2; ++layers) {
    MbufPtr packet = MakeMbuf(innermost);
    for (int i = 0; i < layers; ++i) {
      rte_mbuf* mbuf = packet.get();
      ASSERT_TRUE(ParseIp(mbuf, ContextOf(mbuf)));
      peer.outbound->LookUp({&mbuf, 1});
      ASSERT_NE(ContextOf(mbuf).outbound_sa, nullptr);
      PacketList passed, dropped;
      AhEncapSubmit(peer.worker, {&mbuf, 1}, passed, dropped);
      while (peer.backend->InFlight(peer.worker.id) != 0) {
        EspEncapFinish(peer.worker, passed, dropped);
      }
      ASSERT_TRUE(dropped.empty());
      packet = MakeMbuf(BytesOf(mbuf));  // with room in front again
    }
    Arrive(a_, {BytesOf(packet.get())});
    const std::optional<Bytes> delivered = a_.gateway->SentIp(kHostPort);
    ASSERT_TRUE(delivered.has_value()) << layers;
    if (layers <= kIpsecLayersMax) {
      EXPECT_EQ(*delivered, innermost) << layers;
    } else {
      EXPECT_EQ((*delivered)[9], IPPROTO_AH) << "nobody looked further";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, AhGatewayTest, testing::Values(1u, 2u));

}  // namespace
}  // namespace sekisho::fastpath
