#include "fastpath/checksum_offload.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

struct Parts {
  ByteSpan source, destination, upper;
  uint8_t* checksum;
};

Parts PartsOf(rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const ByteSpan packet = SpanOf(mbuf);
  const bool v4 = context.family == 4;
  const size_t at = context.protocol == IPPROTO_TCP ? 16 : 6;
  return {v4 ? packet.subspan(12, 4) : packet.subspan(8, 16),
          v4 ? packet.subspan(16, 4) : packet.subspan(24, 16), packet.subspan(context.l4_offset),
          DataOf(mbuf) + context.l4_offset + at};
}

}  // namespace

void MakeDueChecksum(rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  if (!context.checksum_due) return;
  context.checksum_due = false;
  const Parts parts = PartsOf(mbuf);
  std::memset(parts.checksum, 0, 2);
  const uint16_t sum =
      OnesSumWithPseudoHeader(parts.source, parts.destination, context.protocol, parts.upper);
  const uint16_t checksum =
      context.protocol == IPPROTO_UDP ? UdpChecksumFrom(sum) : ChecksumFrom(sum);
  std::memcpy(parts.checksum, &checksum, sizeof checksum);
}

void LeaveDueChecksumToPort(rte_mbuf* mbuf, size_t link_bytes) {
  constexpr uint64_t kLinkBytesMax = (1u << RTE_MBUF_L2_LEN_BITS) - 1;
  constexpr uint64_t kNetworkBytesMax = (1u << RTE_MBUF_L3_LEN_BITS) - 1;
  PacketContext& context = ContextOf(mbuf);
  if (link_bytes > kLinkBytesMax || context.l4_offset > kNetworkBytesMax) {
    return MakeDueChecksum(mbuf);
  }
  context.checksum_due = false;
  const Parts parts = PartsOf(mbuf);
  // The port adds the upper-layer packet to what stands in the field: the pseudo-header's sum.
  const uint16_t sum =
      OnesSumOfPseudoHeader(parts.source, parts.destination, context.protocol, parts.upper.size());
  std::memcpy(parts.checksum, &sum, sizeof sum);
  mbuf->l2_len = link_bytes & kLinkBytesMax;
  mbuf->l3_len = context.l4_offset & kNetworkBytesMax;
  mbuf->ol_flags |= context.family == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  mbuf->ol_flags |=
      context.protocol == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
}

}  // namespace sekisho::fastpath
