// slowpath/config.h: the configuration file as checked values.
//
// LoadConfig() reads the whole file, the certificates, keys and secrets that it names, and checks
// everything against everything before it returns: a Config is complete and consistent, and nothing
// in the program was changed on the way to it. Files are read, so this blocks: call it before the
// event loop runs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ip_address.h"
#include "common/ip_range.h"
#include "common/ipsec.h"
#include "common/secret.h"
#include "fastpath/fast_path.h"
#include "fastpath/policy.h"
#include "ike/connection.h"
#include "ike/engine.h"
#include "slowpath/log.h"

namespace sekisho::slowpath {

// A DPDK device as the operator wrote it: a vdev with arguments, or a PCI address.
struct DeviceConfig {
  std::string name;       // up to the first comma: what DPDK calls the device once it is probed
  std::string arguments;  // whole, for EalConfig::vdevs or EalConfig::pci
  bool is_pci = false;
};

struct WorkersConfig {
  std::vector<unsigned> cores;  // a worker each; by default the last core this process may use
};

struct MemoryConfig {
  unsigned megabytes = 512;  // of the EAL, without huge pages
  uint32_t packet_buffers = 16384;
  uint32_t child_sas = 16384;  // at once, with those that are being replaced; for all workers
  uint32_t flows = fastpath::FastPathConfig().flows_max;  // learned at once, by each worker
};

struct PortSettings {
  fastpath::PortConfig port;  // port.device is device.name
  DeviceConfig device;
};

struct CryptoSettings {
  fastpath::CryptoBackendKind backend = fastpath::CryptoBackendKind::kIpsecMb;
  std::vector<DeviceConfig> devices;  // of cryptodev; empty with ipsec-mb
  AlgorithmPermission permission;     // legacy: true
  uint32_t replay_window = 1024;      // packets; a power of two, 64 to 4096
};

// Virtual addresses for peers.
struct PoolConfig {
  std::string name;
  IpRange addresses;  // what may be leased: without network and broadcast address of a prefix
  std::vector<IpAddress> dns;
};

struct ConnectionConfig {
  std::shared_ptr<const ike::Connection> connection;
  std::vector<std::string> pools;  // names of Config::pools, in order of preference
  bool start = false;              // call the peer at start-up; it has a remote_endpoint then
};

// An SA whose keys a person typed (RFC 4301, 4.5.1).
struct ManualSaConfig {
  std::string name;
  UpMessage::Direction direction = UpMessage::Direction::kInbound;
  IpsecProtocol protocol = IpsecProtocol::kEsp;
  IpsecMode mode = IpsecMode::kTunnel;
  Spi spi;
  IpsecSuite suite;
  SecretBytes encryption_key, integrity_key;
  Endpoint local, remote;  // ports: only with encapsulation
  bool udp_encapsulation = false;
  TrafficSelectors local_selectors, remote_selectors;
  bool anti_replay = false;  // RFC 4303, 3.4.3: a peer that restarts begins at 1 again
  fastpath::SaLifetimes lifetimes;
  absl::Duration soft_time, hard_time;  // 0: none
  std::string then;                     // ESP, out: the SA of AH that its packets go into
  std::string within;                   // ESP, in: the SA of AH that its packets come through
};

struct ControlConfig {
  std::string socket = "/run/sekisho/sekisho.sock";
};

struct Config {
  std::string path;                   // as given to LoadConfig()
  std::vector<std::string> warnings;  // "gw.yaml:30: ...", for the log: unsafe, but not wrong
  WorkersConfig workers;
  MemoryConfig memory;
  std::vector<std::string> eal;         // extra EAL arguments
  std::vector<PortSettings> ports;      // PortId is the index
  std::vector<fastpath::Route> routes;  // as configured, without the connected networks
  CryptoSettings crypto;
  std::vector<PoolConfig> pools;
  std::vector<ConnectionConfig> connections;  // in order; `secrets` are already inside
  std::vector<fastpath::Policy> policies;
  std::vector<ManualSaConfig> sas;
  ike::EngineOptions ike;
  ControlConfig control;
  LogConfig log;
};

// What the file is checked against, apart from itself.
struct ConfigEnvironment {
  std::vector<unsigned> cores;  // that this process may use, ascending

  static ConfigEnvironment OfThisProcess();
};

// Errors, one a line, at most kConfigErrorsMax, each as
//   gw.yaml:12: pools.staff4.addresses: found '10.99.0.0/33', want an address range
// with the file's name as given in `path`, line numbers from 1.
inline constexpr size_t kConfigErrorsMax = 20;
absl::StatusOr<Config> LoadConfig(const std::string& path, const ConfigEnvironment& environment);
absl::StatusOr<Config> LoadConfig(const std::string& path);  // in OfThisProcess()

// The same for a text; `path` is used for messages and as the base of relative file names.
absl::StatusOr<Config> ParseConfig(const std::string& path, const std::string& text,
                                   const ConfigEnvironment& environment);

// For FastPath::SetTables(): the connected networks of every port, then the configured routes.
std::vector<fastpath::Route> AllRoutes(const Config& config);

// Ready for FastPath::Create() but for what only the running machine knows.
fastpath::FastPathConfig MakeFastPathConfig(const Config& config);

}  // namespace sekisho::slowpath
