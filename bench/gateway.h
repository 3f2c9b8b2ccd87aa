// bench/gateway.h: the fast path that is measured, set up as the daemon would have it: ports, SPD,
// routes, neighbours, and all its SAs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/memory_port.h"
#include "bench/workload.h"
#include "fastpath/fast_path.h"
#include "fastpath/sa.h"

namespace sekisho::bench {

class Gateway {
 public:
  struct Options {
    std::vector<unsigned> lcores;  // a worker each
    uint32_t extra_buffers = 0;    // that somebody else takes from the pool
    uint32_t extra_sas = 0;        // pairs for which there is room beside the workload's
    // Ports of DPDK that are there already; empty: memory ports.
    std::string outside, inside;
  };
  // The workload outlives the gateway.
  static absl::StatusOr<std::unique_ptr<Gateway>> Create(const Workload& workload,
                                                         const Options& options);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  fastpath::FastPath& fast_path() { return *fast_path_; }
  // Requires: memory ports.
  MemoryPort& outside() { return *outside_; }
  MemoryPort& inside() { return *inside_; }  // the host port, in transport mode
  const MacAddress& outside_mac() const { return outside_mac_; }
  const MacAddress& inside_mac() const { return inside_mac_; }
  rte_mempool* pool();
  const std::vector<Spi>& inbound_spis() const { return inbound_spis_; }  // by SA
  WorkerId OwnerOf(uint32_t sa) const { return inbound_spis_[sa].worker(); }

  // As if no packet had come: the same may come again. Requires: no worker is running; or, of one
  // worker's SAs, to be that worker, with no packet in flight.
  void ResetReplayWindows();
  void ResetReplayWindows(WorkerId worker);
  // Handled and forgotten, so that the up rings have room.
  void EmptyUpRings();
  std::vector<int> PortNodes() const;  // NUMA; -1: unknown

 private:
  Gateway() = default;
  absl::Status OpenPorts(const Workload& workload, const Options& options);
  absl::Status SetTables(const Workload& workload);
  absl::Status InstallSas(const Workload& workload);
  absl::Status Install(const Workload& workload, uint32_t sa);
  // Until the workers have nothing to do. Requires: not started.
  void Settle();

  std::vector<std::string> devices_;  // of our own
  uint16_t outside_device_ = 0, inside_device_ = 0;
  std::unique_ptr<fastpath::FastPath> fast_path_;
  std::unique_ptr<MemoryPort> outside_, inside_;
  MacAddress outside_mac_ = {}, inside_mac_ = {};
  std::vector<Spi> inbound_spis_;
  std::vector<std::vector<fastpath::InboundSa*>> inbound_sas_;  // by worker
};

}  // namespace sekisho::bench
