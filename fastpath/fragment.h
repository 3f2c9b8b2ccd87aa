// fastpath/fragment.h: cuts an IP packet that is larger than the way out (RFC 791, 2.3; RFC 8200,
// 4.5). For IPv6 only its source may do so: packets made here, and packets that came in pieces.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// A packet of the largest buffer, over the smallest link of IPv4 that we accept, in pieces.
inline constexpr size_t kFragmentsMax = 128;
using FragmentList = std::array<rte_mbuf*, kFragmentsMax>;

// Copies the packet, whose data is an IP packet, into pieces of at most `mtu` bytes, each in an
// ordinary buffer with the context of the whole; the packet stays the caller's. Returns how many
// pieces; 0: no buffers, or too many pieces or headers, and nothing is left behind.
size_t FragmentPacket(Worker& worker, rte_mbuf* packet, uint16_t mtu, FragmentList& pieces);

}  // namespace sekisho::fastpath
