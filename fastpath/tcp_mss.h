// fastpath/tcp_mss.h: makes both ends of a TCP connection send segments that fit through a tunnel
// (RFC 9293, 3.7.1), where ICMP "too big" does not reach them.
#pragma once

#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

// Is this TCP header one of a SYN? Requires: all 20 bytes may be read.
inline bool HasSyn(const uint8_t* tcp) { return (tcp[13] & 0x02) != 0; }
// Is it a SYN, of either direction? Requires: ParseIp() succeeded.
bool IsTcpSyn(rte_mbuf* mbuf, const PacketContext& context);

// Lowers the maximum segment size that a SYN announces to `mss_max`, and puts the checksum right; a
// SYN that announces none, or less, stays as it is. Requires: IsTcpSyn().
void ClampMss(rte_mbuf* mbuf, const PacketContext& context, uint16_t mss_max);

}  // namespace sekisho::fastpath
