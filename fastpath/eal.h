// fastpath/eal.h: DPDK's Environment Abstraction Layer, started from what we know rather than from
// a command line that a person typed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sekisho::fastpath {

struct EalConfig {
  std::vector<unsigned> worker_lcores;  // cores for workers; the slow path's is main_lcore
  unsigned main_lcore = 0;
  std::vector<std::string> vdevs;  // "net_af_packet0,iface=gw-wan", "crypto_aesni_mb0"
  std::vector<std::string> pci;    // addresses to use; none: --no-pci
  unsigned memory_mb = 0;          // 0: enough for the defaults, where there are no huge pages
  std::vector<std::string> extra;  // the operator's own EAL arguments, appended
};

// Once per process. Uses huge pages where enough are free, otherwise ordinary memory; says which.
// The error is one sentence: what is missing and what to do.
absl::Status InitializeEal(const EalConfig& config);
// Has DPDK attach a vdev, "net_af_packet0,iface=eth0". Requires an initialised EAL, which does this
// for EalConfig::vdevs. The error names the device; a driver's own reason is on standard error.
absl::Status ProbeDevice(const std::string& vdev);
bool UsesHugePages();
// Ends the EAL. Requires: every FastPath is gone.
void CleanupEal();

}  // namespace sekisho::fastpath
