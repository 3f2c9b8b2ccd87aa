// fastpath/packet_context.h: what the stages know about one packet. It lives in the private area of
// the packet's mbuf, so that it survives a trip through an asynchronous crypto device.
//
// From parse on the mbuf's data starts at the (outermost not yet removed) IP header; the Ethernet
// header that came with it still stands before it in the headroom until something is prepended.
// Every mbuf is a single segment from parse on.
#pragma once

#include <emmintrin.h>
#include <rte_crypto.h>
#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/ip_address.h"
#include "common/messages.h"
#include "fastpath/drop_reason.h"
#include "fastpath/handling.h"

namespace sekisho::fastpath {

struct NextHop;     // fastpath/route_table.h
struct InboundSa;   // fastpath/sa.h
struct OutboundSa;  // fastpath/sa.h

// What parse found. Decides which stage comes next.
enum class PacketKind : uint8_t {
  kTransit,        // to be forwarded: SPD
  kIke,            // UDP 500, or 4500 with the non-ESP marker, for us
  kNatTKeepalive,  // one byte 0xff on UDP 4500, for us
  kEsp,            // ESP for us, plain
  kEspInUdp,       // ESP for us, on UDP 4500
  kAh,             // AH for us
  kFragment,       // fragment for us
  kArp,
  kNd,          // neighbour solicitation or advertisement
  kIcmpEcho,    // echo request for us
  kIcmpTooBig,  // "too big", "fragmentation needed": about a packet of ours, perhaps
  kLocal,       // anything else for us
};

// Where the worker that is handed a packet by another goes on with it.
enum class HandOverStage : uint8_t {
  kDispatch,  // by its kind, as if it had been received there: ESP, fragments, transit
  kInner,     // out of an SA, to the home of its flow
  kDecide,    // routed already; the home of its flow decides by which way it leaves
  kProtect,   // the SA of sa_slot, which that worker owns; or to be looked up there
  kTransmit,  // a whole frame, for the queue of port_out that that worker owns
};

// What each packet needs stands in the first line, what few do behind it.
struct PacketContext {
  DropReason reason;  // not kNone: to be dropped, under this name
  PacketKind kind;
  uint8_t family;    // 4 or 6: of the IP header that the data starts with
  uint8_t protocol;  // the upper-layer protocol, after IPv6 extension headers
  PortId port_in;
  uint16_t l4_offset;    // from the IP header to the upper-layer header
  uint16_t source_port;  // host order; ICMP: type << 8 | code, destination_port 0; else 0
  uint16_t destination_port;
  uint32_t policy;    // index of the SPD policy that decided; UINT32_MAX: none did
  uint16_t path_mtu;  // of our ESP packet's way; 0: the port's
  Handling handling;  // by that policy, where it is PROTECT
  union {
    InboundSa* inbound_sa;    // from SAD look-up to decapsulation
    OutboundSa* outbound_sa;  // from SPD to transmission
  };
  const NextHop* next_hop;   // from routing to transmission, within one round of the worker
  uint64_t sequence;         // of the ESP packet, 64 bits where ESN
  bool decapsulated;         // came out of one of our inbound SAs
  bool may_nest;             // and the last of these may have held ESP or AH for us
  uint8_t layers;            // SAs that it came out of
  bool learns_flow;          // and several peers of such SAs may look alike (flow_table.h)
  bool by_flow;              // outbound_sa is the flow's: no other will do
  bool ours;                 // made here (IKE, ICMP, ARP, ND)
  bool answers_clear;        // ours, and repeats only what came in clear by an outside port
  bool fragment;             // an IP fragment: its ports cannot be seen, and are 0 here
  uint16_t fragment_source;  // place of its source in ReassemblyTable::held_by_source
  bool reassembled;          // came in fragments, and may leave in fragments
  HandOverStage stage;       // where another worker goes on with the packet
  WorkerId sa_owner;         // with outbound_sa: by what its owner finds it, if that is another
  bool checksum_due;         // its TCP or UDP checksum is made when it leaves (checksum_offload.h)
  PortId port_out;           // HandOverStage::kTransmit

  SlotId sa_slot;              // with sa_owner
  uint32_t sa_generation;      // 0: to be looked up again
  uint64_t tables_generation;  // under which it was decided, where it was handed over
  uint64_t peer;               // decapsulated: whose SA it came out of (InboundSaParameters::peer)
  uint64_t within;             // LayerOf() the SA of AH that it has just come out of; 0: none
};
static_assert(offsetof(PacketContext, sa_slot) == 64);
static_assert(sizeof(PacketContext) == 96);

// As `context = {}`, for which compilers take a string instruction that costs more to start than
// these six stores.
inline void ClearContext(PacketContext& context) {
  auto* at = reinterpret_cast<__m128i*>(&context);
  const __m128i zero = _mm_setzero_si128();
  _mm_store_si128(at, zero);
  _mm_store_si128(at + 1, zero);
  _mm_store_si128(at + 2, zero);
  _mm_store_si128(at + 3, zero);
  _mm_store_si128(at + 4, zero);
  _mm_store_si128(at + 5, zero);
}

// Beside the context stands what a crypto operation needs: no allocation per packet.
struct alignas(64) PacketPrivate {
  PacketContext context;
  uint8_t iv[16];   // cipher IV, counter block, or nonce
  uint8_t aad[16];  // AEAD: SPI, sequence number (RFC 4106, 5)
  uint8_t icv[32];  // AH: the ICV that came, while zeros stand in its place
  struct {          // CryptodevBackend's
    rte_crypto_op op;
    rte_crypto_sym_op sym;
    uint8_t iv[16], aad[32];
  } crypto;
};
static_assert(offsetof(PacketPrivate, icv) == 128);

// Requires: an mbuf of a pool made with a private area of sizeof(PacketPrivate).
inline PacketPrivate& PrivateOf(rte_mbuf* mbuf) {
  return *static_cast<PacketPrivate*>(rte_mbuf_to_priv(mbuf));
}
inline PacketContext& ContextOf(rte_mbuf* mbuf) { return PrivateOf(mbuf).context; }

// A burst of packets, all belonging to the worker.
using Burst = std::span<rte_mbuf* const>;
inline constexpr uint16_t kBurstMax = 32;

}  // namespace sekisho::fastpath
