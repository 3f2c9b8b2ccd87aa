#include "bench/measure.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/cpu_share.h"
#include "bench/crypto_limit.h"
#include "bench/stage_count.h"
#include "bench/statistics.h"
#include "common/status_macros.h"
#include "fastpath/worker.h"

namespace sekisho::bench {
namespace {

// Somebody else's compiler may keep the core for a while.
constexpr uint64_t kSecondsPerRowMax = 120;
constexpr size_t kLimitPackets = 4096;

struct Samples {
  std::vector<double> cycles, io_floor, crypto_limit;
  std::array<std::vector<double>, fastpath::kStages> stages;
};

absl::StatusOr<std::vector<std::unique_ptr<CryptoLimit>>> MakeLimits(const Row& row,
                                                                     const Runner& runner) {
  std::vector<std::unique_ptr<CryptoLimit>> limits;
  for (const Traffic& traffic : runner.traffic()) {
    const auto direction = traffic.direction() == Direction::kOut
                               ? fastpath::CryptoDirection::kEncrypt
                               : fastpath::CryptoDirection::kDecrypt;
    SEKISHO_ASSIGN_OR_RETURN(
        std::unique_ptr<CryptoLimit> limit,
        CryptoLimit::Create(row.setup.suite, direction, traffic.EncryptedBytes()));
    limits.push_back(std::move(limit));
  }
  return limits;
}

double MeasureLimit(std::span<const std::unique_ptr<CryptoLimit>> limits) {
  double sum = 0;
  for (const auto& limit : limits) sum += limit->Measure(kLimitPackets);
  return sum / static_cast<double>(limits.size());
}

// All packets once, checked, so that caches and tables are as they will be. Says in how many parts
// a pass is cut so that each takes about as long as a sample is to be.
absl::StatusOr<size_t> WarmUp(Runner& runner, const SampleOptions& options, Result& result) {
  runner.SetChecking(true);
  SEKISHO_ASSIGN_OR_RETURN(const Timing timing, runner.RunFastPath(0, 1));
  SEKISHO_ASSIGN_OR_RETURN(result.checked, runner.CheckKept());
  if (result.checked == 0) return absl::InternalError("no packet was checked");
  runner.EndPass();
  if (runner.whole_passes_only()) {
    runner.SetChecking(false);
    return 1;
  }
  const double milliseconds =
      1e3 * static_cast<double>(timing.cycles) / static_cast<double>(rte_get_tsc_hz());
  return std::max<size_t>(1, static_cast<size_t>(milliseconds / options.sample_ms));
}

// Parts of passes, one after the other, until a sample is as long as it is to be.
class Sampler {
 public:
  Sampler(Runner& runner, size_t parts, uint64_t cycles_wanted)
      : runner_(runner), parts_(parts), cycles_wanted_(cycles_wanted) {}

  absl::StatusOr<Timing> FastPath() {
    Timing sum;
    while (sum.cycles < cycles_wanted_) {
      SEKISHO_ASSIGN_OR_RETURN(const Timing timing, runner_.RunFastPath(next_, parts_));
      sum.Add(timing);
      next_ = (next_ + 1) % parts_;
      if (next_ == 0) runner_.EndPass();
    }
    return sum;
  }
  // Of frames that the fast path has not just seen, where there are more than the caches hold.
  // `warm_up`: as warm as what workers of their own get.
  absl::StatusOr<double> Floor(bool warm_up) {
    for (uint64_t packets = 0; warm_up && packets < Runner::kWarmUpFrames;) {
      SEKISHO_ASSIGN_OR_RETURN(const Timing timing, runner_.RunFloor(0, 1));
      packets += timing.packets;
    }
    Timing sum;
    while (sum.cycles < cycles_wanted_ / 4) {
      SEKISHO_ASSIGN_OR_RETURN(const Timing timing,
                               runner_.RunFloor((next_floor_ + parts_ / 2) % parts_, parts_));
      sum.Add(timing);
      next_floor_ = (next_floor_ + 1) % parts_;
    }
    return sum.cycles_per_packet();
  }

 private:
  Runner& runner_;
  const size_t parts_;
  const uint64_t cycles_wanted_;
  size_t next_ = 0, next_floor_ = 0;
};

}  // namespace

absl::StatusOr<Result> Measure(const Row& row, Runner& runner, Gateway& gateway,
                               const SampleOptions& options) {
  Result result;
  SEKISHO_ASSIGN_OR_RETURN(const auto limits, MakeLimits(row, runner));
  SEKISHO_ASSIGN_OR_RETURN(const size_t parts, WarmUp(runner, options, result));
  const double hz = static_cast<double>(rte_get_tsc_hz());
  // A part that is nearly long enough is.
  Sampler sampler(runner, parts, static_cast<uint64_t>(0.9 * options.sample_ms * 1e-3 * hz));
  const uint32_t workers = row.setup.workers;
  Samples samples;
  const uint64_t give_up = rte_rdtsc() + kSecondsPerRowMax * rte_get_tsc_hz();
  fastpath::Worker& first = gateway.fast_path().worker(WorkerId{0});
  while (result.samples < options.samples) {
    if (rte_rdtsc() > give_up) {
      return absl::UnavailableError(
          absl::StrCat("the core is busy: in ", result.thrown_away, " samples of ",
                       result.samples + result.thrown_away,
                       " the bench did not have it for itself; end what else runs on it"));
    }
    ClearStages(first);
    // With one worker this thread does everything; several have their own cores meanwhile.
    const CpuShare share;
    SEKISHO_ASSIGN_OR_RETURN(const Timing timing, sampler.FastPath());
    const double cycles = timing.cycles_per_packet();
    const bool had_cores = workers == 1 || timing.cores() >= workers * options.cpu_share_min;
    const CpuShare own_share;
    SEKISHO_ASSIGN_OR_RETURN(const double io_floor, sampler.Floor(workers > 1));
    const double crypto_limit = MeasureLimit(limits);
    const CpuShare& last = workers == 1 ? share : own_share;
    SEKISHO_ASSIGN_OR_RETURN(const uint64_t checked, runner.CheckKept());
    result.checked += checked;
    if (!had_cores || last.Get() < options.cpu_share_min) {
      ++result.thrown_away;
      continue;
    }
    samples.cycles.push_back(cycles * workers);
    samples.io_floor.push_back(io_floor);
    samples.crypto_limit.push_back(crypto_limit);
    const StageArray stages = ReadStages(first, cycles);
    for (size_t i = 0; i < stages.size(); ++i) samples.stages[i].push_back(stages[i]);
    ++result.samples;
  }
  runner.EndPass();
  result.cycles = Median(samples.cycles);
  result.io_floor_cycles = Median(samples.io_floor);
  result.crypto_limit_cycles = Median(samples.crypto_limit);
  if (kCountsStages && workers == 1) {
    for (size_t i = 0; i < result.stages.size(); ++i) result.stages[i] = Median(samples.stages[i]);
  }
  result.spread = Spread(samples.cycles);
  result.mpps = hz * workers / result.cycles / 1e6;
  double inner_bytes = 0;
  for (const Traffic& traffic : runner.traffic()) inner_bytes += traffic.inner_bytes();
  inner_bytes /= static_cast<double>(runner.traffic().size());
  result.gbps = result.mpps * inner_bytes * 8 / 1e3;
  return result;
}

}  // namespace sekisho::bench
