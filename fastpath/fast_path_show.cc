#include "fastpath/fast_path_impl.h"

namespace sekisho::fastpath {
namespace {

uint64_t DropsOf(const Worker& worker, DropReason reason) {
  uint64_t drops = 0;
  for (const auto& of_port : worker.counters.drops)
    drops += of_port[static_cast<size_t>(reason)].Get();
  return drops;
}

uint64_t DropsOf(const Worker& worker) {
  uint64_t drops = 0;
  for (size_t i = 1; i < kDropReasons; ++i) drops += DropsOf(worker, static_cast<DropReason>(i));
  return drops;
}

}  // namespace

std::vector<PortInfo> FastPath::Ports() const {
  std::vector<PortInfo> infos;
  for (size_t i = 0; i < impl_->ports.size(); ++i) {
    const Port& port = impl_->ports[i];
    const PortConfig& config = impl_->config.ports[i];
    PortCounters counters;
    for (const auto& worker : impl_->workers) {
      const WorkerPort& counted = worker->ports[i];
      counters.received_packets += counted.received_packets.Get();
      counters.received_bytes += counted.received_bytes.Get();
      counters.sent_packets += counted.sent_packets.Get();
      counters.sent_bytes += counted.sent_bytes.Get();
    }
    infos.push_back({.name = config.name,
                     .device = config.device,
                     .driver = port.driver(),
                     .side = config.side,
                     .mac = port.mac(),
                     .addresses = config.addresses,
                     .mtu = config.mtu,
                     .link_up = port.LinkIsUp(),
                     .link_mbps = port.LinkMbps(),
                     .counters = counters});
  }
  return infos;
}

std::vector<std::pair<DropReason, uint64_t>> FastPath::Drops() const {
  std::vector<std::pair<DropReason, uint64_t>> drops;
  for (size_t i = 1; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    uint64_t packets = 0;
    for (const auto& worker : impl_->workers) packets += DropsOf(*worker, reason);
    drops.emplace_back(reason, packets);
  }
  return drops;
}

std::vector<DropCount> FastPath::DropsInDetail() const {
  std::vector<DropCount> details;
  for (size_t reason = 1; reason < kDropReasons; ++reason) {
    for (const auto& worker : impl_->workers) {
      for (size_t port = 0; port <= kPortsMax; ++port) {
        const uint64_t packets = worker->counters.drops[port][reason].Get();
        if (packets == 0) continue;
        DropCount detail = {
            .worker = worker->id, .reason = static_cast<DropReason>(reason), .packets = packets};
        if (port < impl_->ports.size()) detail.port = PortId{static_cast<uint16_t>(port)};
        details.push_back(detail);
      }
    }
  }
  return details;
}

Accounting FastPath::GetAccounting() const {
  Accounting accounting;
  uint64_t handed_over = 0, taken_over = 0;
  for (const auto& worker : impl_->workers) {
    const WorkerCounters& counters = worker->counters;
    accounting.received += counters.received.Get();
    accounting.made_here += counters.made_here.Get();
    accounting.sent += counters.sent.Get();
    accounting.delivered += counters.delivered.Get();
    accounting.punted += counters.punted.Get();
    accounting.consumed += counters.consumed.Get();
    accounting.held += counters.held.Get();
    accounting.dropped += DropsOf(*worker);
    handed_over += counters.handed_over.Get();
    taken_over += counters.taken_over.Get();
  }
  // What is on the rings between workers. While they run the two sums are not of one moment.
  if (handed_over > taken_over) accounting.held += handed_over - taken_over;
  return accounting;
}

std::vector<WorkerInfo> FastPath::Workers() const {
  std::vector<WorkerInfo> infos;
  for (size_t i = 0; i < impl_->workers.size(); ++i) {
    const Worker& worker = *impl_->workers[i];
    const WorkerCounters& counters = worker.counters;
    WorkerInfo info = {.lcore = impl_->config.worker_lcores[i],
                       .rounds = counters.rounds.Get(),
                       .busy_rounds = counters.busy_rounds.Get(),
                       .received = counters.received.Get(),
                       .sent = counters.sent.Get(),
                       .handed_over = counters.handed_over.Get(),
                       .taken_over = counters.taken_over.Get(),
                       .recalled = counters.recalled.Get(),
                       .dropped = DropsOf(worker),
                       .held = counters.held.Get(),
                       .inbound_sas = impl_->inbound[i]->installed(),
                       .outbound_sas = impl_->outbound->installed(worker.id)};
    for (size_t port = 0; port < worker.port_count; ++port) {
      if (worker.ports[port].queue != kNoQueue) ++info.queues;
    }
    infos.push_back(info);
  }
  return infos;
}

}  // namespace sekisho::fastpath
