// fastpath/policy.h: SPD policies as the slow path hands them over (RFC 4301, 4.4.1), before they
// are compiled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/traffic_selector.h"

namespace sekisho::fastpath {

enum class PolicyAction : uint8_t { kDiscard, kBypass, kProtect };

// "Local" is our protected side, "remote" the other end: an outbound packet has source in local and
// destination in remote, an inbound one the other way about. The ports of a selector belong to its
// own side. An empty list of selectors matches nothing.
struct Policy {
  std::string name;
  PolicyAction action = PolicyAction::kDiscard;
  TrafficSelectors local, remote;
};

}  // namespace sekisho::fastpath
