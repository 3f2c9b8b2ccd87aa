// What is left to a port's device that can do it, and done in software where not: on the wire both
// look the same.
#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

#include "fastpath/checksum.h"
#include "tests/fastpath/esp_harness.h"
#include "tests/fastpath/fake_offloads.h"
#include "tests/fastpath/tunnel_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kChecksums = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

// Of an IPv6 packet without extension headers, or of IPv4 without options.
bool TransportChecksumHolds(const Bytes& packet) {
  const ByteSpan bytes = packet;
  const bool v4 = bytes[0] >> 4 == 4;
  const size_t address = v4 ? 4 : 16;
  const size_t source = v4 ? 12 : 8;
  return OnesSumWithPseudoHeader(bytes.subspan(source, address),
                                 bytes.subspan(source + address, address), bytes[v4 ? 9 : 6],
                                 bytes.subspan(v4 ? 20 : 40)) == 0xffff;
}

class OffloadTest : public TunnelTest {
 protected:
  // One packet through ESP in UDP over IPv6, from a to b. The packets that carried it.
  std::vector<Bytes> CarryOne(size_t payload) {
    a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(payload).Build());
    a_.gateway->Run();
    std::vector<Bytes> sent;
    while (const std::optional<Bytes> packet = a_.gateway->SentIp(kOutsidePort)) {
      sent.push_back(*packet);
      b_.gateway->ReceiveIp(kOutsidePort, *packet);
    }
    b_.gateway->Run();
    EXPECT_EQ(b_.gateway->SentIp(kInsidePort),
              Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).Udp(1234, 80).Payload(payload).Build());
    return sent;
  }
  void ConnectOverIpv6() { Connect(kIkeNatTPort, 1500, "2001:db8:113::1", "2001:db8:113::2"); }
};

// The UDP checksum around ESP over IPv6, for packets of odd and even lengths.
TEST_F(OffloadTest, EspInUdpOverIpv6HasItsChecksumFromThePortOrSoftware) {
  for (const uint64_t can : {uint64_t{0}, kChecksums}) {
    const FakeOffloads offloads(0, can);
    ConnectOverIpv6();
    for (size_t payload = 0; payload < 40; ++payload) {
      const std::vector<Bytes> sent = CarryOne(payload);
      ASSERT_EQ(sent.size(), 1u);
      EXPECT_TRUE(TransportChecksumHolds(sent[0])) << payload;
    }
    EXPECT_EQ(a_.gateway->offloaded, can == 0 ? 0u : 40u);
    TearDown();
  }
}

// A device sees pieces, not the datagram: what is cut has its checksum before.
TEST_F(OffloadTest, WhatIsCutHasItsChecksumBefore) {
  const FakeOffloads offloads(0, kChecksums);
  ConnectOverIpv6();
  const std::vector<Bytes> sent = CarryOne(1472);
  ASSERT_EQ(sent.size(), 2u);
  Bytes whole(sent[0].begin(), sent[0].begin() + 40);
  whole[6] = 17;
  for (const Bytes& piece : sent) whole.insert(whole.end(), piece.begin() + 48, piece.end());
  EXPECT_TRUE(TransportChecksumHolds(whole));
  EXPECT_EQ(a_.gateway->offloaded, 0u);
}

