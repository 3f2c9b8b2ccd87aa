// fastpath/sa_life.h: how much an SA may carry: lifetimes in bytes and packets (RFC 4301, 4.4.2.1),
// sequence numbers. For ESP and AH alike. Worker only.
//
// A soft limit that is reached is said once (kSoftExpiry) and changes nothing. A hard one ends the
// SA: it carries what fits below and nothing after; kHardExpiry is said once, with the first packet
// that is refused.
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

[[gnu::cold]] DropReason CheckLimits(EspWorker& worker, OutboundSa& sa, size_t bytes);
[[gnu::cold]] DropReason CountLimited(EspWorker& worker, InboundSa& sa, size_t bytes);

// Without lifetimes rekeying starts at three quarters of the sequence numbers. Slow path, before
// the SA is published, or its worker.
OutboundLife LifeOf(const OutboundSa& sa);
// Before the first packet, and after a limit was passed: from when on is there one to be looked at?
void SetChecks(OutboundSa& sa);

// May the SA send one more packet of `bytes`? kNone, or why not. With that packet a soft limit may
// be reached.
inline DropReason CheckLife(EspWorker& worker, OutboundSa& sa, size_t bytes) {
  if (sa.sequence_next.load(std::memory_order_relaxed) < sa.check_sequence &&
      sa.bytes.Get() + bytes < sa.check_bytes) [[likely]] {
    return DropReason::kNone;
  }
  return CheckLimits(worker, sa, bytes);
}

// An authentic packet that holds `bytes` came in; it is counted by the caller if kNone.
inline DropReason CheckLife(EspWorker& worker, InboundSa& sa, size_t bytes) {
  return sa.limited ? CountLimited(worker, sa, bytes) : DropReason::kNone;
}

}  // namespace sekisho::fastpath
