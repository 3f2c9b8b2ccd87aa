// ike/traffic_selection.h: which traffic a Child SA carries (RFC 7296, 2.9).
#pragma once

#include <vector>

#include "ike/child_sa.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// What a template allows under this IKE SA. An empty `remote` stands for the virtual addresses that
// the peer was given. An empty `local` stands for ours: those that we were given as initiator, else
// the address that we speak IKE from.
struct AllowedSelectors {
  TrafficSelectors local, remote;
};
AllowedSelectors Allowed(const IkeSa& sa, const ChildTemplate& child_template);

// Initiator: what to ask for. Before addresses are given (IKE_AUTH with requests for them) an empty
// `local` asks for any; an empty `remote` always does.
AllowedSelectors Proposed(const IkeSa& sa, const ChildTemplate& child_template);

// The peer's request narrowed to what the template allows. False: nothing in common.
bool NarrowRequest(const IkeSa& sa, const Message& request, const ChildTemplate& child_template,
                   ChildNegotiation& negotiation);
// Initiator: takes what the responder made of our proposal; false if that is empty or more than it.
bool AcceptNarrowed(const Message& response, const AllowedSelectors& proposed,
                    ChildNegotiation& negotiation);

// TSi and TSr.
void BuildTrafficSelectors(const ChildNegotiation& negotiation, std::vector<Payload>& payloads);

}  // namespace sekisho::ike
