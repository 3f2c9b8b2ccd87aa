// fastpath/punt.h: what a worker hands up to the slow path, within limits per class, so that a
// flood of one kind leaves room for the others.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Per second, and at once.
inline constexpr uint64_t kIkePerSecond = 20000, kIkeBurst = 2048;
// Questions for neighbours and the answers that somebody waits for have a share of their own: a
// flood of ARP requests to us must not keep us from sending.
inline constexpr uint64_t kResolvePerSecond = 2000, kResolveBurst = 512;
inline constexpr uint64_t kNeighbourPerSecond = 1000, kNeighbourBurst = 256;
inline constexpr uint64_t kAcquirePerSecond = 100, kAcquireBurst = 64;
inline constexpr uint64_t kIcmpErrorPerSecond = 100, kIcmpErrorBurst = 50;
inline constexpr uint64_t kPathMtuPerSecond = 100, kPathMtuBurst = 200;
// Room for every class's burst at once, and for answers to the slow path's own messages.
inline constexpr unsigned kUpRingSize = 4096;
inline constexpr unsigned kDownRingSize = 4096;

Budgets MakeBudgets(uint64_t tsc_hz);

// False: the ring is full; nothing is done.
bool SendUp(Worker& worker, UpMessage message);

// Packets of kind kIke. Takes off everything before the IKE message.
void PuntIke(Worker& worker, Burst burst);
// The neighbour at `address` said that it is `mac`.
void ReportNeighbour(Worker& worker, PortId port, const IpAddress& address, const MacAddress& mac);
// A packet waits for this one's link-layer address. False: could not be said now.
bool AskForNeighbour(Worker& worker, PortId port, const IpAddress& address);
// A packet that `policy` protects has no SA.
void ReportAcquire(Worker& worker, rte_mbuf* mbuf);
// What the IPsec stages have to tell, as far as the ring has room.
void SendEspEvents(Worker& worker);

}  // namespace sekisho::fastpath
