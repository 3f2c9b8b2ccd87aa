// The sections about the machine and the program: workers, memory, eal, crypto, ike, control, log.
#include <sys/un.h>

#include <algorithm>
#include <bit>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spi.h"
#include "fastpath/flow_table.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

template <typename Number>
auto NumberFrom(uint64_t least, uint64_t most) {
  return [least, most](const std::string& text) -> absl::StatusOr<Number> {
    const absl::StatusOr<uint64_t> number = ParseNumber(text, least, most);
    if (!number.ok()) return number.status();
    return static_cast<Number>(*number);
  };
}

auto DurationFrom(absl::Duration least, absl::Duration most) {
  return [least, most](const std::string& text) { return ParseDuration(text, least, most); };
}

absl::StatusOr<uint32_t> ParseReplayWindow(const std::string& text) {
  const absl::StatusOr<uint64_t> bits = ParseNumber(text, 64, 4096);
  if (!bits.ok() || !std::has_single_bit(*bits)) {
    return Wanted(text, "a power of two from 64 to 4096");
  }
  return static_cast<uint32_t>(*bits);
}

absl::StatusOr<fastpath::CryptoBackendKind> ParseCryptoBackend(const std::string& text) {
  if (text == "ipsec-mb") return fastpath::CryptoBackendKind::kIpsecMb;
  if (text == "cryptodev") return fastpath::CryptoBackendKind::kCryptodev;
  return Wanted(text, "ipsec-mb or cryptodev");
}

absl::StatusOr<double> ParseFactor(const std::string& text) {
  double factor = 0;
  // Written so that "nan" is refused too.
  if (!absl::SimpleAtod(text, &factor) || !(factor >= 1.0 && factor <= 10.0)) {
    return Wanted(text, "a factor from 1.0 to 10.0");
  }
  return factor;
}

absl::StatusOr<LogLevel> ParseLevel(const std::string& text) {
  const std::optional<LogLevel> level = ParseLogLevel(text);
  if (!level.has_value()) return Wanted(text, "debug, info, warning or error");
  return *level;
}

}  // namespace

void ReadWorkers(ConfigMap& root, const ConfigEnvironment& environment, WorkersConfig& workers) {
  workers.cores = {environment.cores.back()};
  const auto section = root.Take("workers");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  if (const auto cores = map.Take("cores")) {
    const size_t count = cores->Items().size();
    if (count == 0 || count > kWorkersMax) {
      cores->Fail(absl::StrCat("found ", count, " cores, want 1 to ", kWorkersMax));
    }
    workers.cores.clear();
    for (const ConfigNode& item : cores->Items()) {
      unsigned core = 0;
      if (!item.Parse(NumberFrom<unsigned>(0, 1023), core)) continue;
      if (std::find(workers.cores.begin(), workers.cores.end(), core) != workers.cores.end()) {
        item.Fail(absl::StrCat("found core ", core, " a second time"));
      }
      workers.cores.push_back(core);
      if (std::find(environment.cores.begin(), environment.cores.end(), core) ==
          environment.cores.end()) {
        item.Fail(absl::StrCat("found core ", core, ", want one that this process may use: ",
                               absl::StrJoin(environment.cores, ", ")));
      }
    }
  }
  map.Finish();
}

void ReadMemory(ConfigMap& root, MemoryConfig& memory) {
  const auto section = root.Take("memory");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  map.Read("megabytes", NumberFrom<unsigned>(64, 1u << 20), memory.megabytes);
  map.Read("packet_buffers", NumberFrom<uint32_t>(1024, 1u << 22), memory.packet_buffers);
  map.Read("child_sas", NumberFrom<uint32_t>(64, kSlotsMax), memory.child_sas);
  map.Read("flows", NumberFrom<uint32_t>(64, fastpath::FlowTable::kFlowsMax), memory.flows);
  map.Finish();
}

void ReadEal(ConfigMap& root, std::vector<std::string>& eal) {
  root.ReadList("eal", ParseText, eal);
}

void ReadCrypto(ConfigMap& root, CryptoSettings& crypto) {
  const auto section = root.Take("crypto");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  const auto devices = map.Take("devices");
  if (devices.has_value()) {
    crypto.backend = fastpath::CryptoBackendKind::kCryptodev;
    devices->ParseList(ParseCryptoDevice, crypto.devices);
    if (devices->Items().empty()) devices->Fail("found no device, want at least one");
    for (size_t i = 0; i < crypto.devices.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (crypto.devices[i].name != crypto.devices[j].name) continue;
        devices->Fail(absl::StrCat("found '", crypto.devices[i].name, "' a second time"));
      }
    }
  }
  if (const auto backend = map.Take("backend");
      backend.has_value() && backend->Parse(ParseCryptoBackend, crypto.backend)) {
    const bool cryptodev = crypto.backend == fastpath::CryptoBackendKind::kCryptodev;
    if (!cryptodev && devices.has_value()) {
      backend->Fail("found ipsec-mb beside devices, want devices only with backend: cryptodev");
    }
    if (cryptodev && !devices.has_value()) {
      crypto.devices = {{.name = "crypto_aesni_mb", .arguments = "crypto_aesni_mb"}};
    }
  }
  map.Read("legacy", ParseBool, crypto.permission.legacy);
  map.Read("replay_window", ParseReplayWindow, crypto.replay_window);
  map.Finish();
}

void ReadIke(ConfigMap& root, ike::EngineOptions& options) {
  const auto section = root.Take("ike");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  map.Read("retransmit_first", DurationFrom(absl::Milliseconds(100), absl::Minutes(1)),
           options.retransmit_first);
  map.Read("retransmit_factor", ParseFactor, options.retransmit_factor);
  map.Read("retransmit_tries", NumberFrom<int>(0, 100), options.retransmit_tries);
  map.Read("half_open_timeout", DurationFrom(absl::Seconds(1), absl::Hours(1)),
           options.half_open_timeout);
  map.Read("half_open_max", NumberFrom<size_t>(1, 10'000'000), options.half_open_max);
  map.Read("half_open_per_address_max", NumberFrom<size_t>(1, 10'000'000),
           options.half_open_per_address_max);
  map.Read("cookie_threshold", NumberFrom<size_t>(0, 10'000'000), options.cookie_threshold);
  map.Finish();
}

void ReadControl(ConfigMap& root, ControlConfig& control) {
  const auto section = root.Take("control");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  if (const auto socket = map.Take("socket")) {
    socket->Parse(ParseText, control.socket);
    control.socket = ResolveFileName(socket->errors().path(), control.socket);
    constexpr size_t kPathMax = sizeof(sockaddr_un{}.sun_path) - 1;
    if (control.socket.size() > kPathMax) {
      socket->Fail(absl::StrCat("found a path of ", control.socket.size(),
                                " characters, want at most ", kPathMax));
    }
  }
  map.Finish();
}

void ReadLog(ConfigMap& root, LogConfig& log) {
  const auto section = root.Take("log");
  if (!section.has_value()) return;
  ConfigMap map(*section);
  map.Read("level", ParseLevel, log.level);
  if (map.Read("file", ParseText, log.file) && log.file != "-") {
    log.file = ResolveFileName(section->errors().path(), log.file);
  }
  map.Finish();
}

}  // namespace sekisho::slowpath
