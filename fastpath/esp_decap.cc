#include "fastpath/esp_decap.h"

#include <rte_ip.h>
#include <rte_prefetch.h>

#include <cstring>

#include "fastpath/ah_decap.h"
#include "fastpath/esp_crypto.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/plain_ip.h"
#include "fastpath/sa_life.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kEcnEct1 = 1;
constexpr uint8_t kEcnEct0 = 2;
constexpr uint8_t kEcnCe = 3;

// --- Before the backend --------------------------------------------------------------------------

// From the data's start to the ESP header.
size_t EspOffset(const PacketContext& context) {
  return context.l4_offset + (context.kind == PacketKind::kEspInUdp ? kUdpHeaderBytes : 0u);
}

Be32 SpiAt(const uint8_t* esp) {
  Be32 spi;
  std::memcpy(&spi, esp, sizeof(spi));
  return spi;
}

// Bytes that are encrypted, between IV and ICV; 0 where the packet cannot be this SA's.
size_t EncryptedBytes(const EspLayout& layout, size_t esp_packet_bytes) {
  const size_t around = kEspHeaderBytes + layout.iv_bytes + layout.icv_bytes;
  if (esp_packet_bytes <= around) return 0;
  const size_t encrypted = esp_packet_bytes - around;
  return (encrypted & (layout.align_bytes - 1u)) == 0 ? encrypted : 0;
}

// Checks what can be checked before the ICV is, and fills the job. Requires: an active SA.
DropReason Prepare(const InboundSa& sa, rte_mbuf* mbuf, size_t offset, CryptoJob& job) {
  PacketContext& context = ContextOf(mbuf);
  if (!SameDestination(sa, DataOf(mbuf), context.family)) return DropReason::kEspWrongDestination;
  if (sa.life_over) return DropReason::kSaLifetime;
  if (sa.has_within && sa.within != context.within) return DropReason::kIpsecLayerMissing;
  // RFC 7296, 2.23: UDP is taken always; plain ESP not from a peer that is behind NAT.
  if (sa.layout.udp_encapsulation && context.kind != PacketKind::kEspInUdp) {
    return DropReason::kEspWrongEncapsulation;
  }
  const uint8_t* esp = DataOf(mbuf) + offset;
  const size_t encrypted = EncryptedBytes(sa.layout, mbuf->data_len - offset);
  if (encrypted == 0) return DropReason::kEspMalformed;
  const auto low = LoadBigEndian<uint32_t>(esp + 4);
  context.sequence = sa.layout.esn ? sa.window.Infer(low) : low;
  if (sa.anti_replay && !sa.window.Check(context.sequence)) return DropReason::kEspReplayed;

  if (!DecryptJob(sa, mbuf, offset, encrypted, context.sequence, job)) {
    return DropReason::kEspNoRoom;
  }
  return DropReason::kNone;
}

void DropOf(InboundSa& sa, rte_mbuf* mbuf, DropReason reason, PacketList& dropped) {
  sa.dropped.Add(1);
  dropped.Add(mbuf, reason);
}

// --- After the backend ---------------------------------------------------------------------------

// Of a tunnel, and as nearly all are: IPv4 that is plain, of the selectors that the SA has beside
// everything else, with nothing to be said of congestion. False, and nothing done, for any other.
bool UnwrapPlain(const InboundSa& sa, rte_mbuf* mbuf, size_t front) {
  const size_t payload = mbuf->data_len - front - sa.layout.icv_bytes;
  const uint8_t* outer = DataOf(mbuf);
  const uint8_t* ip = outer + front;
  const uint8_t* end = ip + payload;
  const size_t behind = size_t{end[-2]} + kEspTrailerBytes;
  if (end[-1] != kNextHeaderIpv4 || behind > payload ||
      !IsPadding(end - kEspTrailerBytes, behind - kEspTrailerBytes)) {
    return false;
  }
  const size_t bytes = PlainIpv4Bytes(ip, payload - behind);
  if (bytes == 0 || !sa.plain_selectors.Contains(LoadBigEndian<uint32_t>(ip + 16),
                                                 LoadBigEndian<uint32_t>(ip + 12))) {
    return false;
  }
  const uint8_t outer_ecn = TrafficClass(outer) & kEcnBits;
  if (outer_ecn != 0 && outer_ecn != (ip[1] & kEcnBits)) return false;
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + front);
  mbuf->data_len = static_cast<uint16_t>(bytes);
  mbuf->pkt_len = static_cast<uint32_t>(bytes);
  DescribePlainIpv4(ip, ContextOf(mbuf));
  return true;
}

