// bench/options.h: what the throughput bench is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/measure.h"
#include "bench/row.h"

namespace sekisho::bench {

// Of --generate: a gateway on real ports, and a generator on others that are wired to them.
struct GenerateOptions {
  enum class Role : uint8_t { kBoth, kGateway, kGenerator };
  bool on = false;
  Role role = Role::kBoth;
  bool loopback = false;                            // rings within the process in place of wires
  std::string outside, inside;                      // the gateway's, as DPDK names them
  std::string generator_outside, generator_inside;  // facing these
  std::string gateway_file;  // what a generator on another machine must know of the gateway
  double rate_max_mpps = 10;
  double loss = 0.005;  // of the partial-drop rate
  double resolution = 0.01;
  double trial_seconds = 5, warm_up_seconds = 1;
  bool force = false;  // go on where figures would lie

  bool has_gateway() const { return role != Role::kGenerator; }
  bool has_generator() const { return role != Role::kGateway; }
};
inline const char* Name(GenerateOptions::Role role) {
  switch (role) {
    case GenerateOptions::Role::kBoth:
      return "both";
    case GenerateOptions::Role::kGateway:
      return "gateway";
    case GenerateOptions::Role::kGenerator:
      return "generator";
  }
  return "?";
}

struct Options {
  std::vector<Direction> directions;
  std::vector<Size> sizes;
  std::vector<bool> keeps_decisions;
  std::vector<uint32_t> sas, flows_per_sa, policies;
  std::vector<IpsecSuite> suites;
  std::vector<Mode> modes;
  std::vector<std::string> backends;
  std::vector<uint32_t> workers;
  PortKind port = PortKind::kMemory;
  SampleOptions samples;
  uint64_t seed = 1;
  std::vector<unsigned> cores;  // that this process may use, those of workers first
  double installs = 0;          // SAs a second that come and go; 0: none
  bool stages = true;           // once more by throughput_stages
  GenerateOptions generate;
  std::string json;  // a file; empty: none
};

// Of a command line; nothing where it asked for help, which is then printed. The error says which
// option, what was found and what would be right.
absl::StatusOr<std::optional<Options>> ParseOptions(int argc, const char* const* argv);

// Every combination, those that share a gateway together. The error says which two options do not
// go together, and why.
absl::StatusOr<std::vector<Row>> RowsOf(const Options& options);

// What the rows take at most, in megabytes: DPDK's memory, and all other.
struct MemoryNeed {
  uint64_t eal_mb = 0, other_mb = 0;
};
MemoryNeed MemoryOf(const std::vector<Row>& rows, PortKind port);
// FastPathConfig::decisions_max of its gateway.
uint32_t DecisionsOf(const Setup& setup);

}  // namespace sekisho::bench
