#include "bench/generate.h"

#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/gateway.h"
#include "bench/generator.h"
#include "bench/rate_search.h"
#include "bench/setup_check.h"
#include "bench/statistics.h"
#include "common/status_macros.h"

namespace sekisho::bench {
namespace {

constexpr unsigned kLoopbackFrames = 2048;
constexpr useconds_t kWatchSiblingsMicroseconds = 300'000;
constexpr double kPercentiles[] = {0.5, 0.9, 0.99, 0.999, 1};

struct Found {
  Row row;
  FoundRate no_drop, partial_drop;
  std::vector<double> latencies_us;  // at the no-drop rate
};

// Two ports with a ring each way between them, in place of a wire.
absl::Status MakeWire(const char* gateway, const char* generator) {
  rte_ring* rings[2] = {};
  for (int i = 0; i < 2; ++i) {
    rings[i] = rte_ring_create(absl::StrCat(gateway, "-wire", i).c_str(), kLoopbackFrames,
                               SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (rings[i] == nullptr) return absl::ResourceExhaustedError("--loopback: no memory for rings");
  }
  if (rte_eth_from_rings(gateway, &rings[0], 1, &rings[1], 1, 0) < 0 ||
      rte_eth_from_rings(generator, &rings[1], 1, &rings[0], 1, 0) < 0) {
    return absl::InternalError("--loopback: net_ring does not make ports");
  }
  return absl::OkStatus();
}

absl::StatusOr<GenerateOptions> WithPorts(GenerateOptions generate) {
  if (!generate.loopback) return generate;
  SEKISHO_RETURN_IF_ERROR(MakeWire("outside", "generator-outside"));
  SEKISHO_RETURN_IF_ERROR(MakeWire("inside", "generator-inside"));
  generate.outside = "net_ring_outside";
  generate.inside = "net_ring_inside";
  generate.generator_outside = "net_ring_generator-outside";
  generate.generator_inside = "net_ring_generator-inside";
  return generate;
}

absl::Status RefuseLies(const Options& options, std::vector<PollingCore> cores) {
  for (const PollingCore& core : cores) {
    std::string nodes;
    for (const int node : core.port_nodes) absl::StrAppend(&nodes, " ", node);
    std::printf("core %u on NUMA node %d polls ports on nodes%s\n", core.core,
                NodeOfCore(core.core, ""), nodes.c_str());
  }
  const std::vector<std::string> lies =
      FindLies(cores, "", [] { usleep(kWatchSiblingsMicroseconds); });
  for (const std::string& lie : lies) std::fprintf(stderr, "throughput: %s\n", lie.c_str());
  if (lies.empty() || options.generate.force) return absl::OkStatus();
  return absl::FailedPreconditionError("these figures would lie; --force takes them all the same");
}

nlohmann::json ToJson(const MacAddress& mac) { return std::vector<int>(mac.begin(), mac.end()); }

absl::Status WriteTarget(const std::string& path, const Gateway& gateway) {
  nlohmann::json json = {{"outside_mac", ToJson(gateway.outside_mac())},
                         {"inside_mac", ToJson(gateway.inside_mac())},
                         {"inbound_spis", nlohmann::json::array()}};
  for (const Spi spi : gateway.inbound_spis()) json["inbound_spis"].push_back(spi.value);
  std::ofstream file(path);
  file << json << '\n';
  file.close();
  return file ? absl::OkStatus()
              : absl::InternalError(absl::StrCat("--gateway-file: cannot write ", path));
}

absl::StatusOr<Generator::Target> ReadTarget(const std::string& path, const Setup& setup) {
  std::ifstream file(path);
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  Generator::Target target;
  try {
    for (size_t i = 0; i < target.outside_mac.size(); ++i) {
      target.outside_mac[i] = json.at("outside_mac").at(i).get<uint8_t>();
      target.inside_mac[i] = json.at("inside_mac").at(i).get<uint8_t>();
    }
    for (const nlohmann::json& spi : json.at("inbound_spis")) {
      target.inbound_spis.push_back({spi.get<uint32_t>()});
    }
  } catch (const nlohmann::json::exception&) {
    return absl::InvalidArgumentError(
        absl::StrCat("--gateway-file: ", path, " is not what --role gateway writes"));
  }
  if (target.inbound_spis.size() != setup.sas) {
    return absl::InvalidArgumentError(absl::StrCat("--gateway-file: the gateway has ",
                                                   target.inbound_spis.size(), " SAs, --sas says ",
                                                   setup.sas));
  }
  return target;
}

absl::StatusOr<Found> MeasureRow(const Options& options, const Row& row, Generator& generator) {
  const GenerateOptions& generate = options.generate;
  if (generate.warm_up_seconds > 0) {
    const Trial warm_up = {generate.rate_max_mpps * 1e6 / 10, generate.warm_up_seconds};
    SEKISHO_RETURN_IF_ERROR(generator.Run(warm_up).status());
  }
  const auto run = [&](double rate) -> absl::StatusOr<TrialOutcome> {
    SEKISHO_ASSIGN_OR_RETURN(const TrialResult result,
                             generator.Run({rate, generate.trial_seconds}));
    if (isatty(STDERR_FILENO) != 0) {
      std::fprintf(stderr, "%.3f Mpps: %.4f %% lost   \r", result.sent_rate / 1e6,
                   100 * result.loss());
    }
    return TrialOutcome{result.sent_rate, result.loss()};
  };
  RateSearch search = {.rate_max = generate.rate_max_mpps * 1e6, .resolution = generate.resolution};
  Found found = {.row = row};
  SEKISHO_ASSIGN_OR_RETURN(found.no_drop, FindRate(search, run));
  search.loss_max = generate.loss;
  SEKISHO_ASSIGN_OR_RETURN(found.partial_drop, FindRate(search, run));
  if (found.no_drop.best.rate > 0) {
    SEKISHO_ASSIGN_OR_RETURN(TrialResult timed,
                             generator.Run({found.no_drop.best.rate, generate.trial_seconds}));
    found.latencies_us = std::move(timed.latencies_us);
  }
  return found;
}

std::string LineOf(const Found& found) {
  std::string line = absl::StrFormat(
      "%-4s %5s %8d %10.3f %12.3f", Name(found.row.direction), found.row.size.ToString(),
      found.row.setup.sas, found.no_drop.best.rate / 1e6, found.partial_drop.best.rate / 1e6);
  for (const double share : kPercentiles) {
    if (found.latencies_us.empty()) {
      absl::StrAppendFormat(&line, " %8s", "-");
    } else {
      absl::StrAppendFormat(&line, " %8.1f", Quantile(found.latencies_us, share));
    }
  }
  if (found.no_drop.by_generator) line += "  the generator's limit, or --rate-max";
  return line;
}

absl::Status WriteFound(const std::string& path, const std::vector<Found>& all) {
  nlohmann::ordered_json json = {{"generated", nlohmann::ordered_json::array()}};
  for (const Found& found : all) {
    nlohmann::ordered_json row = {{"direction", Name(found.row.direction)},
                                  {"size", found.row.size.ToString()},
                                  {"sas", found.row.setup.sas},
                                  {"no_drop_mpps", found.no_drop.best.rate / 1e6},
                                  {"partial_drop_mpps", found.partial_drop.best.rate / 1e6},
                                  {"by_generator", found.no_drop.by_generator},
                                  {"latency_us", nlohmann::ordered_json::object()}};
    for (const double share : kPercentiles) {
      if (found.latencies_us.empty()) break;
      row["latency_us"][absl::StrCat("p", 100 * share)] = Quantile(found.latencies_us, share);
    }
    json["generated"].push_back(std::move(row));
  }
  std::ofstream file(path);
  file << json.dump(1) << '\n';
  file.close();
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("--json: cannot write ", path));
}

absl::Status RunGenerator(const Options& options, const std::vector<Row>& rows,
                          const GenerateOptions& ports, const Workload& workload,
                          const Generator::Target& target, Gateway* gateway) {
  std::vector<Found> all;
  std::unique_ptr<Peer> peer;
  for (const Row& row : rows) {
    if (row.direction == Direction::kIn && peer == nullptr) {
      SEKISHO_ASSIGN_OR_RETURN(peer, Peer::Create(workload, target.inbound_spis));
    }
    SEKISHO_ASSIGN_OR_RETURN(
        std::unique_ptr<Generator> generator,
        Generator::Create(workload, row,
                          {ports.generator_outside, ports.generator_inside, ports.loopback}, target,
                          peer.get(), options.seed));
    if (all.empty()) {
      std::vector<PollingCore> cores = {
          {static_cast<unsigned>(rte_lcore_to_cpu_id(-1)), generator->PortNodes()}};
      for (uint32_t i = 0; gateway != nullptr && i < row.setup.workers; ++i) {
        cores.push_back({options.cores[i], gateway->PortNodes()});
      }
      SEKISHO_RETURN_IF_ERROR(RefuseLies(options, std::move(cores)));
      std::printf("%-4s %5s %8s %10s %12s %8s %8s %8s %8s %8s\n", "dir", "size", "SAs", "no drop",
                  "partial drop", "50 %", "90 %", "99 %", "99.9 %", "max us");
    }
    SEKISHO_ASSIGN_OR_RETURN(Found found, MeasureRow(options, row, *generator));
    std::printf("%s\n", LineOf(found).c_str());
    std::fflush(stdout);
    all.push_back(std::move(found));
    if (gateway != nullptr) gateway->EmptyUpRings();
  }
  return options.json.empty() ? absl::OkStatus() : WriteFound(options.json, all);
}

// Until somebody has had enough.
absl::Status ServeAsGateway(const Options& options, Gateway& gateway) {
  std::vector<PollingCore> cores;
  for (uint32_t i = 0; i < gateway.fast_path().worker_count(); ++i) {
    cores.push_back({options.cores[i], gateway.PortNodes()});
  }
  SEKISHO_RETURN_IF_ERROR(RefuseLies(options, std::move(cores)));
  SEKISHO_RETURN_IF_ERROR(WriteTarget(options.generate.gateway_file, gateway));
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  SEKISHO_RETURN_IF_ERROR(gateway.fast_path().Start());
  std::printf("%s is written; forwarding until Ctrl-C\n", options.generate.gateway_file.c_str());
  std::fflush(stdout);
  const timespec second = {.tv_sec = 1, .tv_nsec = 0};
  while (sigtimedwait(&signals, nullptr, &second) < 0) gateway.EmptyUpRings();
  gateway.fast_path().Stop();
  const fastpath::Accounting books = gateway.fast_path().GetAccounting();
  std::printf("received %lu, sent %lu, dropped %lu\n", books.received, books.sent, books.dropped);
  for (const auto& [reason, packets] : gateway.fast_path().Drops()) {
    if (packets > 0) std::printf("  %s %lu\n", Name(reason), packets);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Generate(const Options& options, const std::vector<Row>& rows) {
  SEKISHO_ASSIGN_OR_RETURN(const GenerateOptions ports, WithPorts(options.generate));
  const Setup& setup = rows.front().setup;
  const Workload workload(setup);
  if (!ports.has_gateway()) {
    SEKISHO_ASSIGN_OR_RETURN(const Generator::Target target, ReadTarget(ports.gateway_file, setup));
    return RunGenerator(options, rows, ports, workload, target, nullptr);
  }
  Gateway::Options made = {.outside = ports.outside, .inside = ports.inside};
  made.lcores.assign(options.cores.begin(), options.cores.begin() + setup.workers);
  SEKISHO_ASSIGN_OR_RETURN(const std::unique_ptr<Gateway> gateway, Gateway::Create(workload, made));
  if (!ports.has_generator()) return ServeAsGateway(options, *gateway);
  SEKISHO_RETURN_IF_ERROR(gateway->fast_path().Start());
  const Generator::Target target = {gateway->outside_mac(), gateway->inside_mac(),
                                    gateway->inbound_spis()};
  const absl::Status status = RunGenerator(options, rows, ports, workload, target, gateway.get());
  gateway->fast_path().Stop();
  return status;
}

}  // namespace sekisho::bench