// Removes what ESP put behind the payload, ICV included. Sets next_header.
DropReason StripTrailer(const EspLayout& layout, rte_mbuf* mbuf, size_t front,
                        uint8_t& next_header) {
  const size_t payload = mbuf->data_len - front - layout.icv_bytes;
  const uint8_t* end = DataOf(mbuf) + front + payload;
  const size_t padding = end[-2];
  next_header = end[-1];
  if (padding + kEspTrailerBytes > payload || !IsPadding(end - kEspTrailerBytes, padding)) {
    return DropReason::kEspPadding;
  }
  TrimTo(mbuf, front + payload - kEspTrailerBytes - padding);
  return DropReason::kNone;
}

// Takes ESP, and UDP before it, out from behind the IP header, which then says what it did before.
void RestoreHeader(rte_mbuf* mbuf, size_t front, uint8_t next_header) {
  const PacketContext& context = ContextOf(mbuf);
  const ClearHeaders headers = HeadersBefore(SpanOf(mbuf), context.l4_offset);
  uint8_t* from = DataOf(mbuf);
  std::memmove(from + front - headers.bytes, from, headers.bytes);
  StripFront(mbuf, front - headers.bytes);
  SetFollowing(DataOf(mbuf), headers, next_header, mbuf->data_len);
}

void SetEcn(uint8_t* header, uint8_t ecn) {
  if (header[0] >> 4 == 4) {
    header[1] = static_cast<uint8_t>((header[1] & ~kEcnBits) | ecn);
    auto* ipv4 = reinterpret_cast<rte_ipv4_hdr*>(header);
    ipv4->hdr_checksum = 0;
    ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
  } else {
    header[1] = static_cast<uint8_t>((header[1] & ~(kEcnBits << 4)) | ecn << 4);
  }
}

// RFC 6040, 4.2, figure 4. Requires: a parsed inner packet.
DropReason PropagateEcn(uint8_t outer, rte_mbuf* mbuf) {
  uint8_t* header = DataOf(mbuf);
  const uint8_t inner = TrafficClass(header) & kEcnBits;
  outer &= kEcnBits;
  if (outer == kEcnCe && inner == 0) return DropReason::kEspCongestion;
  if ((outer == kEcnCe && inner != kEcnCe) || (outer == kEcnEct1 && inner == kEcnEct0)) {
    SetEcn(header, outer);
  }
  return DropReason::kNone;
}

// Transport mode: the same of what stands behind the packet's own header.
DropReason CheckTransported(const InboundSa& sa, rte_mbuf* mbuf, bool udp) {
  PacketContext& context = ContextOf(mbuf);
  if (!ParseIp(mbuf, context) || context.fragment) return DropReason::kEspInnerMalformed;
  if (!sa.selectors->Contains(InboundSelectors(mbuf))) return DropReason::kEspSelectors;
  if (!udp) return DropReason::kNone;
  if (sa.original_known) {
    ReplaceAddressesInChecksum(mbuf, context, sa.original_sum);
  } else {
    RemakeChecksum(mbuf, context);
  }
  return DropReason::kNone;
}

[[gnu::noinline]] DropReason UnwrapSlowly(const InboundSa& sa, rte_mbuf* mbuf, size_t front) {
  const bool udp = ContextOf(mbuf).kind == PacketKind::kEspInUdp;
  const uint8_t outer = TrafficClass(DataOf(mbuf));
  uint8_t next_header = 0;
  const DropReason reason = StripTrailer(sa.layout, mbuf, front, next_header);
  if (reason != DropReason::kNone) return reason;
  if (next_header == kNextHeaderNone) return DropReason::kEspDummy;
  if (sa.layout.transport) {
    RestoreHeader(mbuf, front, next_header);
    return CheckTransported(sa, mbuf, udp);
  }
  StripFront(mbuf, front);
  return CheckTunnelled(sa, mbuf, next_header, outer);
}
DropReason Unwrap(const InboundSa& sa, rte_mbuf* mbuf) {
  const size_t front = EspOffset(ContextOf(mbuf)) + kEspHeaderBytes + sa.layout.iv_bytes;
  if (sa.plain && UnwrapPlain(sa, mbuf, front)) [[likely]]
    return DropReason::kNone;
  return UnwrapSlowly(sa, mbuf, front);
}

