// bench/stage_run.h: the same rows once more by throughput_stages, which is built with the stages'
// timers in it: these would cost too much where the rest is measured.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "bench/stage_count.h"

namespace sekisho::bench {

// Beside this program. Nothing where it was not built.
std::string StagesProgram();
// By row, cycles per packet; all zero for rows with several workers. Before the EAL is started.
absl::StatusOr<std::vector<StageArray>> RunStages(const std::string& program, int argc,
                                                  const char* const* argv);

}  // namespace sekisho::bench
