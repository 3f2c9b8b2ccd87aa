// ike/ike_auth.h: the IKE_AUTH exchange (RFC 7296, 1.2).
//
//   SK { IDi, [N(INITIAL_CONTACT),] [CERT..,] [CERTREQ,] [IDr,] AUTH, [CPRQ,] SAi2, TSi, TSr }  -->
//                                <--  SK { IDr, [CERT..,] AUTH, [CPRP,] SAr2, TSi, TSr }
//
// or <-- SK { N(AUTHENTICATION_FAILED) }, or <-- SK { IDr, AUTH, N(why there is no Child SA) }.
#pragma once

#include "ike/core.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// Initiator: as soon as the keys of the IKE SA are there.
void BeginIkeAuth(Core& core, IkeSa& sa);
void ProcessIkeAuthResponse(Core& core, IkeSa& sa, Message response);

// Responder: the request is in sa.peer.
void ProcessIkeAuthRequest(Core& core, IkeSa& sa);
// Responder: the answer to AskLease, in sa.peer->lease.
void ProcessLease(Core& core, IkeSa& sa);

}  // namespace sekisho::ike
