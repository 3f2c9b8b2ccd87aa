// fastpath/plain_ip.h: is a packet as nearly all are? One look, before parse.cc's many.
//
// Plain is: IPv4 without options, or IPv6 whose upper layer follows at once;
// not a fragment; lengths that agree. What is plain, parse.cc would accept, too, as far as this
// looks.
#pragma once

#include <netinet/in.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "common/byte_order.h"
#include "fastpath/ip_header.h"
#include "fastpath/martian.h"
#include "fastpath/mbuf.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

template <typename T>
inline T LoadRaw(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Of an IPv4 header without options (RFC 1071). In memory order, as a checksum that holds sums to
// 0xffff in any.
inline bool Ipv4ChecksumHolds(const uint8_t* ip) {
  uint64_t sum = uint64_t{LoadRaw<uint32_t>(ip)} + LoadRaw<uint32_t>(ip + 4) +
                 LoadRaw<uint32_t>(ip + 8) + LoadRaw<uint32_t>(ip + 12) +
                 LoadRaw<uint32_t>(ip + 16);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

inline bool IsPlainIpv4(const uint8_t* ip, size_t room) {
  constexpr uint16_t kMoreOrOffset = 0x3fff;
  if (room < kIpv4HeaderBytes || ip[0] != 0x45) return false;
  const size_t bytes = LoadBigEndian<uint16_t>(ip + 2);
  return bytes >= kIpv4HeaderBytes && bytes <= room &&
         (LoadBigEndian<uint16_t>(ip + 6) & kMoreOrOffset) == 0;
}

inline bool IsPlainIpv6(const uint8_t* ip, size_t room) {
  if (room < kIpv6HeaderBytes || ip[0] >> 4 != 6) return false;
  const uint8_t next = ip[6];
  return kIpv6HeaderBytes + LoadBigEndian<uint16_t>(ip + 4) <= room &&
         (next == IPPROTO_TCP || next == IPPROTO_UDP || next == IPPROTO_ESP);
}

// Is the upper-layer header, of a packet that ends at `bytes` from it, one with ports that are
// right as far as parse.cc looks?
inline bool HasPlainPorts(const uint8_t* upper, uint8_t protocol, size_t bytes) {
  constexpr size_t kTcpHeaderBytes = 20;
  if (protocol == IPPROTO_TCP) return bytes >= kTcpHeaderBytes;
  if (protocol != IPPROTO_UDP || bytes < kUdpHeaderBytes) return false;
  const auto length = LoadBigEndian<uint16_t>(upper + 4);
  return length >= kUdpHeaderBytes && length <= bytes;
}

// Bytes of a packet of TCP or UDP that is plain and that ParseIp() would take; 0 for any other.
// `room`: that may be read.
inline size_t PlainIpv4Bytes(const uint8_t* ip, size_t room) {
  if (!IsPlainIpv4(ip, room) || !Ipv4ChecksumHolds(ip)) return 0;
  const size_t bytes = LoadBigEndian<uint16_t>(ip + 2);
  if (!HasPlainPorts(ip + kIpv4HeaderBytes, ip[9], bytes - kIpv4HeaderBytes) ||
      IsMartianV4(LoadBigEndian<uint32_t>(ip + 12), LoadBigEndian<uint32_t>(ip + 16))) {
    return 0;
  }
  return bytes;
}

// What ParseIp() would say of it.
inline void DescribePlainIpv4(const uint8_t* ip, PacketContext& context) {
  const uint8_t* upper = ip + kIpv4HeaderBytes;
  context.kind = PacketKind::kTransit;
  context.family = 4;
  context.protocol = ip[9];
  context.l4_offset = kIpv4HeaderBytes;
  context.fragment = false;
  context.source_port = LoadBigEndian<uint16_t>(upper);
  context.destination_port = LoadBigEndian<uint16_t>(upper + 2);
}

}  // namespace sekisho::fastpath
