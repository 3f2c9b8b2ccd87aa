#include "fastpath/path_mtu.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include <cstring>
#include <optional>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/host.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/punt.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIcmpHeaderBytes = 8;
constexpr size_t kSpiBytes = 4;

// The packet of ours that a message is about, as far as it is quoted.
struct Quoted {
  IpAddress source, destination;
  size_t total_bytes;
  uint8_t protocol;
  ByteSpan payload;  // what is there of it
};

std::optional<Quoted> ReadIpv4(ByteSpan bytes) {
  if (bytes.size() < kIpv4HeaderBytes || bytes[0] >> 4 != 4) return std::nullopt;
  const size_t header = size_t{bytes[0] & 0xfu} * 4;
  const bool later = (LoadBigEndian<uint16_t>(&bytes[6]) & RTE_IPV4_HDR_OFFSET_MASK) != 0;
  if (header < kIpv4HeaderBytes || header > bytes.size() || later) return std::nullopt;
  return Quoted{IpAddress::V4(bytes.subspan(12, 4)), IpAddress::V4(bytes.subspan(16, 4)),
                LoadBigEndian<uint16_t>(&bytes[2]), bytes[9], bytes.subspan(header)};
}

std::optional<Quoted> ReadIpv6(ByteSpan bytes) {
  constexpr size_t kFragmentHeaderBytes = 8;
  if (bytes.size() < kIpv6HeaderBytes || bytes[0] >> 4 != 6) return std::nullopt;
  Quoted quoted{IpAddress::V6(bytes.subspan(8, 16)), IpAddress::V6(bytes.subspan(24, 16)),
                kIpv6HeaderBytes + LoadBigEndian<uint16_t>(&bytes[4]), bytes[6],
                bytes.subspan(kIpv6HeaderBytes)};
  if (quoted.protocol != IPPROTO_FRAGMENT) return quoted;
  // The first of our pieces; the others do not show the SPI.
  if (quoted.payload.size() < kFragmentHeaderBytes ||
      (LoadBigEndian<uint16_t>(&quoted.payload[2]) & 0xfff8) != 0) {
    return std::nullopt;
  }
  quoted.protocol = quoted.payload[0];
  quoted.payload = quoted.payload.subspan(kFragmentHeaderBytes);
  return quoted;
}

// Of ESP, of AH, and of ESP in UDP. Many routers quote eight bytes only, which is not enough for
// the last; RFC 1812, 4.3.2.3 has them quote more.
std::optional<Spi> SpiOf(const Quoted& quoted) {
  size_t at = 0;
  switch (quoted.protocol) {
    case IPPROTO_ESP:
      break;
    case IPPROTO_AH:
      at = 4;
      break;
    case IPPROTO_UDP:
      if (quoted.payload.size() < kUdpHeaderBytes ||
          LoadBigEndian<uint16_t>(quoted.payload.data()) != kIkeNatTPort) {
        return std::nullopt;
      }
      at = kUdpHeaderBytes;
      break;
    default:
      return std::nullopt;
  }
  if (quoted.payload.size() < at + kSpiBytes) return std::nullopt;
  const Spi spi{LoadBigEndian<uint32_t>(&quoted.payload[at])};
  return spi.value == 0 ? std::nullopt : std::optional(spi);
}

bool ChecksumHolds(rte_mbuf* mbuf, const PacketContext& context) {
  const ByteSpan packet = SpanOf(mbuf);
  const ByteSpan message = packet.subspan(context.l4_offset);
  if (context.family == 4) return OnesSum(message) == 0xffff;
  return OnesSumWithPseudoHeader(packet.subspan(8, 16), packet.subspan(24, 16), IPPROTO_ICMPV6,
                                 message) == 0xffff;
}

// What the message says, if it says something that can be true.
std::optional<UpMessage> ReadMessage(rte_mbuf* mbuf, const PacketContext& context) {
  const ByteSpan message = SpanOf(mbuf).subspan(context.l4_offset);
  if (message.size() < kIcmpHeaderBytes || !ChecksumHolds(mbuf, context)) return std::nullopt;
  const bool v4 = context.family == 4;
  const uint32_t mtu =
      v4 ? LoadBigEndian<uint16_t>(&message[6]) : LoadBigEndian<uint32_t>(&message[4]);
  const ByteSpan about = message.subspan(kIcmpHeaderBytes);
  const std::optional<Quoted> quoted = v4 ? ReadIpv4(about) : ReadIpv6(about);
  if (!quoted.has_value() || quoted->source != DestinationOf(mbuf, context)) return std::nullopt;
  if (mtu < (v4 ? kPathMtuMinIpv4 : kPathMtuMinIpv6) || mtu >= quoted->total_bytes) {
    return std::nullopt;
  }
  const std::optional<Spi> spi = SpiOf(*quoted);
  if (!spi.has_value()) return std::nullopt;
  UpMessage up;
  up.kind = UpMessage::Kind::kPathMtu;
  up.path_mtu = {*spi, quoted->source, quoted->destination, static_cast<uint16_t>(mtu)};
  return up;
}

}  // namespace

void LearnPathMtu(Worker& worker, Burst burst) {
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    const std::optional<UpMessage> message =
        CameInClear(worker, context) ? ReadMessage(mbuf, context) : std::nullopt;
    if (!message.has_value() && worker.host.port != kNoPort) {
      DeliverUp(worker, {&mbuf, 1});  // about a packet of this machine's own stack, perhaps
    } else if (!message.has_value()) {
      Drop(worker, mbuf, DropReason::kIcmpNotAboutUs);
    } else if (!worker.budgets.path_mtu.Take(worker.now_tsc)) {
      Drop(worker, mbuf, DropReason::kPuntRateLimited);
    } else if (!SendUp(worker, *message)) {
      Drop(worker, mbuf, DropReason::kUpRingFull);
    } else {
      Consume(worker, mbuf);
    }
  }
}

}  // namespace sekisho::fastpath
