// fastpath/icmp_echo.h: answers pings of our addresses (RFC 792; RFC 4443, 4).
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes packets of kind kIcmpEcho. The answers are packets of our own in `answers`, to be
// forwarded. Requires: room in it for the burst.
void IcmpEcho(Worker& worker, Burst burst, PacketList& answers);

}  // namespace sekisho::fastpath
