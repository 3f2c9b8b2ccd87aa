#include "fastpath/reassemble.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_random.h>

#include <bit>
#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/hand_over.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kFragmentHeaderBytes = 8;         // of IPv6
constexpr uint8_t kNotEct = 1 << 0, kCe = 1 << 3;  // in FragmentedPacket::ecn_seen

FragmentOrigin OriginOf(const Worker& worker, const PacketContext& context) {
  if (context.decapsulated) return FragmentOrigin::kTunnel;
  return CameInClear(worker, context) ? FragmentOrigin::kOutsideClear : FragmentOrigin::kInside;
}

// Where the fragments of its source are counted.
uint16_t SourceOfFragment(const Worker& worker, rte_mbuf* mbuf, const PacketContext& context) {
  const uint8_t* header = DataOf(mbuf);
  const uint64_t address = context.family == 4 ? LoadBigEndian<uint32_t>(header + 12)
                                               : LoadBigEndian<uint64_t>(header + 8);
  // The top bits of a product with a secret: two addresses meet in one of 2,048 secrets, whichever
  // they are. (Of a CRC a stranger could choose addresses that meet under every start value.)
  constexpr int kShift = 64 - std::bit_width(kFragmentSources - 1);
  const auto hash = static_cast<size_t>(address * worker.reassembly.source_secret >> kShift);
  const size_t origin = static_cast<size_t>(OriginOf(worker, context));
  return static_cast<uint16_t>(origin * kFragmentSources + hash);
}

FragmentKey KeyOf(rte_mbuf* mbuf, const PacketContext& context) {
  const uint8_t* header = DataOf(mbuf);
  FragmentKey key;
  if (context.family == 4) {
    key.words[0] = LoadBigEndian<uint64_t>(header + 12);
    key.words[4] =
        uint64_t{4} << 40 | uint64_t{header[9]} << 32 | LoadBigEndian<uint16_t>(header + 4);
    return key;
  }
  for (size_t i = 0; i < 4; ++i) key.words[i] = LoadBigEndian<uint64_t>(header + 8 + 8 * i);
  key.words[4] = uint64_t{6} << 40 | LoadBigEndian<uint32_t>(header + context.l4_offset - 4);
  return key;
}

// Where in its packet a fragment stands; ParseIp() has checked that it can.
struct Piece {
  uint32_t offset, end;
  bool last;
};
Piece PieceOf(rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const uint8_t* header = DataOf(mbuf);
  const uint32_t bytes = static_cast<uint32_t>(mbuf->data_len) - context.l4_offset;
  if (context.family == 4) {
    const auto field = LoadBigEndian<uint16_t>(header + 6);
    const uint32_t offset = (field & uint32_t{RTE_IPV4_HDR_OFFSET_MASK}) * 8;
    return {offset, offset + bytes, (field & RTE_IPV4_HDR_MF_FLAG) == 0};
  }
  const auto field = LoadBigEndian<uint16_t>(header + context.l4_offset - kFragmentHeaderBytes + 2);
  const uint32_t offset = field & 0xfff8u;
  return {offset, offset + bytes, (field & 1) == 0};
}

uint8_t EcnBit(rte_mbuf* mbuf) {
  const uint8_t* header = DataOf(mbuf);
  const uint8_t ecn = ContextOf(mbuf).family == 4 ? header[1] & 3 : header[1] >> 4 & 3;
  return static_cast<uint8_t>(1 << ecn);
}

// Out of the table; calls `take` for each piece, which is then a packet buffer like any other.
template <typename Take>
void TakePieces(Worker& worker, FragmentedPacket& packet, Take take) {
  for (rte_mbuf* piece = packet.first; piece != nullptr;) {
    rte_mbuf* next = piece->next;
    piece->next = nullptr;
    --worker.reassembly.held_by_source[ContextOf(piece).fragment_source];
    --worker.reassembly.held;
    take(piece);
    piece = next;
  }
  packet.first = nullptr;
  packet.pieces = 0;
}

void DropPieces(Worker& worker, FragmentedPacket& packet, DropReason reason) {
  TakePieces(worker, packet, [&](rte_mbuf* piece) { Drop(worker, piece, reason); });
}

