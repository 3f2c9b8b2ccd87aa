// fastpath/route_table.h: longest-prefix match for IPv4 and IPv6. Built once by the slow path, read
// by workers, never changed: new routes are a new table.
//
// A gateway's routes number in the tens, so the table is rte_rib's compressed tree (kilobytes) and
// not rte_lpm's direct array (64 MB for each family, twice during a swap).
#pragma once

#include <rte_rib.h>
#include <rte_rib6.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ip_address.h"
#include "common/messages.h"
#include "fastpath/fast_path.h"

namespace sekisho::fastpath {

inline constexpr size_t kRoutesMax = 4096;  // connected networks included

struct NextHop {
  PortId port;
  std::optional<IpAddress> gateway;  // none: the destination itself is on the link
};

class RouteTable {
 public:
  // `name` is unique in the process. The first of two routes to the same prefix wins. The error
  // names the route.
  static absl::StatusOr<RouteTable> Build(const std::string& name, std::vector<Route> routes,
                                          size_t ports);

  // nullptr: no route. Lives as long as the table.
  const NextHop* LookUp(const IpAddress& destination) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct FreeRib {
    void operator()(rte_rib* rib) const { rte_rib_free(rib); }
    void operator()(rte_rib6* rib) const { rte_rib6_free(rib); }
  };
  absl::Status Insert(const IpPrefix& prefix, uint64_t index);

  std::vector<Route> routes_;
  std::vector<NextHop> next_hops_;  // same order
  std::unique_ptr<rte_rib, FreeRib> v4_;
  std::unique_ptr<rte_rib6, FreeRib> v6_;
};

// The routes that ports have by themselves: the networks of their addresses.
std::vector<Route> ConnectedRoutes(std::span<const PortConfig> ports);

}  // namespace sekisho::fastpath
