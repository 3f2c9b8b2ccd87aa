// The sections about the network: ports, routes, pools.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "slowpath/address_pool.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

constexpr uint16_t kMtuMin = 576;       // RFC 791, 3.2
constexpr uint16_t kMtuMinIpv6 = 1280;  // RFC 8200, 5
constexpr uint16_t kMtuMax = 9200;

absl::StatusOr<uint16_t> ParseMtu(const std::string& text) {
  const absl::StatusOr<uint64_t> mtu = ParseNumber(text, kMtuMin, kMtuMax);
  if (!mtu.ok()) return mtu.status();
  return static_cast<uint16_t>(*mtu);
}

absl::StatusOr<uint16_t> ParseVlan(const std::string& text) {
  const absl::StatusOr<uint64_t> vlan = ParseNumber(text, 1, 4094);
  if (!vlan.ok()) return vlan.status();
  return static_cast<uint16_t>(*vlan);
}

absl::StatusOr<bool> ParseReversePath(absl::string_view text) {
  if (text == "strict") return true;
  if (text == "off") return false;
  return Wanted(text, "strict or off");
}

PortSettings ReadPort(const std::string& name, const ConfigNode& node) {
  PortSettings port;
  port.port.name = name;
  ConfigMap map(node);
  if (const auto device =
          map.Require("device", "a PCI address, or a DPDK vdev such as net_af_packet0,iface=eth1");
      device.has_value() && device->Parse(ParsePortDevice, port.device)) {
    port.port.device = port.device.name;
  }
  if (const auto side = map.Require("side", "outside, inside or host")) {
    side->Parse(ParsePortSide, port.port.side);
  }
  map.ReadList("addresses", InterfaceAddress::Parse, port.port.addresses);
  map.Read("mtu", ParseMtu, port.port.mtu);
  map.Read("vlan", ParseVlan, port.port.vlan);
  map.Read("reverse_path", ParseReversePath, port.port.reverse_path);
  const bool has_v6 = std::any_of(port.port.addresses.begin(), port.port.addresses.end(),
                                  [](const auto& ours) { return ours.address.is_v6(); });
  if (has_v6 && port.port.mtu < kMtuMinIpv6) {
    node.Fail(absl::StrCat("found mtu ", port.port.mtu, ", want at least ", kMtuMinIpv6,
                           " on a port with IPv6 addresses"));
  }
  map.Finish();
  if (port.port.side == fastpath::PortSide::kHost && !port.port.addresses.empty()) {
    node.Fail(
        "found addresses on the host port, want them on the ports that they are reached by; the "
        "machine's own end of it has them too");
  }
  return port;
}

// Two ports may share neither a device nor an address nor a network.
void CheckAgainst(const PortSettings& port, const PortSettings& earlier, const ConfigNode& node) {
  if (port.device.name == earlier.device.name && !port.device.name.empty()) {
    node.Fail(absl::StrCat("found device ", port.device.name, ", which port ", earlier.port.name,
                           " has already"));
  }
  for (const InterfaceAddress& ours : port.port.addresses) {
    for (const InterfaceAddress& theirs : earlier.port.addresses) {
      if (!ours.network().ToRange().Intersect(theirs.network().ToRange()).has_value()) continue;
      node.Fail(absl::StrCat("found ", ours.ToString(), ", which overlaps with ", theirs.ToString(),
                             " of port ", earlier.port.name));
    }
  }
}

// The port whose network `gateway` is on.
std::optional<PortId> PortOf(const std::vector<PortSettings>& ports, const IpAddress& gateway) {
  for (size_t i = 0; i < ports.size(); ++i) {
    for (const InterfaceAddress& ours : ports[i].port.addresses) {
      if (ours.network().Contains(gateway)) return PortId{static_cast<uint16_t>(i)};
    }
  }
  return std::nullopt;
}

const PortSettings* OwnerOf(const std::vector<PortSettings>& ports, const IpAddress& address) {
  for (const PortSettings& port : ports) {
    for (const InterfaceAddress& ours : port.port.addresses) {
      if (ours.address == address) return &port;
    }
  }
  return nullptr;
}

