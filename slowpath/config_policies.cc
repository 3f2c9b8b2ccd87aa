// The section `policies`: the SPD.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

std::set<IpFamily> FamiliesOf(const TrafficSelectors& selectors) {
  std::set<IpFamily> families;
  for (const TrafficSelector& selector : selectors) families.insert(selector.family());
  return families;
}

void ReadSelectors(ConfigMap& map, const char* key, TrafficSelectors& selectors) {
  const auto list = map.Require(key, "traffic selectors such as 10.10.0.0/24");
  if (!list.has_value()) return;
  list->ParseList(TrafficSelector::Parse, selectors);
  if (list->Items().empty()) list->Fail("found no selector, want at least one");
}

// A policy stands between inside and outside, so on outside ports.
void ReadPolicyPorts(ConfigMap& map, const std::vector<PortSettings>& ports,
                     std::vector<PortId>& chosen) {
  const auto list = map.Take("ports");
  if (!list.has_value()) return;
  if (list->Items().empty()) list->Fail("found no port, want at least one, or no such key for all");
  for (const ConfigNode& item : list->Items()) {
    const std::optional<PortId> port = FindPort(ports, item);
    if (!port.has_value()) continue;
    const PortSettings& found = ports[static_cast<size_t>(*port)];
    if (found.port.side != fastpath::PortSide::kOutside) {
      item.Fail(absl::StrCat("found ", found.port.name, ", an inside port, want an outside one"));
    }
    chosen.push_back(*port);
  }
}

}  // namespace

void CheckFamilies(const ConfigNode& node, const TrafficSelectors& local,
                   const TrafficSelectors& remote) {
  if (local.empty() || remote.empty() || FamiliesOf(local) == FamiliesOf(remote)) return;
  node.Fail(absl::StrCat("found local ", ToString(local), " with remote ", ToString(remote),
                         ", want the same families, IPv4 or IPv6 or both, on each side"));
}

void ReadPolicies(ConfigMap& root, const std::vector<PortSettings>& ports,
                  std::vector<fastpath::Policy>& policies) {
  const auto section = root.Take("policies");
  if (!section.has_value()) return;
  std::set<std::string> names;
  for (const ConfigNode& node : section->Items()) {
    ConfigMap map(node);
    fastpath::Policy policy{.name = absl::StrCat("policy-", policies.size() + 1)};
    map.Read("name", ParseText, policy.name);
    if (const auto action = map.Require("action", "protect, bypass or discard")) {
      action->Parse(ParsePolicyAction, policy.action);
    }
    if (const auto optional = map.Take("optional");
        optional.has_value() && optional->Parse(ParseBool, policy.optional) && policy.optional &&
        policy.action != fastpath::PolicyAction::kProtect) {
      optional->Fail("found optional: true without action: protect, which it is about");
    }
    ReadSelectors(map, "local", policy.local);
    ReadSelectors(map, "remote", policy.remote);
    ReadPolicyPorts(map, ports, policy.ports);
    map.Finish();
    CheckFamilies(node, policy.local, policy.remote);
    if (!names.insert(policy.name).second) {
      node.Fail(absl::StrCat("found name '", policy.name, "' a second time"));
    }
    policies.push_back(std::move(policy));
  }
}

}  // namespace sekisho::slowpath
