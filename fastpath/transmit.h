// fastpath/transmit.h: the last stages: from an IP packet with its next hop to frames on a port.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes IP packets with context.next_hop set: cuts what is larger than the port's MTU where that is
// allowed, tells the sender where it is not, finds the next hop's link-layer address (or lets the
// packet wait for it), and writes the Ethernet header.
void Deliver(Worker& worker, Burst burst);

// Takes an IP packet whose next hop's address is known.
void SendTo(Worker& worker, PortId port, const MacAddress& mac, rte_mbuf* mbuf);
// Takes a whole frame: pads it and puts it among those that wait for the port.
void SendFrame(Worker& worker, PortId port, rte_mbuf* mbuf);
// Gives each port the frames that wait for it. Once per round.
void FlushTransmit(Worker& worker);
// From time to time, as it may be a system call: what goes out by a port without a link is dropped.
void SampleLinks(Worker& worker);

// kSetNeighbour, kForgetNeighbour, kAwaitNeighbour.
void SetNeighbour(Worker& worker, const DownMessage::Neighbour& message);
// An answer that comes to this worker is then told upward like one to its own question.
void AwaitNeighbour(Worker& worker, const DownMessage::Neighbour& message);
void ForgetNeighbour(Worker& worker, const DownMessage::Neighbour& message);

}  // namespace sekisho::fastpath
