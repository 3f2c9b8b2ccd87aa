#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bench/traffic.h"
#include "bench/workload.h"
#include "common/status_macros.h"
#include "fastpath/fast_path.h"

namespace sekisho::bench {
namespace {

constexpr uint16_t kTunnelOverheadMax = 100;
constexpr uint16_t kMtu = 1500, kSizeMax = 9000;
constexpr uint32_t kFlowsMax = 50'000;

// The lists as they were typed.
struct Typed {
  std::vector<std::string> directions = {"out", "in"};
  std::vector<std::string> sizes = {"64", "imix", "1400"};
  std::vector<uint32_t> sas = {1}, flows_per_sa = {1}, policies = {1}, workers = {1};
  std::vector<std::string> suites = {"aes128gcm16"};
  std::vector<std::string> modes = {"tunnel"};
  std::vector<std::string> backends = {"ipsec-mb"};
  std::vector<std::string> decision_caches = {"on"};
  std::string port = "memory";
  std::string role = "both";
};

absl::Status Bad(absl::string_view option, absl::string_view found, absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", option, ": found '", found, "', want ", want));
}

// Each word's value, by its name.
template <typename T>
absl::Status Choose(absl::string_view option, const std::vector<std::string>& words,
                    std::initializer_list<T> all, std::vector<T>& chosen) {
  for (const std::string& word : words) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](T value) { return Name(value) == word; });
    if (found == all.end()) {
      std::string names;
      for (const T value : all) absl::StrAppend(&names, names.empty() ? "" : ", ", Name(value));
      return Bad(option, word, names);
    }
    chosen.push_back(*found);
  }
  return absl::OkStatus();
}

