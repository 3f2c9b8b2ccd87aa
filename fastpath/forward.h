// fastpath/forward.h: what happens to a packet that goes through us: policy, route, TTL, and
// protection where policy wants it. Fails closed: without a policy that lets it, nothing crosses an
// outside port.
//
//     in by an outside port, in clear    inbound SPD: BYPASS goes on, PROTECT may not come in clear
//     out of an inbound SA               checked against the SA's selectors already
//     out by an outside port             outbound SPD: BYPASS, or PROTECT through an outbound SA
//     inside to inside                   goes on
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes packets of kind kTransit, from the wire or from a tunnel, and ICMP messages of our own.
// Answers to what came in clear from outside need no policy, unless PROTECT claims them: they
// repeat nothing that was not in clear before. All others do, like any packet: an ICMP error quotes
// what it is about, an echo reply repeats it, and that may have come out of a tunnel or from
// inside. Requires: at most kBurstMax.
void Forward(Worker& worker, Burst burst);

// Takes packets that another worker routed and decided under tables that this worker does not use
// (any more, or yet): route and policy once more, in the place where the other left off.
void DecideAgain(Worker& worker, Burst burst);

// Came in clear from outside with a source address that is not there, but inside (RFC 2827)? Only
// where the port asks for it.
bool IsSpoofed(Worker& worker, rte_mbuf* mbuf);

// Takes packets of our own that policy has no say in: ESP and IKE. Requires: at most kBurstMax.
void RouteOwn(Worker& worker, Burst burst);

// Who takes a packet that is for us: the worker, which answers, or the machine's own stack.
enum class ForWhom : uint8_t { kWorker, kHost };

// Takes packets for ourselves. Those that came through the right door are in `admitted`: what comes
// in clear from outside may not be what policy wants protected, and reaches the addresses of our
// inside ports only where policy bypasses it. The host has nothing in clear from outside but what a
// policy lets in, to whatever address.
void AdmitLocal(Worker& worker, Burst burst, PacketList& admitted,
                ForWhom for_whom = ForWhom::kWorker);

}  // namespace sekisho::fastpath
