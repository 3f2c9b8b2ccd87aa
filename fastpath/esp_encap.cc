#include "fastpath/esp_encap.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/ah_encap.h"
#include "fastpath/checksum_offload.h"
#include "fastpath/esp_crypto.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/outer_header.h"
#include "fastpath/sa_life.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

// Transport mode is between the ends that the packet itself names, and for whole packets only
// (RFC 4301, 4.1 and 7).
DropReason CheckTransport(const OutboundSa& sa, rte_mbuf* mbuf, const PacketContext& context) {
  if (context.fragment) return DropReason::kEspTransportFragment;
  return IsBetweenEnds(sa, DataOf(mbuf), context.family) ? DropReason::kNone
                                                         : DropReason::kEspTransportEnds;
}

// Makes room for `front` bytes before the packet, and `total_bytes` of it in all.
void Grow(rte_mbuf* mbuf, size_t front, size_t total_bytes) {
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - front);
  mbuf->data_len = static_cast<uint16_t>(total_bytes);
  mbuf->pkt_len = static_cast<uint32_t>(total_bytes);
}

// What stands in front of ESP, where there is room for it now; returns the next header that ESP
// names.
uint8_t WriteTunnelFront(const OutboundSa& sa, rte_mbuf* mbuf, size_t front, uint64_t sequence) {
  PacketContext& context = ContextOf(mbuf);
  uint8_t* at = DataOf(mbuf);
  WriteOuter(sa, at, mbuf->data_len, InheritedFrom(at + front, context.family, context.handling),
             sequence);
  const uint8_t next_header = context.family == 4 ? kNextHeaderIpv4 : kNextHeaderIpv6;
  context.family = sa.layout.outer_family;
  context.l4_offset =
      sa.layout.outer_family == 4 ? uint16_t{kIpv4HeaderBytes} : uint16_t{kIpv6HeaderBytes};
  return next_header;
}
uint8_t WriteTransportFront(const OutboundSa& sa, rte_mbuf* mbuf, const ClearHeaders& clear,
                            size_t front) {
  uint8_t* at = DataOf(mbuf);
  const uint8_t next_header = at[front + clear.next_at];
  std::memmove(at, at + front, clear.bytes);
  WriteTransport(sa, at, clear, mbuf->data_len);
  ContextOf(mbuf).l4_offset = clear.bytes;
  return next_header;
}

// Turns the inner packet into the ESP packet to be encrypted. kNone, or why it cannot be.
template <bool kTransport>
[[gnu::always_inline]] inline DropReason Encapsulate(EspWorker& worker, OutboundSa& sa,
                                                     rte_mbuf* mbuf, CryptoJob& job) {
  const size_t inner_bytes = mbuf->data_len;
  if (const DropReason over = CheckLife(worker, sa, inner_bytes); over != DropReason::kNone) {
    return over;
  }
  ClearHeaders clear;
  if constexpr (kTransport) {
    const DropReason reason = CheckTransport(sa, mbuf, ContextOf(mbuf));
    if (reason != DropReason::kNone) return reason;
    clear = ClearHeadersOf(SpanOf(mbuf));
  }
  const size_t front = size_t{sa.outer_bytes} + kEspHeaderBytes + sa.layout.iv_bytes;
  const size_t total_bytes = EncapsulatedSize(sa, inner_bytes, clear.bytes);
  const size_t tail = total_bytes - front - inner_bytes;
  if (rte_pktmbuf_headroom(mbuf) < front || rte_pktmbuf_tailroom(mbuf) < tail ||
      total_bytes > UINT16_MAX) [[unlikely]] {
    return DropReason::kEspNoRoom;
  }
  const uint64_t sequence = sa.TakeSequence();
  Grow(mbuf, front, total_bytes);
  const uint8_t next_header = kTransport ? WriteTransportFront(sa, mbuf, clear, front)
                                         : WriteTunnelFront(sa, mbuf, front, sequence);

  const size_t esp = size_t{clear.bytes} + sa.outer_bytes;
  uint8_t* at = DataOf(mbuf) + esp;
  std::memcpy(at, &sa.spi, sizeof(sa.spi));
  StoreBigEndian<uint32_t>(at + 4, static_cast<uint32_t>(sequence));

  const size_t encrypted = inner_bytes - clear.bytes + tail - sa.layout.icv_bytes;
  uint8_t* end = at + kEspHeaderBytes + sa.layout.iv_bytes + encrypted;
  const size_t padding = tail - sa.layout.icv_bytes - kEspTrailerBytes;
  WritePadding(end - kEspTrailerBytes - padding, padding);
  end[-2] = static_cast<uint8_t>(padding);
  end[-1] = next_header;
  EncryptJob(sa, mbuf, esp, encrypted, sequence, job);

  ContextOf(mbuf).sequence = sequence;
  sa.bytes.Add(inner_bytes);
  return DropReason::kNone;
}

