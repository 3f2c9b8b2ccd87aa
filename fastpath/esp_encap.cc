#include "fastpath/esp_encap.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/esp_crypto.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/mbuf.h"
#include "fastpath/outer_header.h"

namespace sekisho::fastpath {
namespace {

UpMessage Expiry(const EspWorker& worker, const OutboundSa& sa, UpMessage::Kind kind) {
  UpMessage message;
  message.kind = kind;
  message.worker = worker.id;
  message.sa = {
      .slot = sa.slot, .generation = sa.generation, .direction = UpMessage::Direction::kOutbound};
  return message;
}

[[gnu::cold]] void ReportSoftExpiry(EspWorker& worker, OutboundSa& sa) {
  sa.soft_reported = worker.up.Add(Expiry(worker, sa, UpMessage::Kind::kSoftExpiry));
}

[[gnu::cold]] DropReason RefuseExhausted(EspWorker& worker, OutboundSa& sa) {
  if (!sa.hard_reported) {
    sa.hard_reported = worker.up.Add(Expiry(worker, sa, UpMessage::Kind::kHardExpiry));
  }
  return DropReason::kEspSequenceExhausted;
}

// Turns the inner packet into the ESP packet to be encrypted. kNone, or why it cannot be.
DropReason Encapsulate(EspWorker& worker, OutboundSa& sa, rte_mbuf* mbuf, CryptoJob& job) {
  if (sa.sequence_next > sa.sequence_last) [[unlikely]]
    return RefuseExhausted(worker, sa);
  PacketPrivate& priv = PrivateOf(mbuf);
  const size_t inner_bytes = mbuf->data_len;
  const size_t front = sa.outer_bytes + kEspHeaderBytes + sa.layout.iv_bytes;
  const size_t total_bytes = EncapsulatedSize(sa, inner_bytes);
  const size_t tail = total_bytes - front - inner_bytes;
  if (rte_pktmbuf_headroom(mbuf) < front || rte_pktmbuf_tailroom(mbuf) < tail ||
      total_bytes > UINT16_MAX) [[unlikely]] {
    return DropReason::kEspNoRoom;
  }
  const uint64_t sequence = sa.sequence_next++;
  const Inherited inherited = InheritedFrom(DataOf(mbuf), priv.context.family);
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - front);
  mbuf->data_len = static_cast<uint16_t>(total_bytes);
  mbuf->pkt_len = static_cast<uint32_t>(total_bytes);

  uint8_t* at = DataOf(mbuf);
  WriteOuter(sa, at, total_bytes, inherited, sequence);
  at += sa.outer_bytes;
  std::memcpy(at, &sa.spi, sizeof(sa.spi));
  StoreBigEndian<uint32_t>(at + 4, static_cast<uint32_t>(sequence));

  const size_t encrypted = inner_bytes + tail - sa.layout.icv_bytes;
  const size_t padding = encrypted - inner_bytes - kEspTrailerBytes;
  uint8_t* trailer = at + kEspHeaderBytes + sa.layout.iv_bytes + inner_bytes;
  std::memcpy(trailer, kEspPadding.data(), padding);
  trailer[padding] = static_cast<uint8_t>(padding);
  trailer[padding + 1] = priv.context.family == 4 ? kNextHeaderIpv4 : kNextHeaderIpv6;
  job = EncryptJob(sa, mbuf, sa.outer_bytes, encrypted, sequence);

  priv.context.sequence = sequence;
  sa.packets.Add(1);
  sa.bytes.Add(inner_bytes);
  sa.sent.Set(sequence);
  if ((sequence >= sa.soft_sequence || sa.bytes.Get() >= sa.soft_bytes) && !sa.soft_reported)
      [[unlikely]] {
    ReportSoftExpiry(worker, sa);
  }
  return DropReason::kNone;
}

}  // namespace

void EspEncapSubmit(EspWorker& worker, Burst burst, PacketList& dropped) {
  CryptoJob jobs[kBurstMax];
  size_t count = 0;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    OutboundSa& sa = *context.outbound_sa;
    context.reason = Encapsulate(worker, sa, mbuf, jobs[count]);
    if (context.reason == DropReason::kNone) {
      ++sa.in_flight;
      ++count;
    } else {
      sa.dropped.Add(1);
      dropped.Add(mbuf);
    }
  }
  if (count == 0) return;
  if (worker.crypto->Submit(worker.id, CryptoDirection::kEncrypt, {jobs, count}) == count) return;
  for (size_t i = 0; i < count; ++i) {
    PacketContext& context = ContextOf(jobs[i].mbuf);
    if (context.reason == DropReason::kNone) continue;
    --context.outbound_sa->in_flight;
    context.outbound_sa->dropped.Add(1);
    dropped.Add(jobs[i].mbuf);
  }
}

size_t EspEncapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped) {
  rte_mbuf* mbufs[kBurstMax];
  const size_t count = worker.crypto->Collect(worker.id, CryptoDirection::kEncrypt, mbufs);
  for (size_t i = 0; i < count; ++i) {
    PacketContext& context = ContextOf(mbufs[i]);
    OutboundSa& sa = *context.outbound_sa;
    --sa.in_flight;
    RestoreHeaders(sa.layout, mbufs[i]);
    if (context.reason != DropReason::kNone) [[unlikely]] {
      sa.dropped.Add(1);
      dropped.Add(mbufs[i]);
      continue;
    }
    DescribeOuter(mbufs[i], sa.layout.udp_encapsulation, context);
    if (context.family == 6 && context.protocol == IPPROTO_UDP) WriteOuterUdpChecksum(mbufs[i]);
    passed.Add(mbufs[i]);
  }
  return count;
}

}  // namespace sekisho::fastpath
