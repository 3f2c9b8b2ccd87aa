// bench/report.h: the rows as a table on the terminal, and as JSON.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/measure.h"
#include "bench/options.h"
#include "bench/row.h"

namespace sekisho::bench {

struct Measured {
  Row row;
  Result result;
};

// What the figures depend on beside the rows.
struct Machine {
  std::string cpu, kernel, dpdk, crypto_library, memory, build, port, command;
  uint64_t tsc_hz = 0;
};
Machine DescribeMachine(const Options& options, int argc, const char* const* argv);

// Head and lines of the first table, and the one of the stages.
std::string TableHead();
std::string TableLine(const Measured& measured);
std::string StageTable(const std::vector<Measured>& rows);
absl::Status WriteJson(const std::string& file, const Machine& machine,
                       const std::vector<Measured>& rows);

}  // namespace sekisho::bench
