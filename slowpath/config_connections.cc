// The section `connections`: with whom we set up what (RFC 4301, 4.4.3).
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

auto DurationFrom(absl::Duration least, absl::Duration most) {
  return [least, most](const std::string& text) { return ParseDuration(text, least, most); };
}
const auto kLifetime = DurationFrom(absl::Seconds(1), absl::Hours(24 * 365));

const PoolConfig* FindPool(const Config& config, const std::string& name) {
  const auto pool = std::find_if(config.pools.begin(), config.pools.end(),
                                 [&](const PoolConfig& each) { return each.name == name; });
  return pool == config.pools.end() ? nullptr : &*pool;
}

void ReadPoolNames(ConfigMap& map, const Config& config, ConnectionConfig& result,
                   ike::Connection& connection) {
  const auto list = map.Take("pools");
  if (!list.has_value()) return;
  for (const ConfigNode& item : list->Items()) {
    const auto name = item.Text("the name of a pool");
    if (!name.has_value()) continue;
    const PoolConfig* pool = FindPool(config, *name);
    if (pool == nullptr) {
      const std::string names = absl::StrJoin(
          config.pools, ", ",
          [](std::string* out, const PoolConfig& each) { absl::StrAppend(out, each.name); });
      item.Fail(absl::StrCat("found '", *name, "', want one of the pools ",
                             names.empty() ? "(none is configured)" : names));
      continue;
    }
    result.pools.push_back(*name);
    (pool->addresses.family() == IpFamily::kIpv4 ? connection.assign_ipv4
                                                 : connection.assign_ipv6) = true;
  }
}

void ReadLocalAddresses(ConfigMap& map, const Config& config, ike::Connection& connection) {
  const auto list = map.Take("local_addresses");
  if (!list.has_value() || config.ports.empty()) return;
  for (const ConfigNode& item : list->Items()) {
    IpAddress address;
    if (!item.Parse(IpAddress::Parse, address)) continue;
    std::vector<std::string> ours;
    for (const PortSettings& port : config.ports) {
      for (const InterfaceAddress& each : port.port.addresses) {
        ours.push_back(each.address.ToString());
      }
    }
    if (std::find(ours.begin(), ours.end(), address.ToString()) == ours.end()) {
      item.Fail(absl::StrCat("found ", address.ToString(),
                             ", want an address of one of our ports: ", absl::StrJoin(ours, ", ")));
    }
    connection.local_addresses.push_back(address);
  }
}

template <typename Parser>
void ReadProposals(ConfigMap& map, const char* key, Parser parse,
                   std::vector<AlgorithmProposal>& proposals) {
  const auto list = map.Take(key);
  if (!list.has_value()) return;
  if (list->Items().empty()) return list->Fail("found no proposal, want at least one");
  list->ParseList(parse, proposals);
}

auto EspProposalWith(AlgorithmPermission permission) {
  return [permission](const std::string& text) -> absl::StatusOr<AlgorithmProposal> {
    SEKISHO_ASSIGN_OR_RETURN(const AlgorithmProposal proposal, AlgorithmProposal::ParseEsp(text));
    for (const IpsecSuite& suite : proposal.Suites()) {
      SEKISHO_RETURN_IF_ERROR(CheckPermitted(suite, permission));
    }
    return proposal;
  };
}

// The words for ChildTemplate::mode and may_fall_back.
struct ChildMode {
  IpsecMode mode;
  bool may_fall_back;
};
absl::StatusOr<ChildMode> ParseChildMode(absl::string_view text) {
  if (text == "tunnel") return ChildMode{IpsecMode::kTunnel, false};
  if (text == "transport") return ChildMode{IpsecMode::kTransport, false};
  if (text == "transport-or-tunnel") return ChildMode{IpsecMode::kTransport, true};
  return absl::InvalidArgumentError(
      absl::StrCat("found '", text, "', want tunnel, transport or transport-or-tunnel"));
}

// `remote: dynamic` is said by an empty list.
void ReadChildRemote(const ConfigNode& node, const ike::Connection& connection,
                     ike::ChildTemplate& child) {
  if (node.yaml().text != "dynamic") {
    node.ParseList(TrafficSelector::Parse, child.remote);
    if (node.Items().empty()) node.Fail("found no selector, want at least one, or dynamic");
    return;
  }
  if (child.mode == IpsecMode::kTransport) return;  // the peer's own address
  if (!connection.assign_ipv4 && !connection.assign_ipv6) {
    return node.Fail("found dynamic on a connection without pools, want pools or selectors");
  }
  const bool fits =
      child.local.empty() ||
      std::any_of(child.local.begin(), child.local.end(), [&](const TrafficSelector& selector) {
        return selector.family() == IpFamily::kIpv4 ? connection.assign_ipv4
                                                    : connection.assign_ipv6;
      });
  if (!fits) {
    node.Fail(absl::StrCat("found pools of another family than local ", ToString(child.local),
                           ", want a pool of its family"));
  }
}

// How much one direction may carry before it is rekeyed, and in all. There is no hard limit unless
// somebody wants one: a fast tunnel is through with a tenth more before its rekey is.
template <typename Parser>
void ReadAmounts(ConfigMap& map, absl::string_view what, Parser parse, uint64_t& rekey,
                 uint64_t& life) {
  map.Read(absl::StrCat("rekey_", what), parse, rekey);
  const auto node = map.Take(absl::StrCat("life_", what));
  if (node.has_value() && node->Parse(parse, life) && life <= rekey) {
    node->Fail(
        absl::StrCat("found ", node->yaml().text, ", want more than rekey_", what, " ", rekey));
  }
}

