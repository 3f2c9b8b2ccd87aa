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

struct Options {
  std::vector<Direction> directions;
  std::vector<Size> sizes;
  std::vector<uint32_t> sas, flows_per_sa, policies;
  std::vector<IpsecSuite> suites;
  std::vector<Mode> modes;
  std::vector<std::string> backends;
  std::vector<uint32_t> workers;
  PortKind port = PortKind::kMemory;
  SampleOptions samples;
  uint64_t seed = 1;
  std::vector<unsigned> cores;  // that this process may use, those of workers first
  bool stages = true;           // once more by throughput_stages
  std::string json;             // a file; empty: none
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

}  // namespace sekisho::bench
