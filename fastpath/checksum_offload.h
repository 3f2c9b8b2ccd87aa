// fastpath/checksum_offload.h: which checksums a port makes and checks, and which software does.
//
//     in    IPv4 header          the port where it can; its word is taken (ParseFrame())
//           UDP, ICMP to us      software: packets for the slow path, few
//     out   TCP and UDP that are made anew (UDP around ESP over IPv6; what came out of transport
//           mode behind NAT)     put off until the packet leaves, made by the port where it can
//           TCP and UDP else     updated by the words that changed; transit keeps its sender's
//           IPv4 header          software: from the SA's template, or updated; it is 20 bytes that
//                                are in the cache, and cost less than telling the port
#pragma once

#include <rte_mbuf.h>

#include <cstddef>

#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

// The TCP or UDP checksum of this packet is to be made when it leaves. What stands in its place
// until then means nothing. Requires: no fragment; TCP or a UDP packet that fills its IP packet.
inline void PutOffChecksum(PacketContext& context) { context.checksum_due = true; }

// Makes a checksum that was put off, in software: before a packet is cut or goes into an SA, and
// where the port out cannot. Requires: the data starts with the IP header.
void MakeDueChecksum(rte_mbuf* mbuf);

// Has the port make it, in a frame with `link_bytes` in front of the IP header; in software where
// the headers are longer than a port can be told. Requires: the same, and that it was put off.
void LeaveDueChecksumToPort(rte_mbuf* mbuf, size_t link_bytes);

}  // namespace sekisho::fastpath
