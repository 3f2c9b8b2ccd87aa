#include "fastpath/outer_header.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr uint16_t kDontFragment = 0x4000;
constexpr uint8_t kEcnMask = 3;

uint8_t OuterProtocol(const OutboundSa& sa) {
  return sa.layout.udp_encapsulation ? uint8_t{IPPROTO_UDP} : static_cast<uint8_t>(sa.protocol);
}

// DSCP, length, identification, DF and checksum are the packet's, and zero here.
size_t WriteIpv4Template(uint8_t* at, uint8_t protocol, const IpAddress& source,
                         const IpAddress& to) {
  std::memset(at, 0, kIpv4HeaderBytes);
  at[0] = 0x45;
  at[8] = kOwnTtl;
  at[9] = protocol;
  std::memcpy(at + 12, source.bytes().data(), 4);
  std::memcpy(at + 16, to.bytes().data(), 4);
  return kIpv4HeaderBytes;
}

// Traffic class and length are the packet's; the flow label is 0 (RFC 6437, 2: not known here).
size_t WriteIpv6Template(uint8_t* at, uint8_t protocol, const IpAddress& source,
                         const IpAddress& to) {
  std::memset(at, 0, kIpv6HeaderBytes);
  at[0] = 0x60;
  at[6] = protocol;
  at[7] = kOwnTtl;
  std::memcpy(at + 8, source.bytes().data(), 16);
  std::memcpy(at + 24, to.bytes().data(), 16);
  return kIpv6HeaderBytes;
}

uint32_t SumWords(const uint8_t* at, size_t bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes; i += 2) sum += LoadBigEndian<uint16_t>(at + i);
  return sum;
}

void FillIpv4(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
              uint64_t sequence) {
  std::memcpy(at, sa.outer_header, kIpv4HeaderBytes);
  const auto length = static_cast<uint16_t>(total_bytes);
  // One per packet of this SA, so unique as long as RFC 6864 asks where a router may fragment it.
  const auto id = static_cast<uint16_t>(sequence);
  uint32_t sum =
      sa.checksum_part + inherited.traffic_class + length + id + inherited.fragment_field;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  at[1] = inherited.traffic_class;
  StoreBigEndian<uint16_t>(at + 2, length);
  StoreBigEndian<uint16_t>(at + 4, id);
  StoreBigEndian<uint16_t>(at + 6, inherited.fragment_field);
  StoreBigEndian<uint16_t>(at + 10, static_cast<uint16_t>(~sum));
}

void FillIpv6(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited) {
  std::memcpy(at, sa.outer_header, kIpv6HeaderBytes);
  at[0] = static_cast<uint8_t>(0x60 | inherited.traffic_class >> 4);
  at[1] = static_cast<uint8_t>(inherited.traffic_class << 4);
  StoreBigEndian<uint16_t>(at + 4, static_cast<uint16_t>(total_bytes - kIpv6HeaderBytes));
}

}  // namespace

void WriteOuterHeader(OutboundSa& sa, const Endpoint& local, const Endpoint& remote) {
  const uint8_t protocol = OuterProtocol(sa);
  size_t bytes = 0;
  if (sa.layout.transport) {
    // The IP header is the packet's own.
  } else if (local.address.is_v4()) {
    bytes = WriteIpv4Template(sa.outer_header, protocol, local.address, remote.address);
    sa.checksum_part = SumWords(sa.outer_header, kIpv4HeaderBytes);
  } else {
    bytes = WriteIpv6Template(sa.outer_header, protocol, local.address, remote.address);
  }
  if (sa.layout.udp_encapsulation) {
    StoreBigEndian<uint16_t>(sa.outer_header + bytes, local.port);
    StoreBigEndian<uint16_t>(sa.outer_header + bytes + 2, remote.port);
    StoreBigEndian<uint32_t>(sa.outer_header + bytes + 4, 0);
    bytes += kUdpHeaderBytes;
  }
  sa.outer_bytes = static_cast<uint8_t>(bytes);
  sa.layout.outer_family = static_cast<uint8_t>(local.address.family());
  sa.local = local;
  sa.remote = remote;
}

Inherited InheritedFrom(const uint8_t* inner, uint8_t family, const Handling& handling) {
  Inherited inherited =
      family == 4
          ? Inherited{inner[1],
                      static_cast<uint16_t>(LoadBigEndian<uint16_t>(inner + 6) & kDontFragment)}
          : Inherited{static_cast<uint8_t>(LoadBigEndian<uint16_t>(inner) >> 4), kDontFragment};
  if (handling.df != Handling::Df::kCopy) {
    inherited.fragment_field = handling.df == Handling::Df::kSet ? kDontFragment : uint16_t{0};
  }
  if (handling.dscp.has_value()) {
    inherited.traffic_class =
        static_cast<uint8_t>(*handling.dscp << 2 | (inherited.traffic_class & kEcnMask));
  }
  return inherited;
}

void WriteOuter(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
                uint64_t sequence) {
  size_t ip_bytes = kIpv6HeaderBytes;
  if (sa.layout.outer_family == 4) {
    FillIpv4(sa, at, total_bytes, inherited, sequence);
    ip_bytes = kIpv4HeaderBytes;
  } else {
    FillIpv6(sa, at, total_bytes, inherited);
  }
  if (!sa.layout.udp_encapsulation) return;
  std::memcpy(at + ip_bytes, sa.outer_header + ip_bytes, kUdpHeaderBytes);
  StoreBigEndian<uint16_t>(at + ip_bytes + 4, static_cast<uint16_t>(total_bytes - ip_bytes));
}

void WriteTransport(const OutboundSa& sa, uint8_t* at, const ClearHeaders& headers,
                    size_t total_bytes) {
  SetFollowing(at, headers, OuterProtocol(sa), total_bytes);
  if (!sa.layout.udp_encapsulation) return;
  uint8_t* udp = at + headers.bytes;
  std::memcpy(udp, sa.outer_header, kUdpHeaderBytes);
  StoreBigEndian<uint16_t>(udp + 4, static_cast<uint16_t>(total_bytes - headers.bytes));
}

bool IsBetweenEnds(const OutboundSa& sa, const uint8_t* packet, uint8_t family) {
  if (sa.layout.outer_family != family) return false;
  const size_t bytes = family == 4 ? 4 : 16;
  const uint8_t* source = packet + (family == 4 ? 12 : 8);
  return std::memcmp(source, sa.local.address.bytes().data(), bytes) == 0 &&
         std::memcmp(source + bytes, sa.remote.address.bytes().data(), bytes) == 0;
}

void DescribeOuter(rte_mbuf* mbuf, bool udp, PacketContext& context) {
  const uint8_t* outer = DataOf(mbuf);
  context.family = outer[0] >> 4;
  context.protocol = udp ? IPPROTO_UDP : IPPROTO_ESP;
  context.source_port = udp ? LoadBigEndian<uint16_t>(outer + context.l4_offset) : uint16_t{0};
  context.destination_port =
      udp ? LoadBigEndian<uint16_t>(outer + context.l4_offset + 2) : uint16_t{0};
  context.outbound_sa = nullptr;
}

}  // namespace sekisho::fastpath
