// fastpath/host.h: this machine's own IP stack behind the host port: what it sends, and what is
// delivered up to it.
//
// Its kernel has our addresses and asks for its neighbours there; we answer for all of them, as the
// port is its only way out. Without a host port nothing here is called.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// A parsed IP packet from the host port: true where it goes on, as kTransit towards the outbound
// SPD, or as kNd. Only what has an address of ours as its source does: false, with context.reason.
bool TakeFromHost(Worker& worker, rte_mbuf* mbuf);
// The frame that it came in tells the host's MAC address.
void LearnHostMac(Worker& worker, rte_mbuf* mbuf);

// Packets of kind kLocal: those that the inbound SPD lets in, or an SA did, go to the host port;
// without one they are dropped.
void DeliverUp(Worker& worker, Burst burst);

}  // namespace sekisho::fastpath
