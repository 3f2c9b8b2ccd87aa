#include "fastpath/parse.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/ip_header.h"
#include "fastpath/martian.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kTcpHeaderBytes = 20;
constexpr size_t kPortsBytes = 4;
constexpr uint16_t kIcmpFragmentationNeeded = 0x0304;  // type 3, code 4
constexpr size_t kMobilityHeaderBytes = 8;
constexpr uint8_t kProtocolDccp = 33;
constexpr uint8_t kProtocolMobility = 135;
constexpr uint8_t kProtocolUdpLite = 136;

bool Fail(PacketContext& context, DropReason reason) {
  context.reason = reason;
  return false;
}

DropReason Malformed(const PacketContext& context) {
  return context.family == 4 ? DropReason::kIpv4Malformed : DropReason::kIpv6Malformed;
}

// `rest`: the upper-layer header and what follows.
bool ParsePorts(ByteSpan rest, PacketContext& context) {
  switch (context.protocol) {
    case IPPROTO_UDP: {
      if (rest.size() < kUdpHeaderBytes) return Fail(context, DropReason::kUdpMalformed);
      const auto length = LoadBigEndian<uint16_t>(rest.data() + 4);
      if (length < kUdpHeaderBytes || length > rest.size()) {
        return Fail(context, DropReason::kUdpMalformed);
      }
      break;
    }
    case IPPROTO_TCP:
      if (rest.size() < kTcpHeaderBytes) return Fail(context, Malformed(context));
      break;
    case IPPROTO_SCTP:
    case kProtocolDccp:
    case kProtocolUdpLite:
      if (rest.size() < kPortsBytes) return Fail(context, Malformed(context));
      break;
    case kProtocolMobility:
      // RFC 6275, 6.1.1: at least eight bytes; nothing follows it. Its type stands for the port.
      if (context.family != 6) return true;
      if (rest.size() < kMobilityHeaderBytes) return Fail(context, DropReason::kIpv6Malformed);
      context.source_port = static_cast<uint16_t>(rest[2] << 8);
      return true;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      if ((context.protocol == IPPROTO_ICMP) != (context.family == 4)) return true;
      if (rest.size() < kPortsBytes) return Fail(context, DropReason::kIcmpMalformed);
      // RFC 7296, 3.13.1: type and code stand in for the port.
      context.source_port = LoadBigEndian<uint16_t>(rest.data());
      return true;
    default:
      return true;
  }
  context.source_port = LoadBigEndian<uint16_t>(rest.data());
  context.destination_port = LoadBigEndian<uint16_t>(rest.data() + 2);
  return true;
}

// RFC 7126, 4.3 and 4.4: a source route leads around every rule about the destination that stands
// in the header. Options that lie about their length are malformed.
[[gnu::cold]] DropReason CheckIpv4Options(ByteSpan options) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kLooseSourceRoute = 0x83, kStrictSourceRoute = 0x89;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kLooseSourceRoute || options[0] == kStrictSourceRoute) {
      return DropReason::kIpSourceRoute;
    }
    const size_t length = options[0] == kNoOperation ? 1 : options.size() < 2 ? 0 : options[1];
    if (length > options.size() || length < (options[0] == kNoOperation ? 1u : 2u)) {
      return DropReason::kIpv4Malformed;
    }
    options = options.subspan(length);
  }
  return DropReason::kNone;
}

// What the port says of it counts (fastpath/checksum_offload.h).
bool HeaderChecksumHolds(ByteSpan header, uint64_t port_says) {
  switch (port_says & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
    case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
      return true;
    case RTE_MBUF_F_RX_IP_CKSUM_BAD:
      return false;
    default:
      return OnesSum(header) == 0xffff;
  }
}

