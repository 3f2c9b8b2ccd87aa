// ike/ike_sa_init.h: the IKE_SA_INIT exchange (RFC 7296, 1.2).
//
//   HDR(A,0), [N(COOKIE),] SAi1, KEi, Ni, N(NAT_DETECTION_*), N(SIGNATURE_HASH_ALGORITHMS)  -->
//       <--  HDR(A,B), SAr1, KEr, Nr, N(NAT_DETECTION_*), [CERTREQ,] N(SIGNATURE_HASH_ALGORITHMS)
//
// or <-- HDR(A,0), N(COOKIE) or N(INVALID_KE_PAYLOAD), and the request comes again.
#pragma once

#include <memory>

#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// Initiator. Requires: connection->remote_endpoint.
IkeSa& BeginIkeSaInit(Core& core, std::shared_ptr<const Connection> connection,
                      const Endpoint& local);
// Initiator: a datagram that claims to be the answer.
void ProcessIkeSaInitResponse(Core& core, IkeSa& sa, const Datagram& datagram);

// Responder.
void ProcessIkeSaInitRequest(Core& core, const Datagram& datagram, const Header& header);

}  // namespace sekisho::ike