// A tag that software writes stands in front of the header that the device is pointed to.
TEST_F(OffloadTest, TheDeviceIsToldOfATagInTheFrame) {
  for (const uint64_t can : {kChecksums, kChecksums | RTE_ETH_TX_OFFLOAD_VLAN_INSERT}) {
    const FakeOffloads offloads(0, can);
    Gateway::Options options = SiteOptions();
    options.vlan = 100;
    Gateway& tagged = AddGateway(options);
    SetTables(tagged, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")});
    TestSa sa;
    sa.udp_encapsulation = true;
    sa.local_endpoint = {Address("2001:db8:113::1"), 4500};
    sa.remote_endpoint = {Address("2001:db8:113::2"), 4500};
    ASSERT_TRUE(tagged.fast_path().InstallOutbound(OutboundParameters(sa, Spi{0x1234})).ok());
    tagged.ReceiveIp(kInsidePort, AToB().Payload(77).Build());
    tagged.Run();
    const std::optional<Bytes> frame = tagged.Sent(kOutsidePort);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(Bytes(frame->begin() + 12, frame->begin() + 18), FromHex("8100 0064 86dd"));
    EXPECT_TRUE(TransportChecksumHolds(Bytes(frame->begin() + 18, frame->end())));
    EXPECT_EQ(tagged.offloaded, 1u);
    TearDown();
  }
}

// Frames of a port with a VLAN, also short ones, are the same whoever writes the tag.
TEST_F(OffloadTest, TheTagIsThePortsOrSoftwares) {
  std::vector<Bytes> frames[2];
  for (const bool device : {false, true}) {
    const FakeOffloads offloads(0, device ? RTE_ETH_TX_OFFLOAD_VLAN_INSERT : uint64_t{0});
    Gateway::Options options = SiteOptions();
    options.vlan = 100;
    Gateway& tagged = AddGateway(options);
    SetTables(tagged, {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
    for (const size_t payload : {size_t{0}, size_t{30}, size_t{1472}}) {
      tagged.ReceiveIp(kInsidePort,
                       Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Payload(payload).Build());
      tagged.Run();
      std::optional<Bytes> frame = tagged.Sent(kOutsidePort);
      ASSERT_TRUE(frame.has_value());
      std::fill_n(frame->begin() + 6, 6, uint8_t{0});  // the gateway's own address
      frames[device ? 1 : 0].push_back(*frame);
    }
    EXPECT_EQ(tagged.offloaded, device ? 3u : 0u);
    TearDown();
  }
  EXPECT_EQ(Bytes(frames[0][0].begin() + 12, frames[0][0].begin() + 18), FromHex("8100 0064 0800"));
  EXPECT_EQ(frames[0], frames[1]);
}

// Transport mode behind a NAT of which nobody told the addresses: TCP and UDP checksums are made
// anew on the way to the host, which sees what would have come without NAT and IPsec.
TEST_F(OffloadTest, ChecksumsOutOfTransportModeAreThePortsOrSoftwares) {
  constexpr const char* kUs = "203.0.113.1";
  constexpr const char* kNat = "198.51.100.7";
  for (const uint64_t can : {uint64_t{0}, kChecksums}) {
    const FakeOffloads offloads(0, can);
    Gateway::Options options = SiteOptions();
    options.host = true;
    Gateway& gateway = AddGateway(options);
    SetTables(gateway, {MakePolicy(PolicyAction::kProtect, kUs, "0.0.0.0/0")});
    EspHarness client("crypto_aesni_mb0", 64, 8);
    TestSa sa;
    sa.mode = IpsecMode::kTransport;
    sa.udp_encapsulation = true;
    sa.local_endpoint = {Address(kUs), 4500};
    sa.remote_endpoint = {Address(kNat), 4500};
    const Spi spi = *gateway.fast_path().AllocateSpi();
    ASSERT_TRUE(gateway.fast_path().InstallInbound(InboundParameters(sa, spi)).ok());
    TestSa at_client = sa;
    at_client.local_endpoint = {Address("10.0.0.2"), 4500};
    at_client.remote_endpoint = {Address(kUs), 4500};
    client.InstallOutbound(at_client, spi);
    uint64_t delivered = 0;
    for (const bool tcp : {true, false}) {
      for (const size_t payload : {size_t{0}, size_t{1}, size_t{32}, size_t{999}}) {
        const auto packet = [&](const char* source) {
          PacketBuilder builder = Ipv4(source, kUs);
          tcp ? builder.Tcp(4000, 80) : builder.Udp(4000, 80);
          return builder.Payload(payload);
        };
        EspResult result = client.Encap(packet("10.0.0.2").BuildMbuf());
        ASSERT_EQ(result.passed.size(), 1u);
        Bytes esp = BytesOf(result.passed[0].get());
        std::copy_n(Address(kNat).bytes().data(), 4, esp.begin() + 12);  // NAT
        esp[10] = esp[11] = 0;
        const uint16_t checksum = ChecksumFrom(OnesSum({esp.data(), 20}));
        std::memcpy(&esp[10], &checksum, 2);
        gateway.ReceiveIp(kOutsidePort, esp);
        gateway.Run();
        EXPECT_EQ(gateway.SentIp(kHostPort), packet(kNat).Build()) << tcp << " " << payload;
        ++delivered;
      }
    }
    EXPECT_EQ(gateway.offloaded, can == 0 ? 0u : delivered);
    TearDown();
  }
}

// What a device says of an IPv4 header is believed; where it says nothing, software looks.
TEST_F(OffloadTest, ThePortsWordOnAnIpv4HeaderCounts) {
  const FakeOffloads offloads(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, 0);
  SetTables(gateway(), {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  const Bytes good = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Build();
  const Bytes bad = Ipv4("10.10.0.6", "198.51.100.9").Udp(1, 2).Patch(10, {0x12, 0x34}).Build();
  const auto passes = [&](uint64_t port_says, const Bytes& packet) {
    gateway().port_says = port_says;
    gateway().ReceiveIp(kInsidePort, packet);
    gateway().Run();
    return gateway().Sent(kOutsidePort).has_value();
  };
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, good));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, bad));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_IP_CKSUM_GOOD, good));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_IP_CKSUM_GOOD, bad));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_BAD, good));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_BAD, bad));
  // "Not in the packet, but right": nobody was asked for that.
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_NONE, bad));
  EXPECT_EQ(gateway().drops(DropReason::kIpv4Checksum), 4u);
}