// Of its own, so that it costs tunnels nothing.
[[gnu::noinline]] DropReason EncapsulateTransport(EspWorker& worker, OutboundSa& sa, rte_mbuf* mbuf,
                                                  CryptoJob& job) {
  return Encapsulate<true>(worker, sa, mbuf, job);
}

// Nested SAs: what ESP has made goes into AH. True: it is in `nested` now, or dropped.
bool GoOnIntoAh(const EspWorker& worker, OutboundSa& sa, rte_mbuf* mbuf, PacketList& nested,
                PacketList& dropped) {
  if (sa.then_slot_plus_one == 0) [[likely]]
    return false;
  OutboundSa* then = worker.outbound->Then(sa);
  if (then == nullptr) {
    sa.dropped.Add(1);
    dropped.Add(mbuf, DropReason::kIpsecLayerMissing);
    return true;
  }
  MakeDueChecksum(mbuf);
  ContextOf(mbuf).outbound_sa = then;
  nested.Add(mbuf);
  return true;
}

// A packet that the backend has finished with.
[[gnu::always_inline]] inline void FinishOne(const EspWorker& worker, rte_mbuf* mbuf,
                                             PacketList& nested, PacketList& passed,
                                             PacketList& dropped) {
  PacketContext& context = ContextOf(mbuf);
  OutboundSa& sa = *context.outbound_sa;
  const bool ah = sa.protocol == IpsecProtocol::kAh;
  if (!ah) RestoreHeaders(sa.layout, mbuf);
  if (context.reason != DropReason::kNone) [[unlikely]] {
    sa.dropped.Add(1);
    return dropped.Add(mbuf);
  }
  if (ah) [[unlikely]] {
    FinishAhOut(mbuf);
    return passed.Add(mbuf);
  }
  // Over IPv4 the UDP checksum stays zero (RFC 3948, 2.1). Over IPv6 there is one: a receiver or
  // NAT may accept zero only where it was told to (RFC 6935, 5), and a peer's socket has not been.
  if (sa.layout.udp_encapsulation && context.family == 6) {
    DescribeOuter(mbuf, /*udp=*/true, context);
    PutOffChecksum(context);
  }
  if (!GoOnIntoAh(worker, sa, mbuf, nested, dropped)) passed.Add(mbuf);
}

}  // namespace

void EspEncapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped) {
  StageTimer timer(worker.stages, Stage::kEncapsulate);
  CryptoJob jobs[kBurstMax];
  size_t count = 0;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    OutboundSa& sa = *context.outbound_sa;
    context.reason = sa.layout.transport ? EncapsulateTransport(worker, sa, mbuf, jobs[count])
                                         : Encapsulate<false>(worker, sa, mbuf, jobs[count]);
    if (context.reason == DropReason::kNone) {
      if (++count == CryptoBackend::kPreparedMax) worker.crypto->Prepare({jobs, count});
    } else {
      sa.dropped.Add(1);
      dropped.Add(mbuf);
    }
  }
  SubmitEncrypt(worker, {jobs, count}, passed, dropped);
}

void SubmitEncrypt(EspWorker& worker, std::span<const CryptoJob> jobs, PacketList& passed,
                   PacketList& dropped) {
  if (jobs.empty()) return;
  SubmitTo(worker, CryptoDirection::kEncrypt, jobs);
  if (worker.crypto->is_synchronous()) {
    PacketList nested;
    for (const CryptoJob& job : jobs) FinishOne(worker, job.mbuf, nested, passed, dropped);
    if (!nested.empty()) [[unlikely]]
      AhEncapSubmit(worker, nested.burst(), passed, dropped);
    return;
  }
  for (const CryptoJob& job : jobs) {
    OutboundSa& sa = *ContextOf(job.mbuf).outbound_sa;
    if (ContextOf(job.mbuf).reason == DropReason::kNone) {
      ++sa.in_flight;
    } else {
      sa.dropped.Add(1);
      dropped.Add(job.mbuf);
    }
  }
}

size_t EspEncapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped) {
  StageTimer timer(worker.stages, Stage::kEncapsulate);
  rte_mbuf* mbufs[kBurstMax];
  const size_t count = CollectFrom(worker, CryptoDirection::kEncrypt, mbufs);
  PacketList nested;
  for (rte_mbuf* mbuf : std::span(mbufs, count)) {
    --ContextOf(mbuf).outbound_sa->in_flight;
    FinishOne(worker, mbuf, nested, passed, dropped);
  }
  if (!nested.empty()) [[unlikely]]
    AhEncapSubmit(worker, nested.burst(), passed, dropped);
  return count;
}

}  // namespace sekisho::fastpath
