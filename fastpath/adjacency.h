// fastpath/adjacency.h: packets whose way out is known: no route is looked up for them, and no
// neighbour.
//
// Two places keep it: an outbound SA for its ESP packets, which all go to one peer, and the
// worker's DestinationCache for what comes out of tunnels and goes inside. Both are filled by
// transmit.cc when a packet went the long way to a neighbour that was resolved, and are right as
// long as the worker has swapped no tables and lost no neighbour since
// (EspWorker::adjacency_epoch).
#pragma once

#include "fastpath/neighbour_table.h"
#include "fastpath/packet_list.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

// ESP packets of ours, encrypted. Those whose SA does not know the way are routed.
void SendProtected(Worker& worker, Burst burst);
// Inner packets of tunnels that go inside, to a destination that is known, with nothing to be done
// but to count down their TTL. `rest`: all others, as they were; behind the first that is known and
// needs more, all, so that packets of a flow stay in order.
void SendInner(Worker& worker, Burst burst, PacketList& rest);

// The packet goes to this neighbour, which is resolved: so will those like it.
void NoteAdjacency(Worker& worker, rte_mbuf* mbuf, PortId port, const Neighbour& neighbour);
// Nothing that was noted is right any more.
inline void ForgetAdjacencies(Worker& worker) {
  if (++worker.esp.adjacency_epoch == 0) worker.esp.adjacency_epoch = 1;
}

}  // namespace sekisho::fastpath
