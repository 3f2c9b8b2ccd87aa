// fastpath/sa.h: one security association as the packets of a worker meet it.
//
// Slots of InboundSad and OutboundSad. The slow path writes a slot before the DownMessage that
// installs it; from then on until kSaRetired it is the worker's, and the slow path reads only the
// counters. What every packet needs and nothing changes stands in the first line, what moves in
// another, what is rarely looked at last: an IPv4 packet of a tunnel touches two lines of its SA,
// and inbound, for one packet in 64, a word of the replay window.
#pragma once

#include <rte_common.h>
#include <rte_prefetch.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "common/algorithm.h"
#include "common/byte_order.h"
#include "common/endpoint.h"
#include "common/ipsec.h"
#include "common/spi.h"
#include "fastpath/counter.h"
#include "fastpath/crypto_backend.h"
#include "fastpath/ip_header.h"
#include "fastpath/replay_window.h"
#include "fastpath/selector_set.h"

namespace sekisho::fastpath {

inline constexpr size_t kCacheLine = 64;
static_assert(RTE_CACHE_LINE_SIZE == kCacheLine);

// How a packet gets its nonce, counter block or IV. fastpath/esp_crypto.cc says what each means.
enum class NonceForm : uint8_t {
  kNone,       // nothing: HMAC without a cipher
  kRandom,     // CBC: an unpredictable IV (RFC 3602, 3)
  kSaltAndIv,  // GCM, GMAC, ChaCha20-Poly1305: 4 bytes of salt, 8 of IV
  kCcm,        // 3 bytes of salt, 8 of IV (RFC 4309, 4)
  kCounter,    // CTR: 4 bytes of salt, 8 of IV, a counter that starts at 1 (RFC 3686, 4)
};

// What the suite makes of an ESP packet, the same in both directions (RFC 4303, 2), or of an AH
// packet: there iv_bytes and icv_bytes make up the Authentication Data (RFC 4302, 2.6).
struct EspLayout {
  uint8_t iv_bytes = 0;
  uint8_t icv_bytes = 0;
  uint8_t align_bytes = 0;  // the encrypted part is a multiple: 4, or the cipher's block
  CryptoKind kind = CryptoKind::kAead;
  NonceForm nonce = NonceForm::kNone;
  bool esn = false;
  bool udp_encapsulation = false;
  uint8_t outer_family = 0;  // 4 or 6
  uint8_t salt[4] = {};      // the start of each nonce or counter block; CCM's last byte is 0
  bool transport = false;    // IpsecMode::kTransport
};
static_assert(sizeof(EspLayout) == 13);

// Lifetimes of an inbound SA; UINT64_MAX: none. fastpath/sa_life.h.
struct InboundLife {
  uint64_t soft_packets = UINT64_MAX, hard_packets = UINT64_MAX;
  uint64_t soft_bytes = UINT64_MAX, hard_bytes = UINT64_MAX;
  bool soft_reported = false, hard_reported = false;
};

struct alignas(kCacheLine) InboundSa {
  Be32 active_spi;  // 0 while it takes no packets; owning worker only
  EspLayout layout;
  IpsecProtocol protocol = IpsecProtocol::kEsp;
  bool anti_replay = true;       // RFC 4303, 3.4.3
  bool typed_spi = false;        // found by TypedSpis, not by its slot
  bool limited = false;          // has lifetimes
  bool life_over = false;        // and reached the end of one; worker only
  bool only_around_esp = false;  // AH: what it carries must be ESP
  bool has_within = false;       // `within` says something
  CryptoSession session = {};
  uint8_t local_address[16] = {};  // outer destination; 4 bytes, then zeros, for IPv4
  uint32_t in_flight = 0;          // packets of it with the crypto backend; worker only
  bool plain = false;              // ESP in tunnel mode, whose jobs move nothing (DisplacesSpi())

  alignas(kCacheLine) ReplayWindow window;  // moves; its ring follows this structure in the slot
  Counter packets, bytes;                   // worker writes, slow path reads
  PlainSelectors plain_selectors;           // all that `selectors` say, where they are simple
  uint64_t peer = 0;                        // InboundSaParameters::peer

  alignas(kCacheLine) Counter dropped;     // rarely touched
  const SelectorSet* selectors = nullptr;  // lives as long as the slot is filled
  Spi spi;
  SlotId slot{};  // Spi::place()
  uint32_t generation = 0;
  uint32_t retiring_next = 0;     // list of removed SAs with packets in flight
  uint64_t move_quiet_until = 0;  // TSC: no kPeerMoved before
  Endpoint remote;                // where authenticated packets come from, as last reported
  // Transport mode behind NAT: the sum of the addresses that the peer's transport checksums cover.
  uint16_t original_sum = 0;
  bool original_known = false;  // what came in UDP without this has its checksum made anew

