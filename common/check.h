// common/check.h: assertions about ourselves.
//
// SEKISHO_CHECK is for what must hold or a key or plaintext could leak: it stops the program in
// every build. SEKISHO_DCHECK is for the rest: it stops a debug build and costs nothing in a
// release build. Neither is for a packet, a peer, a file or an operator: those get a DropReason or
// an absl::Status.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SEKISHO_CHECK(condition)                                                              \
  do {                                                                                        \
    if (!(condition)) [[unlikely]] {                                                          \
      std::fprintf(stderr, "%s:%d: bug: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                           \
    }                                                                                         \
  } while (false)

#ifdef NDEBUG
#define SEKISHO_DCHECK(condition) static_cast<void>(0)
#else
#define SEKISHO_DCHECK(condition) SEKISHO_CHECK(condition)
#endif
