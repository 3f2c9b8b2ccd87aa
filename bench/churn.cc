#include "bench/churn.h"

#include <rte_cycles.h>

#include <algorithm>
#include <vector>

#include "bench/cpu_share.h"
#include "bench/statistics.h"
#include "common/status_macros.h"

namespace sekisho::bench {
namespace {

constexpr uint32_t kUsers = 0xc612'0000;      // 198.18.0.0/15: nobody's who sends
constexpr uint32_t kUserAddresses = 1 << 16;  // more than are ever installed at once
constexpr int kPairsPerStep = 16;
constexpr uint64_t kSecondsMax = 120;

struct Sample {
  double packets_per_second, installs_per_second;
};

// Whole passes for as long as a sample is to be.
absl::StatusOr<Sample> Take(Runner& runner, Churn* churn, double seconds) {
  const double hz = static_cast<double>(rte_get_tsc_hz());
  const uint64_t before = churn == nullptr ? 0 : churn->installed();
  uint64_t cycles = 0, packets = 0;
  while (static_cast<double>(cycles) < seconds * hz) {
    if (churn != nullptr) churn->Start();
    SEKISHO_ASSIGN_OR_RETURN(const Timing timing, runner.RunFastPath(0, 1));
    cycles += timing.cycles;
    packets += timing.packets;
    runner.EndPass();
  }
  const uint64_t installed = churn == nullptr ? 0 : churn->installed() - before;
  const double taken = static_cast<double>(cycles) / hz;
  return Sample{static_cast<double>(packets) / taken, static_cast<double>(installed) / taken};
}

}  // namespace

Churn::Churn(const Workload& workload, Gateway& gateway, double per_second)
    : workload_(workload),
      gateway_(gateway),
      cycles_per_pair_(2 * static_cast<double>(rte_get_tsc_hz()) / per_second) {}

void Churn::Start() { due_ = static_cast<double>(rte_rdtsc()); }

absl::Status Churn::InstallPair() {
  fastpath::FastPath& fast_path = gateway_.fast_path();
  const uint32_t number = next_user_++ % kUserAddresses;
  const TrafficSelectors user = {{.addresses = IpRange::Single(IpAddress::V4(kUsers + number))}};
  const uint32_t like = number % workload_.setup().sas;
  fastpath::InboundSaParameters inbound = workload_.Inbound(like);
  fastpath::OutboundSaParameters outbound = workload_.Outbound(like);
  inbound.remote = outbound.remote = user;
  SEKISHO_ASSIGN_OR_RETURN(inbound.spi, fast_path.AllocateSpi());
  absl::StatusOr<fastpath::SaHandle> in = fast_path.InstallInbound(inbound);
  if (!in.ok()) {
    fast_path.ReleaseSpi(inbound.spi);
    return in.status();
  }
  kept_.push_back(*in);
  outbound.worker = inbound.spi.worker();
  SEKISHO_ASSIGN_OR_RETURN(const fastpath::SaHandle out, fast_path.InstallOutbound(outbound));
  kept_.push_back(out);
  installed_ += 2;
  return absl::OkStatus();
}

absl::Status Churn::RemoveOldest() {
  SEKISHO_RETURN_IF_ERROR(gateway_.fast_path().Remove(kept_.front()));
  kept_.pop_front();
  return absl::OkStatus();
}

absl::Status Churn::Step() {
  gateway_.EmptyUpRings();
  for (int i = 0; i < kPairsPerStep && static_cast<double>(rte_rdtsc()) >= due_; ++i) {
    absl::Status status;
    while (status.ok() && kept_.size() > 2 * kPairsKept) status = RemoveOldest();
    if (status.ok()) status = InstallPair();
    // The worker is behind with its messages: later.
    if (absl::IsResourceExhausted(status)) return absl::OkStatus();
    SEKISHO_RETURN_IF_ERROR(status);
    due_ += cycles_per_pair_;
  }
  return absl::OkStatus();
}

absl::Status Churn::Finish() {
  while (!kept_.empty()) {
    const absl::Status status = RemoveOldest();
    if (!status.ok() && !absl::IsResourceExhausted(status)) return status;
    while (gateway_.fast_path().RunOnce()) {
    }
    gateway_.EmptyUpRings();
  }
  return absl::OkStatus();
}

absl::StatusOr<ChurnResult> MeasureChurn(Runner& runner, Churn& churn,
                                         const SampleOptions& options) {
  // Long ones: the workers start and stop around each pass.
  const double seconds = 5e-3 * options.sample_ms;
  std::vector<double> with, without, installs;
  absl::Status failed;
  runner.RunOnOwnCore(true);
  const uint64_t give_up = rte_rdtsc() + kSecondsMax * rte_get_tsc_hz();
  while (with.size() < options.samples) {
    if (rte_rdtsc() > give_up) return absl::UnavailableError("the cores are busy");
    runner.SetMeanwhile({});
    const CpuShare share(1);
    SEKISHO_ASSIGN_OR_RETURN(const Sample quiet, Take(runner, nullptr, seconds));
    const bool had_core = share.Get() >= options.cpu_share_min / 2;
    runner.SetMeanwhile([&] {
      if (failed.ok()) failed = churn.Step();
    });
    const CpuShare both(2);
    SEKISHO_ASSIGN_OR_RETURN(const Sample busy, Take(runner, &churn, seconds));
    SEKISHO_RETURN_IF_ERROR(failed);
    SEKISHO_RETURN_IF_ERROR(runner.CheckKept().status());
    if (!had_core || both.Get() < options.cpu_share_min) continue;
    without.push_back(quiet.packets_per_second);
    with.push_back(busy.packets_per_second);
    installs.push_back(busy.installs_per_second);
  }
  runner.SetMeanwhile({});
  runner.RunOnOwnCore(false);
  SEKISHO_RETURN_IF_ERROR(churn.Finish());
  return ChurnResult{.installs_per_second = Median(installs),
                     .rate_loss = 1 - Median(with) / Median(without)};
}

}  // namespace sekisho::bench
