#include "ike/traffic_selection.h"

#include <algorithm>

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

AllowedSelectors Proposed(const IkeSa& sa, const ChildTemplate& child_template) {
  const TrafficSelectors any = {TrafficSelector::All(IpFamily::kIpv4),
                                TrafficSelector::All(IpFamily::kIpv6)};
  AllowedSelectors proposed = Allowed(sa, child_template);
  if (proposed.local.empty()) proposed.local = any;
  if (proposed.remote.empty()) proposed.remote = any;
  return proposed;
}

bool NarrowRequest(const IkeSa& sa, const Message& request, const ChildTemplate& child_template,
                   ChildNegotiation& negotiation) {
  const AllowedSelectors allowed = Allowed(sa, child_template);
  negotiation.remote = Narrow(request.FindTs(true)->selectors, allowed.remote);
  negotiation.local = Narrow(request.FindTs(false)->selectors, allowed.local);
  return !negotiation.local.empty() && !negotiation.remote.empty();
}

bool AcceptNarrowed(const Message& response, const AllowedSelectors& proposed,
                    ChildNegotiation& negotiation) {
  const TsPayload* tsi = response.FindTs(true);
  const TsPayload* tsr = response.FindTs(false);
  if (tsi == nullptr || tsr == nullptr) return false;
  negotiation.local = tsi->selectors;
  negotiation.remote = tsr->selectors;
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
