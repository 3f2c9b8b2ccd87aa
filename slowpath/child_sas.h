// slowpath/child_sas.h: which SAs of the fast path belong to which Child SA of the IKE engine.
//
// The engine speaks of ChildSaId, the workers of slots; this is the one place that knows both.
// Slow-path thread only.
#pragma once

#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/messages.h"
#include "fastpath/fast_path.h"
#include "ike/actions.h"
#include "slowpath/sa_changes.h"

namespace sekisho::slowpath {

class ChildSas {
 public:
  struct ChildSa {
    ike::IkeSaId ike_sa{};
    std::optional<fastpath::SaHandle> inbound, outbound;
    uint64_t inbound_packets_seen = 0;   // when last looked
    uint64_t outbound_packets_seen = 0;  // when last looked
  };

  // `fast_path` must outlive this.
  explicit ChildSas(fastpath::FastPath& fast_path) : fast_path_(fast_path), changes_(fast_path) {}

  absl::Status InstallInbound(const ike::ChildSaHalf& half);
  absl::Status InstallOutbound(const ike::ChildSaHalf& half);
  // No-op for a half that is not installed.
  void RemoveInbound(ike::ChildSaId child_sa);
  void RemoveOutbound(ike::ChildSaId child_sa);
  // Points every outbound SA of the IKE SA elsewhere; where a down ring is full, RetryPending()
  // does.
  void MovePeer(ike::IkeSaId ike_sa, const Endpoint& local, const Endpoint& remote);
  // Tries again what a full down ring refused. Called often.
  void RetryPending() { changes_.RetryPending(); }

  // Whose is this SA? nullopt: it was removed in the meantime.
  std::optional<ike::ChildSaId> Find(const fastpath::SaHandle& sa) const;
  const ChildSa* Get(ike::ChildSaId child_sa) const;
  // Child SAs on which packets that authenticate came in since the last call.
  std::vector<ike::ChildSaId> TakeActive();
  // IKE SAs none of whose Child SAs sent a packet since the last call.
  std::vector<ike::IkeSaId> TakeSilentOutbound();

 private:
  ChildSa& Own(const ike::ChildSaHalf& half, const fastpath::SaHandle& handle);
  void Remove(ike::ChildSaId child_sa, std::optional<fastpath::SaHandle> ChildSa::*half);

  fastpath::FastPath& fast_path_;
  SaChanges changes_;
  absl::flat_hash_map<ike::ChildSaId, ChildSa> child_sas_;
  absl::flat_hash_map<ike::IkeSaId, std::vector<ike::ChildSaId>> by_ike_sa_;
  absl::flat_hash_map<fastpath::SaHandle, ike::ChildSaId> owners_;
};

}  // namespace sekisho::slowpath
