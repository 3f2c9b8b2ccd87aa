// bench/throughput: the whole fast path, packet after packet, against the limit of the machine.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "bench/churn.h"
#include "bench/gateway.h"
#include "bench/generate.h"
#include "bench/measure.h"
#include "bench/options.h"
#include "bench/peer.h"
#include "bench/report.h"
#include "bench/runner.h"
#include "bench/stage_count.h"
#include "bench/stage_run.h"
#include "bench/traffic.h"
#include "common/status_macros.h"
#include "fastpath/eal.h"

namespace sekisho::bench {
namespace {

// Of the process's own when it drives several workers, which have cores of their own.
constexpr unsigned kMainLcore = 127;

// The last first: interrupts like the first.
std::vector<unsigned> AvailableCores() {
  std::vector<unsigned> cores;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof(mask), &mask);
  for (unsigned core = CPU_SETSIZE; core-- > 0;) {
    if (CPU_ISSET(core, &mask)) cores.push_back(core);
  }
  return cores;
}

uint64_t AvailableMb() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  uint64_t kilobytes = 0;
  while (file >> key >> kilobytes >> unit) {
    if (key == "MemAvailable:") return kilobytes / 1024;
  }
  return UINT64_MAX;
}

// Of PCI addresses and vdevs, which is which.
void AddDevices(const GenerateOptions& generate, fastpath::EalConfig& config) {
  if (!generate.on || generate.loopback) return;
  std::vector<std::string> devices;
  if (generate.has_gateway()) devices = {generate.outside, generate.inside};
  if (generate.has_generator()) {
    devices.insert(devices.end(), {generate.generator_outside, generate.generator_inside});
  }
  for (const std::string& device : devices) {
    const bool pci = !absl::StartsWith(device, "net_") && absl::StrContains(device, ':');
    (pci ? config.pci : config.vdevs).push_back(device);
  }
}

absl::Status StartEal(const Options& options, const std::vector<Row>& rows) {
  const MemoryNeed need = MemoryOf(rows, options.port);
  fastpath::EalConfig config;
  uint32_t workers = 1;
  for (const Row& row : rows) workers = std::max(workers, row.setup.workers);
  if (workers == 1 && options.installs == 0 &&
      !(options.generate.on && options.generate.has_gateway())) {
    config.main_lcore = options.cores.front();
  } else {
    config.main_lcore = kMainLcore;
    config.worker_lcores.assign(options.cores.begin(), options.cores.begin() + workers);
  }
  config.memory_mb = static_cast<unsigned>(need.eal_mb);
  AddDevices(options.generate, config);
  for (const std::string& backend : options.backends) {
    absl::string_view device = backend;
    if (absl::ConsumePrefix(&device, "cryptodev:")) config.vdevs.emplace_back(device);
  }
  const uint64_t want = need.eal_mb + need.other_mb;
  if (const uint64_t available = AvailableMb(); available < want) {
    return absl::ResourceExhaustedError(absl::StrCat("too little memory: these rows want ", want,
                                                     " MB, ", available, " MB are available"));
  }
  return fastpath::InitializeEal(config);
}

// What rows with the same setup share.
struct Rig {
  explicit Rig(const Setup& setup) : workload(setup) {}
  const Workload workload;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<Peer> peer;
};

absl::StatusOr<std::unique_ptr<Rig>> MakeRig(const Row& row, const Options& options) {
  auto rig = std::make_unique<Rig>(row.setup);
  Gateway::Options gateway;
  gateway.lcores.assign(options.cores.begin(), options.cores.begin() + row.setup.workers);
  if (options.installs > 0) gateway.extra_sas = Churn::kPairsMax;
  if (options.port == PortKind::kPcap) {
    gateway.extra_buffers = 2 * static_cast<uint32_t>(FramesFor(row, options.port));
  }
  SEKISHO_ASSIGN_OR_RETURN(rig->gateway, Gateway::Create(rig->workload, gateway));
  return rig;
}

