// The section `policies`: the SPD.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

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

absl::StatusOr<fastpath::Handling::Df> ParseDf(absl::string_view text) {
  if (text == "copy") return fastpath::Handling::Df::kCopy;
  if (text == "set") return fastpath::Handling::Df::kSet;
  if (text == "clear") return fastpath::Handling::Df::kClear;
  return Wanted(text, "copy, set or clear");
}

// A number, or a name of RFC 2474, 2597, 3246, 5865 or 8622.
absl::StatusOr<std::optional<uint8_t>> ParseDscp(absl::string_view text) {
  if (text == "copy") return std::optional<uint8_t>();
  constexpr std::pair<const char*, uint8_t> kNames[] = {{"ef", 46}, {"va", 44}, {"le", 1}};
  for (const auto& [name, value] : kNames) {
    if (text == name) return std::optional<uint8_t>(value);
  }
  const auto digit = [&](size_t at, char least, char most) {
    return at < text.size() && text[at] >= least && text[at] <= most ? text[at] - '0' : -1;
  };
  if (text.size() == 3 && text.substr(0, 2) == "cs" && digit(2, '0', '7') >= 0) {
    return std::optional(static_cast<uint8_t>(digit(2, '0', '7') * 8));
  }
  if (text.size() == 4 && text.substr(0, 2) == "af" && digit(2, '1', '4') > 0 &&
      digit(3, '1', '3') > 0) {
    return std::optional(static_cast<uint8_t>(digit(2, '1', '4') * 8 + digit(3, '1', '3') * 2));
  }
  if (const auto number = ParseNumber(text, 0, 63); number.ok()) {
    return std::optional(static_cast<uint8_t>(*number));
  }
  return Wanted(text, "copy, a number from 0 to 63, or cs0 to cs7, af11 to af43, ef, va, le");
}

absl::StatusOr<bool> ParseFragmentBefore(absl::string_view text) {
  if (text == "before") return true;
  if (text == "after") return false;
  return Wanted(text, "before or after (encryption)");
}

absl::StatusOr<uint16_t> ParseMss(absl::string_view text) {
  const absl::StatusOr<uint64_t> mss = ParseNumber(text, 88, 9000);
  if (!mss.ok()) return mss.status();
  return static_cast<uint16_t>(*mss);
}

void ReadHandling(ConfigMap& map, const fastpath::Policy& policy, fastpath::Handling& handling) {
  for (const char* key : {"df", "dscp", "fragment"}) {
    const auto node = map.Take(key);
    if (!node.has_value()) continue;
    if (policy.action != fastpath::PolicyAction::kProtect) {
      node->Fail("found it under a policy that does not protect, want action: protect with it");
    }
  }
  map.Read("df", ParseDf, handling.df);
  map.Read("dscp", ParseDscp, handling.dscp);
  map.Read("fragment", ParseFragmentBefore, handling.fragment_before_encryption);
  map.Read("tcp_mss", ParseMss, handling.tcp_mss_max);
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
    ReadHandling(map, policy, policy.handling);
    map.Finish();
    CheckFamilies(node, policy.local, policy.remote);
    if (!names.insert(policy.name).second) {
      node.Fail(absl::StrCat("found name '", policy.name, "' a second time"));
    }
    policies.push_back(std::move(policy));
  }
}

}  // namespace sekisho::slowpath
