#include "slowpath/manual_sas.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::slowpath {
namespace {

// Peers of these SAs are numbered from here on; those of IKE count up from 1 (IkeSaId).
constexpr uint64_t kFirstPeer = uint64_t{1} << 63;

// Both directions take the same values under different names of the fast path.
template <typename Parameters>
Parameters ParametersOf(const ManualSaConfig& sa) {
  Parameters parameters;
  parameters.spi = sa.spi;
  parameters.protocol = sa.protocol;
  parameters.mode = sa.mode;
  parameters.suite = sa.suite;
  parameters.encryption_key = sa.encryption_key;
  parameters.integrity_key = sa.integrity_key;
  parameters.local = sa.local_selectors;
  parameters.remote = sa.remote_selectors;
  parameters.local_endpoint = sa.local;
  parameters.remote_endpoint = sa.remote;
  parameters.udp_encapsulation = sa.udp_encapsulation;
  parameters.lifetimes = sa.lifetimes;
  return parameters;
}

LogFields FieldsOf(const ManualSaConfig& sa) {
  return {{"name", sa.name},
          {"direction", sa.direction == UpMessage::Direction::kInbound ? "in" : "out"},
          {"protocol", Name(sa.protocol)},
          {"spi", sa.spi.ToString()},
          {"peer", sa.remote.address.ToString()}};
}

}  // namespace

// The SAs between the same two ends are one peer's, also where its port tells it from others behind
// the same NAT.
uint64_t ManualSas::PeerOf(const ManualSaConfig& sa) const {
  for (const Entry& entry : entries_) {
    if (entry.config->local == sa.local && entry.config->remote == sa.remote) return entry.peer;
  }
  return kFirstPeer + entries_.size();
}

std::optional<fastpath::SaHandle> ManualSas::HandleOf(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (!name.empty() && entry.config->name == name) return entry.handle;
  }
  return std::nullopt;
}

absl::Status ManualSas::InstallOne(const ManualSaConfig& sa, const std::vector<ManualSaConfig>& sas,
                                   absl::Time now) {
  const bool around_another = std::any_of(sas.begin(), sas.end(), [&](const auto& other) {
    return other.then == sa.name || other.within == sa.name;
  });
  const uint64_t peer = PeerOf(sa);
  absl::StatusOr<fastpath::SaHandle> handle;
  if (sa.direction == UpMessage::Direction::kOutbound) {
    auto parameters = ParametersOf<fastpath::OutboundSaParameters>(sa);
    // It takes what ESP made; a packet that chose it by its selectors would leave unencrypted.
    if (around_another) parameters.remote.clear();
    parameters.peer = peer;
    parameters.then = HandleOf(sa.then);
    handle = fast_path_.InstallOutbound(parameters);
  } else {
    auto parameters = ParametersOf<fastpath::InboundSaParameters>(sa);
    parameters.peer = peer;
    parameters.typed_spi = true;
    parameters.anti_replay = sa.anti_replay;
    parameters.only_around_esp = around_another;
    parameters.within = HandleOf(sa.within);
    handle = fast_path_.InstallInbound(parameters);
  }
  if (!handle.ok()) {
    return absl::Status(handle.status().code(),
                        absl::StrCat("sas: '", sa.name, "': ", handle.status().message()));
  }
  entries_.push_back({.config = &sa, .handle = *handle, .peer = peer, .installed_at = now});
  LogFields fields = FieldsOf(sa);
  fields.emplace_back("suite", sa.suite.ToString());
  log_.Info("manual-sa-installed", fields);
  return absl::OkStatus();
}

absl::Status ManualSas::Install(const std::vector<ManualSaConfig>& sas, absl::Time now) {
  // Those of AH first: others name them.
  for (const IpsecProtocol protocol : {IpsecProtocol::kAh, IpsecProtocol::kEsp}) {
    for (const ManualSaConfig& sa : sas) {
      if (sa.protocol == protocol) SEKISHO_RETURN_IF_ERROR(InstallOne(sa, sas, now));
    }
  }
  return absl::OkStatus();
}

void ManualSas::SayExpiry(const Entry& entry, bool hard) {
  log_.Warning(hard ? "manual-sa-expired" : "manual-sa-expires-soon", FieldsOf(*entry.config));
}

void ManualSas::HandleTimers(absl::Time now) {
  for (Entry& entry : entries_) {
    if (!entry.handle.has_value()) continue;
    const absl::Duration age = now - entry.installed_at;
    const auto over = [&](absl::Duration life) {
      return life > absl::ZeroDuration() && age >= life;
    };
    if (over(entry.config->soft_time) && !entry.soft_said) {
      entry.soft_said = true;
      SayExpiry(entry, false);
    }
    if (over(entry.config->hard_time)) {
      changes_.Remove(*entry.handle);
      entry.handle.reset();
      entry.expired = true;
      SayExpiry(entry, true);
    }
  }
}

bool ManualSas::HandlePeerMoved(const UpMessage::PeerMoved& moved) {
  const fastpath::SaHandle handle{UpMessage::Direction::kInbound, moved.slot, moved.generation};
  const auto from = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.handle == handle; });
  if (from == entries_.end()) return false;
  for (const Entry& entry : entries_) {
    const ManualSaConfig& sa = *entry.config;
    if (entry.peer != from->peer || !entry.handle.has_value() || !sa.udp_encapsulation ||
        sa.direction != UpMessage::Direction::kOutbound) {
      continue;
    }
    LogFields fields = FieldsOf(sa);
    fields.emplace_back("to", moved.remote.ToString());
    if (const absl::Status sent = changes_.MovePeer(*entry.handle, moved.local, moved.remote);
        sent.ok()) {
      log_.Info("manual-sa-peer-moved", fields);
    } else {
      fields.emplace_back("reason", std::string(sent.message()));
      log_.Warning("manual-sa-peer-not-moved", fields);
    }
  }
  return true;
}

bool ManualSas::HandleExpiry(const UpMessage::Sa& sa, bool hard) {
  const fastpath::SaHandle handle{sa.direction, sa.slot, sa.generation};
  for (Entry& entry : entries_) {
    if (entry.handle != handle) continue;
    entry.expired |= hard;
    SayExpiry(entry, hard);
    return true;
  }
  return false;
}

std::vector<ManualSaInfo> ManualSas::List() const {
  std::vector<ManualSaInfo> list;
  for (const Entry& entry : entries_) {
    const ManualSaConfig& sa = *entry.config;
    ManualSaInfo info{.name = sa.name,
                      .direction = sa.direction,
                      .protocol = sa.protocol,
                      .mode = sa.mode,
                      .spi = sa.spi,
                      .suite = sa.suite,
                      .udp_encapsulation = sa.udp_encapsulation,
                      .local = sa.local,
                      .remote = sa.remote,
                      .local_selectors = sa.local_selectors,
                      .remote_selectors = sa.remote_selectors,
                      .state = entry.expired ? "expired" : "installed",
                      .installed_at = entry.installed_at,
                      .expires_at = sa.hard_time > absl::ZeroDuration()
                                        ? entry.installed_at + sa.hard_time
                                        : absl::InfiniteFuture(),
                      .counters = std::nullopt};
    if (entry.handle.has_value()) {
      if (const auto counters = fast_path_.Counters(*entry.handle); counters.ok()) {
        info.counters = *counters;
      }
    }
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace sekisho::slowpath
