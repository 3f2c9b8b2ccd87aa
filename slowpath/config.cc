#include "slowpath/config.h"

#include <sched.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "slowpath/config_reader.h"
#include "slowpath/config_sections.h"
#include "slowpath/yaml.h"

namespace sekisho::slowpath {

ConfigEnvironment ConfigEnvironment::OfThisProcess() {
  ConfigEnvironment environment;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) environment.cores.push_back(core);
    }
  }
  if (environment.cores.empty()) environment.cores.push_back(0);
  return environment;
}

std::string ResolveFileName(const std::string& config_path, absl::string_view name) {
  const size_t slash = config_path.rfind('/');
  if (name.substr(0, 1) == "/" || slash == std::string::npos) return std::string(name);
  return absl::StrCat(config_path.substr(0, slash + 1), name);
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& config_path, absl::string_view name) {
  std::ifstream stream(ResolveFileName(config_path, name), std::ios::binary);
  std::ostringstream content;
  // A directory opens and fails at the first read.
  if (!stream || stream.peek() == std::ifstream::traits_type::eof()) {
    const int error = errno;
    if (!stream.is_open() || stream.bad()) {
      return absl::NotFoundError(absl::StrCat("cannot read '", name, "': ", std::strerror(error)));
    }
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is empty"));
  }
  content << stream.rdbuf();
  return content.str();
}

absl::StatusOr<Config> ParseConfig(const std::string& path, const std::string& text,
                                   const ConfigEnvironment& environment) {
  SEKISHO_ASSIGN_OR_RETURN(const YamlNode document, ParseYaml(path, text));
  ConfigErrors errors(path);
  ConfigMap root(ConfigNode(document, "", errors));
  Config config;
  config.path = path;
  ReadWorkers(root, environment, config.workers);
  ReadMemory(root, config.memory);
  ReadEal(root, config.eal);
  ReadPorts(root, config.ports);
  ReadRoutes(root, config.ports, config.routes);
  ReadCrypto(root, config.crypto);
  ReadPools(root, config.ports, config.pools);
  std::vector<SecretConfig> secrets;
  ReadSecrets(root, secrets);
  ReadConnections(root, config, secrets, config.connections);
  ReadPolicies(root, config.ports, config.policies);
  ReadManualSas(root, config.ports, config.sas);
  ReadIke(root, config.ike);
  ReadControl(root, config.control);
  ReadLog(root, config.log);
  root.Finish();
  SEKISHO_RETURN_IF_ERROR(errors.ToStatus());
  config.warnings = errors.TakeWarnings();
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path, const ConfigEnvironment& environment) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream.is_open()) {
    return absl::NotFoundError(
        absl::StrCat("cannot read configuration ", path, ": ", std::strerror(errno)));
  }
  std::ostringstream content;
  content << stream.rdbuf();
  if (stream.bad()) {
    return absl::NotFoundError(
        absl::StrCat("cannot read configuration ", path, ": ", std::strerror(errno)));
  }
  return ParseConfig(path, content.str(), environment);
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  return LoadConfig(path, ConfigEnvironment::OfThisProcess());
}

std::vector<fastpath::Route> AllRoutes(const Config& config) {
  std::vector<fastpath::Route> routes;
  for (size_t port = 0; port < config.ports.size(); ++port) {
    for (const InterfaceAddress& address : config.ports[port].port.addresses) {
      routes.push_back({.destination = address.network(),
                        .port = PortId{static_cast<uint16_t>(port)},
                        .gateway = std::nullopt});
    }
  }
  routes.insert(routes.end(), config.routes.begin(), config.routes.end());
  return routes;
}

fastpath::FastPathConfig MakeFastPathConfig(const Config& config) {
  fastpath::FastPathConfig result;
  for (const PortSettings& port : config.ports) result.ports.push_back(port.port);
  result.worker_lcores = config.workers.cores;
  result.crypto_backend = config.crypto.backend;
  for (const DeviceConfig& device : config.crypto.devices) {
    result.crypto_devices.push_back(device.name);
  }
  result.mbufs = config.memory.packet_buffers;
  const auto workers = static_cast<uint32_t>(config.workers.cores.size());
  result.inbound_sas_max = std::bit_ceil((config.memory.child_sas + workers - 1) / workers);
  result.outbound_sas_max = std::bit_ceil(config.memory.child_sas);
  result.decisions_max = fastpath::DecisionsFor(config.memory.child_sas);
  result.flows_max = config.memory.flows;
  result.replay_window = config.crypto.replay_window;
  return result;
}

}  // namespace sekisho::slowpath