// Requires: the outer header still stands in front.
bool CameFromElsewhere(const InboundSa& sa, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const uint8_t* before = sa.remote.address.bytes().data();
  const uint8_t* ip = DataOf(mbuf);
  return context.source_port != sa.remote.port || sa.layout.outer_family != context.family ||
         (context.family == 4 ? std::memcmp(ip + 12, before, 4) != 0
                              : std::memcmp(ip + 8, before, 16) != 0);
}

// The newest authenticated packet of the SA came from somewhere else (RFC 3948, 3; RFC 7296, 2.23):
// tells the slow path, once per place and not too often.
[[gnu::cold]] void ReportMove(EspWorker& worker, InboundSa& sa, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  if (worker.now_tsc < sa.move_quiet_until) return;
  UpMessage message;
  message.kind = UpMessage::Kind::kPeerMoved;
  message.worker = worker.id;
  message.peer_moved = {.slot = sa.slot,
                        .generation = sa.generation,
                        .local = {DestinationOf(mbuf, context), context.destination_port},
                        .remote = {SourceOf(mbuf, context), context.source_port}};
  if (!worker.up.Add(message)) return;
  sa.remote = message.peer_moved.remote;
  sa.move_quiet_until = worker.now_tsc + worker.move_quiet_tsc;
}

[[gnu::always_inline]] inline DropReason FinishEsp(EspWorker& worker, InboundSa& sa,
                                                   rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  if (context.reason != DropReason::kNone) return context.reason;
  bool newest = true;
  if (!sa.window.CommitNext(context.sequence)) {
    // Once more: the same number may have come twice in one burst.
    const bool fresh = sa.window.Check(context.sequence);
    if (!fresh && sa.anti_replay) return DropReason::kEspReplayed;
    newest = context.sequence > sa.window.top();
    if (fresh) sa.window.Commit(context.sequence);
  }
  if (newest && sa.layout.udp_encapsulation && CameFromElsewhere(sa, mbuf)) [[unlikely]] {
    ReportMove(worker, sa, mbuf);
  }
  if (const DropReason reason = Unwrap(sa, mbuf); reason != DropReason::kNone) return reason;
  context.within = 0;
  return CheckLife(worker, sa, mbuf->data_len);
}

// What came out of an SA goes on as a packet that was received. `may_nest`: it may hold ESP or AH
// for us (RFC 4301, 4.3: of tunnels, what came out of AH's).
[[gnu::always_inline]] inline void Pass(InboundSa& sa, rte_mbuf* mbuf, bool may_nest,
                                        bool learns_flow, PacketList& passed) {
  PacketContext& context = ContextOf(mbuf);
  sa.packets.Add(1);
  sa.bytes.Add(mbuf->data_len);
  context.inbound_sa = nullptr;
  context.kind = PacketKind::kTransit;
  context.decapsulated = true;
  ++context.layers;
  context.may_nest = may_nest;
  context.learns_flow = learns_flow;
  context.peer = sa.peer;
  passed.Add(mbuf);
}

// Of AH, of transport mode, or with an SPI that the job moved.
[[gnu::noinline]] void FinishOther(EspWorker& worker, InboundSa& sa, rte_mbuf* mbuf,
                                   PacketList& passed, PacketList& dropped) {
  const bool ah = sa.protocol == IpsecProtocol::kAh;
  if (!ah) RestoreHeaders(sa.layout, mbuf);
  const DropReason reason = ah ? FinishAh(worker, sa, mbuf) : FinishEsp(worker, sa, mbuf);
  if (reason != DropReason::kNone) return DropOf(sa, mbuf, reason, dropped);
  const bool transport = sa.layout.transport;
  Pass(sa, mbuf, ah || transport, transport && sa.layout.udp_encapsulation, passed);
}

// A packet that the backend has finished with.
[[gnu::always_inline]] inline void FinishOne(EspWorker& worker, rte_mbuf* mbuf, PacketList& passed,
                                             PacketList& dropped) {
  InboundSa& sa = *ContextOf(mbuf).inbound_sa;
  if (!sa.plain) [[unlikely]]
    return FinishOther(worker, sa, mbuf, passed, dropped);
  const DropReason reason = FinishEsp(worker, sa, mbuf);
  if (reason != DropReason::kNone) [[unlikely]]
    return DropOf(sa, mbuf, reason, dropped);
  Pass(sa, mbuf, /*may_nest=*/false, /*learns_flow=*/false, passed);
}

}  // namespace