// It spoke of the outer header: one that comes out of a tunnel is looked at in software.
TEST_F(OffloadTest, ThePortsWordIsNotAboutInnerHeaders) {
  Connect(/*nat_port=*/0);
  a_.gateway->port_says = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  a_.gateway->ReceiveIp(kInsidePort, AToB().Patch(10, {0x12, 0x34}).Build());
  a_.gateway->Run();
  b_.gateway->port_says = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 1u);
  EXPECT_FALSE(b_.gateway->SentIp(kInsidePort).has_value());
  EXPECT_EQ(b_.gateway->drops(DropReason::kEspInnerMalformed), 1u);
}

// A device is asked for what it can and we use, and for nothing else.
TEST_F(OffloadTest, PortsAreAskedForWhatTheyCan) {
  struct Case {
    uint64_t receive, transmit, transmit_asked;
  };
  for (const Case& c : {Case{0, 0, 0}, Case{RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, 0, 0},
                        Case{0, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, 0},  // half of it is none
                        Case{RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, kChecksums, kChecksums},
                        // Without a VLAN nobody wants a tag.
                        Case{0, kChecksums | RTE_ETH_TX_OFFLOAD_VLAN_INSERT, kChecksums}}) {
    const FakeOffloads offloads(c.receive | RTE_ETH_RX_OFFLOAD_UDP_CKSUM, c.transmit);
    AddGateway(SiteOptions());
    EXPECT_EQ(offloads.receive_asked(), c.receive);
    EXPECT_EQ(offloads.transmit_asked(), c.transmit_asked);
    TearDown();
  }
}

// Several queues are filled by RSS where the device has it, by all of ours that it can hash; one
// queue needs none.
TEST_F(OffloadTest, RssIsAskedForWhereThereAreSeveralQueues) {
  constexpr uint64_t kAll = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP;
  for (const uint16_t queues : {uint16_t{1}, uint16_t{2}}) {
    for (const uint64_t can : {uint64_t{0}, uint64_t{RTE_ETH_RSS_IPV4}, ~uint64_t{0}}) {
      FakeOffloads offloads(0, 0);
      offloads.AllowRss(can);
      Gateway::Options options = SiteOptions();
      options.workers = 2;
      options.queues = queues;
      AddGateway(options);
      EXPECT_EQ(offloads.rss_asked(), queues == 1 ? 0 : can & kAll);
      TearDown();
    }
  }
}

// Refuses each packet of an inner size that it does not like.
constexpr size_t kRefusedFrame = 14 + 40 + 8 + 8 + 8 + 28 + 100 + 2 + 16 + 2;
uint16_t RefuseSome(void* /*queue*/, rte_mbuf** packets, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) {
    if (packets[i]->pkt_len / 16 == kRefusedFrame / 16) return i;
  }
  return count;
}

// What the driver says that its device cannot do is dropped under its name, and nothing else is.
TEST_F(OffloadTest, WhatADriverRefusesIsDroppedAlone) {
  const FakeOffloads offloads(0, kChecksums);
  ConnectOverIpv6();
  rte_eth_fp_ops[a_.gateway->device(kOutsidePort)].tx_pkt_prepare = &RefuseSome;
  for (const size_t payload : {10, 100, 20, 100, 100, 30}) {
    a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(payload).Build());
  }
  a_.gateway->Run();
  EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 3u);
  for (const size_t payload : {10, 20, 30}) {
    EXPECT_EQ(b_.gateway->SentIp(kInsidePort),
              Ipv4("10.10.0.5", "10.20.0.7").Ttl(62).Udp(1234, 80).Payload(payload).Build());
  }
  EXPECT_EQ(a_.gateway->drops(DropReason::kTransmitRefused), 3u);
}

}  // namespace
}  // namespace sekisho::fastpath
