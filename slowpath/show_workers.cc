// show workers, drops detail.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "slowpath/show.h"
#include "slowpath/show_format.h"
#include "slowpath/show_json.h"

namespace sekisho::slowpath {
namespace {

// Of the rounds since the start. A round without packets is shorter than one with many, so that
// this is less than the share of the time.
double BusyShare(const fastpath::WorkerInfo& worker) {
  if (worker.rounds == 0) return 0;
  return static_cast<double>(worker.busy_rounds) / static_cast<double>(worker.rounds);
}

std::string PortName(const std::vector<fastpath::PortInfo>& ports,
                     const std::optional<PortId>& port) {
  const size_t index = port.has_value() ? static_cast<size_t>(*port) : ports.size();
  return index < ports.size() ? ports[index].name : "-";
}

}  // namespace

std::string ShowWorkers(const StatusView& view) {
  Table table({">NO", ">CORE", ">QUEUES", ">BUSY", ">RECEIVED", ">SENT", ">HANDED-OVER",
               ">TAKEN-OVER", ">RECALLED", ">DROPPED", ">HELD", ">SAS-IN", ">SAS-OUT"});
  size_t number = 0;
  for (const fastpath::WorkerInfo& worker : view.Workers()) {
    table.AddRow({absl::StrCat(number++), absl::StrCat(worker.lcore), absl::StrCat(worker.queues),
                  absl::StrFormat("%.1f%%", 100 * BusyShare(worker)), CountText(worker.received),
                  CountText(worker.sent), CountText(worker.handed_over),
                  CountText(worker.taken_over), CountText(worker.recalled),
                  CountText(worker.dropped), CountText(worker.held), CountText(worker.inbound_sas),
                  CountText(worker.outbound_sas)});
  }
  return table.ToString();
}

std::string ShowWorkersJson(const StatusView& view) {
  Json list = Json::array();
  for (const fastpath::WorkerInfo& worker : view.Workers()) {
    list.push_back({{"core", worker.lcore},
                    {"queues", worker.queues},
                    {"rounds", worker.rounds},
                    {"busy_rounds", worker.busy_rounds},
                    {"received", worker.received},
                    {"sent", worker.sent},
                    {"handed_over", worker.handed_over},
                    {"taken_over", worker.taken_over},
                    {"recalled", worker.recalled},
                    {"dropped", worker.dropped},
                    {"held", worker.held},
                    {"inbound_sas", worker.inbound_sas},
                    {"outbound_sas", worker.outbound_sas}});
  }
  return Dump({{"workers", list}});
}

std::string ShowDropsInDetail(const StatusView& view) {
  Table table({"REASON", ">WORKER", "PORT", ">PACKETS"});
  const std::vector<fastpath::PortInfo> ports = view.Ports();
  for (const fastpath::DropCount& drop : view.DropsInDetail()) {
    table.AddRow({Name(drop.reason), absl::StrCat(static_cast<unsigned>(drop.worker)),
                  PortName(ports, drop.port), CountText(drop.packets)});
  }
  return table.empty() ? "no drops\n" : table.ToString();
}

std::string ShowDropsInDetailJson(const StatusView& view) {
  Json list = Json::array();
  const std::vector<fastpath::PortInfo> ports = view.Ports();
  for (const fastpath::DropCount& drop : view.DropsInDetail()) {
    list.push_back({{"reason", Name(drop.reason)},
                    {"worker", static_cast<unsigned>(drop.worker)},
                    {"port", PortName(ports, drop.port)},
                    {"packets", drop.packets}});
  }
  return Dump({{"drops", list}});
}

}  // namespace sekisho::slowpath
