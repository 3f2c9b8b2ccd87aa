#include "bench/runner.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "bench/cpu_share.h"
#include "bench/stage_count.h"
#include "common/status_macros.h"
#include "fastpath/packet_context.h"

namespace sekisho::bench {
namespace {

using fastpath::kBurstMax;

// Rounds without anything to do after which what is missing will not come.
constexpr int kIdleRoundsMax = 10'000;
constexpr uint64_t kSecondsMax = 10;

// One burst from one port to the other. What net_null swallows is freed by it.
uint16_t Forward(uint16_t from, uint16_t to) {
  std::array<rte_mbuf*, kBurstMax> mbufs;
  const uint16_t count = rte_eth_rx_burst(from, 0, mbufs.data(), kBurstMax);
  if (count > 0) rte_eth_tx_burst(to, 0, mbufs.data(), count);
  return count;
}

}  // namespace

absl::StatusOr<Runner> Runner::Create(Gateway& gateway, std::vector<Traffic> traffic,
                                      PortKind port) {
  Runner runner(gateway, std::move(traffic), port);
  if (port == PortKind::kPcap) {
    for (const Traffic& each : runner.traffic_) {
      SEKISHO_ASSIGN_OR_RETURN(std::unique_ptr<PcapSource> source,
                               PcapSource::Create(each.frames(0), gateway.pool()));
      runner.sources_.push_back(std::move(source));
    }
  }
  for (MemoryPort* each : {&gateway.outside(), &gateway.inside()}) each->ReceiveHere();
  runner.SetChecking(port == PortKind::kMemory);
  return runner;
}

void Runner::SetChecking(bool checking) {
  for (const Traffic& each : traffic_) {
    each.to().Keep(checking);
    if (checking || port_ == PortKind::kMemory) {
      each.to().SendHere();
    } else {
      each.to().SendByDriver();
    }
  }
}

absl::StatusOr<uint64_t> Runner::CheckKept() {
  uint64_t checked = 0;
  for (const Traffic& each : traffic_) {
    for (const Bytes& frame : each.to().TakeKept()) {
      SEKISHO_RETURN_IF_ERROR(each.Check(frame));
      ++checked;
    }
  }
  return checked;
}

void Runner::EndPass() {
  for (const Traffic& each : traffic_) {
    if (each.direction() == Direction::kIn) gateway_.ResetReplayWindows();
  }
  gateway_.EmptyUpRings();
}

Runner::Books Runner::ReadBooks() const {
  const fastpath::Accounting books = gateway_.fast_path().GetAccounting();
  return {books.received, books.sent + books.delivered, gateway_.fast_path().Drops()};
}

absl::Status Runner::CheckBooks(const Books& before, uint64_t packets) const {
  const Books after = ReadBooks();
  for (size_t i = 0; i < after.drops.size(); ++i) {
    const uint64_t dropped = after.drops[i].second - before.drops[i].second;
    if (dropped == 0) continue;
    return absl::DataLossError(absl::StrCat("the fast path dropped ", dropped, " of ", packets,
                                            " packets: ", Name(after.drops[i].first)));
  }
  const uint64_t received = after.received - before.received, sent = after.sent - before.sent;
  if (received == packets && sent == packets) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("of ", packets, " packets the fast path received ",
                                          received, " and sent ", sent));
}

uint64_t Runner::Sent() const {
  uint64_t sent = 0;
  for (const Traffic& each : traffic_) sent += each.to().sent();
  return sent;
}

uint64_t Runner::Give(size_t part, size_t parts, size_t passes) {
  uint64_t packets = 0;
  for (const Traffic& each : traffic_) {
    packets += passes * each.PacketsIn(part, parts);
    for (uint16_t queue = 0; queue < each.queues(); ++queue) {
      MemoryPort::Feed feed = {each.Part(queue, part, parts), passes, {}};
      if (each.direction() == Direction::kIn) {
        feed.between = [gateway = &gateway_, worker = WorkerId{static_cast<uint8_t>(queue)}] {
          gateway->ResetReplayWindows(worker);
        };
      }
      each.from().Give(queue, std::move(feed));
    }
  }
  return packets;
}

void Runner::OpenSources() {
  for (size_t i = 0; i < sources_.size(); ++i) {
    traffic_[i].from().ReceiveFrom(sources_[i]->device());
  }
}

void Runner::CloseSources() {
  for (const Traffic& each : traffic_) each.from().ReceiveNothing();
}