absl::StatusOr<Result> MeasureRow(const Row& row, const Options& options, Rig& rig) {
  std::vector<Traffic> traffic;
  for (const Direction direction : {Direction::kOut, Direction::kIn}) {
    if (row.direction != Direction::kBoth && row.direction != direction) continue;
    if (direction == Direction::kIn && rig.peer == nullptr) {
      SEKISHO_ASSIGN_OR_RETURN(rig.peer, Peer::Create(rig.workload, rig.gateway->inbound_spis()));
    }
    SEKISHO_ASSIGN_OR_RETURN(
        Traffic made, Traffic::Create({row, direction, options.port, options.seed}, rig.workload,
                                      *rig.gateway, rig.peer.get()));
    traffic.push_back(std::move(made));
  }
  SEKISHO_ASSIGN_OR_RETURN(Runner runner,
                           Runner::Create(*rig.gateway, std::move(traffic), options.port));
  SEKISHO_ASSIGN_OR_RETURN(Result result, Measure(row, runner, *rig.gateway, options.samples));
  if (options.installs > 0 && !kCountsStages) {
    Churn churn(rig.workload, *rig.gateway, options.installs);
    SEKISHO_ASSIGN_OR_RETURN(const ChurnResult measured,
                             MeasureChurn(runner, churn, options.samples));
    result.installs_per_second = measured.installs_per_second;
    result.rate_loss = measured.rate_loss;
  }
  return result;
}

// On a terminal, and gone when the row is there.
void ShowProgress(size_t done, size_t rows) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "row %zu of %zu ...\r", done + 1, rows);
}

// Scaled: counting stages costs something.
void AddStages(const std::vector<StageArray>& stages, std::vector<Measured>& measured) {
  for (size_t row = 0; row < measured.size(); ++row) {
    const double sum = std::accumulate(stages[row].begin(), stages[row].end(), 0.0);
    if (sum == 0) continue;
    Result& result = measured[row].result;
    for (size_t i = 0; i < stages[row].size(); ++i) {
      result.stages[i] = stages[row][i] * result.cycles / sum;
    }
  }
}

absl::Status Run(const Options& options, const std::vector<Row>& rows,
                 const std::vector<StageArray>& stages, int argc, const char* const* argv) {
  const Machine machine = DescribeMachine(options, argc, argv);
  std::printf("%s, %s; DPDK %s, %s; %s; TSC cycles per packet\n%s\n", machine.cpu.c_str(),
              machine.build.c_str(), machine.dpdk.c_str(), machine.crypto_library.c_str(),
              machine.memory.c_str(), TableHead().c_str());
  std::vector<Measured> measured;
  std::unique_ptr<Rig> rig;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    ShowProgress(i, rows.size());
    if (rig == nullptr || rows[i - 1].setup != row.setup || options.port == PortKind::kPcap) {
      rig.reset();
      SEKISHO_ASSIGN_OR_RETURN(rig, MakeRig(row, options));
    }
    SEKISHO_ASSIGN_OR_RETURN(const Result result, MeasureRow(row, options, *rig));
    measured.push_back({row, result});
    std::printf("%s\n", TableLine(measured.back()).c_str());
    std::fflush(stdout);
  }
  if (!stages.empty()) {
    AddStages(stages, measured);
    std::printf("\n%s", StageTable(measured).c_str());
  }
  if (options.json.empty()) return absl::OkStatus();
  return WriteJson(options.json, machine, measured);
}

absl::Status Main(int argc, const char* const* argv) {
  SEKISHO_ASSIGN_OR_RETURN(std::optional<Options> parsed, ParseOptions(argc, argv));
  if (!parsed.has_value()) return absl::OkStatus();  // help
  Options& options = *parsed;
  options.cores = AvailableCores();
  SEKISHO_ASSIGN_OR_RETURN(const std::vector<Row> rows, RowsOf(options));
  if (options.generate.on) {
    SEKISHO_RETURN_IF_ERROR(StartEal(options, rows));
    const absl::Status status = Generate(options, rows);
    fastpath::CleanupEal();
    return status;
  }
  std::vector<StageArray> stages;
  if (options.stages && !kCountsStages) {
    if (const std::string program = StagesProgram(); !program.empty()) {
      SEKISHO_ASSIGN_OR_RETURN(stages, RunStages(program, argc, argv));
      if (stages.size() != rows.size()) return absl::InternalError("throughput_stages lost a row");
    } else {
      std::fprintf(stderr, "throughput: no cycles by stage: throughput_stages is not built\n");
    }
  }
  SEKISHO_RETURN_IF_ERROR(StartEal(options, rows));
  const absl::Status status = Run(options, rows, stages, argc, argv);
  fastpath::CleanupEal();
  return status;
}

}  // namespace
}  // namespace sekisho::bench

int main(int argc, char** argv) {
  const absl::Status status = sekisho::bench::Main(argc, argv);
  if (status.ok()) return 0;
  std::fprintf(stderr, "throughput: %s\n", std::string(status.message()).c_str());
  return 1;
}
