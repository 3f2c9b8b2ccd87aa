// ike/retransmission.h: sending requests until they are answered, and answers whenever the request
// is repeated (RFC 7296, 2.1 to 2.3). Both windows are one message.
#pragma once

#include <vector>

#include "ike/actions.h"
#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// Sends the IKE_SA_INIT request, unprotected; returns its bytes.
Bytes SendInitRequest(Core& core, IkeSa& sa, const std::vector<Payload>& payloads);
// Sends the next protected request. Requires: no request in flight, sa.own is the exchange.
void SendRequest(Core& core, IkeSa& sa, ExchangeType exchange,
                 const std::vector<Payload>& payloads);
// Answers the IKE_SA_INIT request, unprotected; returns the bytes.
Bytes SendInitResponse(Core& core, IkeSa& sa, const std::vector<Payload>& payloads);
// Answers the request in sa.peer, which is finished by that.
void Respond(Core& core, IkeSa& sa, const std::vector<Payload>& payloads);

// The same bytes once more, to where the repeated request came from.
void RepeatResponse(Core& core, IkeSa& sa, const Datagram& repeated);
// The request in flight has its answer.
void EndFlight(IkeSa& sa);
// The timer: once more, or the peer is given up.
void Retransmit(Core& core, IkeSa& sa);

// An answer outside of any IKE SA: to IKE_SA_INIT requests that make none.
void AnswerStranger(Core& core, const Datagram& request, const Header& header,
                    const NotifyPayload& notify);
// One line for the debug log.
void LogMessage(Core& core, absl::string_view direction, const Endpoint& peer,
                const Message& message);

}  // namespace sekisho::ike
