// sekisho: the gateway. Reads the configuration, starts DPDK, runs the slow path on this thread.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "fastpath/eal.h"
#include "slowpath/config.h"
#include "slowpath/event_loop.h"
#include "slowpath/gateway.h"
#include "slowpath/log.h"

namespace sekisho::slowpath {
namespace {

constexpr int kUsageError = 2;

struct Options {
  std::string config;
  bool check = false;
  bool no_console = false;
};

fastpath::EalConfig MakeEalConfig(const Config& config) {
  fastpath::EalConfig eal;
  eal.worker_lcores = config.workers.cores;
  // The slow path takes another core than the workers where there is one.
  for (const unsigned core : ConfigEnvironment::OfThisProcess().cores) {
    eal.main_lcore = core;
    if (core != config.workers.cores.front()) break;
  }
  const auto add_device = [&](const DeviceConfig& device) {
    (device.is_pci ? eal.pci : eal.vdevs).push_back(device.arguments);
  };
  for (const PortSettings& port : config.ports) add_device(port.device);
  for (const DeviceConfig& device : config.crypto.devices) add_device(device);
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
