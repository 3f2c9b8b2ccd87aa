// ike/configuration_payload.h: virtual addresses and DNS servers (RFC 7296, 2.19, 3.15).
#pragma once

#include <vector>

#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// Initiator: CFG_REQUEST, if the connection wants addresses.
void BuildConfigurationRequest(const IkeSa& sa, std::vector<Payload>& payloads);
// Initiator: takes the addresses out of the CFG_REPLY. False: we asked and got none.
bool ProcessConfigurationReply(const Message& response, IkeSa& sa);

// Responder: asks the driver for addresses if the peer wants some and the connection has some to
// give. True: an answer will come through Engine::HandleLease().
bool AskForLease(Core& core, IkeSa& sa, const Message& request);
// Responder: did the peer ask for an address that it did not get?
bool LeaseFailed(const PeerExchange& peer);
// Responder: CFG_REPLY, if there is a lease.
void BuildConfigurationReply(const PeerExchange& peer, std::vector<Payload>& payloads);

}  // namespace sekisho::ike
