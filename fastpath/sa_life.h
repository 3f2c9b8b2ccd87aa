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

[[gnu::cold]] DropReason EndOutbound(EspWorker& worker, OutboundSa& sa);
[[gnu::cold]] void SaySoftExpiry(EspWorker& worker, OutboundSa& sa);
[[gnu::cold]] DropReason CountLimited(EspWorker& worker, InboundSa& sa, size_t bytes);

// May the SA send one more packet of `bytes`? kNone, or why not.
inline DropReason CheckLife(EspWorker& worker, OutboundSa& sa, size_t bytes) {
  if (sa.sequence_next.load(std::memory_order_relaxed) > sa.sequence_last ||
      sa.bytes.Get() + bytes > sa.hard_bytes) [[unlikely]] {
    return EndOutbound(worker, sa);
  }
  return DropReason::kNone;
}

// It did, under this number.
inline void CountSent(EspWorker& worker, OutboundSa& sa, uint64_t sequence, size_t bytes) {
  sa.packets.Add(1);
  sa.bytes.Add(bytes);
  if ((sequence >= sa.soft_sequence || sa.bytes.Get() >= sa.soft_bytes) && !sa.soft_reported)
      [[unlikely]] {
    SaySoftExpiry(worker, sa);
  }
}

// An authentic packet that holds `bytes` came in; it is counted by the caller if kNone.
inline DropReason CheckLife(EspWorker& worker, InboundSa& sa, size_t bytes) {
  return sa.limited ? CountLimited(worker, sa, bytes) : DropReason::kNone;
}

}  // namespace sekisho::fastpath
