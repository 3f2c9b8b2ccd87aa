#include "fastpath/protect.h"

#include <rte_ip.h>

#include "fastpath/dispose.h"
#include "fastpath/esp_encap.h"
#include "fastpath/icmp_error.h"
#include "fastpath/mbuf.h"
#include "fastpath/punt.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIpv6MtuMin = 1280;  // RFC 8200, 5: no sender need go below

// 0: goes on as it is, the ESP packet in fragments if it must. Otherwise: the size its sender has
// to be told.
size_t TooBigFor(const OutboundSa& sa, rte_mbuf* mbuf, size_t mtu) {
  const size_t clear_bytes = sa.layout.transport ? ClearHeadersOf(SpanOf(mbuf)).bytes : 0u;
  if (EncapsulatedSize(sa, mbuf->pkt_len, clear_bytes) <= mtu) return 0;
  const PacketContext& context = ContextOf(mbuf);
  if (context.ours || context.reassembled) return 0;
  const size_t inner_max = InnerSizeMax(sa, mtu, clear_bytes);
  if (context.family == 6) return inner_max < kIpv6MtuMin ? 0 : inner_max;
  const uint16_t flags = Be16::FromRaw(HeaderAt<rte_ipv4_hdr>(mbuf)->fragment_offset).host();
  return (flags & RTE_IPV4_HDR_DF_FLAG) != 0 ? inner_max : 0;
}

}  // namespace

void Protect(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  PacketList by_selectors, submitted;
  for (rte_mbuf* mbuf : burst) {
    if (ContextOf(mbuf).outbound_sa == nullptr) by_selectors.Add(mbuf);  // no flow named one
  }
  worker.esp.outbound->LookUp(by_selectors.burst());
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    if (context.outbound_sa == nullptr) {
      ReportAcquire(worker, mbuf);
      Drop(worker, mbuf, DropReason::kSpdNoSa);
      continue;
    }
    const size_t mtu = PortAt(worker, context.next_hop->port).mtu;
    const size_t told = TooBigFor(*context.outbound_sa, mbuf, mtu);
    if (told != 0) {
      SendTooBig(worker, mbuf, told);
      Drop(worker, mbuf, DropReason::kTooBig);
      continue;
    }
    submitted.Add(mbuf);
  }
  PacketList dropped;
  EspEncapSubmit(worker.esp, submitted.burst(), dropped);
  DropAll(worker, dropped);
}

}  // namespace sekisho::fastpath
