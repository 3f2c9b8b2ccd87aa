// bench/runner.h: sends the packets of a row through the fast path, or past it, and says how long
// that took.
//
// With one worker its rounds run on the calling thread; with several each runs on its own core.
// Single thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <semaphore>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/gateway.h"
#include "bench/pcap_source.h"
#include "bench/traffic.h"

namespace sekisho::bench {

struct Timing {
  uint64_t cycles = 0;  // TSC, from the first packet to the last
  uint64_t packets = 0;
  // Of workers on their own cores: cycles * cores that the process had. Else 0.
  double core_cycles = 0;

  void Add(const Timing& other) {
    cycles += other.cycles;
    packets += other.packets;
    core_cycles += other.core_cycles;
  }
  // How many cores the process had on average.
  double cores() const { return core_cycles / static_cast<double>(cycles); }
  double cycles_per_packet() const {
    return static_cast<double>(cycles) / static_cast<double>(packets);
  }
};

class Runner {
 public:
  // What a worker that was asleep is given before the clock starts, over and over: what it had in
  // the caches has given way to others', on this machine and on its host, and comes back in several
  // passes only.
  static constexpr size_t kWarmUpFrames = 65'536;

  // The gateway outlives the runner. `traffic`: one direction or both.
  static absl::StatusOr<Runner> Create(Gateway& gateway, std::vector<Traffic> traffic,
                                       PortKind port);

  // Part `part` of `parts` of the packets goes through the fast path. An error where one was
  // dropped, or did not come out.
  absl::StatusOr<Timing> RunFastPath(size_t part, size_t parts);
  // The same frames between the same ports, received and sent, and nothing else.
  absl::StatusOr<Timing> RunFloor(size_t part, size_t parts);
  // Between the last part and the first.
  void EndPass();
  // While it is on, one sent frame of every MemoryPort::kKeepEvery is checked; returns how many
  // have been. Turned off and on where the ports are to be net_pcap's and net_null's alone.
  absl::StatusOr<uint64_t> CheckKept();
  void SetChecking(bool checking);

  // A single worker runs on its own core, too, as several do.
  void RunOnOwnCore(bool own) { own_core_ = own; }
  // What the calling thread does over and over while workers on their own cores run; nothing: it
  // sleeps.
  void SetMeanwhile(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

  const std::vector<Traffic>& traffic() const { return traffic_; }
  // A pass cannot be cut into parts.
  bool whole_passes_only() const { return port_ == PortKind::kPcap; }

 private:
  Runner(Gateway& gateway, std::vector<Traffic> traffic, PortKind port)
      : gateway_(gateway), traffic_(std::move(traffic)), port_(port) {}
  // What the fast path has done with packets so far.
  struct Books {
    uint64_t received = 0, sent = 0;
    std::vector<std::pair<fastpath::DropReason, uint64_t>> drops;
  };
  Books ReadBooks() const;
  absl::Status CheckBooks(const Books& before, uint64_t packets) const;
  // Returns how many packets come, in all passes.
  uint64_t Give(size_t part, size_t parts, size_t passes);
  void OpenSources();
  void CloseSources();
  Timing RunHere(size_t part, size_t parts);
  Timing RunOnWorkers(size_t part, size_t parts);
  // By so many queues; or until that takes too long, as the books will show.
  void WaitForAllSent(int senders);
  uint64_t Sent() const;

  Gateway& gateway_;
  std::vector<Traffic> traffic_;
  PortKind port_;
  bool own_core_ = false;
  std::function<void()> meanwhile_;
  std::vector<std::unique_ptr<PcapSource>> sources_;  // kPcap: by traffic
  // A worker has sent all that it was given by one port.
  std::unique_ptr<std::counting_semaphore<>> all_sent_ =
      std::make_unique<std::counting_semaphore<>>(0);
};

}  // namespace sekisho::bench
