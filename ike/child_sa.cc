#include "ike/child_sa.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/prf.h"

namespace sekisho::ike {
namespace {

LogFields Fields(const ChildSa& child) {
  return {{"child-sa", absl::StrCat(static_cast<uint64_t>(child.id))},
          {"child", child.child_template->name},
          {"spi-in", child.inbound.ToString()},
          {"spi-out", child.outbound.ToString()}};
}

LogFields FullFields(const ChildSa& child) {
  LogFields fields = Fields(child);
  fields.emplace_back("suite", child.suite.ToString());
  if (child.pfs) fields.emplace_back("pfs", Name(*child.pfs));
  fields.emplace_back("mode", Name(child.mode));
  fields.emplace_back("local", ToString(child.local));
  fields.emplace_back("remote", ToString(child.remote));
  return fields;
}

void SetTimes(Core& core, ChildSa& child) {
  child.established_at = core.now;
  if (child.child_template->rekey_time > absl::ZeroDuration()) {
    child.rekey_at = core.now + core.Jittered(child.child_template->rekey_time);
  }
  if (child.child_template->life_time > absl::ZeroDuration()) {
    child.expires_at = core.now + child.child_template->life_time;
  }
}

ChildSaHalf MakeHalf(const IkeSa& sa, const ChildSa& child) {
  ChildSaHalf half;
  half.child_sa = child.id;
  half.ike_sa = sa.id;
  half.connection = sa.connection->name;
  half.child = child.child_template->name;
  half.suite = child.suite;
  half.local = child.local;
  half.remote = child.remote;
  half.local_endpoint = sa.local;
  half.remote_endpoint = sa.remote;
  half.udp_encapsulation = child.udp_encapsulation;
  half.mode = child.mode;
  half.original_local = child.original_local;
  half.original_remote = child.original_remote;
  half.soft_bytes = child.child_template->rekey_bytes;
  half.soft_packets = child.child_template->rekey_packets;
  half.hard_bytes = child.child_template->life_bytes;
  half.hard_packets = child.child_template->life_packets;
  half.initiated_by_us = child.initiated_by_us;
  return half;
}

}  // namespace

absl::string_view Describe(ChildSaState state) {
  switch (state) {
    case ChildSaState::kInstalled:
      return "installed";
    case ChildSaState::kRekeying:
      return "rekeying";
    case ChildSaState::kRekeyed:
      return "rekeyed";
    case ChildSaState::kDeleting:
      return "deleting";
  }
  return "";
}

ChildSa& CreateChildSa(Core& core, IkeSa& sa, ChildNegotiation& negotiation,
                       ByteSpan shared_secret) {
  auto owned = std::make_unique<ChildSa>();
  ChildSa& child = *owned;
  sa.children.push_back(std::move(owned));
  child.id = ChildSaId{core.next_child_sa_id++};
  core.owners[child.id] = sa.local_spi;
  child.child_template = negotiation.child_template;
  child.inbound = negotiation.inbound.Take();
  child.outbound = negotiation.choice.peer_spi;
  child.suite = negotiation.choice.suite;
  if (!shared_secret.empty()) child.pfs = negotiation.choice.key_exchange;
  child.local = std::move(negotiation.local);
  child.remote = std::move(negotiation.remote);
  child.mode = negotiation.mode;
  child.original_local = negotiation.original_local;
  child.original_remote = negotiation.original_remote;
  child.initiated_by_us = negotiation.initiated_by_us;
  child.udp_encapsulation = sa.behind_nat();
  child.rekeys = negotiation.rekeys;
  SetTimes(core, child);

  ChildKeys keys = DeriveChildKeys(child.suite, sa.suite.prf, sa.keys.sk_d.span(), shared_secret,
                                   negotiation.nonce_i, negotiation.nonce_r);
  if (!child.initiated_by_us) {
    std::swap(keys.encryption_i, keys.encryption_r);
    std::swap(keys.integrity_i, keys.integrity_r);
  }
  ChildSaHalf inbound = MakeHalf(sa, child);
  ChildSaHalf outbound = inbound;
  inbound.spi = child.inbound;
  inbound.encryption_key = std::move(keys.encryption_r);
  inbound.integrity_key = std::move(keys.integrity_r);
  outbound.spi = child.outbound;
  outbound.encryption_key = std::move(keys.encryption_i);
  outbound.integrity_key = std::move(keys.integrity_i);
  child.outbound_waiting = std::move(outbound);
  child.inbound_installed = true;
  core.Emit(InstallInboundSa{std::move(inbound)});
  core.Touch(sa);
  if (!child.rekeys && !negotiation.mode_refused) {
    ++core.counters.child_sas_established;
    core.Log(LogEvent::Level::kInfo, "child-sa-up", sa, FullFields(child));
  }
  return child;
}

void InstallOutbound(Core& core, const IkeSa& sa, ChildSa& child) {
  if (!child.outbound_waiting) return;
  // The peer may have moved since the half was made.
  child.outbound_waiting->local_endpoint = sa.local;
  child.outbound_waiting->remote_endpoint = sa.remote;
  core.Emit(InstallOutboundSa{*std::move(child.outbound_waiting)});
  child.outbound_waiting.reset();
  child.outbound_installed = true;
}

void RemoveOutbound(Core& core, ChildSa& child) {
  child.outbound_waiting.reset();
  if (std::exchange(child.outbound_installed, false)) {
    core.Emit(RemoveOutboundSa{child.id, child.outbound});
  }
}

void RemoveInbound(Core& core, ChildSa& child) {
  if (std::exchange(child.inbound_installed, false)) {
    core.Emit(RemoveInboundSa{child.id, child.inbound});
  }
}

void RetireChildSa(Core& core, ChildSa& child) {
  if (child.removed_at) return;
  RemoveOutbound(core, child);
  child.removed_at = core.now + core.options.old_inbound_linger;
}

void RemoveChildSa(Core& core, IkeSa& sa, ChildSa& child, absl::string_view reason) {
  if (child.removed_at) return;
  RemoveOutbound(core, child);
  RemoveInbound(core, child);
  child.removed_at = core.now;
  core.Touch(sa);
  if (child.redundant || child.state == ChildSaState::kRekeyed) return;  // another one goes on
  LogFields fields = Fields(child);
  fields.emplace_back("reason", std::string(reason));
  core.Log(LogEvent::Level::kInfo, "child-sa-down", sa, std::move(fields));
}

void SwitchOutbound(Core& core, IkeSa& sa, ChildSa& child) {
  if (!child.outbound_waiting) return;
  InstallOutbound(core, sa, child);
  if (!child.rekeys) return;
  LogFields fields = FullFields(child);
  if (ChildSa* old = FindChild(sa, *child.rekeys); old != nullptr) {
    fields.emplace_back("old-spi-in", old->inbound.ToString());
    RemoveOutbound(core, *old);
  }
  ++core.counters.child_sas_rekeyed;
  core.Log(LogEvent::Level::kInfo, "child-sa-rekeyed", sa, std::move(fields));
}

void SettleChildren(IkeSa& sa) {
  for (const auto& child : sa.children) child->unsettled_until = absl::InfinitePast();
}

ChildSa* FindChild(IkeSa& sa, ChildSaId id) {
  for (const auto& child : sa.children) {
    if (child->id == id && !child->removed_at) return child.get();
  }
  return nullptr;
}

ChildSa* FindChildByOutboundSpi(IkeSa& sa, Spi spi) {
  for (const auto& child : sa.children) {
    if (child->outbound == spi && !child->removed_at) return child.get();
  }
  return nullptr;
}

ChildSa* FindSuccessor(IkeSa& sa, const ChildSa& child) {
  for (const auto& other : sa.children) {
    if (other->rekeys == child.id && !other->redundant && !other->removed_at) return other.get();
  }
  return nullptr;
}

absl::Time NextChildDeadline(const IkeSa& sa) {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& child : sa.children) {
    if (child->removed_at) {
      next = std::min(next, *child->removed_at);
    } else {
      next = std::min({next, child->rekey_at, child->expires_at});
      if (child->peer_is_ready) next = absl::InfinitePast();
    }
  }
  return next;
}

void HandleChildTimers(Core& core, IkeSa& sa) {
  for (const auto& child : sa.children) {
    if (child->removed_at) {
      if (core.now >= *child->removed_at) RemoveInbound(core, *child);
      continue;
    }
    if (std::exchange(child->peer_is_ready, false)) SwitchOutbound(core, sa, *child);
    if (core.now >= child->expires_at) {
      child->expires_at = child->rekey_at = absl::InfiniteFuture();
      AddTask(sa, {.kind = Task::Kind::kDeleteChild, .child = child->id});
    } else if (core.now >= child->rekey_at) {
      child->rekey_at = absl::InfiniteFuture();
      AddTask(sa, {.kind = Task::Kind::kRekeyChild, .child = child->id});
    }
  }
}

void SweepChildren(Core& core, IkeSa& sa) {
  std::erase_if(sa.children, [&core](const std::unique_ptr<ChildSa>& child) {
    if (!child->removed_at || child->inbound_installed) return false;
    core.owners.erase(child->id);
    return true;
  });
}

}  // namespace sekisho::ike
