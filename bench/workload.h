// bench/workload.h: who talks to whom in a row: users, servers, peers, keys, policies and packets,
// all of them functions of their number, so that nothing has to be remembered.
//
// Users stand behind tunnels at 172.16.0.0/12, one address and one pair of SAs each; their outer
// addresses are in 100.64.0.0/10; servers are in 10.0.0.0/8 behind the inside port. In transport
// mode the user is its outer address, and the server is the gateway itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/row.h"
#include "common/endpoint.h"
#include "common/ip_address.h"
#include "common/secret.h"
#include "common/spi.h"
#include "fastpath/fast_path.h"

namespace sekisho::bench {

// One packet, before it is made.
struct PacketSpec {
  uint32_t sa = 0;
  uint16_t bytes = 0;  // of the inner IP packet
  uint16_t flow = 0;   // of that SA
};

inline constexpr IpAddress kGatewayAddress = IpAddress::V4(0xcb007101);  // 203.0.113.1
inline constexpr IpAddress kOutsideRouter = IpAddress::V4(0xcb0071fe);   // 203.0.113.254
inline constexpr IpAddress kInside = IpAddress::V4(0xc0a8fffe);          // 192.168.255.254
inline constexpr IpAddress kInsideRouter = IpAddress::V4(0xc0a8ff01);    // 192.168.255.1
inline constexpr MacAddress kRouterMac = {0x02, 0, 0, 0, 0, 0x77};
inline constexpr uint32_t kSasMax = 1'000'000;
inline constexpr uint32_t kPoliciesMax = 10'000;
inline constexpr uint8_t kTtl = 64;
// IP and UDP header, and the packet's number.
inline constexpr uint16_t kPacketBytesMin = 32;

class Workload {
 public:
  explicit Workload(const Setup& setup);

  // `count` packets in the order in which they are sent, of random SAs and flows. `in_turns`: of
  // all SAs once, in random order, then of all of them again, in another.
  static std::vector<PacketSpec> Packets(const Row& row, size_t count, uint64_t seed,
                                         bool in_turns = false);

  IpAddress User(uint32_t sa) const;    // inside the SA
  IpAddress Server(uint32_t sa) const;  // the other end of its packets
  Endpoint Peer(uint32_t sa) const;     // of the SA itself
  Endpoint Local() const;
  static Spi OutboundSpi(uint32_t sa) { return {0x1000'0000 | sa}; }
  static uint32_t SaOf(Spi outbound) { return outbound.value & 0x0fff'ffff; }

  struct Keys {
    SecretBytes encryption, integrity;
  };
  Keys KeysOf(uint32_t sa, bool inbound) const;

  // Of sa, without the SPI and the worker of an inbound one.
  fastpath::InboundSaParameters Inbound(uint32_t sa) const;
  fastpath::OutboundSaParameters Outbound(uint32_t sa) const;
  // What the peer's end has for our inbound SA.
  fastpath::OutboundSaParameters PeerOutbound(uint32_t sa, Spi spi) const;

  // As a person writes them: PROTECT for one network of users after the other, each to its servers,
  // between them BYPASS and DISCARD for single services.
  std::vector<fastpath::Policy> Policies() const;

  // Writes the inner packet of spec.bytes: from the server to the user, or where `from_user` the
  // other way. IPv4 and UDP without a checksum; behind them `number`, which verification reads.
  void WritePacket(const PacketSpec& spec, bool from_user, uint32_t number, uint8_t* to) const;
  // Its number. Requires: kPacketBytesMin bytes.
  static uint32_t NumberOf(const uint8_t* packet);

  const Setup& setup() const { return setup_; }

 private:
  TrafficSelectors ServerSelectors(uint32_t sa) const;
  TrafficSelectors UserSelectors(uint32_t sa) const;
  // The users of one PROTECT policy are neighbours.
  uint32_t ProtectOf(uint32_t sa) const { return sa % protects_; }
  uint32_t PlaceOf(uint32_t sa) const { return ProtectOf(sa) * block_ + sa / protects_; }

  const Setup setup_;
  uint32_t protects_ = 1;  // PROTECT policies
  uint32_t block_ = 1;     // addresses of each; a power of two
};

}  // namespace sekisho::bench
