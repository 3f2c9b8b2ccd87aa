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
// In transport mode: what of it holds the two ends that IKE is spoken between (RFC 7296, 2.23.1).
// An empty side: nothing does.
AllowedSelectors AllowedInTransport(const IkeSa& sa, const ChildTemplate& child_template);

// Initiator: what to ask for. Before addresses are given (IKE_AUTH with requests for them) an empty
// `local` asks for any; an empty `remote` always does.
AllowedSelectors Proposed(const IkeSa& sa, const ChildTemplate& child_template);

// The peer's request narrowed to what the template allows in this mode. False: nothing in common.
// Sets mode and, in transport mode behind NAT, the original addresses: the peer knows others than
// those that stand in the selectors from here on.
bool NarrowRequest(const IkeSa& sa, const Message& request, const ChildTemplate& child_template,
                   IpsecMode mode, ChildNegotiation& negotiation);
// Initiator: takes what the responder made of our proposal; false if that is empty or more than it.
// Requires: negotiation.mode is what the responder chose.
bool AcceptNarrowed(const IkeSa& sa, const Message& response, const AllowedSelectors& proposed,
                    ChildNegotiation& negotiation);
// The same selectors with this address.
TrafficSelectors WithAddress(TrafficSelectors selectors, const IpAddress& address);

// TSi and TSr.
void BuildTrafficSelectors(const ChildNegotiation& negotiation, std::vector<Payload>& payloads);

}  // namespace sekisho::ike
