#include "fastpath/ah_encap.h"

#include <netinet/in.h>

#include "fastpath/ah_mutable_fields.h"
#include "fastpath/ah_wire.h"
#include "fastpath/esp_encap.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/outer_header.h"
#include "fastpath/sa_life.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

// Moves the start of the data back by `bytes`. Requires: headroom for them.
void Prepend(rte_mbuf* mbuf, size_t bytes) {
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - bytes);
  mbuf->data_len = static_cast<uint16_t>(mbuf->data_len + bytes);
  mbuf->pkt_len += static_cast<uint32_t>(bytes);
}

struct Place {
  size_t offset;        // of AH
  uint8_t next_header;  // behind it
};

// Makes room for AH, with the headers in front of it as they will leave.
Place PutIn(const OutboundSa& sa, rte_mbuf* mbuf, const ClearHeaders& clear, size_t ah_bytes,
            uint64_t sequence) {
  const PacketContext& context = ContextOf(mbuf);
  if (sa.layout.transport) {
    const uint8_t next_header = DataOf(mbuf)[clear.next_at];
    Prepend(mbuf, ah_bytes);
    std::memmove(DataOf(mbuf), DataOf(mbuf) + ah_bytes, clear.bytes);
    SetFollowing(DataOf(mbuf), clear, IPPROTO_AH, mbuf->data_len);
    return {clear.bytes, next_header};
  }
  const Inherited inherited = InheritedFrom(DataOf(mbuf), context.family, context.handling);
  Prepend(mbuf, sa.outer_bytes + ah_bytes);
  WriteOuter(sa, DataOf(mbuf), mbuf->data_len, inherited, sequence);
  return {sa.outer_bytes, context.family == 4 ? kNextHeaderIpv4 : kNextHeaderIpv6};
}

// Turns the packet into the AH packet whose ICV is to be made. kNone, or why it cannot be.
DropReason Encapsulate(EspWorker& worker, OutboundSa& sa, rte_mbuf* mbuf, CryptoJob& job) {
  PacketContext& context = ContextOf(mbuf);
  const size_t inner_bytes = mbuf->data_len;
  if (const DropReason over = CheckLife(worker, sa, inner_bytes); over != DropReason::kNone) {
    return over;
  }
  ClearHeaders clear;
  if (sa.layout.transport) {
    if (context.fragment || !IsBetweenEnds(sa, DataOf(mbuf), context.family)) {
      return DropReason::kAhTransportEnds;
    }
    clear = ClearHeadersOf(SpanOf(mbuf));
  }
  const size_t ah_bytes = AhBytes(sa.layout, sa.layout.outer_family);
  const size_t offset = sa.layout.transport ? clear.bytes : size_t{sa.outer_bytes};
  const size_t added = ah_bytes + (sa.layout.transport ? 0 : offset);
  if (!HasRoomToKeep(mbuf, offset, added) || inner_bytes + added > UINT16_MAX ||
      rte_pktmbuf_tailroom(mbuf) < kAhEsnBytes) [[unlikely]] {
    return DropReason::kAhNoRoom;
  }
  const uint64_t sequence = sa.TakeSequence();
  const Place place = PutIn(sa, mbuf, clear, ah_bytes, sequence);
  uint8_t* ah = DataOf(mbuf) + place.offset;
  std::memset(ah, 0, ah_bytes);
  ah[0] = place.next_header;
  ah[1] = static_cast<uint8_t>(ah_bytes / 4 - 2);
  std::memcpy(ah + 4, &sa.spi, sizeof(sa.spi));
  StoreBigEndian<uint32_t>(ah + 8, static_cast<uint32_t>(sequence));
  if (sa.layout.iv_bytes != 0) StoreBigEndian<uint64_t>(ah + kAhHeaderBytes, sequence);
  context.l4_offset = static_cast<uint16_t>(place.offset);
  context.sequence = sequence;

  KeepHeaders(mbuf, place.offset);
  if (!ZeroMutableFields({DataOf(mbuf), place.offset}) ||
      !AhJob(sa.layout, sa.session, mbuf, place.offset, sequence,
             ah + kAhHeaderBytes + sa.layout.iv_bytes, job)) {
    sa.PutBackSequence(sequence);
    return DropReason::kAhMalformed;
  }
  sa.bytes.Add(inner_bytes);
  return DropReason::kNone;
}

}  // namespace

void AhEncapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped) {
  CryptoJob jobs[kBurstMax];
  size_t count = 0;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    OutboundSa& sa = *context.outbound_sa;
    context.reason = Encapsulate(worker, sa, mbuf, jobs[count]);
    if (context.reason == DropReason::kNone) {
      ++count;
    } else {
      sa.dropped.Add(1);
      dropped.Add(mbuf);
    }
  }
  SubmitEncrypt(worker, {jobs, count}, passed, dropped);
}

void FinishAhOut(rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  PutBackHeaders(mbuf, context.l4_offset);
  context.family = DataOf(mbuf)[0] >> 4;
  context.protocol = IPPROTO_AH;
  context.source_port = context.destination_port = 0;
  context.outbound_sa = nullptr;
}

}  // namespace sekisho::fastpath
