// ike/core.h: what every concern shares while the engine works on one input: the tables, the
// counters, the time and the list of actions. No behaviour of the protocol is in here.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "ike/actions.h"
#include "ike/cookie.h"
#include "ike/engine.h"
#include "ike/ike_sa.h"

namespace sekisho::ike {

// What goes on when a computation is done. `done` holds its inputs and outputs.
using AfterComputation = void (*)(Core& core, IkeSa& sa, Computation& done);
using LogFields = std::vector<std::pair<std::string, std::string>>;

struct Core {
  Core(EngineOptions options_in, Random& random_in, SpiAllocator& spis_in);

  const EngineOptions options;
  Random& random;
  SpiAllocator& spis;
  EngineCounters counters;
  std::vector<std::shared_ptr<const Connection>> connections;
  Cookies cookies;
  bool shutting_down = false;

  // Of the input that is being dealt with.
  absl::Time now;
  Actions* actions = nullptr;
  std::set<uint64_t> touched;  // local SPIs whose timers and tasks are looked at afterwards

  // Tables. Their sizes: half-open IKE SAs are bounded by options, the others by who is let in.
  absl::flat_hash_map<uint64_t, std::unique_ptr<IkeSa>> ike_sas;  // by local SPI
  absl::flat_hash_map<IkeSaId, uint64_t> current;   // local SPI of the one that stands for the id
  absl::flat_hash_map<ChildSaId, uint64_t> owners;  // local SPI of the IKE SA above a Child SA
  absl::flat_hash_map<Bytes, uint64_t> seen_inits;  // by digest: IKE_SA_INIT requests answered
  absl::flat_hash_map<Identity, absl::flat_hash_set<IkeSaId>> by_identity;  // authenticated peers
  absl::flat_hash_map<IpAddress, size_t> half_open_by_address;
  size_t half_open = 0;
  struct Pending {
    uint64_t local_spi;
    AfterComputation after;
  };
  absl::flat_hash_map<ComputationId, Pending> computations;
  std::set<std::pair<absl::Time, uint64_t>> timers;
  uint64_t next_ike_sa_id = 1, next_child_sa_id = 1, next_computation_id = 1;

  // A new entry with a fresh local SPI; `id` 0: a fresh one, which it then stands for.
  IkeSa& Create(IkeSaId id, uint64_t local_spi = 0);
  IkeSa* Find(uint64_t local_spi);
  IkeSa* FindCurrent(IkeSaId id);
  IkeSa* FindOwner(ChildSaId id);
  bool IsCurrent(const IkeSa& sa) const;
  void Touch(const IkeSa& sa) { touched.insert(sa.local_spi); }

  void Emit(Action action);
  void Log(LogEvent::Level level, absl::string_view name, LogFields fields);
  // With the fields by which one tunnel's life is found in the log in front.
  void Log(LogEvent::Level level, absl::string_view name, const IkeSa& sa, LogFields fields);
  // For what strangers cause: no more than a few lines in a second.
  void LogStranger(absl::string_view name, LogFields fields);
  // Is there room for one more of those lines in this second? How many there was none for is said
  // when there is room again.
  bool MayLogStranger();
  // Hands a computation out; `after` is called with its result if the IKE SA still stands then.
  void Run(IkeSa& sa, std::unique_ptr<Computation> computation, AfterComputation after);

  Bytes RandomBytes(size_t count);
  Bytes Nonce() { return RandomBytes(32); }
  uint64_t NewIkeSpi();
  // `duration` less a random part of up to a tenth (RFC 7296, 2.8.1).
  absl::Duration Jittered(absl::Duration duration);
  // A short random time after which something that failed for the moment is tried again.
  absl::Duration RetryDelay();

  // After every input: begins tasks, sets timers, buries the dead.
  void Settle();

 private:
  void Bury(IkeSa& sa);

  absl::Time stranger_second_ = absl::InfinitePast();
  uint64_t stranger_lines_ = 0;
};

}  // namespace sekisho::ike
