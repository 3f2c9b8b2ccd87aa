// fastpath/arp.h: answers ARP requests for our addresses and learns who is next to us (RFC 826).
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes packets of kind kArp. An answer leaves by the port that the request came in on; the
// neighbours that said something about themselves to us are reported up.
void Arp(Worker& worker, Burst burst);

}  // namespace sekisho::fastpath
