// slowpath/status_view.h: what the shell may see of the gateway, and ask of it.
//
// The seam between the shell and the gateway: the gateway implements it, tests fake it. Called on
// the slow-path thread only. Lists are snapshots. Keys are in none of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "fastpath/fast_path.h"
#include "fastpath/policy.h"
#include "ike/engine.h"
#include "slowpath/address_pool.h"
#include "slowpath/log.h"
#include "slowpath/manual_sas.h"
#include "slowpath/neighbour_resolver.h"

namespace sekisho::slowpath {

// The packets of one Child SA; a direction that is not installed, or no longer, is missing.
struct ChildSaTraffic {
  std::optional<fastpath::SaCounters> inbound, outbound;
};

struct PolicyStatus {
  fastpath::Policy policy;
  uint64_t hits = 0;   // packets
  uint64_t drops = 0;  // of these
};

struct IkeCounters {
  ike::EngineCounters engine;
  uint64_t half_open = 0;
  uint64_t computations_pending = 0;  // given to the crypto threads and not yet back
};

class StatusView {
 public:
  virtual ~StatusView() = default;

  virtual absl::Time Now() const = 0;
  virtual absl::Time StartedAt() const = 0;

  virtual std::vector<fastpath::PortInfo> Ports() const = 0;  // by PortId
  virtual std::vector<ike::IkeSaInfo> IkeSas() const = 0;     // by id
  virtual ChildSaTraffic Traffic(ike::ChildSaId child_sa) const = 0;
  virtual std::vector<ManualSaInfo> ManualSas() const = 0;  // as configured
  virtual std::vector<PolicyStatus> Policies() const = 0;   // in order of the SPD
  virtual std::vector<std::pair<fastpath::DropReason, uint64_t>> Drops() const = 0;
  virtual fastpath::Accounting GetAccounting() const = 0;
  virtual std::vector<fastpath::WorkerInfo> Workers() const = 0;       // by WorkerId
  virtual std::vector<fastpath::DropCount> DropsInDetail() const = 0;  // by reason first
  virtual std::vector<PoolInfo> Pools() const = 0;
  virtual std::vector<LeaseInfo> Leases() const = 0;
  virtual std::vector<NeighbourInfo> Neighbours() const = 0;
  virtual IkeCounters GetIkeCounters() const = 0;
  virtual std::vector<std::string> ConnectionNames() const = 0;
  virtual LogLevel GetLogLevel() const = 0;

  // Commands. What they set in motion goes on after they return; the log says how it ended.
  // NotFound for an id or name that is not there.
  virtual absl::Status RekeyIkeSa(ike::IkeSaId ike_sa) = 0;
  virtual absl::Status RekeyChildSa(ike::ChildSaId child_sa) = 0;
  virtual absl::Status DeleteIkeSa(ike::IkeSaId ike_sa) = 0;
  virtual absl::Status DeleteChildSa(ike::ChildSaId child_sa) = 0;
  virtual absl::StatusOr<ike::IkeSaId> Initiate(absl::string_view connection) = 0;
  virtual void SetLogLevel(LogLevel level) = 0;
  // Begins the orderly end of the program and returns.
  virtual void Stop() = 0;
};

}  // namespace sekisho::slowpath
