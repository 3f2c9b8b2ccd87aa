#include "fastpath/icmp_echo.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kEchoReplyV4 = 0;
constexpr uint8_t kEchoReplyV6 = 129;

bool ChecksumHolds(const IpAddress& source, const IpAddress& destination, ByteSpan icmp) {
  if (source.is_v4()) return OnesSum(icmp) == 0xffff;
  return OnesSumWithPseudoHeader(source.bytes(), destination.bytes(), IPPROTO_ICMPV6, icmp) ==
         0xffff;
}

// Options and extension headers of the request are not repeated.
void WriteAnswer(Worker& worker, rte_mbuf* mbuf, const IpAddress& source,
                 const IpAddress& destination, size_t l4_offset) {
  const size_t header_bytes = IpHeaderBytes(source.family());
  StripFront(mbuf, l4_offset - header_bytes);
  const ByteSpan icmp = SpanOf(mbuf).subspan(header_bytes);
  const bool v4 = source.is_v4();
  PacketContext& context = ContextOf(mbuf);
  context.family = v4 ? 4 : 6;
  context.protocol = v4 ? uint8_t{IPPROTO_ICMP} : uint8_t{IPPROTO_ICMPV6};
  context.l4_offset = static_cast<uint16_t>(header_bytes);
  WriteIpHeader(DataOf(mbuf), {.source = source,
                               .destination = destination,
                               .protocol = context.protocol,
                               .payload_bytes = static_cast<uint16_t>(icmp.size()),
                               .ipv4_id = worker.ipv4_id++});
  uint8_t* message = DataOf(mbuf) + header_bytes;
  message[0] = v4 ? kEchoReplyV4 : kEchoReplyV6;
  context.source_port = static_cast<uint16_t>(message[0] << 8);
  message[2] = message[3] = 0;
  const uint16_t sum =
      v4 ? OnesSum(icmp)
         : OnesSumWithPseudoHeader(source.bytes(), destination.bytes(), IPPROTO_ICMPV6, icmp);
  const uint16_t checksum = ChecksumFrom(sum);
  std::memcpy(message + 2, &checksum, sizeof checksum);
}

}  // namespace

void IcmpEcho(Worker& worker, Burst burst, PacketList& answers) {
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    const size_t l4_offset = context.l4_offset;
    const IpAddress asker = SourceOf(mbuf, context);
    const IpAddress asked = DestinationOf(mbuf, context);
    if (context.source_port % 256 != 0 ||
        !ChecksumHolds(asker, asked, SpanOf(mbuf).subspan(l4_offset))) {
      Drop(worker, mbuf, DropReason::kIcmpMalformed);
      continue;
    }
    TurnIntoOwn(worker, mbuf);
    WriteAnswer(worker, mbuf, asked, asker, l4_offset);
    answers.Add(mbuf);
  }
}

}  // namespace sekisho::fastpath
