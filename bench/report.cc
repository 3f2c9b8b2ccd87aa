#include "bench/report.h"

#include <intel-ipsec-mb.h>
#include <rte_cycles.h>
#include <rte_version.h>
#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "fastpath/eal.h"

namespace sekisho::bench {
namespace {

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

double Rounded(double value) {
  return static_cast<double>(static_cast<int64_t>(value * 1000 + 0.5)) / 1000;
}

nlohmann::ordered_json JsonOf(const Measured& measured) {
  const Row& row = measured.row;
  const Result& result = measured.result;
  nlohmann::ordered_json json = {{"direction", Name(row.direction)},
                                 {"sas", row.setup.sas},
                                 {"flows_per_sa", row.flows_per_sa},
                                 {"policies", row.setup.policies},
                                 {"suite", row.setup.suite.ToString()},
                                 {"mode", Name(row.setup.mode)},
                                 {"backend", row.setup.backend},
                                 {"workers", row.setup.workers},
                                 {"decision_cache", row.setup.keeps_decisions},
                                 {"mpps", Rounded(result.mpps)},
                                 {"gbps", Rounded(result.gbps)},
                                 {"cycles", Rounded(result.cycles)},
                                 {"io_floor_cycles", Rounded(result.io_floor_cycles)},
                                 {"crypto_limit_cycles", Rounded(result.crypto_limit_cycles)},
                                 {"overhead_cycles", Rounded(result.overhead_cycles())},
                                 {"share_of_limit", Rounded(result.share_of_limit())},
                                 {"spread", Rounded(result.spread)},
                                 {"samples", result.samples},
                                 {"thrown_away", result.thrown_away},
                                 {"checked", result.checked},
                                 {"stages", nlohmann::ordered_json::object()}};
  if (row.size.is_imix()) {
    json["size"] = "imix";
  } else {
    json["size"] = row.size.bytes;
  }
  if (result.installs_per_second > 0) {
    json["installs_per_second"] = Rounded(result.installs_per_second);
    json["rate_loss"] = Rounded(result.rate_loss);
  }
  for (size_t i = 0; i < fastpath::kStages; ++i) {
    if (result.stages[i] > 0) json["stages"][fastpath::kStageNames[i]] = Rounded(result.stages[i]);
  }
  return json;
}

}  // namespace

Machine DescribeMachine(const Options& options, int argc, const char* const* argv) {
  Machine machine;
  machine.cpu = CpuModel();
  utsname name = {};
  uname(&name);
  machine.kernel = name.release;
  machine.dpdk = std::string(absl::StripPrefix(rte_version(), "DPDK "));
  machine.crypto_library = absl::StrCat("ipsec-mb ", imb_get_version_str());
  machine.memory = fastpath::UsesHugePages() ? "huge pages" : "ordinary pages";
#ifdef __OPTIMIZE__
  machine.build = absl::StrCat(__VERSION__, ", optimised");
#else
  machine.build = absl::StrCat(__VERSION__, ", not optimised");
#endif
  machine.port = Name(options.port);
  for (int i = 0; i < argc; ++i) absl::StrAppend(&machine.command, i == 0 ? "" : " ", argv[i]);
  machine.tsc_hz = rte_get_tsc_hz();
  return machine;
}

std::string TableHead() {
  return absl::StrFormat("%-4s %5s %8s %6s %8s %-15s %-9s %7s %7s %7s %7s %7s %8s %8s %7s %7s",
                         "dir", "size", "SAs", "flows", "policies", "suite", "mode", "workers",
                         "Mpps", "Gbit/s", "cycles", "floor", "crypto", "overhead", "limit",
                         "spread");
}

std::string TableLine(const Measured& measured) {
  const Row& row = measured.row;
  const Result& result = measured.result;
  std::string line = absl::StrFormat(
      "%-4s %5s %8d %6d %8d %-15s %-9s %7d %7.2f %7.2f %7.1f %7.1f %8.1f %8.1f %6.0f%% %6.1f%%",
      Name(row.direction), row.size.ToString(), row.setup.sas, row.flows_per_sa, row.setup.policies,
      row.setup.suite.ToString(), Name(row.setup.mode), row.setup.workers, result.mpps, result.gbps,
      result.cycles, result.io_floor_cycles, result.crypto_limit_cycles, result.overhead_cycles(),
      100 * result.share_of_limit(), 100 * result.spread);
  if (row.setup.backend != "ipsec-mb") absl::StrAppend(&line, "  ", row.setup.backend);
  if (!row.setup.keeps_decisions) absl::StrAppend(&line, "  no decisions kept");
  if (result.installs_per_second > 0) {
    absl::StrAppendFormat(&line, "  %.1f%% less at %.0f SAs/s", 100 * result.rate_loss,
                          result.installs_per_second);
  }
  if (result.thrown_away > 0) absl::StrAppend(&line, "  ", result.thrown_away, " thrown away");
  return line;
}

std::string StageTable(const std::vector<Measured>& rows) {
  std::string table =
      "cycles by stage, with the cost of counting them, scaled to the cycles above\n";
  absl::StrAppendFormat(&table, "%-4s %5s %8s %8s", "dir", "size", "SAs", "policies");
  for (const char* stage : fastpath::kStageNames) absl::StrAppendFormat(&table, " %11s", stage);
  table += "\n";
  for (const Measured& measured : rows) {
    const Row& row = measured.row;
    if (row.setup.workers > 1) continue;  // not counted
    absl::StrAppendFormat(&table, "%-4s %5s %8d %8d", Name(row.direction), row.size.ToString(),
                          row.setup.sas, row.setup.policies);
    for (const double cycles : measured.result.stages) {
      absl::StrAppendFormat(&table, " %11.1f", cycles);
    }
    table += "\n";
  }
  return table;
}

absl::Status WriteJson(const std::string& file, const Machine& machine,
                       const std::vector<Measured>& rows) {
  nlohmann::ordered_json json = {{"machine",
                                  {{"cpu", machine.cpu},
                                   {"kernel", machine.kernel},
                                   {"dpdk", machine.dpdk},
                                   {"crypto_library", machine.crypto_library},
                                   {"memory", machine.memory},
                                   {"build", machine.build},
                                   {"port", machine.port},
                                   {"command", machine.command},
                                   {"tsc_hz", machine.tsc_hz}}},
                                 {"rows", nlohmann::ordered_json::array()}};
  for (const Measured& measured : rows) json["rows"].push_back(JsonOf(measured));
  std::ofstream stream(file);
  stream << json.dump(1) << '\n';
  stream.close();
  if (stream) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("--json: cannot write ", file));
}

}  // namespace sekisho::bench