std::optional<fastpath::Route> ReadRoute(const std::vector<PortSettings>& ports,
                                         const ConfigNode& node) {
  ConfigMap map(node);
  fastpath::Route route{};
  const auto to = map.Require("to", "a prefix such as 0.0.0.0/0");
  bool ok = to.has_value() && to->Parse(IpPrefix::Parse, route.destination);
  const auto via = map.Take("via");
  const auto port_name = map.Take("port");
  map.Finish();
  std::optional<PortId> port;
  if (port_name.has_value()) {
    port = FindPort(ports, *port_name);
    ok &= port.has_value();
  }
  if (via.has_value()) {
    IpAddress gateway;
    if (!via->Parse(IpAddress::Parse, gateway)) return std::nullopt;
    route.gateway = gateway;
    if (ok && gateway.family() != route.destination.family()) {
      via->Fail(absl::StrCat("found ", gateway.ToString(), ", want a gateway of the family of ",
                             route.destination.ToString()));
      ok = false;
    }
    if (OwnerOf(ports, gateway) != nullptr) {
      via->Fail(absl::StrCat("found ", gateway.ToString(), ", want another one than our own"));
      ok = false;
    }
    const std::optional<PortId> connected = PortOf(ports, gateway);
    if (!connected.has_value() && !(port.has_value() && gateway.is_link_local())) {
      via->Fail(absl::StrCat("found ", gateway.ToString(),
                             ", want a gateway on the network of one of our ports"));
      ok = false;
    }
    if (!port.has_value()) port = connected;
  } else if (!port_name.has_value()) {
    node.Fail("missing, want via (a gateway) or port");
    ok = false;
  }
  if (!ok || !port.has_value()) return std::nullopt;
  route.port = *port;
  return route;
}

PoolConfig ReadPool(const std::string& name, const ConfigNode& node,
                    const std::vector<PortSettings>& ports) {
  PoolConfig pool{.name = name};
  ConfigMap map(node);
  const auto addresses =
      map.Require("addresses", "10.99.0.1-10.99.0.200 or 10.99.0.0/24, say, or likewise IPv6");
  if (addresses.has_value() && addresses->Parse(ParsePoolAddresses, pool.addresses)) {
    for (const PortSettings& port : ports) {
      for (const InterfaceAddress& ours : port.port.addresses) {
        if (!pool.addresses.Contains(ours.address)) continue;
        addresses->Fail(absl::StrCat("found ", pool.addresses.ToString(), ", which holds ",
                                     ours.address.ToString(), " of port ", port.port.name));
      }
    }
  }
  map.ReadList("dns", IpAddress::Parse, pool.dns);
  map.Finish();
  return pool;
}

}  // namespace

std::optional<PortId> FindPort(const std::vector<PortSettings>& ports, const ConfigNode& node) {
  const auto name = node.Text("the name of a port");
  if (!name.has_value()) return std::nullopt;
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].port.name == *name) return PortId{static_cast<uint16_t>(i)};
    names.push_back(ports[i].port.name);
  }
  node.Fail(
      absl::StrCat("found '", *name, "', want one of the ports ", absl::StrJoin(names, ", ")));
  return std::nullopt;
}

void ReadPorts(ConfigMap& root, std::vector<PortSettings>& ports) {
  const auto section = root.Require("ports", "at least one port with side: outside");
  if (!section.has_value()) return;
  bool outside = false, host = false;
  for (const auto& [name, node] : section->Named()) {
    PortSettings port = ReadPort(name, node);
    if (port.port.side == fastpath::PortSide::kHost && std::exchange(host, true)) {
      node.Fail("found a second port with side: host, want one at most");
    }
    for (const PortSettings& earlier : ports) CheckAgainst(port, earlier, node);
    outside |= port.port.side == fastpath::PortSide::kOutside;
    ports.push_back(std::move(port));
  }
  if (!outside) section->Fail("found no outside port, want at least one with side: outside");
}

void ReadRoutes(ConfigMap& root, const std::vector<PortSettings>& ports,
                std::vector<fastpath::Route>& routes) {
  const auto section = root.Take("routes");
  // Without ports, which is an error already, every route would be another one.
  if (!section.has_value() || ports.empty()) return;
  for (const ConfigNode& node : section->Items()) {
    const std::optional<fastpath::Route> route = ReadRoute(ports, node);
    if (!route.has_value()) continue;
    const bool twice = std::any_of(routes.begin(), routes.end(), [&](const auto& earlier) {
      return earlier.destination == route->destination;
    });
    if (twice) node.Fail(absl::StrCat("found ", route->destination.ToString(), " a second time"));
    routes.push_back(*route);
  }
}

void ReadPools(ConfigMap& root, const std::vector<PortSettings>& ports,
               std::vector<PoolConfig>& pools) {
  const auto section = root.Take("pools");
  if (!section.has_value()) return;
  for (const auto& [name, node] : section->Named()) {
    PoolConfig pool = ReadPool(name, node, ports);
    for (const PoolConfig& earlier : pools) {
      if (!pool.addresses.Intersect(earlier.addresses).has_value()) continue;
      node.Fail(absl::StrCat("found ", pool.addresses.ToString(), ", which overlaps with ",
                             earlier.addresses.ToString(), " of pool ", earlier.name));
    }
    pools.push_back(std::move(pool));
  }
}

}  // namespace sekisho::slowpath