Timing Runner::RunHere(size_t part, size_t parts) {
  fastpath::Worker& worker = gateway_.fast_path().worker(WorkerId{0});
  fastpath::FastPath& fast_path = gateway_.fast_path();
  Timing timing;
  if (port_ == PortKind::kMemory) {
    timing.packets = Give(part, parts, /*passes=*/1);
    StartStages(worker);
    const uint64_t start = rte_rdtsc_precise();
    while (fast_path.RunOnce()) {
    }
    // A device may have given back nothing yet.
    for (int idle = 0; Sent() < timing.packets && idle < kIdleRoundsMax; ++idle) {
      if (fast_path.RunOnce()) idle = 0;
    }
    timing.cycles = rte_rdtsc_precise() - start;
    StopStages(worker);
    return timing;
  }
  const size_t rounds = traffic_[0].PacketsIn(part, parts) / kBurstMax;
  timing.packets = rounds * kBurstMax * traffic_.size();
  OpenSources();
  StartStages(worker);
  const uint64_t start = rte_rdtsc_precise();
  for (size_t i = 0; i < rounds; ++i) fast_path.RunOnce();
  CloseSources();
  while (fast_path.RunOnce()) {
  }
  timing.cycles = rte_rdtsc_precise() - start;
  StopStages(worker);
  return timing;
}

void Runner::WaitForAllSent(int senders) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(kSecondsMax);
  while (senders > 0) {
    if (!meanwhile_) {
      // This thread sleeps: what it does would take a core from a worker.
      if (!all_sent_->try_acquire_until(give_up)) return;
      --senders;
    } else {
      meanwhile_();
      if (all_sent_->try_acquire()) --senders;
      if (std::chrono::steady_clock::now() >= give_up) return;
    }
  }
}

// What the workers reach in the last of several passes, which is the one that counts.
Timing Runner::RunOnWorkers(size_t part, size_t parts) {
  size_t frames_max = 1;
  for (const Traffic& each : traffic_) {
    for (uint16_t queue = 0; queue < each.queues(); ++queue) {
      frames_max = std::max(frames_max, each.Part(queue, part, parts).size());
    }
  }
  const size_t passes = 1 + (kWarmUpFrames + frames_max - 1) / frames_max;
  int senders = 0;
  for (const Traffic& each : traffic_) {
    for (uint16_t queue = 0; queue < each.queues(); ++queue) {
      const size_t frames = each.Part(queue, part, parts).size();
      if (frames == 0) continue;
      each.to().AnnounceSent(queue, passes * frames, *all_sent_);
      ++senders;
    }
  }
  Timing timing;
  const CpuShare share(CpuShare::Of::kProcess);
  timing.packets = Give(part, parts, passes);
  WaitForAllSent(senders);
  const double cores = share.Get();
  // Each worker by its own clock: they neither start nor end together.
  double packets_per_cycle = 0;
  for (uint16_t worker = 0; worker < gateway_.fast_path().worker_count(); ++worker) {
    uint64_t first = UINT64_MAX, last = 0, packets = 0;
    for (const Traffic& each : traffic_) {
      first = std::min(first, each.from().last_pass_tsc(worker));
      last = std::max(last, each.to().last_sent_tsc(worker));
      packets += each.Part(worker, part, parts).size();
    }
    if (first >= last) return timing;  // it had nothing: the books will say so
    packets_per_cycle += static_cast<double>(packets) / static_cast<double>(last - first);
  }
  timing.cycles = static_cast<uint64_t>(static_cast<double>(timing.packets) / packets_per_cycle);
  timing.core_cycles = cores * static_cast<double>(timing.cycles);
  return timing;
}

absl::StatusOr<Timing> Runner::RunFastPath(size_t part, size_t parts) {
  const Books before = ReadBooks();
  for (const Traffic& each : traffic_) each.to().ResetSent();
  Timing timing;
  if (gateway_.fast_path().worker_count() == 1 && !own_core_) {
    timing = RunHere(part, parts);
  } else {
    SEKISHO_RETURN_IF_ERROR(gateway_.fast_path().Start());
    timing = RunOnWorkers(part, parts);
    gateway_.fast_path().Stop();
  }
  SEKISHO_RETURN_IF_ERROR(CheckBooks(before, timing.packets));
  gateway_.EmptyUpRings();
  return timing;
}

absl::StatusOr<Timing> Runner::RunFloor(size_t part, size_t parts) {
  Timing timing;
  uint64_t want = 0;
  for (const Traffic& each : traffic_) {
    each.to().Keep(false);
    // The floor is that of one core.
    const std::span<const Frame> frames = each.Part(0, part, parts);
    want += frames.size();
    if (port_ == PortKind::kMemory)
      each.from().Give(0, {.frames = frames, .passes = 1, .between = {}});
  }
  OpenSources();
  const uint64_t start = rte_rdtsc_precise();
  while (timing.packets < want) {
    for (const Traffic& each : traffic_) {
      timing.packets += Forward(each.from().device(), each.to().device());
    }
  }
  timing.cycles = rte_rdtsc_precise() - start;
  if (port_ == PortKind::kPcap) CloseSources();
  for (const Traffic& each : traffic_) each.to().Keep(port_ == PortKind::kMemory);
  return timing;
}

}  // namespace sekisho::bench
