#include "fastpath/eal.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace sekisho::fastpath {
namespace {

constexpr unsigned kMemoryMbDefault = 512;

bool uses_huge_pages = false;

std::set<unsigned> AvailableCpus() {
  std::set<unsigned> cpus;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.insert(cpu);
  }
  return cpus;
}

std::string List(const std::set<unsigned>& cpus) { return absl::StrJoin(cpus, ", "); }

// "0@0,1@1": which CPU each lcore runs on. The lcore of a core has its number, except that with a
// single CPU all share it.
absl::StatusOr<std::string> LcoreMap(const EalConfig& config) {
  const std::set<unsigned> cpus = AvailableCpus();
  if (cpus.empty()) return absl::InternalError("eal: cannot read which cores this process may use");
  std::set<unsigned> free = cpus;
  std::vector<std::string> map;
  for (const unsigned core : config.worker_lcores) {
    if (core == config.main_lcore) {
      return absl::InvalidArgumentError(
          absl::StrCat("workers: core ", core, " is the slow path's; choose another"));
    }
    if (cpus.size() > 1 && !cpus.contains(core)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "workers: core ", core, " is not available to this process; choose from ", List(cpus)));
    }
    const unsigned cpu = cpus.size() > 1 ? core : *cpus.begin();
    free.erase(cpu);
    map.push_back(absl::StrCat(core, "@", cpu));
  }
  // The slow path sleeps most of the time, so any CPU that no worker spins on does.
  unsigned main_cpu = config.main_lcore;
  if (!free.contains(main_cpu)) main_cpu = free.empty() ? *cpus.begin() : *free.begin();
  map.insert(map.begin(), absl::StrCat(config.main_lcore, "@", main_cpu));
  return absl::StrJoin(map, ",");
}

uint64_t ReadNumber(const std::filesystem::path& file) {
  uint64_t number = 0;
  std::ifstream(file) >> number;
  return number;
}

uint64_t FreeHugePageBytes() {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    // "hugepages-2048kB"
    uint64_t kilobytes = 0;
    if (std::sscanf(entry.path().filename().c_str(), "hugepages-%lukB", &kilobytes) != 1) continue;
    bytes += kilobytes * 1024 * ReadNumber(entry.path() / "free_hugepages");
  }
  return bytes;
}

uint64_t AvailableMemoryMb() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  uint64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes >> unit) {
    if (key == "MemAvailable:") return kilobytes / 1024;
  }
  return UINT64_MAX;
}

// "net_af_packet0,iface=eth0" needs the interface and the right to read from it.
absl::Status CheckVdev(const std::string& vdev) {
  if (!absl::StartsWith(vdev, "net_af_packet")) return absl::OkStatus();
  if (geteuid() != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        "device ", vdev, ": needs root to read from a network interface; start as root"));
  }
  for (absl::string_view part : absl::StrSplit(vdev, ',')) {
    if (!absl::ConsumePrefix(&part, "iface=")) continue;
    if (if_nametoindex(std::string(part).c_str()) == 0) {
      return absl::NotFoundError(absl::StrCat("device ", vdev, ": there is no network interface ",
                                              part, "; create it or name another"));
    }
  }
  return absl::OkStatus();
}

