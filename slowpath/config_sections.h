// slowpath/config_sections.h: the sections of the configuration file, each read by one function
// into its part of Config. Called by ParseConfig() in this order, because the later ones look at
// what the earlier ones found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/secret.h"
#include "ike/identity.h"
#include "slowpath/config.h"
#include "slowpath/config_reader.h"

namespace sekisho::slowpath {

// One pre-shared key of `secrets`.
struct SecretConfig {
  bool any = false;  // %any
  ike::Identity id;
  SecretBytes psk;
};

// config_machine.cc
void ReadWorkers(ConfigMap& root, const ConfigEnvironment& environment, WorkersConfig& workers);
void ReadMemory(ConfigMap& root, MemoryConfig& memory);
void ReadEal(ConfigMap& root, std::vector<std::string>& eal);
void ReadCrypto(ConfigMap& root, CryptoSettings& crypto);
void ReadIke(ConfigMap& root, ike::EngineOptions& options);
void ReadControl(ConfigMap& root, ControlConfig& control);
void ReadLog(ConfigMap& root, LogConfig& log);

// config_network.cc
void ReadPorts(ConfigMap& root, std::vector<PortSettings>& ports);
void ReadRoutes(ConfigMap& root, const std::vector<PortSettings>& ports,
                std::vector<fastpath::Route>& routes);
void ReadPools(ConfigMap& root, const std::vector<PortSettings>& ports,
               std::vector<PoolConfig>& pools);
// The port that the node names; without it, an error.
std::optional<PortId> FindPort(const std::vector<PortSettings>& ports, const ConfigNode& node);

// config_policies.cc
void ReadPolicies(ConfigMap& root, const std::vector<PortSettings>& ports,
                  std::vector<fastpath::Policy>& policies);

// config_sas.cc
void ReadManualSas(ConfigMap& root, const std::vector<PortSettings>& ports,
                   std::vector<ManualSaConfig>& sas);

// config_connections.cc
void ReadConnections(ConfigMap& root, const Config& config,
                     const std::vector<SecretConfig>& secrets,
                     std::vector<ConnectionConfig>& connections);

// config_credentials.cc
void ReadSecrets(ConfigMap& root, std::vector<SecretConfig>& secrets);
void ReadLocalAuthentication(const ConfigNode& node, ike::LocalAuthentication& local);
void ReadRemoteAuthentication(const ConfigNode& node, ike::RemoteAuthentication& remote);
// Gives the connection the secrets of the peers that it lets in.
void AssignSecrets(const ConfigNode& node, const std::vector<SecretConfig>& secrets,
                   ike::Connection& connection);

// A key, from the node's text or from the file that it names. False, with an error, if it is none.
bool ReadKey(const ConfigNode& node, SecretBytes& key);
bool ReadKeyFile(const ConfigNode& node, SecretBytes& key);

// `name` as seen from the directory of the configuration file.
std::string ResolveFileName(const std::string& config_path, absl::string_view name);
// Error: "cannot read 'gw.pem': No such file or directory".
absl::StatusOr<std::string> ReadWholeFile(const std::string& config_path, absl::string_view name);

// Both families of `local` in `remote` and the other way about? If not, an error on `node`.
void CheckFamilies(const ConfigNode& node, const TrafficSelectors& local,
                   const TrafficSelectors& remote);

}  // namespace sekisho::slowpath
