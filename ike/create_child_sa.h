// ike/create_child_sa.h: the CREATE_CHILD_SA exchange for Child SAs, new ones and rekeys (RFC 7296,
// 1.3.1, 1.3.3, 2.8).
//
//   SK { [N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr }  -->
//                              <--  SK { SA, Nr, [KEr,] TSi, TSr }
//
// or <-- SK { N(INVALID_KE_PAYLOAD) }, and the request comes again with another group.
#pragma once

#include "ike/core.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// Whoever begins. A Child SA that cannot be rekeyed now is tried again later.
void BeginNewChild(Core& core, IkeSa& sa, size_t template_index);
void BeginRekeyChild(Core& core, IkeSa& sa, ChildSaId child);
void ProcessCreateChildResponse(Core& core, IkeSa& sa, Message response);

// Whoever answers: the request is in sa.peer, and it is not about an IKE SA.
void ProcessCreateChildRequest(Core& core, IkeSa& sa);

}  // namespace sekisho::ike