  alignas(kCacheLine) InboundLife life;  // touched where `limited`
  uint64_t within = 0;                   // LayerOf() the AH that its packets must come through
};
static_assert(offsetof(InboundSa, window) == kCacheLine);
static_assert(offsetof(InboundSa, dropped) == 2 * kCacheLine);
static_assert(offsetof(InboundSa, life) == 3 * kCacheLine);
static_assert(sizeof(InboundSa) == 4 * kCacheLine);

// Do its packets go to where this IP header of either family does?
inline bool SameDestination(const InboundSa& sa, const uint8_t* header, uint8_t family) {
  if (sa.layout.outer_family != family) return false;
  const uint8_t* destination = DestinationBytes(header, family).data();
  return family == 4 ? std::memcmp(destination, sa.local_address, 4) == 0
                     : std::memcmp(destination, sa.local_address, 16) == 0;
}

// Names an inbound SA in the context of a packet that came through it. Never 0.
inline uint64_t LayerOf(SlotId slot, uint32_t generation) {
  return uint64_t{generation} << 32 | (static_cast<uint32_t>(slot) + 1);
}
inline uint64_t LayerOf(const InboundSa& sa) { return LayerOf(sa.slot, sa.generation); }

// Outer IP header and, where encapsulated, UDP header. IPv6 and UDP: 48 bytes. In transport mode
// UDP's alone, as the IP header is the packet's.
inline constexpr size_t kOuterHeaderMax = 48;

// Where the ESP packets of an SA go, as its worker found out with the last one that it looked up
// the long way. Right while `epoch` is EspWorker::adjacency_epoch.
struct Adjacency {
  uint32_t epoch = 0;      // 0: not known
  uint16_t neighbour = 0;  // NeighbourTable::At()
  uint16_t whole_max = 0;  // bytes of the largest ESP packet that goes as it is, by any port
  PortId port{};
};
static_assert(sizeof(Adjacency) == 12);

// How much an SA may send, where that was said (sa_life.h). Memory of the slow path, constant;
// lives as long as the slot is filled.
struct OutboundLife {
  uint64_t soft_sequence, sequence_last;  // the last that may be sent
  uint64_t soft_bytes = UINT64_MAX, hard_bytes = UINT64_MAX;
};

struct alignas(kCacheLine) OutboundSa {
  // 0 while it takes no packets. Slow path: release, when all else is written; owning worker:
  // acquire, where another worker handed it a packet for this SA, and 0 when it is removed.
  std::atomic<uint32_t> active_generation = 0;
  // Another number whenever packets that went by this SA may have to go by another, or none
  // (outbound_sad.h). Never goes back to an earlier one, whoever has the slot. Slow path: release;
  // workers: acquire.
  std::atomic<uint32_t> version = 0;
  Be32 spi;
  uint32_t checksum_part = 0;  // IPv4: one's complement sum of the constant fields
  EspLayout layout;
  uint8_t outer_bytes = 0;  // of outer_header
  IpsecProtocol protocol = IpsecProtocol::kEsp;
  uint8_t then_bytes = 0;  // what the SA that its packets go into adds
  CryptoSession session = {};
  Adjacency adjacency;              // worker only
  uint32_t then_slot_plus_one = 0;  // the SA that its packets go into; 0: none

  // What moves: worker only. The slow path reads this and the counters; all relaxed.
  alignas(kCacheLine) std::atomic<uint64_t> sequence_next = 1;
  Counter bytes;
  // From these numbers on sa_life.h looks closer, before a packet is sent.
  uint64_t check_sequence = 0, check_bytes = 0;
  uint32_t in_flight = 0;                      // packets of it with the crypto backend
  uint8_t outer_header[kOuterHeaderMax] = {};  // IPv4 with UDP ends with this line

  uint16_t path_mtu = 0;                   // learned; 0: none (fastpath/path_mtu.h); worker only
  uint16_t then_generation = 0;            // with then_slot_plus_one: its low bits
  uint64_t iv_secret = 0;                  // CBC: random half of the nonce that is encrypted
  const SelectorSet* selectors = nullptr;  // lives as long as the slot is filled
  Counter dropped;
  uint32_t path_mtu_until = 0;  // TSC >> kPathMtuShift: it counts no longer
  uint32_t retiring_next = 0;
  SlotId slot{};
  uint32_t generation = 0;

