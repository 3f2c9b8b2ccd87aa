// show ports, neighbours, pools, leases.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "slowpath/show.h"
#include "slowpath/show_format.h"
#include "slowpath/show_json.h"

namespace sekisho::slowpath {
namespace {

const char* SideName(fastpath::PortSide side) {
  switch (side) {
    case fastpath::PortSide::kOutside:
      return "outside";
    case fastpath::PortSide::kInside:
      return "inside";
    case fastpath::PortSide::kHost:
      return "host";
  }
  return "";
}

std::string LinkText(const fastpath::PortInfo& port) {
  if (!port.link_up) return "down";
  if (port.link_mbps == 0) return "up";
  if (port.link_mbps % 1000 == 0) return absl::StrCat("up ", port.link_mbps / 1000, "G");
  return absl::StrCat("up ", port.link_mbps, "M");
}

std::string PortName(const std::vector<fastpath::PortInfo>& ports, PortId port) {
  const auto index = static_cast<size_t>(port);
  return index < ports.size() ? ports[index].name : absl::StrCat("port-", index);
}

std::string DnsText(const std::vector<IpAddress>& servers) {
  return absl::StrJoin(servers, " ", [](std::string* out, const IpAddress& server) {
    absl::StrAppend(out, server.ToString());
  });
}

}  // namespace

std::string ShowPorts(const StatusView& view) {
  Table table({"PORT", "SIDE", "LINK", "ADDRESS", ">MTU", "MAC", ">RX PACKETS", ">RX BYTES",
               ">TX PACKETS", ">TX BYTES", "DEVICE"});
  for (const fastpath::PortInfo& port : view.Ports()) {
    const auto& addresses = port.addresses;
    table.AddRow({port.name, SideName(port.side), LinkText(port),
                  addresses.empty() ? "-" : addresses[0].ToString(), absl::StrCat(port.mtu),
                  MacText(port.mac), CountText(port.counters.received_packets),
                  BytesText(port.counters.received_bytes), CountText(port.counters.sent_packets),
                  BytesText(port.counters.sent_bytes),
                  absl::StrCat(port.device, " (", port.driver, ")")});
    // Further addresses below the first.
    for (size_t i = 1; i < addresses.size(); ++i) {
      table.AddRow({"", "", "", addresses[i].ToString(), "", "", "", "", "", "", ""});
    }
  }
  return table.ToString();
}

std::string ShowPortsJson(const StatusView& view) {
  Json list = Json::array();
  for (const fastpath::PortInfo& port : view.Ports()) {
    list.push_back({{"name", port.name},
                    {"side", SideName(port.side)},
                    {"device", port.device},
                    {"driver", port.driver},
                    {"mac", MacText(port.mac)},
                    {"addresses", Strings(port.addresses)},
                    {"mtu", port.mtu},
                    {"link_up", port.link_up},
                    {"link_mbps", port.link_mbps},
                    {"received_packets", port.counters.received_packets},
                    {"received_bytes", port.counters.received_bytes},
                    {"sent_packets", port.counters.sent_packets},
                    {"sent_bytes", port.counters.sent_bytes}});
  }
  return Dump({{"ports", list}});
}

std::string ShowNeighbours(const StatusView& view) {
  const std::vector<fastpath::PortInfo> ports = view.Ports();
  Table table({"PORT", "ADDRESS", "MAC", "STATE", ">FOR"});
  for (const NeighbourInfo& neighbour : view.Neighbours()) {
    table.AddRow({PortName(ports, neighbour.port), neighbour.address.ToString(),
                  neighbour.mac == MacAddress{} ? "-" : MacText(neighbour.mac), neighbour.state,
                  AgeText(view.Now() - neighbour.since)});
  }
  return table.empty() ? "no neighbours\n" : table.ToString();
}

std::string ShowNeighboursJson(const StatusView& view) {
  const std::vector<fastpath::PortInfo> ports = view.Ports();
  Json list = Json::array();
  for (const NeighbourInfo& neighbour : view.Neighbours()) {
    list.push_back(
        {{"port", PortName(ports, neighbour.port)},
         {"address", neighbour.address.ToString()},
         {"mac", neighbour.mac == MacAddress{} ? Json(nullptr) : Json(MacText(neighbour.mac))},
         {"state", neighbour.state},
         {"since", TimeJson(neighbour.since)}});
  }
  return Dump({{"neighbours", list}});
}

std::string ShowPools(const StatusView& view) {
  Table table({"POOL", "ADDRESSES", ">SIZE", ">LEASED", ">FREE", "DNS"});
  for (const PoolInfo& pool : view.Pools()) {
    const bool huge = pool.size == UINT64_MAX;
    table.AddRow({pool.name, pool.addresses.ToString(), huge ? "2^64" : CountText(pool.size),
                  CountText(pool.leased), huge ? "2^64" : CountText(pool.size - pool.leased),
                  DnsText(pool.dns)});
  }
  return table.empty() ? "no pools\n" : table.ToString();
}

std::string ShowPoolsJson(const StatusView& view) {
  Json list = Json::array();
  for (const PoolInfo& pool : view.Pools()) {
    list.push_back({{"name", pool.name},
                    {"first", pool.addresses.first.ToString()},
                    {"last", pool.addresses.last.ToString()},
                    {"size", pool.size},
                    {"leased", pool.leased},
                    {"dns", Strings(pool.dns)}});
  }
  return Dump({{"pools", list}});
}

std::string ShowLeases(const StatusView& view) {
  Table table({"POOL", "ADDRESS", ">IKE SA", "IDENTITY"});
  for (const LeaseInfo& lease : view.Leases()) {
    table.AddRow({lease.pool, lease.address.ToString(),
                  absl::StrCat(static_cast<uint64_t>(lease.ike_sa)), lease.identity});
  }
  return table.empty() ? "no leases\n" : table.ToString();
}

std::string ShowLeasesJson(const StatusView& view) {
  Json list = Json::array();
  for (const LeaseInfo& lease : view.Leases()) {
    list.push_back({{"pool", lease.pool},
                    {"address", lease.address.ToString()},
                    {"ike_sa", static_cast<uint64_t>(lease.ike_sa)},
                    {"identity", lease.identity}});
  }
  return Dump({{"leases", list}});
}

}  // namespace sekisho::slowpath
