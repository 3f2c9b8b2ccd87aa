// fastpath/port.h: one Ethernet port of DPDK, configured and started.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "fastpath/fast_path.h"

struct rte_mempool;

namespace sekisho::fastpath {

// Slow path only. What is not closed is stopped when this goes: the device stays known to DPDK, and
// can be opened again.
class Port {
 public:
  // Finds the device by name (what stands before the comma of a vdev), sets MTU, queues and MAC
  // filter and starts it. It gets `queues_wanted` queues for each direction or, where it has not as
  // many, all it has; with several, RSS spreads what comes in where the device can do that.
  // Requires: `packets` outlives the port. The error names port and device.
  static absl::StatusOr<Port> Open(const PortConfig& config, uint32_t queues_wanted,
                                   rte_mempool* packets);
  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;
  ~Port();

  // Gives the device back to DPDK for good.
  void Close();

  uint16_t device() const { return device_; }
  uint16_t queues() const { return queues_; }
  const MacAddress& mac() const { return mac_; }
  const std::string& driver() const { return driver_; }
  // Of packets with RTE_MBUF_F_TX_VLAN. Only asked for where the port has a VLAN.
  bool writes_vlan_tags() const { return writes_vlan_tags_; }
  // Of TCP and UDP packets, where they ask for it (fastpath/checksum_offload.h).
  bool makes_checksums() const { return makes_checksums_; }
  bool LinkIsUp() const;
  uint32_t LinkMbps() const;  // 0: unknown

 private:
  Port() = default;
  absl::Status Configure(const PortConfig& config, uint32_t queues_wanted, rte_mempool* packets);
  uint64_t TransmitOffloads(const PortConfig& config, uint64_t can);
  absl::Status SetMtu(const PortConfig& config);

  static constexpr uint16_t kNoDevice = 0xffff;
  uint16_t device_ = kNoDevice;
  bool started_ = false;
  uint16_t queues_ = 0;
  bool writes_vlan_tags_ = false;
  bool makes_checksums_ = false;
  MacAddress mac_ = {};
  std::string driver_;
};

}  // namespace sekisho::fastpath
