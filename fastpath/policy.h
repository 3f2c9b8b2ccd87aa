// fastpath/policy.h: SPD policies as the slow path hands them over (RFC 4301, 4.4.1), before they
// are compiled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/messages.h"
#include "common/traffic_selector.h"
#include "fastpath/handling.h"

namespace sekisho::fastpath {

enum class PolicyAction : uint8_t { kDiscard, kBypass, kProtect };

// "Local" is our protected side, "remote" the other end: an outbound packet has source in local and
// destination in remote, an inbound one the other way about. The ports of a selector belong to its
// own side. An empty list of selectors matches nothing.
struct Policy {
  std::string name;
  PolicyAction action = PolicyAction::kDiscard;
  TrafficSelectors local, remote;
  std::vector<PortId> ports;  // where it stands; none: every outside port
  // PROTECT only. A flow that came through an SA goes back through it, and one that came in clear
  // is answered in clear: for hosts that may or may not speak IPsec, as behind one NAT.
  bool optional = false;
  Handling handling;
};

}  // namespace sekisho::fastpath
