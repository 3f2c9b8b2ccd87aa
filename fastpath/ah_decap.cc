#include "fastpath/ah_decap.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

#include "fastpath/ah_mutable_fields.h"
#include "fastpath/ah_wire.h"
#include "fastpath/esp_decap.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/sa_life.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

// From the payload length field: 32-bit words less two (RFC 4302, 2.2).
size_t StatedAhBytes(const uint8_t* ah) { return (size_t{ah[1]} + 2) * 4; }

// Behind IPv4 some pad to 8 bytes too.
bool IsAhLengthOf(const EspLayout& layout, uint8_t family, size_t bytes) {
  return bytes == AhBytes(layout, family) || bytes == AhBytes(layout, 6);
}

// Checks what can be checked before the ICV is, and makes the packet what the ICV was computed
// over. Requires: an active SA, whose SPI was read from a whole AH header.
DropReason Prepare(const InboundSa& sa, rte_mbuf* mbuf, CryptoJob& job) {
  PacketPrivate& priv = PrivateOf(mbuf);
  PacketContext& context = priv.context;
  if (sa.life_over) return DropReason::kSaLifetime;
  if (!SameDestination(sa, DataOf(mbuf), context.family)) return DropReason::kAhWrongDestination;
  const size_t offset = context.l4_offset;
  uint8_t* ah = DataOf(mbuf) + offset;
  const size_t ah_bytes = StatedAhBytes(ah);
  if (!IsAhLengthOf(sa.layout, context.family, ah_bytes) || ah_bytes > mbuf->data_len - offset) {
    return DropReason::kAhMalformed;
  }
  const auto low = LoadBigEndian<uint32_t>(ah + 8);
  context.sequence = sa.layout.esn ? sa.window.Infer(low) : low;
  if (sa.anti_replay && !sa.window.Check(context.sequence)) return DropReason::kAhReplayed;
  if (!HasRoomToKeep(mbuf, offset)) return DropReason::kAhNoRoom;
  KeepHeaders(mbuf, offset);
  if (!ZeroMutableFields({DataOf(mbuf), offset})) return DropReason::kAhMalformed;
  uint8_t* icv = ah + kAhHeaderBytes + sa.layout.iv_bytes;
  static_assert(sizeof(priv.icv) >= 32, "the longest ICV");
  std::memcpy(priv.icv, icv, sa.layout.icv_bytes);
  std::memset(icv, 0, sa.layout.icv_bytes);
  return AhJob(sa.layout, sa.session, mbuf, offset, context.sequence, priv.icv, job)
             ? DropReason::kNone
             : DropReason::kAhNoRoom;
}

// The SPI of each packet, its SA's line on the way into the cache.
void PrefetchSas(const EspWorker& worker, Burst burst, Be32* spis) {
  for (size_t i = 0; i < burst.size(); ++i) {
    const size_t offset = ContextOf(burst[i]).l4_offset;
    spis[i] = Be32();
    if (burst[i]->data_len < offset + kAhHeaderBytes) continue;
    std::memcpy(&spis[i], DataOf(burst[i]) + offset + 4, sizeof(Be32));
    worker.inbound->Prefetch(spis[i], LoadBigEndian<uint32_t>(DataOf(burst[i]) + offset + 8),
                             /*in_udp=*/false);
  }
}

void DropOf(InboundSa& sa, rte_mbuf* mbuf, DropReason reason, PacketList& dropped) {
  sa.dropped.Add(1);
  dropped.Add(mbuf, reason);
}

// What the checks that AH shares with ESP call by ESP's name.
DropReason AhName(DropReason reason) {
  switch (reason) {
    case DropReason::kEspIntegrity:
      return DropReason::kAhIntegrity;
    case DropReason::kEspNextHeader:
    case DropReason::kEspDummy:
      return DropReason::kAhNextHeader;
    case DropReason::kEspInnerMalformed:
      return DropReason::kAhInnerMalformed;
    case DropReason::kEspSelectors:
      return DropReason::kAhSelectors;
    case DropReason::kEspCongestion:
      return DropReason::kAhCongestion;
    default:
      return reason;
  }
}

// Transport mode: takes AH out from behind the headers.
DropReason CloseUp(const InboundSa& sa, rte_mbuf* mbuf, size_t ah_bytes, uint8_t next_header) {
  PacketContext& context = ContextOf(mbuf);
  const ClearHeaders headers = HeadersBefore(SpanOf(mbuf), context.l4_offset);
  uint8_t* from = DataOf(mbuf);
  std::memmove(from + ah_bytes, from, headers.bytes);
  StripFront(mbuf, ah_bytes);
  SetFollowing(DataOf(mbuf), headers, next_header, mbuf->data_len);
  if (!ParseIp(mbuf, context) || context.fragment) return DropReason::kAhInnerMalformed;
  return sa.selectors->Contains(InboundSelectors(mbuf)) ? DropReason::kNone
                                                        : DropReason::kAhSelectors;
}

DropReason TakeOff(const InboundSa& sa, rte_mbuf* mbuf) {
  const size_t offset = ContextOf(mbuf).l4_offset;
  const uint8_t* ah = DataOf(mbuf) + offset;
  const size_t ah_bytes = StatedAhBytes(ah);
  const uint8_t next_header = ah[0];
  if (sa.layout.transport) return CloseUp(sa, mbuf, ah_bytes, next_header);
  const uint8_t outer = TrafficClass(DataOf(mbuf));
  StripFront(mbuf, offset + ah_bytes);
  return AhName(CheckTunnelled(sa, mbuf, next_header, outer));
}

}  // namespace

void AhDecapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped) {
  CryptoJob jobs[kBurstMax];
  Be32 spis[kBurstMax];
  size_t count = 0;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  PrefetchSas(worker, burst, spis);
  for (size_t i = 0; i < burst.size(); ++i) {
    PacketContext& context = ContextOf(burst[i]);
    if (burst[i]->data_len < context.l4_offset + kAhHeaderBytes) {
      dropped.Add(burst[i], DropReason::kAhMalformed);
      continue;
    }
    InboundSa* sa = worker.inbound->Find(spis[i], IpsecProtocol::kAh,
                                         DestinationBytes(DataOf(burst[i]), context.family));
    context.inbound_sa = sa;
    if (sa == nullptr) {
      dropped.Add(burst[i], DropReason::kAhUnknownSpi);
      continue;
    }
    context.reason = Prepare(*sa, burst[i], jobs[count]);
    if (context.reason == DropReason::kNone) {
      ++count;
    } else {
      DropOf(*sa, burst[i], context.reason, dropped);
    }
  }
  SubmitDecrypt(worker, {jobs, count}, passed, dropped);
}

DropReason FinishAh(EspWorker& worker, InboundSa& sa, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  if (context.reason != DropReason::kNone) return AhName(context.reason);
  PutBackHeaders(mbuf, context.l4_offset);
  // Once more: the same number may have come twice in one burst.
  const bool fresh = sa.window.Check(context.sequence);
  if (!fresh && sa.anti_replay) return DropReason::kAhReplayed;
  if (fresh) sa.window.Commit(context.sequence);
  const DropReason reason = TakeOff(sa, mbuf);
  if (reason != DropReason::kNone) return reason;
  if (sa.only_around_esp && context.protocol != IPPROTO_ESP) return DropReason::kIpsecLayerMissing;
  context.within = LayerOf(sa);
  return CheckLife(worker, sa, mbuf->data_len);
}

}  // namespace sekisho::fastpath
