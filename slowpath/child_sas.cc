#include "slowpath/child_sas.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "common/status_macros.h"
#include "common/traffic_selector.h"
#include "fastpath/selector_set.h"

namespace sekisho::slowpath {
namespace {

// What the engine may agree to can be installed.
static_assert(kNarrowedSelectorsMax <= fastpath::SelectorSet::kSelectorsMax);

// Both directions take the same values under different names of the fast path.
template <typename Parameters>
Parameters ParametersOf(const ike::ChildSaHalf& half) {
  Parameters parameters;
  parameters.spi = half.spi;
  parameters.suite = half.suite;
  parameters.encryption_key = half.encryption_key;
  parameters.integrity_key = half.integrity_key;
  parameters.local = half.local;
  parameters.remote = half.remote;
  parameters.local_endpoint = half.local_endpoint;
  parameters.remote_endpoint = half.remote_endpoint;
  parameters.udp_encapsulation = half.udp_encapsulation;
  return parameters;
}

}  // namespace

absl::Status ChildSas::InstallInbound(const ike::ChildSaHalf& half) {
  SEKISHO_ASSIGN_OR_RETURN(
      const fastpath::SaHandle handle,
      fast_path_.InstallInbound(ParametersOf<fastpath::InboundSaParameters>(half)));
  child_sas_[half.child_sa].ike_sa = half.ike_sa;
  child_sas_[half.child_sa].inbound = handle;
  Own(half.child_sa, handle);
  return absl::OkStatus();
}

absl::Status ChildSas::InstallOutbound(const ike::ChildSaHalf& half) {
  auto parameters = ParametersOf<fastpath::OutboundSaParameters>(half);
  parameters.soft_bytes = half.soft_bytes;
  SEKISHO_ASSIGN_OR_RETURN(const fastpath::SaHandle handle, fast_path_.InstallOutbound(parameters));
  child_sas_[half.child_sa].ike_sa = half.ike_sa;
  child_sas_[half.child_sa].outbound = handle;
  Own(half.child_sa, handle);
  return absl::OkStatus();
}

void ChildSas::Own(ike::ChildSaId child_sa, const fastpath::SaHandle& handle) {
  owners_[{handle.direction, handle.slot}] = {child_sa, handle.generation};
}

void ChildSas::RemoveInbound(ike::ChildSaId child_sa) { Remove(child_sa, &ChildSa::inbound); }
void ChildSas::RemoveOutbound(ike::ChildSaId child_sa) { Remove(child_sa, &ChildSa::outbound); }

void ChildSas::Remove(ike::ChildSaId child_sa, std::optional<fastpath::SaHandle> ChildSa::*half) {
  const auto found = child_sas_.find(child_sa);
  if (found == child_sas_.end() || !(found->second.*half)) return;
  const fastpath::SaHandle handle = *std::exchange(found->second.*half, std::nullopt);
  owners_.erase({handle.direction, handle.slot});
  if (!found->second.inbound && !found->second.outbound) child_sas_.erase(found);
  if (absl::IsResourceExhausted(fast_path_.Remove(handle))) pending_removals_.push_back(handle);
}

void ChildSas::RetryPending() {
  std::erase_if(pending_removals_, [&](const fastpath::SaHandle& handle) {
    return !absl::IsResourceExhausted(fast_path_.Remove(handle));
  });
}

void ChildSas::MovePeer(ike::IkeSaId ike_sa, const Endpoint& local, const Endpoint& remote) {
  for (const auto& [id, child_sa] : child_sas_) {
    if (child_sa.ike_sa != ike_sa || !child_sa.outbound) continue;
    // A full ring loses nothing for good: the peer's next packet reports the move again.
    fast_path_.MovePeer(*child_sa.outbound, local, remote).IgnoreError();
  }
}

std::optional<ike::ChildSaId> ChildSas::Find(UpMessage::Direction direction, SlotId slot,
                                             uint32_t generation) const {
  const auto found = owners_.find({direction, slot});
  if (found == owners_.end() || found->second.generation != generation) return std::nullopt;
  return found->second.child_sa;
}

const ChildSas::ChildSa* ChildSas::Get(ike::ChildSaId child_sa) const {
  const auto found = child_sas_.find(child_sa);
  return found == child_sas_.end() ? nullptr : &found->second;
}

std::vector<ike::ChildSaId> ChildSas::TakeActive() {
  std::vector<ike::ChildSaId> active;
  for (auto& [id, child_sa] : child_sas_) {
    if (!child_sa.inbound) continue;
    const auto counters = fast_path_.Counters(*child_sa.inbound);
    if (!counters.ok() || counters->packets == child_sa.inbound_packets_seen) continue;
    child_sa.inbound_packets_seen = counters->packets;
    active.push_back(id);
  }
  return active;
}

std::vector<ike::IkeSaId> ChildSas::TakeSilentOutbound() {
  absl::flat_hash_set<ike::IkeSaId> silent, sending;
  for (auto& [id, child_sa] : child_sas_) {
    if (!child_sa.outbound) continue;
    const auto counters = fast_path_.Counters(*child_sa.outbound);
    if (!counters.ok()) continue;
    const bool sent = counters->packets != child_sa.outbound_packets_seen;
    child_sa.outbound_packets_seen = counters->packets;
    (sent ? sending : silent).insert(child_sa.ike_sa);
  }
  for (const ike::IkeSaId ike_sa : sending) silent.erase(ike_sa);
  return {silent.begin(), silent.end()};
}

}  // namespace sekisho::slowpath
