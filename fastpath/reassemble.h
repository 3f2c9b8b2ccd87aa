// fastpath/reassemble.h: puts IP fragments together again, for us (an IKE message with certificates
// is larger than a frame) and where a policy must see ports (RFC 4301, 7).
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

ReassemblyTable CreateReassemblyTable(uint64_t tsc_hz);

// Takes a fragment that ParseIp() has seen. Returns the whole packet when this was the last piece
// of it: one segment, parsed, with the context of its first fragment. Otherwise nullptr: the
// fragment waits, or was dropped, or went to the worker where all fragments of its packet meet;
// that one takes it up by its kind, so what stands before this call must bear being done again.
rte_mbuf* Reassemble(Worker& worker, rte_mbuf* fragment);
// From time to time: drops the fragments of packets that never became whole.
void ExpireFragments(Worker& worker);

}  // namespace sekisho::fastpath
