// fastpath/stage_cycles.h: where the cycles of a worker go, stage by stage.
//
// Only a build with SEKISHO_STAGE_CYCLES counts (bench/throughput_stages); in every other one all
// of this is nothing. A stage that runs inside another one takes its time from that one: the times
// of all stages add up to the time of the rounds.
//
//     StageTimer timer(worker.esp.stages, Stage::kClassify);  // until the end of the scope
//
// Reading the clock costs some twenty cycles: around a burst, never around a packet.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef SEKISHO_STAGE_CYCLES
#include <rte_cycles.h>

#include <array>
#endif

namespace sekisho::fastpath {

enum class Stage : uint8_t {
  kOther,        // rounds, messages, sorting; and whatever has no stage of its own
  kReceive,      // from the port
  kParse,        // bytes to a context; ours, or to be forwarded? whose flow?
  kClassify,     // SPD
  kSaLookUp,     // SAD, either half
  kEncapsulate,  // ESP or AH around the packet
  kCrypto,       // the backend
  kDecapsulate,  // replay window, trailer, the inner packet's checks
  kForward,      // route, TTL, path MTU
  kTransmit,     // next hop, Ethernet header, to the port
};
inline constexpr size_t kStages = 10;
inline constexpr const char* kStageNames[kStages] = {
    "other",       "receive", "parse",       "classify", "sa-look-up",
    "encapsulate", "crypto",  "decapsulate", "forward",  "transmit"};

#ifdef SEKISHO_STAGE_CYCLES

struct StageCycles {
  std::array<uint64_t, kStages> cycles = {};  // TSC
  Stage running = Stage::kOther;
  uint64_t since = 0;

  // Everything since the last call was the running stage's.
  void Enter(Stage stage) {
    const uint64_t now = rte_rdtsc();
    cycles[static_cast<size_t>(running)] += now - since;
    since = now;
    running = stage;
  }
};

class [[nodiscard]] StageTimer {
 public:
  StageTimer(StageCycles& stages, Stage stage) : stages_(stages), outer_(stages.running) {
    stages_.Enter(stage);
  }
  ~StageTimer() { stages_.Enter(outer_); }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  StageCycles& stages_;
  const Stage outer_;
};

#else

struct StageCycles {};

class [[nodiscard]] StageTimer {
 public:
  constexpr StageTimer(const StageCycles&, Stage) {}
  // Not trivial, or compilers would call a timer an unused variable.
  constexpr ~StageTimer() {}  // NOLINT
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;
};

#endif

}  // namespace sekisho::fastpath
