// ike/rekey_ike_sa.h: the CREATE_CHILD_SA exchange that replaces the IKE SA (RFC 7296, 1.3.2, 2.18,
// 2.8.2).
//
//   SK { SA, Ni, KEi }  -->
//                <--  SK { SA, Nr, KEr }
//
// The successor takes over the Child SAs, the lease and the IkeSaId; whoever began deletes the old
// one.
#pragma once

#include "ike/core.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// Is this CREATE_CHILD_SA request about the IKE SA?
bool IsIkeRekey(const Message& request);

void BeginRekeyIke(Core& core, IkeSa& sa);
void ProcessRekeyIkeResponse(Core& core, IkeSa& sa, const Message& response);

// The request is in sa.peer.
void ProcessRekeyIkeRequest(Core& core, IkeSa& sa);

// The peer deletes an IKE SA: it has what took its place, which is settled by that. While both
// rekey it: it did not see our rekey, so its own stands.
void ConcedeRekey(Core& core, IkeSa& sa);
// The peer makes use of the IKE SA that its rekey made while ours still runs: it has decided that
// its own stands. (If it deletes it, it has decided otherwise.)
void ConcedeToSuccessor(Core& core, IkeSa& next, const Message& request);

}  // namespace sekisho::ike
