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
  parameters.mode = half.mode;
  parameters.lifetimes = {.soft_bytes = half.soft_bytes,
                          .soft_packets = half.soft_packets,
                          .hard_bytes = half.hard_bytes,
                          .hard_packets = half.hard_packets};
  // Stays the same over rekeys of the Child SA and of the IKE SA.
  parameters.peer = static_cast<uint64_t>(half.ike_sa);
  return parameters;
}

}  // namespace

absl::Status ChildSas::InstallInbound(const ike::ChildSaHalf& half) {
  auto parameters = ParametersOf<fastpath::InboundSaParameters>(half);
  parameters.original_local = half.original_local;
  parameters.original_remote = half.original_remote;
  SEKISHO_ASSIGN_OR_RETURN(const fastpath::SaHandle handle, fast_path_.InstallInbound(parameters));
  Own(half, handle).inbound = handle;
  return absl::OkStatus();
}

absl::Status ChildSas::InstallOutbound(const ike::ChildSaHalf& half) {
  auto parameters = ParametersOf<fastpath::OutboundSaParameters>(half);
  // Both halves with one worker: what it learns from the one serves the other.
  const auto known = child_sas_.find(half.child_sa);
  if (known != child_sas_.end() && known->second.inbound) {
    parameters.worker = WorkerOf(known->second.inbound->slot);
  }
  SEKISHO_ASSIGN_OR_RETURN(const fastpath::SaHandle handle, fast_path_.InstallOutbound(parameters));
  Own(half, handle).outbound = handle;
  return absl::OkStatus();
}

ChildSas::ChildSa& ChildSas::Own(const ike::ChildSaHalf& half, const fastpath::SaHandle& handle) {
  owners_[handle] = half.child_sa;
  const auto [found, is_new] = child_sas_.try_emplace(half.child_sa);
  if (is_new) {
    found->second.ike_sa = half.ike_sa;
    by_ike_sa_[half.ike_sa].push_back(half.child_sa);
  }
  return found->second;
}

void ChildSas::RemoveInbound(ike::ChildSaId child_sa) { Remove(child_sa, &ChildSa::inbound); }
void ChildSas::RemoveOutbound(ike::ChildSaId child_sa) { Remove(child_sa, &ChildSa::outbound); }

void ChildSas::Remove(ike::ChildSaId child_sa, std::optional<fastpath::SaHandle> ChildSa::*half) {
  const auto found = child_sas_.find(child_sa);
  if (found == child_sas_.end() || !(found->second.*half)) return;
  const fastpath::SaHandle handle = *std::exchange(found->second.*half, std::nullopt);
  owners_.erase(handle);
  if (!found->second.inbound && !found->second.outbound) {
    const auto siblings = by_ike_sa_.find(found->second.ike_sa);
    std::erase(siblings->second, child_sa);
    if (siblings->second.empty()) by_ike_sa_.erase(siblings);
    child_sas_.erase(found);
  }
  changes_.Remove(handle);
}

void ChildSas::MovePeer(ike::IkeSaId ike_sa, const Endpoint& local, const Endpoint& remote) {
  const auto found = by_ike_sa_.find(ike_sa);
  if (found == by_ike_sa_.end()) return;
  for (const ike::ChildSaId id : found->second) {
    const std::optional<fastpath::SaHandle>& outbound = child_sas_.at(id).outbound;
    if (!outbound) continue;
    // The engine has said so already; an SA that is gone needs nothing.
    changes_.MovePeer(*outbound, local, remote).IgnoreError();
  }
}

std::optional<ike::ChildSaId> ChildSas::Find(const fastpath::SaHandle& sa) const {
  const auto found = owners_.find(sa);
  if (found == owners_.end()) return std::nullopt;
  return found->second;
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
