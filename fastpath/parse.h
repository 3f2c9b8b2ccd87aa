// fastpath/parse.h: from bytes off the wire to a PacketContext. Every length is checked before what
// it covers is read; nothing here keeps state, so a worker, a test and a fuzzer call the same code.
//
// A packet that fails has context.reason set and is to be dropped under that name.
#pragma once

#include <rte_mbuf.h>

#include "common/messages.h"
#include "fastpath/local_addresses.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

inline constexpr int kIpv6ExtensionHeadersMax = 8;
// Of one packet; what is for us below that is not ours to unwrap.
inline constexpr uint8_t kIpsecLayersMax = 4;
inline constexpr size_t kEthernetHeaderBytes = 14;
inline constexpr size_t kVlanTagBytes = 4;
inline constexpr size_t kNonEspMarkerBytes = 4;  // RFC 3948, 2.2

// Takes a received frame apart as far as Ethernet: the data then starts at the IP header or the ARP
// packet, and for IP the rest is ParseIp()'s. `mac` and `vlan` (0: none) are the port's: a tag is
// taken off, also before what stands in the headroom then. Sets kind to kArp for ARP.
bool ParseFrame(rte_mbuf* mbuf, const MacAddress& mac, uint16_t vlan, PacketContext& context);

// Requires: the data starts at what should be an IP header, in one segment. Checks IPv4 (options)
// or IPv6 (extension headers) and what carries ports, cuts off what stands after the IP packet's
// end, and sets family, protocol, l4_offset, the ports, fragment (the ports are then 0) and kind
// (kTransit). Knows no address of ours, so it serves packets from the wire and packets from a
// tunnel alike.
bool ParseIp(rte_mbuf* mbuf, PacketContext& context);

// Requires: ParseIp() succeeded. Is it for us, and then what is it? Sets kind, and for UDP to us
// checks length and checksum and cuts the packet to its UDP length. Out of a tunnel only echo
// requests are for us, and out of an SA in transport mode ESP besides: everything else is kLocal.
bool ClassifyLocal(rte_mbuf* mbuf, const LocalAddresses& local, PacketContext& context);

// Requires: ParseIp() succeeded.
IpAddress SourceOf(rte_mbuf* mbuf, const PacketContext& context);
IpAddress DestinationOf(rte_mbuf* mbuf, const PacketContext& context);

}  // namespace sekisho::fastpath
