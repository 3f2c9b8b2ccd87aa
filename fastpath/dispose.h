// fastpath/dispose.h: how a packet ends here: dropped under a name, or consumed by intention.
// Buffers go back to their pool in bulk.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// The worker takes the packet and counts the reason, for the port that the packet came in on.
void Drop(Worker& worker, rte_mbuf* mbuf, DropReason reason);
// Each packet under the reason in its context.
void DropAll(Worker& worker, const PacketList& packets);
// Answered, learned from: done with.
void Consume(Worker& worker, rte_mbuf* mbuf);
// Counts drops of packets that others have freed.
void CountDrops(Worker& worker, PortId port, DropReason reason, uint64_t packets);
// Once per round.
void FreeDisposed(Worker& worker);

// An empty packet made here, with its context; nullptr (and a count) when there is no buffer.
// Counted as made_here.
rte_mbuf* MakePacket(Worker& worker, size_t bytes);
// The packet has become an answer: what came in is consumed, what goes out is made here.
void TurnIntoOwn(Worker& worker, rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
