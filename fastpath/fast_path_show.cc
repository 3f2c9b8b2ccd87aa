#include "fastpath/fast_path_impl.h"

namespace sekisho::fastpath {
namespace {

uint64_t DropsOf(const Worker& worker, DropReason reason) {
  uint64_t drops = 0;
  for (const auto& of_port : worker.counters.drops)
    drops += of_port[static_cast<size_t>(reason)].Get();
  return drops;
}

}  // namespace

std::vector<PortInfo> FastPath::Ports() const {
  std::vector<PortInfo> infos;
  for (size_t i = 0; i < impl_->ports.size(); ++i) {
    const Port& port = impl_->ports[i];
    const PortConfig& config = impl_->config.ports[i];
    const WorkerPort& counted = impl_->worker->ports[i];
    infos.push_back({.name = config.name,
                     .device = config.device,
                     .driver = port.driver(),
                     .side = config.side,
                     .mac = port.mac(),
                     .addresses = config.addresses,
                     .mtu = config.mtu,
                     .link_up = port.LinkIsUp(),
                     .link_mbps = port.LinkMbps(),
                     .counters = {.received_packets = counted.received_packets.Get(),
                                  .received_bytes = counted.received_bytes.Get(),
                                  .sent_packets = counted.sent_packets.Get(),
                                  .sent_bytes = counted.sent_bytes.Get()}});
  }
  return infos;
}

std::vector<std::pair<DropReason, uint64_t>> FastPath::Drops() const {
  std::vector<std::pair<DropReason, uint64_t>> drops;
  for (size_t i = 1; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    drops.emplace_back(reason, DropsOf(*impl_->worker, reason));
  }
  return drops;
}

Accounting FastPath::GetAccounting() const {
  const WorkerCounters& counters = impl_->worker->counters;
  Accounting accounting = {.received = counters.received.Get(),
                           .made_here = counters.made_here.Get(),
                           .sent = counters.sent.Get(),
                           .delivered = counters.delivered.Get(),
                           .punted = counters.punted.Get(),
                           .consumed = counters.consumed.Get(),
                           .held = counters.held.Get()};
  for (const auto& [reason, packets] : Drops()) accounting.dropped += packets;
  return accounting;
}

}  // namespace sekisho::fastpath
