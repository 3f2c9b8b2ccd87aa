#include "bench/gateway.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "bench/options.h"
#include "common/status_macros.h"
#include "fastpath/worker.h"

namespace sekisho::bench {
namespace {

constexpr uint16_t kMtu = 1500, kJumboMtu = 9200;
constexpr uint32_t kBuffers = 16'384;
constexpr PortId kOutsidePort{0}, kInsidePort{1};

MacAddress MacOf(uint16_t device) {
  rte_ether_addr address = {};
  rte_eth_macaddr_get(device, &address);
  MacAddress mac;
  std::memcpy(mac.data(), address.addr_bytes, mac.size());
  return mac;
}

// Of "net_af_packet0,iface=eth0" it is what stands before the comma.
absl::StatusOr<uint16_t> DeviceOf(const std::string& name) {
  uint16_t device = 0;
  if (rte_eth_dev_get_port_by_name(name.substr(0, name.find(',')).c_str(), &device) == 0) {
    return device;
  }
  return absl::NotFoundError(absl::StrCat("DPDK has no device ", name));
}

fastpath::FastPathConfig ConfigOf(const Setup& setup, const Gateway::Options& options) {
  fastpath::FastPathConfig config;
  config.worker_lcores = options.lcores;
  absl::string_view device = setup.backend;
  if (absl::ConsumePrefix(&device, "cryptodev:")) {
    config.crypto_backend = fastpath::CryptoBackendKind::kCryptodev;
    config.crypto_devices = {std::string(device)};
  } else {
    config.crypto_backend = fastpath::CryptoBackendKind::kIpsecMb;
  }
  // Slots are dealt out evenly.
  const uint32_t sas = setup.sas + options.extra_sas;
  const uint32_t each = (sas + setup.workers - 1) / setup.workers;
  config.inbound_sas_max = std::bit_ceil(std::max(64u, each));
  config.outbound_sas_max = std::bit_ceil(std::max(64u, sas));
  config.decisions_max = DecisionsOf(setup);
  config.mbufs = kBuffers + options.extra_buffers;
  return config;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Create(const Workload& workload,
                                                         const Options& options) {
  std::unique_ptr<Gateway> gateway(new Gateway());
  SEKISHO_RETURN_IF_ERROR(gateway->OpenPorts(workload, options));
  SEKISHO_RETURN_IF_ERROR(gateway->fast_path_->CheckSuite(workload.setup().suite));
  SEKISHO_RETURN_IF_ERROR(gateway->SetTables(workload));
  SEKISHO_RETURN_IF_ERROR(gateway->InstallSas(workload));
  return gateway;
}

Gateway::~Gateway() {
  fast_path_.reset();
  for (const std::string& device : devices_) rte_eal_hotplug_remove("vdev", device.c_str());
}

absl::Status Gateway::OpenPorts(const Workload& workload, const Options& options) {
  static int made = 0;
  const Setup& setup = workload.setup();
  const bool memory = options.outside.empty();
  const std::string outside = memory ? absl::StrCat("net_null", made++) : options.outside;
  const std::string inside = memory ? absl::StrCat("net_null", made++) : options.inside;
  if (memory) {
    for (const std::string& name : {outside, inside}) {
      SEKISHO_RETURN_IF_ERROR(MemoryPort::MakeDevice(name));
      devices_.push_back(name);
    }
  }
  const uint16_t mtu = setup.jumbo ? kJumboMtu : kMtu;
  fastpath::FastPathConfig config = ConfigOf(setup, options);
  config.ports.push_back({.name = "outside",
                          .device = outside,
                          .side = fastpath::PortSide::kOutside,
                          .addresses = {{kGatewayAddress, 24}},
                          .mtu = mtu});
  if (setup.mode == Mode::kTransport) {
    config.ports.push_back({.name = "host",
                            .device = inside,
                            .side = fastpath::PortSide::kHost,
                            .addresses = {},
                            .mtu = mtu});
  } else {
    config.ports.push_back({.name = "inside",
                            .device = inside,
                            .side = fastpath::PortSide::kInside,
                            .addresses = {{kInside, 24}},
                            .mtu = mtu});
  }
  SEKISHO_ASSIGN_OR_RETURN(fast_path_, fastpath::FastPath::Create(config));
  SEKISHO_ASSIGN_OR_RETURN(outside_device_, DeviceOf(outside));
  SEKISHO_ASSIGN_OR_RETURN(inside_device_, DeviceOf(inside));
  outside_mac_ = MacOf(outside_device_);
  inside_mac_ = MacOf(inside_device_);
  if (memory) {
    const auto queues = static_cast<uint16_t>(setup.workers);
    outside_ = std::make_unique<MemoryPort>(outside, queues, pool());
    inside_ = std::make_unique<MemoryPort>(inside, queues, pool());
  }
  return absl::OkStatus();
}

absl::Status Gateway::SetTables(const Workload& workload) {
  std::vector<fastpath::Route> routes = {{IpPrefix(), kOutsidePort, kOutsideRouter}};
  if (workload.setup().mode != Mode::kTransport) {
    routes.push_back({IpPrefix(IpAddress::V4(0x0a00'0000), 8), kInsidePort, kInsideRouter});
    SEKISHO_RETURN_IF_ERROR(fast_path_->SetNeighbour(kInsidePort, kInsideRouter, kRouterMac));
  }
  SEKISHO_RETURN_IF_ERROR(fast_path_->SetNeighbour(kOutsidePort, kOutsideRouter, kRouterMac));
  SEKISHO_RETURN_IF_ERROR(fast_path_->SetTables(workload.Policies(), std::move(routes)));
  Settle();
  return absl::OkStatus();
}

absl::Status Gateway::Install(const Workload& workload, uint32_t sa) {
  fastpath::InboundSaParameters inbound = workload.Inbound(sa);
  SEKISHO_ASSIGN_OR_RETURN(inbound.spi, fast_path_->AllocateSpi());
  SEKISHO_RETURN_IF_ERROR(fast_path_->InstallInbound(inbound).status());
  fastpath::OutboundSaParameters outbound = workload.Outbound(sa);
  outbound.worker = inbound.spi.worker();
  inbound_spis_.push_back(inbound.spi);
  return fast_path_->InstallOutbound(outbound).status();
}

absl::Status Gateway::InstallSas(const Workload& workload) {
  constexpr uint32_t kAtOnce = 64;  // fewer than the messages that a down ring holds
  for (uint32_t sa = 0; sa < workload.setup().sas; ++sa) {
    SEKISHO_RETURN_IF_ERROR(Install(workload, sa));
    if (sa % kAtOnce == 0) Settle();
  }
  Settle();
  inbound_sas_.resize(workload.setup().workers);
  for (const Spi spi : inbound_spis_) {
    fastpath::Worker& worker = fast_path_->worker(spi.worker());
    fastpath::InboundSa* sa = worker.esp.inbound->Find(Be32::FromHost(spi.value));
    SEKISHO_CHECK(sa != nullptr);
    inbound_sas_[static_cast<size_t>(spi.worker())].push_back(sa);
  }
  return absl::OkStatus();
}

void Gateway::Settle() {
  while (fast_path_->RunOnce()) EmptyUpRings();
  EmptyUpRings();
}

void Gateway::EmptyUpRings() {
  std::array<UpMessage, 64> said;
  while (fast_path_->PollUp(said) > 0) {
  }
}

std::vector<int> Gateway::PortNodes() const {
  return {rte_eth_dev_socket_id(outside_device_), rte_eth_dev_socket_id(inside_device_)};
}

rte_mempool* Gateway::pool() { return fast_path_->worker(WorkerId{0}).packets; }

void Gateway::ResetReplayWindows(WorkerId worker) {
  for (fastpath::InboundSa* sa : inbound_sas_[static_cast<size_t>(worker)]) sa->window.Reset();
}

void Gateway::ResetReplayWindows() {
  for (uint8_t i = 0; i < inbound_sas_.size(); ++i) ResetReplayWindows(WorkerId{i});
}

}  // namespace sekisho::bench
