#include "fastpath/route_table.h"

#include <rte_errno.h>
#include <rte_memory.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::fastpath {
namespace {

// A tree of n prefixes needs up to n - 1 inner nodes.
constexpr int kRibNodesMax = 2 * static_cast<int>(kRoutesMax);

absl::Status NoMemory() {
  return absl::ResourceExhaustedError(
      absl::StrCat("routes: no memory for the table: ", rte_strerror(rte_errno)));
}

}  // namespace

absl::StatusOr<RouteTable> RouteTable::Build(const std::string& name, std::vector<Route> routes,
                                             size_t ports) {
  if (routes.size() > kRoutesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("routes: found ", routes.size(), ", want at most ", kRoutesMax));
  }
  RouteTable table;
  rte_rib_conf conf = {.ext_sz = 0, .max_nodes = kRibNodesMax};
  rte_rib6_conf conf6 = {.ext_sz = 0, .max_nodes = kRibNodesMax};
  table.v4_.reset(rte_rib_create(absl::StrCat(name, "r4").c_str(), SOCKET_ID_ANY, &conf));
  table.v6_.reset(rte_rib6_create(absl::StrCat(name, "r6").c_str(), SOCKET_ID_ANY, &conf6));
  if (table.v4_ == nullptr || table.v6_ == nullptr) return NoMemory();

  table.routes_ = std::move(routes);
  for (const Route& route : table.routes_) {
    if (static_cast<size_t>(route.port) >= ports) {
      return absl::InvalidArgumentError(absl::StrCat("route to ", route.destination.ToString(),
                                                     ": no port number ",
                                                     static_cast<unsigned>(route.port)));
    }
    if (route.gateway.has_value() && route.gateway->family() != route.destination.family()) {
      return absl::InvalidArgumentError(absl::StrCat("route to ", route.destination.ToString(),
                                                     ": gateway ", route.gateway->ToString(),
                                                     " is of the other family"));
    }
    SEKISHO_RETURN_IF_ERROR(table.Insert(route.destination, table.next_hops_.size()));
    table.next_hops_.push_back({route.port, route.gateway});
  }
  return table;
}

absl::Status RouteTable::Insert(const IpPrefix& prefix, uint64_t index) {
  const auto depth = static_cast<uint8_t>(prefix.length());
  if (prefix.family() == IpFamily::kIpv4) {
    rte_rib_node* node = rte_rib_insert(v4_.get(), prefix.address().v4(), depth);
    if (node != nullptr) return rte_rib_set_nh(node, index), absl::OkStatus();
  } else {
    rte_rib6_node* node = rte_rib6_insert(v6_.get(), prefix.address().bytes().data(), depth);
    if (node != nullptr) return rte_rib6_set_nh(node, index), absl::OkStatus();
  }
  return rte_errno == EEXIST ? absl::OkStatus() : NoMemory();
}

const NextHop* RouteTable::LookUp(const IpAddress& destination) const {
  uint64_t index = 0;
  if (destination.is_v4()) {
    const rte_rib_node* node = rte_rib_lookup(v4_.get(), destination.v4());
    if (node == nullptr || rte_rib_get_nh(node, &index) != 0) return nullptr;
  } else {
    const rte_rib6_node* node = rte_rib6_lookup(v6_.get(), destination.bytes().data());
    if (node == nullptr || rte_rib6_get_nh(node, &index) != 0) return nullptr;
  }
  return &next_hops_[index];
}

std::vector<Route> ConnectedRoutes(std::span<const PortConfig> ports) {
  std::vector<Route> routes;
  for (size_t i = 0; i < ports.size(); ++i) {
    for (const InterfaceAddress& address : ports[i].addresses) {
      routes.push_back({address.network(), PortId{static_cast<uint16_t>(i)}, std::nullopt});
    }
  }
  return routes;
}

}  // namespace sekisho::fastpath