absl::Status ParseSizes(const std::vector<std::string>& words, std::vector<Size>& sizes) {
  for (const std::string& word : words) {
    uint32_t bytes = 0;
    if (word == "imix") {
      sizes.push_back({});
    } else if (absl::SimpleAtoi(word, &bytes) && bytes >= kPacketBytesMin && bytes <= kSizeMax) {
      sizes.push_back({static_cast<uint16_t>(bytes)});
    } else {
      return Bad("size", word, absl::StrCat("imix, or ", kPacketBytesMin, " to ", kSizeMax));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNumbers(absl::string_view option, const std::vector<uint32_t>& numbers,
                          uint32_t most) {
  for (const uint32_t number : numbers) {
    if (number == 0 || number > most) {
      return Bad(option, absl::StrCat(number), absl::StrCat("1 to ", most));
    }
  }
  return absl::OkStatus();
}

absl::Status Read(const Typed& typed, Options& options) {
  SEKISHO_RETURN_IF_ERROR(Choose("direction", typed.directions,
                                 {Direction::kOut, Direction::kIn, Direction::kBoth},
                                 options.directions));
  SEKISHO_RETURN_IF_ERROR(
      Choose("mode", typed.modes, {Mode::kTunnel, Mode::kTransport, Mode::kNatT}, options.modes));
  std::vector<PortKind> ports;
  SEKISHO_RETURN_IF_ERROR(
      Choose("port", {typed.port}, {PortKind::kMemory, PortKind::kPcap}, ports));
  options.port = ports.front();
  using Role = GenerateOptions::Role;
  std::vector<Role> roles;
  SEKISHO_RETURN_IF_ERROR(
      Choose("role", {typed.role}, {Role::kBoth, Role::kGateway, Role::kGenerator}, roles));
  options.generate.role = roles.front();
  SEKISHO_RETURN_IF_ERROR(ParseSizes(typed.sizes, options.sizes));
  SEKISHO_RETURN_IF_ERROR(CheckNumbers("sas", typed.sas, kSasMax));
  SEKISHO_RETURN_IF_ERROR(CheckNumbers("flows-per-sa", typed.flows_per_sa, kFlowsMax));
  SEKISHO_RETURN_IF_ERROR(CheckNumbers("policies", typed.policies, kPoliciesMax));
  SEKISHO_RETURN_IF_ERROR(CheckNumbers("workers", typed.workers, kWorkersMax));
  for (const std::string& word : typed.decision_caches) {
    if (word != "on" && word != "off") return Bad("decision-cache", word, "on or off");
    options.keeps_decisions.push_back(word == "on");
  }
  options.sas = typed.sas;
  options.flows_per_sa = typed.flows_per_sa;
  options.policies = typed.policies;
  options.workers = typed.workers;
  for (const std::string& word : typed.suites) {
    absl::StatusOr<IpsecSuite> suite = IpsecSuite::Parse(IpsecProtocol::kEsp, word);
    if (!suite.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--suite: ", suite.status().message()));
    }
    options.suites.push_back(*suite);
  }
  for (const std::string& word : typed.backends) {
    if (word != "ipsec-mb" &&
        (!absl::StartsWith(word, "cryptodev:") || word.size() == sizeof("cryptodev:") - 1)) {
      return Bad("backend", word,
                 "ipsec-mb, or cryptodev: and a device, cryptodev:crypto_aesni_mb0");
    }
    options.backends.push_back(word);
  }
  return absl::OkStatus();
}

void AddGenerateOptions(CLI::App& app, GenerateOptions& generate, std::string& role) {
  CLI::Option* on =
      app.add_flag("--generate", generate.on,
                   "find the no-drop and the partial-drop rate (RFC 2544) and the latency between "
                   "real ports, with a generator of our own");
  const auto add = [&](const char* name, auto& value, const char* text) {
    return app.add_option(name, value, text)->needs(on)->group("With --generate");
  };
  add("--role", role, "both, or gateway or generator, with the other on another machine")
      ->capture_default_str();
  app.add_flag("--loopback", generate.loopback, "rings within the process, to try it")
      ->needs(on)
      ->group("With --generate");
  add("--outside", generate.outside, "the gateway's port: a PCI address, or a vdev");
  add("--inside", generate.inside, "the other one");
  add("--generator-outside", generate.generator_outside, "the generator's port facing --outside");
  add("--generator-inside", generate.generator_inside, "and facing --inside");
  add("--gateway-file", generate.gateway_file,
      "what the generator must know: written by the gateway, to be copied to the other machine");
  add("--rate-max", generate.rate_max_mpps, "the most to offer, in Mpps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add("--loss", generate.loss, "of the partial-drop rate, as a share")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add("--resolution", generate.resolution, "of --rate-max")
      ->check(CLI::Range(0.0001, 0.5))
      ->capture_default_str();
  add("--trial-seconds", generate.trial_seconds, "each trial takes; RFC 2544 says 60")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  add("--warm-up-seconds", generate.warm_up_seconds, "before the first trial of a row")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_flag("--force", generate.force, "go on where figures would lie")
      ->needs(on)
      ->group("With --generate");
}

absl::Status NotTogether(absl::string_view one, absl::string_view other, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(one, " and ", other, " do not go together: ", why));
}

absl::Status CheckGenerate(const std::vector<Row>& rows, const Options& options) {
  const GenerateOptions& generate = options.generate;
  using Role = GenerateOptions::Role;
  for (const Row& row : rows) {
    if (row.setup != rows.front().setup) {
      return absl::InvalidArgumentError(
          "--generate measures one gateway: only --direction, --size and --flows-per-sa may have "
          "several values, and sizes above 1400 go alone");
    }
  }
  if (rows.front().setup.mode == Mode::kTransport) {
    return NotTogether("--generate", "--mode transport", "the gateway itself would be the server");
  }
  for (const Row& row : rows) {
    if (row.direction == Direction::kBoth) {
      return NotTogether("--generate", "--direction both",
                         "one generator sends one way; take out,in");
    }
  }
  if (options.port == PortKind::kPcap) {
    return NotTogether("--generate", "--port pcap", "it has ports of its own");
  }
  if (generate.loopback && generate.role != Role::kBoth) {
    return NotTogether("--loopback", absl::StrCat("--role ", Name(generate.role)),
                       "its rings are within one process");
  }
  const bool gateway_ports = !generate.outside.empty() && !generate.inside.empty();
  const bool generator_ports =
      !generate.generator_outside.empty() && !generate.generator_inside.empty();
  if (!generate.loopback && ((generate.has_gateway() && !gateway_ports) ||
                             (generate.has_generator() && !generator_ports))) {
    return absl::InvalidArgumentError(
        "--generate wants --outside and --inside, the gateway's ports, and --generator-outside and "
        "--generator-inside, which are wired to them; or --loopback");
  }
  if ((generate.role == Role::kBoth) != generate.gateway_file.empty()) {
    return absl::InvalidArgumentError(
        "--gateway-file goes with --role gateway, which writes it, and --role generator, which "
        "reads it");
  }
  const size_t cores = rows.front().setup.workers + (generate.role == Role::kBoth ? 1 : 0);
  if (cores > options.cores.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--generate: ", cores, " cores are wanted, for ",
                     "the workers and the generator; this process may use ", options.cores.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckInstalls(const Row& row, const Options& options) {
  if (row.setup.workers > 1) {
    return NotTogether("--installs", absl::StrCat("--workers ", row.setup.workers),
                       "it is measured with one worker");
  }
  if (options.port == PortKind::kPcap) {
    return NotTogether("--installs", "--port pcap",
                       "such a port never pauses, and the worker is on another core");
  }
  if (options.generate.on) {
    return NotTogether("--installs", "--generate", "the generator has that core");
  }
  if (options.cores.size() < 2) {
    return absl::InvalidArgumentError(
        "--installs: two cores are wanted, for the worker and for who installs; this process may "
        "use one");
  }
  return absl::OkStatus();
}

absl::Status Check(const Row& row, const Options& options) {
  const Setup& setup = row.setup;
  if (options.installs > 0) SEKISHO_RETURN_IF_ERROR(CheckInstalls(row, options));
  if (setup.workers > options.cores.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--workers ", setup.workers,
                                                   ": this process may use ", options.cores.size(),
                                                   " cores, and each worker wants its own"));
  }
  if (setup.sas < setup.workers) {
    return NotTogether(absl::StrCat("--sas ", setup.sas), absl::StrCat("--workers ", setup.workers),
                       "an SA is one worker's, and the others would have nothing to do");
  }
  if (options.port == PortKind::kPcap) {
    if (setup.workers > 1) {
      return NotTogether("--port pcap", absl::StrCat("--workers ", setup.workers),
                         "such a port has one queue; take --port memory");
    }
    if (FramesFor(row, options.port) > PcapSource::kFramesMax) {
      return NotTogether("--port pcap", absl::StrCat("--sas ", setup.sas),
                         absl::StrCat("net_pcap does not hold the ", FramesFor(row, options.port),
                                      " packets that a random SA for each takes (at most ",
                                      PcapSource::kFramesMax, "); take --port memory"));
    }
  }
  return absl::OkStatus();
}

// Those that share a gateway one after the other: a loop for each dimension of a Setup outside, the
// others inside.
std::vector<Row> Combine(const Options& options) {
  std::vector<Setup> setups = {{}};
  const auto multiply = [&setups](const auto& values, auto set) {
    std::vector<Setup> product;
    for (const auto& value : values) {
      for (Setup setup : setups) {
        set(setup, value);
        product.push_back(setup);
      }
    }
    setups = std::move(product);
  };
  multiply(options.sas, [](Setup& setup, uint32_t value) { setup.sas = value; });
  multiply(options.policies, [](Setup& setup, uint32_t value) { setup.policies = value; });
  multiply(options.suites, [](Setup& setup, const IpsecSuite& value) { setup.suite = value; });
  multiply(options.modes, [](Setup& setup, Mode value) { setup.mode = value; });
  multiply(options.backends, [](Setup& setup, const std::string& value) { setup.backend = value; });
  multiply(options.workers, [](Setup& setup, uint32_t value) { setup.workers = value; });
  multiply(options.keeps_decisions,
           [](Setup& setup, bool value) { setup.keeps_decisions = value; });
  for (Setup& setup : setups) {
    setup.flows_per_sa_max =
        *std::max_element(options.flows_per_sa.begin(), options.flows_per_sa.end());
  }
  std::vector<Row> rows;
  const bool several = *std::max_element(options.workers.begin(), options.workers.end()) > 1;
  for (const Setup& setup : setups) {
    for (const bool jumbo : {false, true}) {
      for (const Direction direction : options.directions) {
        for (const Size size : options.sizes) {
          if ((size.largest() + kTunnelOverheadMax > kMtu) != jumbo) continue;
          for (const uint32_t flows : options.flows_per_sa) {
            rows.push_back({setup, direction, size, flows});
            rows.back().setup.jumbo = jumbo;
            rows.back().long_pass = options.installs > 0 || several;
          }
        }
      }
    }
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::optional<Options>> ParseOptions(int argc, const char* const* argv) {
  Typed typed;
  Options options;
  CLI::App app(
      "Measures the throughput of the fast path. Options that take a list, as "
      "--size 64,imix,1400, are combined with each other.");
  const auto list = [&app](const char* name, auto& value, const char* text) {
    app.add_option(name, value, text)->delimiter(',')->capture_default_str();
  };
  list("--direction", typed.directions, "out, in, both");
  list("--size", typed.sizes, "of inner IP packets: bytes, or imix (7:4:1 of 64, 570, 1400)");
  list("--sas", typed.sas, "pairs of SAs; each packet is of a random one");
  list("--flows-per-sa", typed.flows_per_sa, "UDP flows in each of them");
  list("--policies", typed.policies, "entries of the SPD");
  list("--suite", typed.suites, "as strongSwan spells it");
  list("--mode", typed.modes, "tunnel, transport, nat-t (a tunnel in UDP)");
  list("--backend", typed.backends, "ipsec-mb, or cryptodev: and a device");
  list("--decision-cache", typed.decision_caches,
       "on, or off: policies, routes and SAs are looked up for every packet");
  list("--workers", typed.workers, "each on a core of its own");
  app.add_option("--port", typed.port,
                 "memory, or pcap: net_pcap with infinite_rx in, net_null out")
      ->capture_default_str();
  app.add_option("--samples", options.samples.samples, "that are kept, for each row")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->check(CLI::Range(3, 10'000))
      ->capture_default_str();
  app.add_option("--sample-ms", options.samples.sample_ms, "how long a sample takes")
      ->check(CLI::Range(0.5, 1000.0))
      ->capture_default_str();
  app.add_option("--cpu-share", options.samples.cpu_share_min,
                 "samples with less of the core are thrown away")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the order of SAs, flows and sizes")
      ->capture_default_str();
  app.add_option("--json", options.json, "also write the rows to this file")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_flag("!--no-stages", options.stages, "do not run throughput_stages for the stages");
  app.add_option("--installs", options.installs,
                 "also measure what is lost while so many SAs are installed a second")
      ->check(CLI::Range(1.0, 1e8));
  AddGenerateOptions(app, options.generate, typed.role);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return std::optional<Options>();
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help"));
  }
  SEKISHO_RETURN_IF_ERROR(Read(typed, options));
  return options;
}

absl::StatusOr<std::vector<Row>> RowsOf(const Options& options) {
  std::vector<Row> rows = Combine(options);
  for (const Row& row : rows) SEKISHO_RETURN_IF_ERROR(Check(row, options));
  if (options.generate.on) SEKISHO_RETURN_IF_ERROR(CheckGenerate(rows, options));
  return rows;
}

uint32_t DecisionsOf(const Setup& setup) {
  return setup.keeps_decisions
             ? fastpath::DecisionsFor(uint64_t{setup.sas} * setup.flows_per_sa_max)
             : 0u;
}

MemoryNeed MemoryOf(const std::vector<Row>& rows, PortKind port) {
  const auto decision_mb = [](const Setup& setup) {
    return uint64_t{DecisionsOf(setup)} * (32 + 16) >> 20;
  };
  // Of a pair of SAs: two slots, two sessions, and a third of each at the far end.
  constexpr uint64_t kOtherBytesPerSa = 3200;
  const auto eal_bytes_per_sa = [](const Setup& setup) {
    return uint64_t{setup.backend == "ipsec-mb" ? 4400u : 5600u};  // a device's sessions are larger
  };
  constexpr uint64_t kFixedMb = 256, kJumboMb = 160;
  MemoryNeed need;
  for (const Row& row : rows) {
    const uint64_t slots = std::bit_ceil(std::max(row.setup.sas, 64u));
    uint64_t frame_bytes = FramesFor(row, port) * uint64_t{row.size.largest() + 192u};
    if (row.direction == Direction::kBoth) frame_bytes *= 2;
    need.eal_mb = std::max(need.eal_mb, kFixedMb + (row.setup.jumbo ? kJumboMb : 0) +
                                            (slots * eal_bytes_per_sa(row.setup) >> 20) +
                                            row.setup.workers * (16 + decision_mb(row.setup)));
    need.other_mb =
        std::max(need.other_mb, 64 + (slots * kOtherBytesPerSa >> 20) + (frame_bytes >> 20));
  }
  return need;
}

}  // namespace sekisho::bench