ike::ChildTemplate ReadChild(const std::string& name, const ConfigNode& node,
                             const ike::Connection& connection, AlgorithmPermission permission) {
  ike::ChildTemplate child{.name = name, .local = {}, .remote = {}};
  ConfigMap map(node);
  ChildMode mode = {child.mode, child.may_fall_back};
  map.Read("mode", ParseChildMode, mode);
  child.mode = mode.mode;
  child.may_fall_back = mode.may_fall_back;
  if (const auto local = map.Require("local", "traffic selectors such as 10.10.0.0/24")) {
    local->ParseList(TrafficSelector::Parse, child.local);
    if (local->Items().empty()) local->Fail("found no selector, want at least one");
  }
  if (const auto remote = map.Require("remote", "dynamic, or traffic selectors")) {
    ReadChildRemote(*remote, connection, child);
  }
  CheckFamilies(node, child.local, child.remote);
  ReadProposals(map, "esp_proposals", EspProposalWith(permission), child.esp_proposals);
  const bool rekey_given = map.Read("rekey_time", kLifetime, child.rekey_time);
  // A tenth more than the rekey time, as the defaults have it.
  if (rekey_given) child.life_time = child.rekey_time * 11 / 10;
  const auto life_time = map.Take("life_time");
  if (life_time.has_value() && life_time->Parse(kLifetime, child.life_time) &&
      child.life_time <= child.rekey_time) {
    life_time->Fail(absl::StrCat("found ", life_time->yaml().text, ", want more than rekey_time ",
                                 DurationText(child.rekey_time)));
  }
  ReadAmounts(map, "bytes", ParseSize, child.rekey_bytes, child.life_bytes);
  ReadAmounts(map, "packets", ParseCount, child.rekey_packets, child.life_packets);
  map.Finish();
  return child;
}

// What only who calls needs.
void ReadInitiator(ConfigMap& map, ConnectionConfig& result, ike::Connection& connection) {
  const auto endpoint = map.Take("remote_endpoint");
  Endpoint parsed;
  if (endpoint.has_value() &&
      endpoint->Parse([](const std::string& text) { return ParseEndpoint(text, kIkePort); },
                      parsed)) {
    connection.remote_endpoint = parsed;
  }
  const auto start = map.Take("start");
  if (start.has_value() && start->Parse(ParseBool, result.start) && result.start &&
      !endpoint.has_value()) {
    start->Fail("found start: true without remote_endpoint, want the address to call");
  }
  const auto request = map.Take("request_addresses");
  if (!request.has_value()) return;
  if (!endpoint.has_value()) {
    request->Fail("found without remote_endpoint, want it where we call the peer");
  }
  for (const ConfigNode& item : request->Items()) {
    const auto family = item.Text("ipv4 or ipv6");
    if (family == "ipv4") {
      connection.request_ipv4 = true;
    } else if (family == "ipv6") {
      connection.request_ipv6 = true;
    } else if (family.has_value()) {
      item.Fail(absl::StrCat("found '", *family, "', want ipv4 or ipv6"));
    }
  }
}

ConnectionConfig ReadConnection(const std::string& name, const ConfigNode& node,
                                const Config& config, const std::vector<SecretConfig>& secrets) {
  ConnectionConfig result;
  auto connection = std::make_shared<ike::Connection>();
  connection->name = name;
  ConfigMap map(node);
  ReadLocalAddresses(map, config, *connection);
  map.ReadList("remote_addresses", IpRange::Parse, connection->remote_addresses);
  const auto local = map.Require("local", "how we prove who we are: {auth: ..., id: ...}");
  if (local.has_value()) ReadLocalAuthentication(*local, connection->local);
  const auto remote = map.Require("remote", "how peers prove who they are: {auth: ...}");
  if (remote.has_value()) ReadRemoteAuthentication(*remote, connection->remote);
  if (local.has_value() && remote.has_value()) AssignSecrets(node, secrets, *connection);
  ReadProposals(map, "ike_proposals", AlgorithmProposal::ParseIke, connection->ike_proposals);
  ReadPoolNames(map, config, result, *connection);
  map.Read("rekey_time", kLifetime, connection->rekey_time);
  map.Read("dpd_delay", DurationFrom(absl::ZeroDuration(), absl::Hours(24)), connection->dpd_delay);
  ReadInitiator(map, result, *connection);
  if (const auto children = map.Require("children", "at least one child")) {
    for (const auto& [child_name, child] : children->Named()) {
      connection->children.push_back(
          ReadChild(child_name, child, *connection, config.crypto.permission));
    }
    if (connection->children.empty()) children->Fail("found no child, want at least one");
  }
  map.Finish();
  result.connection = std::move(connection);
  return result;
}

}  // namespace

void ReadConnections(ConfigMap& root, const Config& config,
                     const std::vector<SecretConfig>& secrets,
                     std::vector<ConnectionConfig>& connections) {
  const auto section = root.Take("connections");
  if (!section.has_value()) return;
  for (const auto& [name, node] : section->Named()) {
    connections.push_back(ReadConnection(name, node, config, secrets));
  }
}

}  // namespace sekisho::slowpath
