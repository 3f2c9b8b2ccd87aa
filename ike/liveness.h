// ike/liveness.h: is the peer still there (RFC 7296, 2.4)? An empty INFORMATIONAL request after a
// time without any authenticated sign of it; retransmission.cc draws the conclusion.
#pragma once

#include "ike/core.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// The timer.
void CheckLiveness(Core& core, IkeSa& sa);
void BeginLiveness(Core& core, IkeSa& sa);

}  // namespace sekisho::ike