bool ParseIpv4(rte_mbuf* mbuf, uint64_t port_says, PacketContext& context) {
  context.family = 4;
  const ByteSpan bytes = SpanOf(mbuf);
  if (bytes.size() < kIpv4HeaderBytes) return Fail(context, DropReason::kIpv4Malformed);
  const size_t header_bytes = size_t{bytes[0] & 0xfu} * 4;
  const size_t total_bytes = LoadBigEndian<uint16_t>(&bytes[2]);
  if (header_bytes < kIpv4HeaderBytes || total_bytes < header_bytes || total_bytes > bytes.size()) {
    return Fail(context, DropReason::kIpv4Malformed);
  }
  if (!HeaderChecksumHolds(bytes.first(header_bytes), port_says)) {
    return Fail(context, DropReason::kIpv4Checksum);
  }
  TrimTo(mbuf, total_bytes);
  if (IsMartianV4(LoadBigEndian<uint32_t>(&bytes[12]), LoadBigEndian<uint32_t>(&bytes[16]))) {
    return Fail(context, DropReason::kIpMartian);
  }
  if (header_bytes > kIpv4HeaderBytes) [[unlikely]] {
    const DropReason reason =
        CheckIpv4Options(bytes.subspan(kIpv4HeaderBytes, header_bytes - kIpv4HeaderBytes));
    if (reason != DropReason::kNone) return Fail(context, reason);
  }
  context.protocol = bytes[9];
  context.l4_offset = static_cast<uint16_t>(header_bytes);
  const auto fragment = LoadBigEndian<uint16_t>(&bytes[6]);
  if ((fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0) {
    const size_t payload = total_bytes - header_bytes;
    const size_t end = (fragment & size_t{RTE_IPV4_HDR_OFFSET_MASK}) * 8 + payload;
    const bool more = (fragment & RTE_IPV4_HDR_MF_FLAG) != 0;
    // RFC 791: all but the last carry a multiple of eight bytes, and the whole fits its length.
    if (payload == 0 || (more && payload % 8 != 0) || end > 0xffff - header_bytes) {
      return Fail(context, DropReason::kIpv4Malformed);
    }
    context.fragment = true;
    return true;
  }
  return ParsePorts(bytes.subspan(header_bytes, total_bytes - header_bytes), context);
}

// One extension header of IPv6 (RFC 8200, 4), at `offset`. Sets `next` and `offset` to what
// follows.
bool SkipExtensionHeader(ByteSpan bytes, uint8_t& next, size_t& offset) {
  if (bytes.size() - offset < 8) return false;
  const uint8_t* header = &bytes[offset];
  if (next == IPPROTO_ROUTING && header[2] == 0) return false;  // RFC 5095: type 0 is gone
  const size_t length = (size_t{header[1]} + 1) * 8;
  if (length > bytes.size() - offset) return false;
  next = header[0];
  offset += length;
  return true;
}

bool ParseIpv6FragmentHeader(ByteSpan bytes, size_t& offset, PacketContext& context) {
  if (bytes.size() - offset < 8) return Fail(context, DropReason::kIpv6Malformed);
  const auto place = LoadBigEndian<uint16_t>(&bytes[offset + 2]);
  context.protocol = bytes[offset];
  offset += 8;
  // RFC 6946: a fragment that is the whole packet is treated as the whole packet.
  if ((place & 0xfff9) == 0) return true;
  const size_t payload = bytes.size() - offset;
  const bool more = (place & 1) != 0;
  if (payload == 0 || (more && payload % 8 != 0) || (place & 0xfff8u) + payload > 0xffff) {
    return Fail(context, DropReason::kIpv6Malformed);
  }
  context.fragment = true;
  return true;
}

bool ParseIpv6(rte_mbuf* mbuf, PacketContext& context) {
  context.family = 6;
  if (mbuf->data_len < kIpv6HeaderBytes) return Fail(context, DropReason::kIpv6Malformed);
  const size_t total_bytes = kIpv6HeaderBytes + LoadBigEndian<uint16_t>(DataOf(mbuf) + 4);
  if (total_bytes > mbuf->data_len) return Fail(context, DropReason::kIpv6Malformed);
  TrimTo(mbuf, total_bytes);
  const ByteSpan bytes = SpanOf(mbuf);
  if (IsMartianV6(&bytes[8], &bytes[24])) return Fail(context, DropReason::kIpMartian);

  context.protocol = bytes[6];
  size_t offset = kIpv6HeaderBytes;
  for (int headers = 0;; ++headers) {
    if (headers > kIpv6ExtensionHeadersMax) return Fail(context, DropReason::kIpv6Malformed);
    if (context.protocol == IPPROTO_HOPOPTS && headers > 0) {
      return Fail(context, DropReason::kIpv6Malformed);  // RFC 8200, 4.1: first or not at all
    }
    if (context.protocol == IPPROTO_HOPOPTS || context.protocol == IPPROTO_ROUTING ||
        context.protocol == IPPROTO_DSTOPTS) {
      if (!SkipExtensionHeader(bytes, context.protocol, offset)) {
        return Fail(context, DropReason::kIpv6Malformed);
      }
    } else if (context.protocol == IPPROTO_FRAGMENT) {
      if (!ParseIpv6FragmentHeader(bytes, offset, context)) return false;
      if (context.fragment) break;
    } else {
      break;
    }
  }
  context.l4_offset = static_cast<uint16_t>(offset);
  if (context.fragment) return true;
  return ParsePorts(bytes.subspan(offset), context);
}

// `port_says`: the flags of the buffer, where they are about this very header.
bool ParseIpPacket(rte_mbuf* mbuf, uint64_t port_says, PacketContext& context) {
  context.kind = PacketKind::kTransit;
  context.fragment = false;
  context.checksum_due = false;
  context.source_port = 0;
  context.destination_port = 0;
  const int version = mbuf->data_len == 0 ? 0 : DataOf(mbuf)[0] >> 4;
  if (version == 4) return ParseIpv4(mbuf, port_says, context);
  if (version == 6) return ParseIpv6(mbuf, context);
  return Fail(context, DropReason::kIpv4Malformed);
}

bool UdpChecksumHolds(rte_mbuf* mbuf, const PacketContext& context) {
  if (context.checksum_due) return true;
  const ByteSpan bytes = SpanOf(mbuf);
  const ByteSpan udp = bytes.subspan(context.l4_offset);
  if (udp[6] == 0 && udp[7] == 0) return context.family == 4;  // RFC 768; RFC 8200, 8.1
  const ByteSpan source = context.family == 4 ? bytes.subspan(12, 4) : bytes.subspan(8, 16);
  const ByteSpan destination = context.family == 4 ? bytes.subspan(16, 4) : bytes.subspan(24, 16);
  return OnesSumWithPseudoHeader(source, destination, IPPROTO_UDP, udp) == 0xffff;
}

// RFC 3948, 2.2 and 2.3: what came on port 4500 is told apart by its first bytes.
bool ClassifyNatT(ByteSpan payload, PacketContext& context) {
  if (payload.size() == 1 && payload[0] == 0xff) {
    context.kind = PacketKind::kNatTKeepalive;
    return true;
  }
  if (payload.size() <= kNonEspMarkerBytes) {
    return Fail(context, DropReason::kNatTKeepaliveMalformed);
  }
  const bool marker = LoadBigEndian<uint32_t>(payload.data()) == 0;
  context.kind = marker ? PacketKind::kIke : PacketKind::kEspInUdp;
  return true;
}

bool ClassifyUdp(rte_mbuf* mbuf, PacketContext& context) {
  const size_t length =
      Be16::FromRaw(HeaderAt<rte_udp_hdr>(mbuf, context.l4_offset)->dgram_len).host();
  TrimTo(mbuf, context.l4_offset + length);
  if (context.destination_port == kIkeNatTPort) {
    const ByteSpan payload = SpanOf(mbuf).subspan(context.l4_offset + kUdpHeaderBytes);
    if (!ClassifyNatT(payload, context)) return false;
  } else if (context.destination_port == kIkePort) {
    context.kind = PacketKind::kIke;
  }
  // RFC 3948, 2.1: ESP in UDP does not lean on the UDP checksum, the ICV covers more.
  if (context.kind == PacketKind::kEspInUdp || UdpChecksumHolds(mbuf, context)) return true;
  return Fail(context, DropReason::kUdpMalformed);
}

bool ClassifyIcmp(rte_mbuf* mbuf, PacketContext& context) {
  const uint8_t type = static_cast<uint8_t>(context.source_port >> 8);
  const size_t bytes = mbuf->data_len - context.l4_offset;
  if (context.protocol == IPPROTO_ICMP && type == 8) {
    if (bytes < 8) return Fail(context, DropReason::kIcmpMalformed);
    context.kind = PacketKind::kIcmpEcho;
  } else if (context.protocol == IPPROTO_ICMP && context.source_port == kIcmpFragmentationNeeded) {
    context.kind = PacketKind::kIcmpTooBig;
  } else if (context.protocol == IPPROTO_ICMPV6) {
    if (type == 128 && bytes < 8) return Fail(context, DropReason::kIcmpMalformed);
    if (type == 128) context.kind = PacketKind::kIcmpEcho;
    if (type == 2) context.kind = PacketKind::kIcmpTooBig;
    if (type == 135 || type == 136) context.kind = PacketKind::kNd;
  }
  return true;
}

bool ClassifyUpperLayer(rte_mbuf* mbuf, bool group, PacketContext& context) {
  context.kind = PacketKind::kLocal;
  switch (context.protocol) {
    case IPPROTO_UDP:
      return group || ClassifyUdp(mbuf, context);
    case IPPROTO_ESP:
      context.kind = PacketKind::kEsp;
      return true;
    case IPPROTO_AH:
      context.kind = PacketKind::kAh;
      return true;
    case IPPROTO_ICMP:
      return context.family != 4 || ClassifyIcmp(mbuf, context);
    case IPPROTO_ICMPV6:
      return context.family != 6 || ClassifyIcmp(mbuf, context);
    default:
      return true;
  }
}

// The broadcast address of a network looks like a host's, and nothing here wants what goes there.
bool IsForGroup(rte_mbuf* mbuf, const PacketContext& context) {
  const IpAddress destination = DestinationOf(mbuf, context);
  return destination.is_multicast() || destination.is_broadcast();
}

// IEEE 802.1Q. A tag of VLAN 0 says only how urgent the frame is: it is as good as untagged.
DropReason TakeOffTag(rte_mbuf* mbuf, uint16_t vlan) {
  constexpr uint16_t kVlanMask = 0x0fff;
  constexpr size_t kAddressesBytes = 12;
  uint16_t found = 0;
  uint8_t* frame = DataOf(mbuf);
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
    found = mbuf->vlan_tci & kVlanMask;
  } else if (LoadBigEndian<uint16_t>(frame + kAddressesBytes) == RTE_ETHER_TYPE_VLAN) {
    if (mbuf->data_len < kEthernetHeaderBytes + kVlanTagBytes) {
      return DropReason::kEthernetTruncated;
    }
    found = LoadBigEndian<uint16_t>(frame + kEthernetHeaderBytes) & kVlanMask;
    std::memmove(frame + kVlanTagBytes, frame, kAddressesBytes);
    StripFront(mbuf, kVlanTagBytes);
  }
  return found == vlan ? DropReason::kNone : DropReason::kEthernetVlan;
}

}  // namespace

