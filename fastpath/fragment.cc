#include "fastpath/fragment.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/hand_over.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/transport_header.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kHeaderMax = 512;  // IPv4 has 60 bytes at most; IPv6 with extension headers
constexpr size_t kIpv6FragmentHeaderBytes = 8;

// A header that each piece starts with.
struct Header {
  uint8_t bytes[kHeaderMax];
  size_t size;
};

// The header of all pieces but the first: of the options only those that say "copy me" (RFC 791,
// 3.1).
Header LaterIpv4Header(ByteSpan first) {
  Header later = {};
  std::memcpy(later.bytes, first.data(), 20);
  later.size = 20;
  for (size_t at = 20; at < first.size() && first[at] != 0;) {
    const size_t length = first[at] == 1 ? 1 : at + 1 < first.size() ? first[at + 1] : 0;
    if (length == 0 || (length == 1 && first[at] != 1) || at + length > first.size()) break;
    if ((first[at] & 0x80) != 0) {
      std::memcpy(later.bytes + later.size, &first[at], length);
      later.size += length;
    }
    at += length;
  }
  later.size = (later.size + 3) & ~size_t{3};  // the rest is zero: end of options
  later.bytes[0] = static_cast<uint8_t>(0x40 | later.size / 4);
  return later;
}

rte_mbuf* MakePiece(Worker& worker, rte_mbuf* packet, ByteSpan header, ByteSpan payload) {
  rte_mbuf* piece = rte_pktmbuf_alloc(worker.packets);
  if (piece == nullptr) return nullptr;
  TakeFromDpdk(piece);
  if (header.size() + payload.size() > rte_pktmbuf_tailroom(piece)) {
    rte_pktmbuf_free(piece);
    return nullptr;
  }
  piece->data_len = static_cast<uint16_t>(header.size() + payload.size());
  piece->pkt_len = piece->data_len;
  std::memcpy(DataOf(piece), header.data(), header.size());
  std::memcpy(DataOf(piece) + header.size(), payload.data(), payload.size());
  ContextOf(piece) = ContextOf(packet);
  return piece;
}

void FinishIpv4Piece(rte_mbuf* piece, size_t offset, bool more) {
  auto* ip = HeaderAt<rte_ipv4_hdr>(piece);
  const uint16_t before = Be16::FromRaw(ip->fragment_offset).host();
  // A packet that was a fragment already stays within its own place.
  const size_t place = (before & size_t{RTE_IPV4_HDR_OFFSET_MASK}) + offset / 8;
  const bool more_follow = more || (before & RTE_IPV4_HDR_MF_FLAG) != 0;
  ip->fragment_offset =
      Be16::FromHost(static_cast<uint16_t>(place | (more_follow ? RTE_IPV4_HDR_MF_FLAG : 0))).raw();
  ip->total_length = Be16::FromHost(piece->data_len).raw();
  ip->hdr_checksum = 0;
  ip->hdr_checksum = ChecksumFrom(OnesSum({DataOf(piece), size_t{ip->ihl} * 4u}));
}

// `header_bytes`: up to the end of the fragment header.
void FinishIpv6Piece(rte_mbuf* piece, size_t header_bytes, size_t offset, bool more) {
  const size_t payload = piece->data_len - kIpv6HeaderBytes;
  HeaderAt<rte_ipv6_hdr>(piece)->payload_len = Be16::FromHost(static_cast<uint16_t>(payload)).raw();
  StoreBigEndian<uint16_t>(DataOf(piece) + header_bytes - kIpv6FragmentHeaderBytes + 2,
                           static_cast<uint16_t>(offset | (more ? 1 : 0)));
}

// What routers read stays in front of the fragment header (RFC 8200, 4.5). Requires: room for it.
Header Ipv6Header(Worker& worker, ByteSpan packet, const ClearHeaders& unfragmentable) {
  Header header = {};
  std::memcpy(header.bytes, packet.data(), unfragmentable.bytes);
  uint8_t* fragment = header.bytes + unfragmentable.bytes;
  fragment[0] = packet[unfragmentable.next_at];
  header.bytes[unfragmentable.next_at] = IPPROTO_FRAGMENT;
  StoreBigEndian<uint32_t>(fragment + 4, worker.ipv6_fragment_id++);
  header.size = unfragmentable.bytes + kIpv6FragmentHeaderBytes;
  return header;
}

}  // namespace

size_t FragmentPacket(Worker& worker, rte_mbuf* packet, uint16_t mtu, FragmentList& pieces) {
  const ByteSpan bytes = SpanOf(packet);
  const bool v4 = ContextOf(packet).family == 4;
  const ClearHeaders unfragmentable = v4 ? ClearHeaders() : ClearHeadersOf(bytes);
  const size_t own_header = v4 ? size_t{bytes[0] & 0xfu} * 4 : size_t{unfragmentable.bytes};
  if (own_header + kIpv6FragmentHeaderBytes > kHeaderMax) return 0;
  Header header = {};
  if (v4) {
    std::memcpy(header.bytes, bytes.data(), own_header);
    header.size = own_header;
    // An ESP packet's ID follows its SA, and two users behind one NAT are one address to the far
    // side of it: pieces get an ID that this gateway counts. AH covers the ID (RFC
    // 4302, 3.3.3.1.1.1) and crosses no NAT.
    if (ContextOf(packet).ours && header.bytes[9] != IPPROTO_AH) {
      StoreBigEndian<uint16_t>(header.bytes + 4, worker.ipv4_id++);
    }
  } else {
    header = Ipv6Header(worker, bytes, unfragmentable);
  }
  const ByteSpan payload = bytes.subspan(own_header);
  size_t count = 0;
  for (size_t offset = 0; offset < payload.size();) {
    const size_t room = mtu > header.size ? (mtu - header.size) & ~size_t{7} : 0;
    const size_t take = std::min(room, payload.size() - offset);
    rte_mbuf* piece =
        take == 0 || count == kFragmentsMax
            ? nullptr
            : MakePiece(worker, packet, {header.bytes, header.size}, payload.subspan(offset, take));
    if (piece == nullptr) {
      rte_pktmbuf_free_bulk(pieces.data(), static_cast<unsigned>(count));
      return 0;
    }
    const bool more = offset + take < payload.size();
    v4 ? FinishIpv4Piece(piece, offset, more) : FinishIpv6Piece(piece, header.size, offset, more);
    pieces[count++] = piece;
    if (v4 && offset == 0) header = LaterIpv4Header({header.bytes, own_header});
    offset += take;
  }
  return count;
}

}  // namespace sekisho::fastpath
