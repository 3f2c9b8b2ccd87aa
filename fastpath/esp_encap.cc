#include "fastpath/esp_encap.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIpv4Bytes = 20;
constexpr size_t kIpv6Bytes = 40;
constexpr uint16_t kDontFragment = 0x4000;

// What the outer header takes over from the inner one.
struct Inherited {
  uint8_t traffic_class;    // DSCP (RFC 4301, 5.1.2.1), ECN in normal mode (RFC 6040, 4.1)
  uint16_t fragment_field;  // DF of IPv4; IPv6 is never fragmented on the way
};

Inherited InheritedFrom(const uint8_t* inner, uint8_t family) {
  if (family == 4) {
    return {inner[1], static_cast<uint16_t>(LoadBigEndian<uint16_t>(inner + 6) & kDontFragment)};
  }
  return {static_cast<uint8_t>(LoadBigEndian<uint16_t>(inner) >> 4), kDontFragment};
}

void WriteIpv4(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
               uint64_t sequence) {
  std::memcpy(at, sa.outer_header, kIpv4Bytes);
  const auto length = static_cast<uint16_t>(total_bytes);
  // One per packet of this SA, so unique as long as RFC 6864 asks where a router may fragment it.
  const auto id = static_cast<uint16_t>(sequence);
  uint32_t sum =
      sa.checksum_part + inherited.traffic_class + length + id + inherited.fragment_field;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  at[1] = inherited.traffic_class;
  StoreBigEndian<uint16_t>(at + 2, length);
  StoreBigEndian<uint16_t>(at + 4, id);
  StoreBigEndian<uint16_t>(at + 6, inherited.fragment_field);
  StoreBigEndian<uint16_t>(at + 10, static_cast<uint16_t>(~sum));
}

void WriteIpv6(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited) {
  std::memcpy(at, sa.outer_header, kIpv6Bytes);
  at[0] = static_cast<uint8_t>(0x60 | inherited.traffic_class >> 4);
  at[1] = static_cast<uint8_t>(inherited.traffic_class << 4);
  StoreBigEndian<uint16_t>(at + 4, static_cast<uint16_t>(total_bytes - kIpv6Bytes));
}

void WriteOuter(const OutboundSa& sa, uint8_t* at, size_t total_bytes, Inherited inherited,
                uint64_t sequence) {
  size_t ip_bytes = kIpv6Bytes;
  if (sa.layout.outer_family == 4) {
    WriteIpv4(sa, at, total_bytes, inherited, sequence);
    ip_bytes = kIpv4Bytes;
  } else {
    WriteIpv6(sa, at, total_bytes, inherited);
  }
  if (!sa.layout.udp_encapsulation) return;
  std::memcpy(at + ip_bytes, sa.outer_header + ip_bytes, kUdpHeaderBytes);
  StoreBigEndian<uint16_t>(at + ip_bytes + 4, static_cast<uint16_t>(total_bytes - ip_bytes));
}

// The IV in the packet and what the cipher starts from.
void WriteIv(const OutboundSa& sa, uint8_t* iv, uint64_t sequence, PacketPrivate& priv) {
  if (sa.layout.aead) {
    // Unique is enough (RFC 4106, 3.1): the sequence number never repeats under a key.
    StoreBigEndian<uint64_t>(iv, sequence);
    std::memcpy(priv.iv, sa.layout.salt, sizeof(sa.layout.salt));
    std::memcpy(priv.iv + sizeof(sa.layout.salt), iv, sizeof(sequence));
    return;
  }
  // CBC's IV must be unpredictable (RFC 3602, 3): it is a nonce encrypted under the same key (NIST
  // SP 800-38A, appendix C). The nonce is put where the IV goes and encrypted in place, with an IV
  // of zeros, as the block before the plaintext: what comes out is the IV and the packet under it.
  std::memcpy(iv, &sa.iv_secret, sizeof(sa.iv_secret));
  StoreBigEndian<uint64_t>(iv + sizeof(sa.iv_secret), sequence);
  std::memset(priv.iv, 0, sizeof(priv.iv));
}

// SPI and sequence number, with its high half between them where ESN (RFC 4106, 5).
void WriteAad(const OutboundSa& sa, uint64_t sequence, PacketPrivate& priv) {
  std::memcpy(priv.aad, &sa.spi, sizeof(sa.spi));
  if (sa.layout.esn) {
    StoreBigEndian<uint64_t>(priv.aad + 4, sequence);
  } else {
    StoreBigEndian<uint32_t>(priv.aad + 4, static_cast<uint32_t>(sequence));
  }
}

