// fastpath/worker_hand_over.h: packets that one worker hands to another: of an SA that the other
// owns, of a packet whose fragments meet there, out of a port whose queue is the other's.
//
// Between each two workers and in each direction there is a ring of one producer and one consumer.
// A worker collects what is for another and puts it on the ring in bursts, at the end of its round
// at the latest; the other says in the packet's context where to go on (HandOverStage). The packets
// of one flow take one way, so that they stay in order. A full ring drops, under
// DropReason::kHandOverFull. Packets on a ring are part of Accounting::held.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

inline constexpr unsigned kHandOverRingSize = 1024;  // packets

// Takes the packet. Requires: `to` is another worker, of those that there are.
void HandOverTo(Worker& worker, WorkerId to, HandOverStage stage, rte_mbuf* mbuf);
// ESP packets as parse left them: those of SAs that other workers own go there, the rest is `own`.
void HandOverToSpiOwners(Worker& worker, Burst burst, PacketList& own);
// A fragment as ParseIp() left it. True: it went to the worker where the fragments of its packet
// meet. RSS cannot be relied upon for that: many devices hash the ports of a first fragment, and
// what comes out of two SAs is spread by their SPIs.
bool HandOverToFragmentHome(Worker& worker, rte_mbuf* fragment);
// Once per round, at its end.
void FlushHandOver(Worker& worker);

// The next packets from one other worker, up to mbufs.size().
size_t TakeHandedOver(Worker& worker, size_t from, std::span<rte_mbuf*> mbufs);

}  // namespace sekisho::fastpath
