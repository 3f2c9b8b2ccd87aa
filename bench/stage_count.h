// bench/stage_count.h: the cycles of one worker's stages over one sample. Zeros in a build that
// does not count them.
#pragma once

#include <rte_cycles.h>

#include <array>

#include "fastpath/worker.h"

namespace sekisho::bench {

using StageArray = std::array<double, fastpath::kStages>;

#ifdef SEKISHO_STAGE_CYCLES
inline constexpr bool kCountsStages = true;

inline void ClearStages(fastpath::Worker& worker) { worker.esp.stages.cycles = {}; }
// What happens between Stop and Start is not counted.
inline void StartStages(fastpath::Worker& worker) { worker.esp.stages.since = rte_rdtsc(); }
inline void StopStages(fastpath::Worker& worker) {
  worker.esp.stages.Enter(fastpath::Stage::kOther);
}
// So that they add up to `cycles`.
inline StageArray ReadStages(const fastpath::Worker& worker, double cycles) {
  double sum = 0;
  for (const uint64_t stage : worker.esp.stages.cycles) sum += static_cast<double>(stage);
  StageArray stages = {};
  for (size_t i = 0; i < stages.size(); ++i) {
    stages[i] = static_cast<double>(worker.esp.stages.cycles[i]) * cycles / sum;
  }
  return stages;
}
#else
inline constexpr bool kCountsStages = false;

inline void ClearStages(fastpath::Worker&) {}
inline void StartStages(fastpath::Worker&) {}
inline void StopStages(fastpath::Worker&) {}
inline StageArray ReadStages(const fastpath::Worker&, double) { return {}; }
#endif

}  // namespace sekisho::bench