DropReason CheckTunnelled(const InboundSa& sa, rte_mbuf* mbuf, uint8_t next_header,
                          uint8_t outer_class) {
  if (next_header != kNextHeaderIpv4 && next_header != kNextHeaderIpv6) {
    return DropReason::kEspNextHeader;
  }
  const uint8_t version = next_header == kNextHeaderIpv4 ? 4 : 6;
  if (mbuf->data_len == 0 || DataOf(mbuf)[0] >> 4 != version || !ParseIp(mbuf, ContextOf(mbuf))) {
    return DropReason::kEspInnerMalformed;
  }
  if (!sa.selectors->Contains(InboundSelectors(mbuf))) return DropReason::kEspSelectors;
  return PropagateEcn(outer_class, mbuf);
}

void EspDecapPrefetch(EspWorker& worker, Burst burst) {
  StageTimer timer(worker.stages, Stage::kSaLookUp);
  for (rte_mbuf* mbuf : burst) {
    const size_t offset = EspOffset(ContextOf(mbuf));
    if (mbuf->data_len < offset + kEspHeaderBytes) continue;
    const uint8_t* esp = DataOf(mbuf) + offset;
    worker.inbound->Prefetch(SpiAt(esp), LoadBigEndian<uint32_t>(esp + 4),
                             ContextOf(mbuf).kind == PacketKind::kEspInUdp);
  }
}

void EspDecapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped) {
  CryptoJob jobs[kBurstMax];
  size_t count = 0;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const size_t offset = EspOffset(context);
    if (mbuf->data_len < offset + kEspHeaderBytes) {
      dropped.Add(mbuf, DropReason::kEspMalformed);
      continue;
    }
    InboundSa* sa = worker.inbound->Find(SpiAt(DataOf(mbuf) + offset), IpsecProtocol::kEsp,
                                         DestinationBytes(DataOf(mbuf), context.family));
    if (sa == nullptr) {
      dropped.Add(mbuf, DropReason::kEspUnknownSpi);
      continue;
    }
    context.inbound_sa = sa;
    context.reason = Prepare(*sa, mbuf, offset, jobs[count]);
    if (context.reason == DropReason::kNone) {
      if (++count == CryptoBackend::kPreparedMax) worker.crypto->Prepare({jobs, count});
    } else {
      DropOf(*sa, mbuf, context.reason, dropped);
    }
  }
  SubmitDecrypt(worker, {jobs, count}, passed, dropped);
}

void SubmitDecrypt(EspWorker& worker, std::span<const CryptoJob> jobs, PacketList& passed,
                   PacketList& dropped) {
  if (jobs.empty()) return;
  SubmitTo(worker, CryptoDirection::kDecrypt, jobs);
  if (worker.crypto->is_synchronous()) {
    for (size_t i = 0; i < jobs.size(); ++i) {
      // Payload has come and gone since these were looked at.
      if (i + 2 < jobs.size()) {
        const InboundSa* sa = ContextOf(jobs[i + 2].mbuf).inbound_sa;
        if (jobs[i + 2].session.handle != jobs[i].session.handle) {
          rte_prefetch0(sa);
          rte_prefetch0(&sa->window);
        }
      }
      FinishOne(worker, jobs[i].mbuf, passed, dropped);
    }
    return;
  }
  for (const CryptoJob& job : jobs) {
    const PacketContext& context = ContextOf(job.mbuf);
    if (context.reason == DropReason::kNone) {
      ++context.inbound_sa->in_flight;
    } else {
      DropOf(*context.inbound_sa, job.mbuf, context.reason, dropped);
    }
  }
}

size_t EspDecapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped) {
  StageTimer timer(worker.stages, Stage::kDecapsulate);
  rte_mbuf* mbufs[kBurstMax];
  const size_t count = CollectFrom(worker, CryptoDirection::kDecrypt, mbufs);
  for (rte_mbuf* mbuf : std::span(mbufs, count)) {
    --ContextOf(mbuf).inbound_sa->in_flight;
    FinishOne(worker, mbuf, passed, dropped);
  }
  return count;
}

}  // namespace sekisho::fastpath
