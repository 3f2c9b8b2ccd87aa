// fastpath/recall.h: packets whose flow was decided before, straight from the port to their SA.
//
// In front of parse.cc, for ports with side kInside: what is plain (whole, no options, TCP or UDP,
// nothing to be said to its sender) and has an entry in the worker's DecisionCache gets here all
// that parse.cc, forward.cc and protect.cc would do to it, and goes to the crypto backend. All else
// is left as it was.
//
// Packets of one flow stay in order: behind a packet that is not plain the whole rest of the burst
// goes the long way; and of a flow that is not known all packets of a burst are not.
#pragma once

#include "fastpath/packet_list.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Frames as received, not yet parsed. `rest`: those that go the long way.
void Recall(Worker& worker, PortId port, Burst frames, PacketList& rest);

// Nothing that was kept is right any more.
inline void ForgetDecisions(Worker& worker) {
  worker.known4.Forget();
  worker.known6.Forget();
}

// Keeps the decision that the stages made for a packet, where it is one that Recall() may repeat.
// The packet is decided (context.policy, context.outbound_sa) and not yet encapsulated. Requires:
// the SA is this worker's.
void Remember(Worker& worker, rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
