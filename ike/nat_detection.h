// ike/nat_detection.h: is there a NAT between us (RFC 7296, 2.23)?
#pragma once

#include <vector>

#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// Appends N(NAT_DETECTION_SOURCE_IP) and N(NAT_DETECTION_DESTINATION_IP).
void BuildNatDetection(const IkeSa& sa, std::vector<Payload>& payloads);

// Sets local_behind_nat and remote_behind_nat from the peer's view of the two endpoints. A peer
// that sends hashes which fit nothing asks for UDP encapsulation, and gets it.
void ProcessNatDetection(const Message& message, IkeSa& sa);

// Initiator: leaves port 500 for 4500 if there is a NAT.
void MoveToNatPort(IkeSa& sa);

}  // namespace sekisho::ike