absl::Status AddMemory(const EalConfig& config, std::vector<std::string>& arguments) {
  const unsigned wanted_mb = config.memory_mb != 0 ? config.memory_mb : kMemoryMbDefault;
  uses_huge_pages = FreeHugePageBytes() >= uint64_t{wanted_mb} * 1024 * 1024;
  if (uses_huge_pages) {
    arguments.push_back("--in-memory");
    return absl::OkStatus();
  }
  if (const uint64_t available = AvailableMemoryMb(); available < wanted_mb) {
    return absl::ResourceExhaustedError(
        absl::StrCat("memory: ", available, " MB are available, want ", wanted_mb,
                     "; free some or ask for less under memory.megabytes"));
  }
  // Neither leaves a file; DPDK 22.11 does not take --in-memory together with --no-huge.
  arguments.push_back("--no-huge");
  arguments.push_back("--no-shconf");
  arguments.push_back("-m");
  arguments.push_back(absl::StrCat(wanted_mb));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Arguments(const EalConfig& config) {
  std::vector<std::string> arguments = {"sekisho", "--log-level=warning",
                                        // It misses a socket that nobody wants.
                                        "--log-level=lib.telemetry:error",
                                        absl::StrCat("--file-prefix=sekisho-", getpid())};
  SEKISHO_ASSIGN_OR_RETURN(const std::string lcores, LcoreMap(config));
  arguments.push_back(absl::StrCat("--lcores=", lcores));
  arguments.push_back(absl::StrCat("--main-lcore=", config.main_lcore));
  SEKISHO_RETURN_IF_ERROR(AddMemory(config, arguments));
  for (const std::string& vdev : config.vdevs) {
    SEKISHO_RETURN_IF_ERROR(CheckVdev(vdev));
  }
  if (config.pci.empty()) arguments.push_back("--no-pci");
  for (const std::string& address : config.pci)
    arguments.push_back(absl::StrCat("--allow=", address));
  arguments.insert(arguments.end(), config.extra.begin(), config.extra.end());
  return arguments;
}

}  // namespace

absl::Status ProbeDevice(const std::string& vdev) {
  const std::vector<std::string> parts = absl::StrSplit(vdev, absl::MaxSplits(',', 1));
  const int level = rte_log_get_level(RTE_LOGTYPE_EAL);
  rte_log_set_level(RTE_LOGTYPE_EAL, RTE_LOG_CRIT);
  const int error =
      rte_eal_hotplug_add("vdev", parts[0].c_str(), parts.size() > 1 ? parts[1].c_str() : "");
  rte_log_set_level(RTE_LOGTYPE_EAL, static_cast<uint32_t>(std::max(level, 0)));
  if (error == 0) return absl::OkStatus();
  // What the vdev bus says of a name that begins like no driver's.
  if (error == -EFAULT || error == -EINVAL) {
    return absl::NotFoundError(absl::StrCat(
        "device ", parts[0], ": no DPDK driver has this name; want a vdev as ",
        "net_af_packet0,iface=eth0 (drivers: net_af_packet, net_af_xdp, net_tap, net_memif, ",
        "net_ring, net_pcap, net_null, crypto_aesni_mb, crypto_openssl ...) or a PCI address"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("device ", vdev, ": its driver does not start it: ", rte_strerror(-error),
                   "; check its arguments, and that this process is allowed to"));
}

absl::Status InitializeEal(const EalConfig& config) {
  SEKISHO_ASSIGN_OR_RETURN(std::vector<std::string> made, Arguments(config));
  // The EAL keeps pointers into its arguments.
  static std::vector<std::string> arguments;
  arguments = std::move(made);
  static std::vector<char*> argv;
  argv.clear();
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
    return absl::InternalError(absl::StrCat(
        "eal: DPDK does not start: ", rte_strerror(rte_errno),
        "; its own message above says more, its arguments were: ", absl::StrJoin(arguments, " ")));
  }
  // One by one, so that the error names the device.
  for (const std::string& vdev : config.vdevs) {
    if (absl::Status status = ProbeDevice(vdev); !status.ok()) {
      CleanupEal();
      return status;
    }
  }
  return absl::OkStatus();
}

bool UsesHugePages() { return uses_huge_pages; }

void CleanupEal() {
  const char* directory = rte_eal_get_runtime_dir();
  const std::string runtime = directory != nullptr ? directory : "";
  rte_eal_cleanup();
  // Named after this process, so nobody else's; DPDK leaves it behind.
  std::error_code error;
  if (absl::StrContains(runtime, absl::StrCat("sekisho-", getpid()))) {
    std::filesystem::remove_all(runtime, error);
  }
}

}  // namespace sekisho::fastpath
