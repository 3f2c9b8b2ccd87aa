// fastpath/icmp_error.h: tells a sender why its packet did not go on (RFC 792, RFC 1191, RFC 4443).
//
// Rate-limited, and never about an ICMP error, a later fragment, or a packet from or to more than
// one host (RFC 1812, 4.3.2.7). The packet stays the caller's. The error is made now and forwarded
// at the start of the worker's next round.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// "The largest packet that can go on is `mtu` bytes."
void SendTooBig(Worker& worker, rte_mbuf* about, size_t mtu);
// TTL or hop limit ran out here.
void SendTimeExceeded(Worker& worker, rte_mbuf* about);

}  // namespace sekisho::fastpath