void GiveUp(Worker& worker, FragmentTable& table, FragmentedPacket& packet, DropReason reason) {
  DropPieces(worker, packet, reason);
  table.Remove(packet);
}

FragmentedPacket& FindOrAdd(Worker& worker, FragmentTable& table, const FragmentKey& key) {
  FragmentedPacket* packet = table.Find(key);
  if (packet != nullptr && packet->deadline_tsc >= worker.now_tsc) return *packet;
  if (packet != nullptr) {
    GiveUp(worker, table, *packet, DropReason::kReassemblyTimeout);
  } else if (table.full()) {
    GiveUp(worker, table, *table.Oldest(), DropReason::kReassemblyFull);
  }
  return table.Add(key, worker.now_tsc + worker.reassembly.timeout_tsc);
}

// False: overlaps, or contradicts what is there (RFC 5722, 4). Otherwise it is in its place.
bool Insert(FragmentedPacket& packet, rte_mbuf* mbuf) {
  const Piece piece = PieceOf(mbuf);
  rte_mbuf* before = nullptr;
  rte_mbuf* after = packet.first;
  while (after != nullptr && PieceOf(after).offset < piece.offset) {
    before = after;
    after = after->next;
  }
  const bool overlaps = (before != nullptr && PieceOf(before).end > piece.offset) ||
                        (after != nullptr && PieceOf(after).offset < piece.end);
  const bool contradicts = piece.last ? packet.total != 0 || after != nullptr
                                      : packet.total != 0 && piece.end >= packet.total;
  if (overlaps || contradicts || packet.pieces == kFragmentsPerPacketMax) return false;
  packet.ecn_seen |= EcnBit(mbuf);
  // RFC 3168, 5.3: a mark on one that knows no ECN.
  if ((packet.ecn_seen & kCe) != 0 && (packet.ecn_seen & kNotEct) != 0) return false;
  mbuf->next = after;
  (before == nullptr ? packet.first : before->next) = mbuf;
  ++packet.pieces;
  packet.bytes += piece.end - piece.offset;
  if (piece.last) packet.total = piece.end;
  return true;
}

// Of an ordinary buffer where it fits. nullptr: none, or larger than any.
rte_mbuf* AllocateFor(Worker& worker, size_t bytes) {
  // An ESP tail and a trip through encapsulation need the same room that a frame leaves.
  constexpr uint32_t kTailRoom = 128;
  for (rte_mempool* pool : {worker.packets, worker.large_packets}) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
    if (mbuf == nullptr) continue;
    if (bytes + kTailRoom <= rte_pktmbuf_tailroom(mbuf)) {
      TakeFromDpdk(mbuf);
      mbuf->data_len = static_cast<uint16_t>(bytes);
      mbuf->pkt_len = static_cast<uint32_t>(bytes);
      return mbuf;
    }
    rte_pktmbuf_free(mbuf);
  }
  return nullptr;
}

// The header of the first fragment becomes that of the whole.
void WriteHeader(rte_mbuf* whole, rte_mbuf* first, uint8_t ecn_seen) {
  const PacketContext& context = ContextOf(first);
  uint8_t* header = DataOf(whole);
  if (context.family == 4) {
    std::memcpy(header, DataOf(first), context.l4_offset);
    if ((ecn_seen & kCe) != 0) header[1] |= 3;
    StoreBigEndian<uint16_t>(header + 2, whole->data_len);
    StoreBigEndian<uint16_t>(header + 6,
                             LoadBigEndian<uint16_t>(header + 6) & RTE_IPV4_HDR_DF_FLAG);
    std::memset(header + 10, 0, 2);
    const uint16_t checksum = ChecksumFrom(OnesSum({header, context.l4_offset}));
    std::memcpy(header + 10, &checksum, sizeof checksum);
    return;
  }
  std::memcpy(header, DataOf(first), kIpv6HeaderBytes);
  if ((ecn_seen & kCe) != 0) header[1] |= 3 << 4;
  header[6] = DataOf(first)[kIpv6HeaderBytes];  // the fragment header's next header
  StoreBigEndian<uint16_t>(header + 4, static_cast<uint16_t>(whole->data_len - kIpv6HeaderBytes));
}

