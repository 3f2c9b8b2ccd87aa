// fastpath/hand_over.h: tells ThreadSanitizer where a packet buffer changes hands inside DPDK.
//
// Pools and ports pass buffers between threads with atomics of their own, in libraries that are not
// instrumented, so the sanitizer would take every recycled buffer for a race. Nothing in any other
// build.
#pragma once

#include "common/sanitizer.h"

#ifdef SEKISHO_THREAD_SANITIZER
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

struct rte_mbuf;

namespace sekisho::fastpath {

// Before a buffer goes back to its pool, or out of a port.
inline void GiveToDpdk([[maybe_unused]] rte_mbuf* mbuf) {
#ifdef SEKISHO_THREAD_SANITIZER
  __tsan_release(mbuf);
#endif
}

// After a buffer came out of a pool (nullptr: it did not), or in by a port.
inline void TakeFromDpdk([[maybe_unused]] rte_mbuf* mbuf) {
#ifdef SEKISHO_THREAD_SANITIZER
  if (mbuf != nullptr) __tsan_acquire(mbuf);
#endif
}

}  // namespace sekisho::fastpath