  alignas(kCacheLine) Endpoint local;  // rarely touched
  Endpoint remote;
  uint64_t peer = 0;  // OutboundSaParameters::peer
  const OutboundLife* life = nullptr;
  WorkerId owner{};  // constant while the slot is filled
  bool soft_reported = false, hard_reported = false;
  bool over = false;  // came to the end of its life

  uint64_t TakeSequence() {
    const uint64_t sequence = sequence_next.load(std::memory_order_relaxed);
    sequence_next.store(sequence + 1, std::memory_order_relaxed);
    return sequence;
  }
  // For a packet that was not sent after all. Requires: it is the last that was taken.
  void PutBackSequence(uint64_t sequence) {
    sequence_next.store(sequence, std::memory_order_relaxed);
  }
  uint64_t packets() const { return sequence_next.load(std::memory_order_relaxed) - 1; }
};
static_assert(offsetof(OutboundSa, sequence_next) == kCacheLine);
static_assert(offsetof(OutboundSa, outer_header) + 28 == 2 * kCacheLine);
static_assert(offsetof(OutboundSa, local) == 3 * kCacheLine);
static_assert(sizeof(OutboundSa) == 4 * kCacheLine);

// What an IPv4 packet of a tunnel touches.
inline void PrefetchSa(const OutboundSa& sa) {
  rte_prefetch0(&sa);
  rte_prefetch0(&sa.sequence_next);
}

// A multiple of 4 bytes behind IPv4, of 8 behind IPv6 (RFC 4302, 3.3.3.2.1).
inline size_t AhBytes(const EspLayout& layout, uint8_t family) {
  const size_t align = family == 4 ? 4 : 8;
  return (12u + layout.iv_bytes + layout.icv_bytes + align - 1) & ~(align - 1);
}
// What AH adds to a packet.
inline size_t AhOverhead(const OutboundSa& sa) {
  return (sa.layout.transport ? 0u : sa.outer_bytes) + AhBytes(sa.layout, sa.layout.outer_family);
}

// Bytes of the whole packet that protection makes of one of `inner_bytes`. `clear_bytes`: of the
// headers that stay in front in transport mode (fastpath/transport_header.h); 0 in tunnel mode.
inline size_t EncapsulatedSize(const OutboundSa& sa, size_t inner_bytes, size_t clear_bytes = 0) {
  if (sa.protocol == IpsecProtocol::kAh) return inner_bytes + AhOverhead(sa);
  const size_t align = sa.layout.align_bytes;
  const size_t encrypted = (inner_bytes - clear_bytes + 2 + align - 1) & ~(align - 1);
  return clear_bytes + sa.outer_bytes + 8u + sa.layout.iv_bytes + encrypted + sa.layout.icv_bytes;
}

// The largest packet that protection makes one of at most `outer_bytes` of; 0 where none is.
inline size_t InnerSizeMax(const OutboundSa& sa, size_t outer_bytes, size_t clear_bytes = 0) {
  if (sa.protocol == IpsecProtocol::kAh) {
    return outer_bytes > AhOverhead(sa) ? outer_bytes - AhOverhead(sa) : 0;
  }
  const size_t around =
      clear_bytes + sa.outer_bytes + 8u + sa.layout.iv_bytes + sa.layout.icv_bytes;
  if (outer_bytes <= around) return 0;
  const size_t align = sa.layout.align_bytes;
  const size_t encrypted = (outer_bytes - around) & ~(align - 1);
  return encrypted <= 2 ? 0 : encrypted - 2 + clear_bytes;
}

// What an SA is installed from, checked for what no SA could be made of: key lengths, ends of two
// families, too many selectors. Works on InboundSaParameters and OutboundSaParameters.
struct SaShape {
  const IpsecSuite& suite;
  ByteSpan encryption_key, integrity_key;
  const TrafficSelectors& local;
  const TrafficSelectors& remote;
  const Endpoint& local_endpoint;
  const Endpoint& remote_endpoint;
};
template <typename Parameters>
SaShape ShapeOf(const Parameters& p) {
  return {p.suite,  p.encryption_key.span(), p.integrity_key.span(), p.local,
          p.remote, p.local_endpoint,        p.remote_endpoint};
}
absl::Status CheckShape(const SaShape& shape);

// The constants that follow from a suite. Requires: a suite that CheckSuite() accepted, and its
// keys with their salt.
struct SuiteKeys {
  ByteSpan encryption, integrity;
};
EspLayout LayoutOf(const IpsecSuite& suite, const SuiteKeys& keys, bool udp_encapsulation,
                   IpFamily outer_family);

}  // namespace sekisho::fastpath
