// tests/fastpath/tunnel_fixture.h: two gateways and the tunnel between them.
#pragma once

#include <gtest/gtest.h>

#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {

class TunnelTest : public FastPathTest {
 protected:
  struct End {
    Gateway* gateway;
    const char* outside;
    const char* inside_network;
    Spi spi;  // of its inbound SA
    SaHandle in, out;
  };

  // `nat_port`: UDP encapsulation, and the port that `b` is seen from. 0: plain ESP.
  void Connect(uint16_t nat_port, uint16_t mtu = 1500, const char* a_outside = "203.0.113.1",
               const char* b_outside = "203.0.113.2") {
    a_ = {&AddGateway(SiteOptions()), a_outside, "10.10.0.0/24", {}, {}, {}};
    b_ = {&AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24"),
                                   *InterfaceAddress::Parse("2001:db8:113::2/64")},
                       .inside = {*InterfaceAddress::Parse("10.20.0.254/24")},
                       .mtu = mtu,
                       .crypto_devices = {"crypto_openssl1"}}),
          b_outside,
          "10.20.0.0/24",
          {},
          {},
          {}};
    SetTables(*a_.gateway, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")});
    SetTables(*b_.gateway, {MakePolicy(PolicyAction::kProtect, "10.20.0.0/24", "10.10.0.0/24")});
    Install(a_, b_, 1, nat_port);
    Install(b_, a_, 2, nat_port);
  }

  Endpoint EndpointOf(const End& end, uint16_t nat_port) const {
    const uint16_t port = nat_port == 0 ? 0 : &end == &b_ ? nat_port : kIkeNatTPort;
    return {Address(end.outside), port};
  }

  // The SA pair that carries traffic from `from` to `to`.
  void Install(End& from, End& to, uint8_t key, uint16_t nat_port) {
    FastPath& receiver = to.gateway->fast_path();
    to.spi = *receiver.AllocateSpi();
    const TrafficSelectors from_net = {*TrafficSelector::Parse(from.inside_network)};
    const TrafficSelectors to_net = {*TrafficSelector::Parse(to.inside_network)};
    const bool udp = nat_port != 0;
    // The peer behind the NAT sees itself on port 4500.
    Endpoint own = EndpointOf(to, nat_port);
    if (udp) own.port = kIkeNatTPort;
    const absl::StatusOr<SaHandle> in =
        receiver.InstallInbound({.spi = to.spi,
                                 .suite = {.encryption = {EncryptionId::kAesGcm16, 256}},
                                 .encryption_key = SecretBytes(Bytes(36, key)),
                                 .local = to_net,
                                 .remote = from_net,
                                 .local_endpoint = own,
                                 .remote_endpoint = EndpointOf(from, nat_port),
                                 .udp_encapsulation = udp});
    ASSERT_TRUE(in.ok()) << in.status();
    to.in = *in;
    Endpoint source = EndpointOf(from, nat_port);
    if (udp) source.port = kIkeNatTPort;
    const absl::StatusOr<SaHandle> out = from.gateway->fast_path().InstallOutbound(
        {.spi = to.spi,
         .suite = {.encryption = {EncryptionId::kAesGcm16, 256}},
         .encryption_key = SecretBytes(Bytes(36, key)),
         .local = from_net,
         .remote = to_net,
         .local_endpoint = source,
         .remote_endpoint = EndpointOf(to, nat_port),
         .udp_encapsulation = udp});
    ASSERT_TRUE(out.ok()) << out.status();
    from.out = *out;
    a_.gateway->Run();
    b_.gateway->Run();
  }

  // Everything that left `from` by the outside port arrives at `to`; returns how many frames.
  size_t Carry(Gateway& from, Gateway& to) {
    size_t carried = 0;
    while (const std::optional<Bytes> packet = from.SentIp(kOutsidePort)) {
      to.ReceiveIp(kOutsidePort, *packet);
      ++carried;
    }
    to.Run();
    return carried;
  }

  End a_, b_;
};

inline PacketBuilder AToB(uint16_t port = 80) {
  return Ipv4("10.10.0.5", "10.20.0.7").Udp(1234, port);
}

}  // namespace sekisho::fastpath
