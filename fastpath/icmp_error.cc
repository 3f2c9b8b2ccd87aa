#include "fastpath/icmp_error.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIcmpHeaderBytes = 8;
constexpr size_t kErrorBytesMaxV4 = 576;   // RFC 1812, 4.3.2.3
constexpr size_t kErrorBytesMaxV6 = 1280;  // RFC 4443, 2.4 (c)

struct Error {
  uint8_t type, code;
  uint32_t value;  // the second word of the message
};

bool IsIcmpError(const PacketContext& context) {
  const int type = context.source_port >> 8;
  if (context.protocol == IPPROTO_ICMPV6) return type < 128;
  if (context.protocol != IPPROTO_ICMP) return false;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool MayTell(rte_mbuf* about, const PacketContext& context) {
  if (context.ours || IsIcmpError(context)) return false;
  // Ports of fragments are not parsed: their ICMP type is not known either.
  if (context.fragment &&
      (context.protocol == IPPROTO_ICMP || context.protocol == IPPROTO_ICMPV6)) {
    return false;
  }
  if (context.fragment && context.family == 4) {
    const uint16_t place = Be16::FromRaw(HeaderAt<rte_ipv4_hdr>(about)->fragment_offset).host();
    if ((place & RTE_IPV4_HDR_OFFSET_MASK) != 0) return false;
  }
  const IpAddress source = SourceOf(about, context);
  const IpAddress destination = DestinationOf(about, context);
  return !source.is_any() && !source.is_multicast() && !destination.is_multicast() &&
         !destination.is_broadcast();
}

std::optional<IpAddress> Copy(const IpAddress* address) {
  return address == nullptr ? std::nullopt : std::optional(*address);
}

// An address of the port that the packet came in on; what came through a tunnel is told from an
// inside address, because that is what the tunnel's selectors allow.
// The machine's own stack would take nothing from its own address: it is told in the name of
// whomever it sent to.
std::optional<IpAddress> SourceFor(const Worker& worker, rte_mbuf* about, IpFamily family) {
  const PacketContext& context = ContextOf(about);
  if (CameFromHost(worker, context)) return DestinationOf(about, context);
  const auto in = static_cast<size_t>(context.port_in);
  if (in < worker.port_count && !context.decapsulated) {
    return Copy(worker.local->SourceOn(context.port_in, family));
  }
  for (size_t i = 0; i < worker.port_count; ++i) {
    if (worker.ports[i].side != PortSide::kInside) continue;
    const IpAddress* source = worker.local->SourceOn(PortId{static_cast<uint16_t>(i)}, family);
    if (source != nullptr) return *source;
  }
  return std::nullopt;
}

void WriteError(uint8_t* icmp, const Error& error, ByteSpan quoted) {
  icmp[0] = error.type;
  icmp[1] = error.code;
  icmp[2] = icmp[3] = 0;
  StoreBigEndian<uint32_t>(icmp + 4, error.value);
  std::memcpy(icmp + kIcmpHeaderBytes, quoted.data(), quoted.size());
}

void Send(Worker& worker, rte_mbuf* about, const Error& error) {
  const PacketContext& context = ContextOf(about);
  if (!MayTell(about, context) || worker.made.room() == 0) return;
  const bool v4 = context.family == 4;
  const IpFamily family = v4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  const std::optional<IpAddress> source = SourceFor(worker, about, family);
  if (!source.has_value() || !worker.budgets.icmp_error.Take(worker.now_tsc)) return;

  const IpAddress destination = SourceOf(about, context);
  const size_t header_bytes = IpHeaderBytes(family);
  const size_t bytes_max = v4 ? kErrorBytesMaxV4 : kErrorBytesMaxV6;
  const ByteSpan all = SpanOf(about);
  const ByteSpan quoted =
      all.first(std::min(all.size(), bytes_max - header_bytes - kIcmpHeaderBytes));
  const size_t icmp_bytes = kIcmpHeaderBytes + quoted.size();
  rte_mbuf* mbuf = MakePacket(worker, header_bytes + icmp_bytes);
  if (mbuf == nullptr) return;
  PacketContext& made = ContextOf(mbuf);
  made.family = context.family;
  made.protocol = v4 ? uint8_t{IPPROTO_ICMP} : uint8_t{IPPROTO_ICMPV6};
  made.l4_offset = static_cast<uint16_t>(header_bytes);
  made.source_port = static_cast<uint16_t>(error.type << 8 | error.code);
  made.answers_clear = CameInClear(worker, context);
  WriteIpHeader(DataOf(mbuf), {.source = *source,
                               .destination = destination,
                               .protocol = made.protocol,
                               .payload_bytes = static_cast<uint16_t>(icmp_bytes),
                               .ipv4_id = worker.ipv4_id++});
  uint8_t* icmp = DataOf(mbuf) + header_bytes;
  WriteError(icmp, error, quoted);
  const ByteSpan message = {icmp, icmp_bytes};
  const uint16_t sum =
      v4 ? OnesSum(message)
         : OnesSumWithPseudoHeader(source->bytes(), destination.bytes(), IPPROTO_ICMPV6, message);
  const uint16_t checksum = ChecksumFrom(sum);
  std::memcpy(icmp + 2, &checksum, sizeof checksum);
  worker.made.Add(mbuf);
}

}  // namespace

void SendTooBig(Worker& worker, rte_mbuf* about, size_t mtu) {
  const auto value = static_cast<uint32_t>(mtu);
  // RFC 1191, 4: unused half, then the MTU. RFC 4443, 3.2: the MTU.
  Send(worker, about,
       ContextOf(about).family == 4 ? Error{3, 4, value & 0xffff} : Error{2, 0, value});
}

void SendTimeExceeded(Worker& worker, rte_mbuf* about) {
  Send(worker, about, ContextOf(about).family == 4 ? Error{11, 0, 0} : Error{3, 0, 0});
}

}  // namespace sekisho::fastpath
