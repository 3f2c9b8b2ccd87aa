// ike/child_negotiation.h: agreeing on a Child SA, as IKE_AUTH and CREATE_CHILD_SA both do it
// (RFC 7296, 1.2, 1.3.1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

enum class InExchange : uint8_t { kIkeAuth, kCreateChildSa };

// Responder: chooses template, algorithms and selectors and reserves our SPI. On failure the notify
// to answer with; the log has been told why. With a template already in `negotiation` (a rekey)
// only that one is tried.
std::optional<NotifyPayload> ChooseChild(Core& core, IkeSa& sa, const Message& request,
                                         InExchange exchange, ChildNegotiation& negotiation);

// Initiator: reserves our SPI; false if there is none left.
bool ReserveSpi(Core& core, ChildNegotiation& negotiation);
// Initiator: SA, [Ni, KEi,] TSi, TSr, [N(USE_TRANSPORT_MODE)].
void BuildChildOffer(const OwnExchange& own, InExchange exchange, std::vector<Payload>& payloads);
// Either: USE_TRANSPORT_MODE where that is the mode (RFC 7296, 1.3.1).
void BuildMode(const ChildNegotiation& negotiation, std::vector<Payload>& payloads);
// Initiator: takes the answer; the error is for the log. Where negotiation.mode_refused is set the
// peer has made a pair that we do not want, and which is to be deleted.
absl::Status AcceptChild(Core& core, const IkeSa& sa, const Message& response, InExchange exchange,
                         ChildNegotiation& negotiation);
// Initiator: the end of a pair with mode_refused, which the peer has made already.
void DeleteRefused(Core& core, IkeSa& sa, ChildSa& child);

// Either side's log line for a Child SA that did not come to be.
void LogChildFailed(Core& core, const IkeSa& sa, const ChildTemplate* child_template,
                    std::string reason);
// "aes256gcm16-x25519, aes128-sha256"
std::string Join(const std::vector<AlgorithmProposal>& proposals);

}  // namespace sekisho::ike
