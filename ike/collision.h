// ike/collision.h: both ends replace the same SA at the same time (RFC 7296, 2.8.1, 2.8.2, 2.25).
#pragma once

#include "common/bytes.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// "Lowest" compares octet by octet; a nonce that is the beginning of another is the lower one.
const Bytes& LowerNonce(const Bytes& a, const Bytes& b);

// Of the two SAs made at once, the one whose exchange had the lowest of the four nonces goes; who
// made it closes it. Is that ours?
bool OursIsRedundant(const Bytes& our_lowest_nonce, const Bytes& rival_nonce);

// Our rekey of this Child SA, if the peer can know of it already.
OwnExchange* OwnRekeyOf(IkeSa& sa, ChildSaId child);
// Our rekey of this IKE SA, likewise.
OwnExchange* OwnRekeyOf(IkeSa& sa);

// Is a request of the peer, or a task or exchange of ours, about to change a Child SA?
bool IsChangingChildren(const IkeSa& sa);

}  // namespace sekisho::ike