// Fills the job for an ESP packet that starts `esp` bytes into the data, whose IV is followed by
// `encrypted` bytes and the ICV.
CryptoJob MakeJob(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                  uint64_t sequence) {
  const size_t iv_bytes = sa.layout.iv_bytes;
  const size_t cipher = esp + kEspHeaderBytes + (sa.layout.aead ? iv_bytes : 0);
  const size_t icv = esp + kEspHeaderBytes + iv_bytes + encrypted;
  CryptoJob job = {.mbuf = mbuf,
                   .session = sa.session,
                   .cipher_offset = static_cast<uint32_t>(cipher),
                   .cipher_bytes = static_cast<uint32_t>(icv - cipher),
                   .auth_offset = static_cast<uint32_t>(esp),
                   .auth_bytes = static_cast<uint32_t>(icv - esp),
                   .icv = DataOf(mbuf) + icv,
                   .aead = sa.layout.aead};
  if (sa.layout.esn && !sa.layout.aead) {
    // The high half is hashed after the packet and not sent (RFC 4303, 2.2.1): it stands where the
    // ICV goes, which is written only when all of it was read. No ICV is shorter than it.
    StoreBigEndian<uint32_t>(job.icv, static_cast<uint32_t>(sequence >> 32));
    job.auth_bytes += kEsnBytes;
  }
  return job;
}

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
  WriteIv(sa, at + kEspHeaderBytes, sequence, priv);
  if (sa.layout.aead) WriteAad(sa, sequence, priv);

  const size_t encrypted = inner_bytes + tail - sa.layout.icv_bytes;
  const size_t padding = encrypted - inner_bytes - kEspTrailerBytes;
  uint8_t* trailer = at + kEspHeaderBytes + sa.layout.iv_bytes + inner_bytes;
  std::memcpy(trailer, kEspPadding.data(), padding);
  trailer[padding] = static_cast<uint8_t>(padding);
  trailer[padding + 1] = priv.context.family == 4 ? kNextHeaderIpv4 : kNextHeaderIpv6;
  job = MakeJob(sa, mbuf, sa.outer_bytes, encrypted, sequence);

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

// The context of what is an IP packet of ours from now on. Read from the packet: the SA may have
// been moved to other ends while it was with the backend.
void DescribeOuter(rte_mbuf* mbuf, bool udp, PacketContext& context) {
  const uint8_t* outer = DataOf(mbuf);
  context.family = outer[0] >> 4;
  context.protocol = udp ? IPPROTO_UDP : IPPROTO_ESP;
  context.l4_offset = context.family == 4 ? kIpv4Bytes : kIpv6Bytes;
  context.source_port = udp ? LoadBigEndian<uint16_t>(outer + context.l4_offset) : uint16_t{0};
  context.destination_port =
      udp ? LoadBigEndian<uint16_t>(outer + context.l4_offset + 2) : uint16_t{0};
  context.outbound_sa = nullptr;
}

// Over IPv4 it stays zero (RFC 3948, 2.1). Over IPv6 it is computed: a receiver or NAT may accept
// zero only where it was told to (RFC 6935, 5), and a peer's socket has not been.
void WriteUdpChecksum(rte_mbuf* mbuf) {
  const ByteSpan packet = SpanOf(mbuf);
  const ByteSpan udp = packet.subspan(kIpv6Bytes);
  const uint16_t sum =
      OnesSumWithPseudoHeader(packet.subspan(8, 16), packet.subspan(24, 16), IPPROTO_UDP, udp);
  const uint16_t checksum = UdpChecksumFrom(sum);
  std::memcpy(DataOf(mbuf) + kIpv6Bytes + 6, &checksum, sizeof(checksum));
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
    if (context.reason != DropReason::kNone) [[unlikely]] {
      sa.dropped.Add(1);
      dropped.Add(mbufs[i]);
      continue;
    }
    DescribeOuter(mbufs[i], sa.layout.udp_encapsulation, context);
    if (context.family == 6 && context.protocol == IPPROTO_UDP) WriteUdpChecksum(mbufs[i]);
    passed.Add(mbufs[i]);
  }
  return count;
}

}  // namespace sekisho::fastpath
