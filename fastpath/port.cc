#include "fastpath/port.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::fastpath {
namespace {

constexpr uint16_t kQueueDescriptors = 1024;

absl::Status Failed(const PortConfig& config, absl::string_view what, int error) {
  return absl::InternalError(absl::StrCat("port ", config.name, ": device ", config.device, ": ",
                                          what, ": ", rte_strerror(error < 0 ? -error : error)));
}

// RSS over all that the device can hash: the SPI spreads the tunnels of one peer. Which worker gets
// a packet is a matter of speed only: the one that owns its SA, or its fragments, gets it in the
// end.
rte_eth_conf ConfigurationOf(const rte_eth_dev_info& info, uint16_t queues) {
  constexpr uint64_t kHashed = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP;
  rte_eth_conf conf = {};
  const uint64_t can = info.flow_type_rss_offloads & kHashed;
  if (queues > 1 && can != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = can;
  }
  return conf;
}

}  // namespace

absl::StatusOr<Port> Port::Open(const PortConfig& config, uint32_t queues_wanted,
                                rte_mempool* packets) {
  const std::string device = config.device.substr(0, config.device.find(','));
  Port port;
  if (rte_eth_dev_get_port_by_name(device.c_str(), &port.device_) != 0) {
    port.device_ = kNoDevice;
    return absl::NotFoundError(
        absl::StrCat("port ", config.name, ": device ", device,
                     ": DPDK does not have it; check its name, driver and network interface"));
  }
  SEKISHO_RETURN_IF_ERROR(port.Configure(config, queues_wanted, packets));
  return port;
}

absl::Status Port::Configure(const PortConfig& config, uint32_t queues_wanted,
                             rte_mempool* packets) {
  rte_eth_dev_info info;
  if (const int error = rte_eth_dev_info_get(device_, &info); error != 0) {
    return Failed(config, "cannot be asked what it is", error);
  }
  driver_ = info.driver_name != nullptr ? info.driver_name : "unknown";
  queues_ = static_cast<uint16_t>(
      std::min<uint32_t>({queues_wanted, info.max_rx_queues, info.max_tx_queues, UINT16_MAX - 1u}));
  if (queues_ == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "port ", config.name, ": device ", config.device, ": has no queues to receive and send"));
  }
  rte_eth_conf conf = ConfigurationOf(info, queues_);
  conf.txmode.offloads = TransmitOffloads(config, info.tx_offload_capa);
  conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
  if (const int error = rte_eth_dev_configure(device_, queues_, queues_, &conf); error != 0) {
    return Failed(config, "cannot be configured", error);
  }
  SEKISHO_RETURN_IF_ERROR(SetMtu(config));
  uint16_t receive = kQueueDescriptors;
  uint16_t transmit = kQueueDescriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(device_, &receive, &transmit);
      error != 0) {
    return Failed(config, "takes no queue size", error);
  }
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(device_));
  for (uint16_t queue = 0; queue < queues_; ++queue) {
    int error = rte_eth_rx_queue_setup(device_, queue, receive, socket, nullptr, packets);
    if (error == 0) error = rte_eth_tx_queue_setup(device_, queue, transmit, socket, nullptr);
    if (error != 0) return Failed(config, "cannot set up a queue", error);
  }
  if (const int error = rte_eth_dev_start(device_); error != 0) {
    return Failed(config, "cannot be started", error);
  }
  started_ = true;
  rte_ether_addr address;
  if (const int error = rte_eth_macaddr_get(device_, &address); error != 0) {
    return Failed(config, "has no MAC address", error);
  }
  std::memcpy(mac_.data(), address.addr_bytes, mac_.size());
  // IPv6 resolves neighbours by multicast. A device that cannot filter shows us everything, and
  // parse drops what is not ours.
  if (rte_eth_allmulticast_enable(device_) != 0) rte_eth_promiscuous_enable(device_);
  return absl::OkStatus();
}

uint64_t Port::TransmitOffloads(const PortConfig& config, uint64_t can) {
  constexpr uint64_t kChecksums = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
  writes_vlan_tags_ = config.vlan != 0 && (can & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0;
  makes_checksums_ = (can & kChecksums) == kChecksums;
  return (writes_vlan_tags_ ? uint64_t{RTE_ETH_TX_OFFLOAD_VLAN_INSERT} : 0) |
         (makes_checksums_ ? kChecksums : 0);
}

absl::Status Port::SetMtu(const PortConfig& config) {
  uint16_t now = 0;
  if (rte_eth_dev_get_mtu(device_, &now) == 0 && now == config.mtu) return absl::OkStatus();
  const int error = rte_eth_dev_set_mtu(device_, config.mtu);
  // Rings and the like have no MTU to set.
  if (error == 0 || error == -ENOTSUP) return absl::OkStatus();
  return Failed(config, absl::StrCat("does not take an MTU of ", config.mtu), error);
}

Port::Port(Port&& other) noexcept
    : device_(std::exchange(other.device_, kNoDevice)),
      started_(std::exchange(other.started_, false)),
      queues_(other.queues_),
      writes_vlan_tags_(other.writes_vlan_tags_),
      makes_checksums_(other.makes_checksums_),
      mac_(other.mac_),
      driver_(std::move(other.driver_)) {}

Port::~Port() {
  if (started_) rte_eth_dev_stop(device_);
}

void Port::Close() {
  if (device_ == kNoDevice) return;
  if (started_) rte_eth_dev_stop(device_);
  started_ = false;
  rte_eth_dev_close(device_);
  device_ = kNoDevice;
}

bool Port::LinkIsUp() const {
  rte_eth_link link = {};
  return rte_eth_link_get_nowait(device_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

uint32_t Port::LinkMbps() const {
  rte_eth_link link = {};
  if (rte_eth_link_get_nowait(device_, &link) != 0) return 0;
  return link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

}  // namespace sekisho::fastpath
