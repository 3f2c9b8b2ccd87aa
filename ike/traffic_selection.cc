#include "ike/traffic_selection.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sekisho::ike {
namespace {

TrafficSelectors VirtualAddresses(const IkeSa& sa) {
  TrafficSelectors selectors;
  if (sa.virtual_ipv4) selectors.push_back({.addresses = IpRange::Single(*sa.virtual_ipv4)});
  if (sa.virtual_ipv6) selectors.push_back({.addresses = IpRange::Single(*sa.virtual_ipv6)});
  return selectors;
}

bool AreWithin(const TrafficSelectors& selectors, const TrafficSelectors& outer) {
  return std::all_of(selectors.begin(), selectors.end(), [&outer](const TrafficSelector& inner) {
    return std::any_of(outer.begin(), outer.end(), [&inner](const TrafficSelector& candidate) {
      return candidate.Contains(inner);
    });
  });
}

// The one address of all selectors, if there is but one.
std::optional<IpAddress> OnlyAddress(const TrafficSelectors& selectors) {
  if (selectors.empty()) return std::nullopt;
  const IpAddress& first = selectors[0].addresses.first;
  const bool only =
      std::all_of(selectors.begin(), selectors.end(), [&first](const TrafficSelector& selector) {
        return selector.addresses.is_single() && selector.addresses.first == first;
      });
  return only ? std::optional(first) : std::nullopt;
}

// RFC 7296, 2.23.1. Where NAT stands, one side or the other knows other addresses than IKE's: those
// of IKE take their place, and the others are kept for checksums. False: not between our two ends.
bool SubstituteAddresses(const IkeSa& sa, ChildNegotiation& negotiation) {
  const std::optional<IpAddress> local = OnlyAddress(negotiation.local);
  const std::optional<IpAddress> remote = OnlyAddress(negotiation.remote);
  if (!local || !remote) return false;
  if (sa.local_behind_nat) {
    negotiation.local = WithAddress(std::move(negotiation.local), sa.local.address);
  }
  if (sa.remote_behind_nat) {
    negotiation.remote = WithAddress(std::move(negotiation.remote), sa.remote.address);
  }
  if (sa.behind_nat()) {
    negotiation.original_local = local;
    negotiation.original_remote = remote;
  }
  return negotiation.local[0].addresses.first == sa.local.address &&
         negotiation.remote[0].addresses.first == sa.remote.address;
}

bool AsksForAddresses(const IkeSa& sa) {
  return sa.connection->request_ipv4 || sa.connection->request_ipv6;
}

}  // namespace

AllowedSelectors Allowed(const IkeSa& sa, const ChildTemplate& child_template) {
  AllowedSelectors allowed{child_template.local, child_template.remote};
  const bool ours_are_virtual = AsksForAddresses(sa);
  if (allowed.local.empty()) {
    allowed.local = ours_are_virtual
                        ? VirtualAddresses(sa)
                        : TrafficSelectors{{.addresses = IpRange::Single(sa.local.address)}};
  }
  if (allowed.remote.empty() && !ours_are_virtual) allowed.remote = VirtualAddresses(sa);
  return allowed;
}

AllowedSelectors AllowedInTransport(const IkeSa& sa, const ChildTemplate& child_template) {
  const TrafficSelectors here = {{.addresses = IpRange::Single(sa.local.address)}};
  const TrafficSelectors there = {{.addresses = IpRange::Single(sa.remote.address)}};
  const auto holding = [](const TrafficSelectors& end, const TrafficSelectors& selectors) {
    return selectors.empty() ? end : Narrow(end, selectors);
  };
  return {holding(here, child_template.local), holding(there, child_template.remote)};
}

AllowedSelectors Proposed(const IkeSa& sa, const ChildTemplate& child_template) {
  const TrafficSelectors any = {TrafficSelector::All(IpFamily::kIpv4),
                                TrafficSelector::All(IpFamily::kIpv6)};
  if (child_template.mode == IpsecMode::kTransport) return AllowedInTransport(sa, child_template);
  AllowedSelectors proposed = Allowed(sa, child_template);
  if (proposed.local.empty()) proposed.local = any;
  if (proposed.remote.empty()) proposed.remote = any;
  return proposed;
}

bool NarrowRequest(const IkeSa& sa, const Message& request, const ChildTemplate& child_template,
                   IpsecMode mode, ChildNegotiation& negotiation) {
  const bool transport = mode == IpsecMode::kTransport;
  negotiation.mode = mode;
  negotiation.original_local = negotiation.original_remote = std::nullopt;
  negotiation.remote = request.FindTs(true)->selectors;
  negotiation.local = request.FindTs(false)->selectors;
  if (transport && !SubstituteAddresses(sa, negotiation)) return false;
  const AllowedSelectors allowed =
      transport ? AllowedInTransport(sa, child_template) : Allowed(sa, child_template);
  negotiation.remote = Narrow(negotiation.remote, allowed.remote);
  negotiation.local = Narrow(negotiation.local, allowed.local);
  return !negotiation.local.empty() && !negotiation.remote.empty();
}

TrafficSelectors WithAddress(TrafficSelectors selectors, const IpAddress& address) {
  for (TrafficSelector& selector : selectors) selector.addresses = IpRange::Single(address);
  return selectors;
}

bool AcceptNarrowed(const IkeSa& sa, const Message& response, const AllowedSelectors& proposed,
                    ChildNegotiation& negotiation) {
  const TsPayload* tsi = response.FindTs(true);
  const TsPayload* tsr = response.FindTs(false);
  if (tsi == nullptr || tsr == nullptr) return false;
  negotiation.local = tsi->selectors;
  negotiation.remote = tsr->selectors;
  if (negotiation.mode == IpsecMode::kTransport && !SubstituteAddresses(sa, negotiation)) {
    return false;
  }
  return !negotiation.local.empty() && !negotiation.remote.empty() &&
         AreWithin(negotiation.local, proposed.local) &&
         AreWithin(negotiation.remote, proposed.remote);
}

void BuildTrafficSelectors(const ChildNegotiation& negotiation, std::vector<Payload>& payloads) {
  const bool ours = negotiation.initiated_by_us;
  payloads.push_back(
      TsPayload{.initiator = true, .selectors = ours ? negotiation.local : negotiation.remote});
  payloads.push_back(
      TsPayload{.initiator = false, .selectors = ours ? negotiation.remote : negotiation.local});
}

}  // namespace sekisho::ike
