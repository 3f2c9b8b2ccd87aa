// ike/informational.h: the INFORMATIONAL exchange: deletes, liveness, notifies (RFC 7296, 1.4).
//
//   SK { [D(ESP, SPIs of the sender)] | [D(IKE)] | nothing }  -->
//                              <--  SK { [D(ESP, SPIs of the other half)] | nothing }
#pragma once

#include "ike/core.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

void BeginDeleteChild(Core& core, IkeSa& sa, ChildSaId child);
void BeginDeleteIke(Core& core, IkeSa& sa);
// Initiator: the responder's AUTH was wrong; it is told, and then the IKE SA is gone.
void SendAuthenticationFailed(Core& core, IkeSa& sa);
void ProcessInformationalResponse(Core& core, IkeSa& sa);

// The request is in sa.peer.
void ProcessInformationalRequest(Core& core, IkeSa& sa);

}  // namespace sekisho::ike