bool ParseFrame(rte_mbuf* mbuf, const MacAddress& mac, uint16_t vlan, PacketContext& context) {
  if (mbuf->data_len < kEthernetHeaderBytes) {
    return Fail(context, DropReason::kEthernetTruncated);
  }
  const DropReason tag = TakeOffTag(mbuf, vlan);
  if (tag != DropReason::kNone) return Fail(context, tag);
  const auto* ethernet = HeaderAt<rte_ether_hdr>(mbuf);
  const uint8_t* destination = ethernet->dst_addr.addr_bytes;
  if ((destination[0] & 1) == 0 && std::memcmp(destination, mac.data(), mac.size()) != 0) {
    return Fail(context, DropReason::kEthernetNotForUs);
  }
  const bool group = (destination[0] & 1) != 0;
  const uint16_t type = Be16::FromRaw(ethernet->ether_type).host();
  StripFront(mbuf, kEthernetHeaderBytes);
  if (type == RTE_ETHER_TYPE_ARP) {
    context.kind = PacketKind::kArp;
    return true;
  }
  if (type == RTE_ETHER_TYPE_IPV4 || type == RTE_ETHER_TYPE_IPV6) {
    if (!ParseIpPacket(mbuf, mbuf->ol_flags, context)) return false;
    if (context.family != (type == RTE_ETHER_TYPE_IPV4 ? 4 : 6)) {
      return Fail(context, Malformed(context));
    }
    // RFC 1122, 3.3.6: whoever sends to all of the link what is for one host would have every
    // gateway there forward it.
    if (group && !IsForGroup(mbuf, context)) return Fail(context, DropReason::kEthernetNotForUs);
    return true;
  }
  return Fail(context, DropReason::kEthernetUnknownType);
}

