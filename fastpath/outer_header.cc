#include "fastpath/outer_header.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

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
  sa.adjacency = {};  // the way there is another
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
}

}  // namespace sekisho::fastpath
