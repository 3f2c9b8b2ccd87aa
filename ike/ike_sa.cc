#include "ike/ike_sa.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "ike/core.h"
#include "ike/create_child_sa.h"
#include "ike/informational.h"
#include "ike/liveness.h"
#include "ike/rekey_ike_sa.h"
#include "ike/retransmission.h"

namespace sekisho::ike {
namespace {

void StopCountingHalfOpen(Core& core, IkeSa& sa) {
  if (!sa.half_open_from) return;
  const auto found = core.half_open_by_address.find(*sa.half_open_from);
  if (--found->second == 0) core.half_open_by_address.erase(found);
  --core.half_open;
  sa.half_open_from.reset();
}

// Which tasks an IKE SA in this state may begin.
bool MayBegin(IkeSaState state, Task::Kind kind) {
  switch (state) {
    case IkeSaState::kEstablished:
      return true;
    case IkeSaState::kReplaced:
    case IkeSaState::kRedundant:
      return kind == Task::Kind::kDeleteIke;
    default:
      return false;
  }
}

void Begin(Core& core, IkeSa& sa, const Task& task) {
  switch (task.kind) {
    case Task::Kind::kNewChild:
      return BeginNewChild(core, sa, task.template_index);
    case Task::Kind::kRekeyChild:
      return BeginRekeyChild(core, sa, task.child);
    case Task::Kind::kDeleteChild:
      return BeginDeleteChild(core, sa, task.child);
    case Task::Kind::kRekeyIke:
      return BeginRekeyIke(core, sa);
    case Task::Kind::kDeleteIke:
      return BeginDeleteIke(core, sa);
    case Task::Kind::kLiveness:
      return BeginLiveness(core, sa);
  }
}

// A peer that does not know of the IKE SA yet would answer nothing: all our tries could be spent
// before it does. Only a Delete does not wait.
bool IsSettled(const Core& core, const IkeSa& sa) {
  return core.now >= sa.unsettled_until ||
         (!sa.tasks.empty() && sa.tasks.front().kind == Task::Kind::kDeleteIke);
}

void Expire(Core& core, IkeSa& sa) {
  if (sa.state == IkeSaState::kAuthenticating) {
    EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed", "not finished in time");
  } else {
    EndIkeSa(core, sa, LogEvent::Level::kDebug, "ike-sa-failed", "no IKE_AUTH request came");
  }
}

}  // namespace

void SetState(Core& core, IkeSa& sa, IkeSaState state) {
  SEKISHO_DCHECK(MayFollow(sa.state, state));
  sa.state = state;
  if (state == IkeSaState::kEstablished || state == IkeSaState::kDead) {
    StopCountingHalfOpen(core, sa);
  }
  core.Touch(sa);
}

IpAddress HalfOpenOwner(const IpAddress& address) {
  constexpr size_t kNetworkBytes = 8;
  if (address.is_v4()) return address;
  Bytes network = ToBytes(address.bytes().first(kNetworkBytes));
  network.resize(AddressBytes(IpFamily::kIpv6));
  return IpAddress::V6(network);
}

void CountHalfOpen(Core& core, IkeSa& sa) {
  sa.half_open_from = HalfOpenOwner(sa.remote.address);
  ++core.half_open_by_address[*sa.half_open_from];
  ++core.half_open;
}

void ReadyCiphers(IkeSa& sa) {
  auto i = MessageCipher::Create(sa.suite, sa.keys.sk_ei.span(), sa.keys.sk_ai.span());
  auto r = MessageCipher::Create(sa.suite, sa.keys.sk_er.span(), sa.keys.sk_ar.span());
  sa.seal = std::move(sa.initiator ? i : r);
  sa.open = std::move(sa.initiator ? r : i);
}

void StartTimers(Core& core, IkeSa& sa) {
  sa.established_at = core.now;
  sa.last_heard = core.now;
  sa.expires_at = absl::InfiniteFuture();
  if (sa.connection->rekey_time > absl::ZeroDuration()) {
    sa.rekey_at = core.now + core.Jittered(sa.connection->rekey_time);
  }
  if (sa.connection->dpd_delay > absl::ZeroDuration()) {
    sa.check_liveness_at = core.now + sa.connection->dpd_delay;
  }
}

void AddTask(IkeSa& sa, Task task) {
  if (task.kind == Task::Kind::kDeleteIke) sa.tasks.clear();  // nothing else matters any more
  const bool known = std::find(sa.tasks.begin(), sa.tasks.end(), task) != sa.tasks.end();
  if (!known && sa.tasks.size() < kTasksMax) sa.tasks.push_back(task);
}

void StartNextTask(Core& core, IkeSa& sa) {
  // What is begun now would end on an IKE SA that no longer has the Child SAs.
  const bool peer_is_rekeying = sa.peer != nullptr && sa.peer->new_spi != 0;
  if (peer_is_rekeying || !IsSettled(core, sa)) return;
  while (sa.own == nullptr && !sa.tasks.empty() && MayBegin(sa.state, sa.tasks.front().kind)) {
    const Task task = sa.tasks.front();
    sa.tasks.erase(sa.tasks.begin());
    Begin(core, sa, task);
  }
}

void EndIkeSa(Core& core, IkeSa& sa, LogEvent::Level level, absl::string_view event,
              absl::string_view reason, Afterwards afterwards) {
  if (sa.state == IkeSaState::kDead) return;
  for (const auto& child : sa.children) {
    if (!child->removed_at) RemoveChildSa(core, sa, *child, reason);
    RemoveInbound(core, *child);
  }
  if (core.IsCurrent(sa)) {
    if (sa.lease_asked) core.Emit(ReleaseLease{sa.id});
    // Until it is half-open no longer, a stranger has caused it.
    const bool loud = level != LogEvent::Level::kDebug;
    if (!sa.half_open_from || !loud || core.MayLogStranger()) {
      core.Log(level, event, sa, {{"reason", std::string(reason)}});
    }
    core.current.erase(sa.id);
    if (const auto found = core.by_identity.find(sa.remote_identity);
        found != core.by_identity.end()) {
      found->second.erase(sa.id);
      if (found->second.empty()) core.by_identity.erase(found);
    }
  }
  if (IkeSa* rival = core.Find(std::exchange(sa.rival_spi, 0)); rival != nullptr) {
    EndIkeSa(core, *rival, level, event, reason);  // nobody would decide about it any more
  }
  sa.lease_asked = false;
  sa.own.reset();
  sa.peer.reset();
  sa.tasks.clear();
  sa.window.in_flight = false;
  sa.rekey_at = sa.check_liveness_at = absl::InfiniteFuture();
  if (afterwards == Afterwards::kRepeatAnswer && sa.state != IkeSaState::kClosed) {
    sa.expires_at = core.now + core.options.half_open_timeout;
    SetState(core, sa, IkeSaState::kClosed);
  } else {
    SetState(core, sa, IkeSaState::kDead);
  }
}

void CloseIkeSa(Core& core, IkeSa& sa) {
  switch (sa.state) {
    case IkeSaState::kInitiating:
    case IkeSaState::kHalfOpen:
    case IkeSaState::kAuthenticating:
      return EndIkeSa(core, sa, LogEvent::Level::kInfo, "ike-sa-down", "closed before it was up");
    case IkeSaState::kEstablished:
    case IkeSaState::kRekeying:
      AddTask(sa, {.kind = Task::Kind::kDeleteIke});
      core.Touch(sa);
      return;
    default:
      return;  // on its way out
  }
}

absl::Time NextDeadline(const IkeSa& sa) {
  const absl::Time retransmit_at =
      sa.window.in_flight ? sa.window.retransmit_at : absl::InfiniteFuture();
  const bool waits = sa.unsettled_until != absl::InfinitePast() && !sa.tasks.empty();
  return std::min({retransmit_at, sa.rekey_at, sa.check_liveness_at, sa.expires_at,
                   waits ? sa.unsettled_until : absl::InfiniteFuture(), NextChildDeadline(sa)});
}

void HandleIkeSaTimers(Core& core, IkeSa& sa) {
  if (core.now >= sa.expires_at) return Expire(core, sa);
  if (sa.window.in_flight && core.now >= sa.window.retransmit_at) Retransmit(core, sa);
  if (sa.state == IkeSaState::kDead) return;
  if (core.now >= sa.unsettled_until) sa.unsettled_until = absl::InfinitePast();
  if (core.now >= sa.rekey_at) {
    sa.rekey_at = absl::InfiniteFuture();
    AddTask(sa, {.kind = Task::Kind::kRekeyIke});
  }
  if (core.now >= sa.check_liveness_at) CheckLiveness(core, sa);
  HandleChildTimers(core, sa);
}

IkeSaInfo Describe(const IkeSa& sa) {
  IkeSaInfo info{
      .id = sa.id,
      .connection = sa.connection == nullptr ? "" : sa.connection->name,
      .state = std::string(Describe(sa.state)),
      .initiator = sa.initiator,
      .initiator_spi = sa.initiator_spi(),
      .responder_spi = sa.responder_spi(),
      .local = sa.local,
      .remote = sa.remote,
      .local_identity = sa.connection == nullptr ? "" : sa.connection->local.identity.ToString(),
      .remote_identity = sa.have_remote_identity ? sa.remote_identity.ToString() : "",
      .suite = sa.suite,
      .local_behind_nat = sa.local_behind_nat,
      .remote_behind_nat = sa.remote_behind_nat,
      .virtual_ipv4 = sa.virtual_ipv4,
      .virtual_ipv6 = sa.virtual_ipv6,
      .established_at = sa.established_at,
      .rekey_at = sa.rekey_at,
      .children = {},
  };
  for (const auto& child : sa.children) {
    if (child->removed_at) continue;
    info.children.push_back({.id = child->id,
                             .child = child->child_template->name,
                             .state = std::string(Describe(child->state)),
                             .inbound_spi = child->inbound,
                             .outbound_spi = child->outbound,
                             .suite = child->suite,
                             .pfs = child->pfs,
                             .udp_encapsulation = child->udp_encapsulation,
                             .mode = child->mode,
                             .local = child->local,
                             .remote = child->remote,
                             .established_at = child->established_at,
                             .rekey_at = child->rekey_at});
  }
  return info;
}

}  // namespace sekisho::ike