bool ParseIp(rte_mbuf* mbuf, PacketContext& context) {
  return ParseIpPacket(mbuf, RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, context);
}

bool ClassifyLocal(rte_mbuf* mbuf, const LocalAddresses& local, PacketContext& context) {
  if (local.Find(SourceOf(mbuf, context)) != nullptr) {
    return Fail(context, DropReason::kIpMartian);
  }
  const IpAddress destination = DestinationOf(mbuf, context);
  const bool group = destination.is_multicast() || destination.is_broadcast() ||
                     local.IsDirectedBroadcast(destination);
  if (!group && local.Find(destination) == nullptr) return true;
  if (context.fragment) {
    context.kind = group || context.decapsulated ? PacketKind::kLocal : PacketKind::kFragment;
    return true;
  }
  if (!ClassifyUpperLayer(mbuf, group, context)) return false;
  // Neighbour discovery goes to groups; nothing else that is sent to one is for us. And a tunnel
  // carries no link of ours, and no tunnel of ours; but one IPsec header may stand behind another.
  const bool nested = context.may_nest && context.layers < kIpsecLayersMax &&
                      (context.kind == PacketKind::kEsp || context.kind == PacketKind::kAh);
  if ((group && context.kind != PacketKind::kNd) ||
      (context.decapsulated && context.kind != PacketKind::kIcmpEcho && !nested)) {
    context.kind = PacketKind::kLocal;
  }
  return true;
}

IpAddress SourceOf(rte_mbuf* mbuf, const PacketContext& context) {
  const ByteSpan bytes = SpanOf(mbuf);
  return context.family == 4 ? IpAddress::V4(bytes.subspan(12, 4))
                             : IpAddress::V6(bytes.subspan(8, 16));
}

IpAddress DestinationOf(rte_mbuf* mbuf, const PacketContext& context) {
  const ByteSpan bytes = SpanOf(mbuf);
  return context.family == 4 ? IpAddress::V4(bytes.subspan(16, 4))
                             : IpAddress::V6(bytes.subspan(24, 16));
}

}  // namespace sekisho::fastpath
