// sekisho: the gateway. Reads the configuration, starts DPDK, runs the slow path on this thread.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fastpath/eal.h"
#include "slowpath/config.h"
#include "slowpath/event_loop.h"
#include "slowpath/gateway.h"
#include "slowpath/log.h"

namespace sekisho::slowpath {
namespace {

constexpr int kUsageError = 2;
// A DPDK crypto vdev has eight queue pairs unless told otherwise.
constexpr size_t kCryptoWorkersByDefault = 4;

struct Options {
  std::string config;
  bool check = false;
  bool no_console = false;
};

fastpath::EalConfig MakeEalConfig(const Config& config) {
  fastpath::EalConfig eal;
  eal.worker_lcores = config.workers.cores;
  const std::vector<unsigned>& taken = config.workers.cores;
  const auto is_free = [&taken](unsigned core) {
    return std::find(taken.begin(), taken.end(), core) == taken.end();
  };
  // The slow path takes another core than the workers where there is one; where there is none it
  // shares one of theirs, under a number that DPDK does not confuse with it.
  const std::vector<unsigned> cores = ConfigEnvironment::OfThisProcess().cores;
  const auto found = std::find_if(cores.begin(), cores.end(), is_free);
  if (found != cores.end()) {
    eal.main_lcore = *found;
  } else {
    while (!is_free(eal.main_lcore)) ++eal.main_lcore;
  }
  const auto add_device = [&](const DeviceConfig& device, const std::string& more = "") {
    (device.is_pci ? eal.pci : eal.vdevs).push_back(device.arguments + more);
  };
  for (const PortSettings& port : config.ports) add_device(port.device);
  for (const DeviceConfig& device : config.crypto.devices) {
    // Two queue pairs for each worker; a software device makes as many as it is told to.
    const bool told = absl::StrContains(device.arguments, "max_nb_queue_pairs=");
    add_device(device, device.is_pci || told || taken.size() <= kCryptoWorkersByDefault
                           ? ""
                           : absl::StrCat(",max_nb_queue_pairs=", 2 * taken.size()));
  }
  eal.memory_mb = config.memory.megabytes;
  eal.extra = config.eal;
  return eal;
}

// From a checked configuration to the end of the program.
absl::Status Serve(Config config, bool with_console) {
  auto log = Logger::Open(config.log);
  if (!log.ok()) return log.status();
  for (const std::string& warning : config.warnings) {
    (*log)->Warning("configuration", {{"warning", warning}});
  }
  const absl::Status eal = fastpath::InitializeEal(MakeEalConfig(config));
  if (!eal.ok()) return eal;
  const absl::Cleanup cleanup = [] { fastpath::CleanupEal(); };
  auto gateway = Gateway::Create(std::move(config), with_console, **log);
  if (!gateway.ok()) return gateway.status();
  return (*gateway)->Run();
}

int Main(const Options& options) {
  auto config = LoadConfig(options.config);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 1;
  }
  if (options.check) {
    for (const std::string& warning : config->warnings) {
      std::fprintf(stderr, "warning: %s\n", warning.c_str());
    }
    std::printf("%s: ok\n", options.config.c_str());
    return 0;
  }
  EventLoop::SetPoolThreads(2);
  const absl::Status status = Serve(*std::move(config), !options.no_console);
  if (!status.ok()) {
    std::fprintf(stderr, "sekisho: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace sekisho::slowpath

int main(int argc, char** argv) {
  sekisho::slowpath::Options options;
  CLI::App app(
      "sekisho: an IPsec VPN gateway. Ends IKEv2 tunnels; moves packets with DPDK.\n"
      "Example: sekisho --check /etc/sekisho.yaml && sekisho /etc/sekisho.yaml");
  app.add_option("CONFIG", options.config, "the configuration file (YAML)")->required();
  app.add_flag("--check", options.check,
               "check the configuration and the files it names, and exit");
  app.add_flag("--no-console", options.no_console,
               "no shell on standard input; use sekishoctl instead");
  app.set_version_flag("--version", SEKISHO_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : sekisho::slowpath::kUsageError;
  }
  return sekisho::slowpath::Main(options);
}
