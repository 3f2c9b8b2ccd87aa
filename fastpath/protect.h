// fastpath/protect.h: packets that a PROTECT policy claims, to their SAs.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes packets with policy and next_hop set, finds each one's outbound SA and submits it for
// encapsulation, or hands it to the worker that owns the SA. Without an SA the slow path is told
// (kAcquire) and the packet dropped; what would be too large once encapsulated is told to its
// sender, where it may not be cut.
void Protect(Worker& worker, Burst burst);
// Takes packets that another worker gave to the owner of their SA (HandOverStage::kProtect).
// Nothing is believed that may have changed on the way: neither the SA, nor policy and route.
void ProtectHandedOver(Worker& worker, Burst burst);

}  // namespace sekisho::fastpath