// Into one buffer; nullptr, and the packet unchanged, when there is none.
rte_mbuf* Join(Worker& worker, const FragmentedPacket& packet) {
  rte_mbuf* first = packet.first;
  const PacketContext& context = ContextOf(first);
  const size_t header_bytes = context.family == 4 ? context.l4_offset : kIpv6HeaderBytes;
  if (header_bytes + packet.total > UINT16_MAX) return nullptr;
  rte_mbuf* whole = AllocateFor(worker, header_bytes + packet.total);
  if (whole == nullptr) return nullptr;
  WriteHeader(whole, first, packet.ecn_seen);
  for (rte_mbuf* mbuf = first; mbuf != nullptr; mbuf = mbuf->next) {
    const Piece piece = PieceOf(mbuf);
    std::memcpy(DataOf(whole) + header_bytes + piece.offset,
                DataOf(mbuf) + ContextOf(mbuf).l4_offset, piece.end - piece.offset);
  }
  ContextOf(whole) = context;
  return whole;
}

}  // namespace

ReassemblyTable CreateReassemblyTable(uint64_t tsc_hz) {
  ReassemblyTable reassembly;
  reassembly.timeout_tsc = tsc_hz * kReassemblyTimeoutSeconds;
  reassembly.source_secret = rte_rand() | 1;
  reassembly.held_by_source.resize(kFragmentOrigins * kFragmentSources);
  for (size_t i = 0; i < kFragmentOrigins; ++i) {
    std::array<uint64_t, 5> secrets;
    for (uint64_t& secret : secrets) secret = rte_rand();
    reassembly.tables.emplace_back(secrets);
  }
  return reassembly;
}

rte_mbuf* Reassemble(Worker& worker, rte_mbuf* fragment) {
  PacketContext& context = ContextOf(fragment);
  // The fragment header is found only directly after the IPv6 header.
  if (context.family == 6 && (DataOf(fragment)[6] != IPPROTO_FRAGMENT ||
                              context.l4_offset != kIpv6HeaderBytes + kFragmentHeaderBytes)) {
    Drop(worker, fragment, DropReason::kIpFragment);
    return nullptr;
  }
  if (HandOverToFragmentHome(worker, fragment)) return nullptr;
  ReassemblyTable& reassembly = worker.reassembly;
  context.fragment_source = SourceOfFragment(worker, fragment, context);
  uint16_t& of_source = reassembly.held_by_source[context.fragment_source];
  if (of_source >= kFragmentsPerSourceMax) {
    Drop(worker, fragment, DropReason::kReassemblySource);
    return nullptr;
  }
  FragmentTable& table = reassembly.tables[static_cast<size_t>(OriginOf(worker, context))];
  FragmentedPacket& packet = FindOrAdd(worker, table, KeyOf(fragment, context));
  if (packet.refused || !Insert(packet, fragment)) {
    packet.refused = true;
    DropPieces(worker, packet, DropReason::kReassemblyFailed);
    Drop(worker, fragment, DropReason::kReassemblyFailed);
    return nullptr;
  }
  ++of_source;
  ++reassembly.held;
  if (packet.total == 0 || packet.bytes != packet.total) return nullptr;

  rte_mbuf* whole = Join(worker, packet);
  if (whole == nullptr) {
    GiveUp(worker, table, packet, DropReason::kNoMbuf);
    return nullptr;
  }
  // Of the pieces one goes on as the packet; the others have served.
  worker.counters.consumed.Add(packet.pieces - 1);
  TakePieces(worker, packet, [](rte_mbuf* piece) {
    GiveToDpdk(piece);
    rte_pktmbuf_free(piece);
  });
  table.Remove(packet);

  PacketContext& parsed = ContextOf(whole);
  if (!ParseIp(whole, parsed)) {
    Drop(worker, whole, parsed.reason);
    return nullptr;
  }
  parsed.reassembled = true;
  return whole;
}

void ExpireFragments(Worker& worker) {
  for (FragmentTable& table : worker.reassembly.tables) {
    while (table.Oldest() != nullptr && table.Oldest()->deadline_tsc < worker.now_tsc) {
      GiveUp(worker, table, *table.Oldest(), DropReason::kReassemblyTimeout);
    }
  }
}

}  // namespace sekisho::fastpath
