#include "ike/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/core.h"
#include "ike/create_child_sa.h"
#include "ike/ike_auth.h"
#include "ike/ike_sa_init.h"
#include "ike/informational.h"
#include "ike/message_rules.h"
#include "ike/notify.h"
#include "ike/rekey_ike_sa.h"
#include "ike/retransmission.h"

namespace sekisho::ike {

// The dispatch: which IKE SA a datagram belongs to, whether it is new, and which exchange it is of.
// RFC 7383 fragments would be put together before Open(); MOBIKE's (RFC 4555) requests would be
// dispatched beside INFORMATIONAL's deletes.
class Engine::Impl {
 public:
  Impl(EngineOptions options, Random& random, SpiAllocator& spis)
      : core_(std::move(options), random, spis) {}

  Core& core() { return core_; }
  const Core& core() const { return core_; }

  // What is begun here ends with Settle(), whichever way the input goes.
  class Input {
   public:
    Input(Core& core, absl::Time now, Actions& actions) : core_(core) {
      core_.now = now;
      core_.actions = &actions;
    }
    ~Input() {
      core_.Settle();
      core_.actions = nullptr;
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

   private:
    Core& core_;
  };

  void Dispatch(const Datagram& datagram);

 private:
  void DispatchProtected(const Datagram& datagram, const Header& header);
  void HandleMalformed(IkeSa& sa, const Datagram& datagram, const Header& header);
  void HandleRequest(IkeSa& sa, const Datagram& datagram, Message message);
  void HandleResponse(IkeSa& sa, Message message);
  void DispatchRequest(IkeSa& sa);

  Core core_;
};

namespace {

ExchangeType ExchangeOf(OwnExchange::Kind kind) {
  switch (kind) {
    case OwnExchange::Kind::kIkeSaInit:
      return ExchangeType::kIkeSaInit;
    case OwnExchange::Kind::kIkeAuth:
      return ExchangeType::kIkeAuth;
    case OwnExchange::Kind::kCreateChild:
    case OwnExchange::Kind::kRekeyIke:
      return ExchangeType::kCreateChildSa;
    case OwnExchange::Kind::kDeleteChild:
    case OwnExchange::Kind::kDeleteIke:
    case OwnExchange::Kind::kLiveness:
      break;
  }
  return ExchangeType::kInformational;
}

// IKE_AUTH comes once and first; everything else only after it.
bool IsInPlace(IkeSaState state, ExchangeType exchange) {
  switch (exchange) {
    case ExchangeType::kIkeAuth:
      return state == IkeSaState::kHalfOpen;
    case ExchangeType::kCreateChildSa:
    case ExchangeType::kInformational:
      return state == IkeSaState::kEstablished || state == IkeSaState::kRekeying ||
             state == IkeSaState::kReplaced || state == IkeSaState::kRedundant ||
             state == IkeSaState::kDeleting;
    case ExchangeType::kIkeSaInit:
      break;
  }
  return false;
}

// RFC 7296, 2.23: a peer behind a NAT is followed wherever its newest authentic message came from.
void FollowPeer(Core& core, IkeSa& sa, const Endpoint& local, const Endpoint& remote) {
  if (!sa.remote_behind_nat || (sa.remote == remote && sa.local == local)) return;
  const std::string before = sa.remote.ToString();
  sa.local = local;
  sa.remote = remote;
  if (!core.IsCurrent(sa)) return;
  core.Emit(MovePeer{sa.id, local, remote});
  core.Log(LogEvent::Level::kInfo, "peer-moved", sa, {{"from", before}});
}

}  // namespace

void Engine::Impl::Dispatch(const Datagram& datagram) {
  ++core_.counters.datagrams_received;
  const absl::StatusOr<Header> header = ParseHeader(datagram.bytes);
  if (!header.ok() || header->major_version < 2) {
    ++core_.counters.malformed;
    return;
  }
  if (header->major_version > 2) {  // RFC 7296, 2.5
    ++core_.counters.malformed;
    if (!header->response) {
      AnswerStranger(core_, datagram, *header, Notify(NotifyType::kInvalidMajorVersion));
    }
    return;
  }
  const uint64_t our_spi = header->from_initiator ? header->responder_spi : header->initiator_spi;
  if (header->exchange == ExchangeType::kIkeSaInit) {
    if (header->message_id != 0 || header->initiator_spi == 0) {
      ++core_.counters.malformed;
    } else if (!header->response && header->from_initiator && header->responder_spi == 0) {
      ProcessIkeSaInitRequest(core_, datagram, *header);
    } else if (IkeSa* sa = core_.Find(our_spi);
               sa != nullptr && header->response && !header->from_initiator && sa->initiator) {
      core_.Touch(*sa);
      ProcessIkeSaInitResponse(core_, *sa, datagram);
    } else {
      ++core_.counters.unknown_ike_spi;
    }
    return;
  }
  DispatchProtected(datagram, *header);
}

void Engine::Impl::DispatchProtected(const Datagram& datagram, const Header& header) {
  const uint64_t our_spi = header.from_initiator ? header.responder_spi : header.initiator_spi;
  const uint64_t peer_spi = header.from_initiator ? header.initiator_spi : header.responder_spi;
  IkeSa* sa = core_.Find(our_spi);
  if (sa == nullptr || sa->initiator == header.from_initiator || sa->remote_spi != peer_spi ||
      sa->open == nullptr) {
    ++core_.counters.unknown_ike_spi;
    return;
  }
  absl::StatusOr<Message> message = sa->open->Open(datagram.bytes);
  if (!message.ok()) {
    if (message.status().code() != absl::StatusCode::kInvalidArgument) {
      ++core_.counters.integrity_failed;
      return;
    }
    ++core_.counters.malformed;
    return HandleMalformed(*sa, datagram, header);
  }
  core_.Touch(*sa);
  sa->unsettled_until = absl::InfinitePast();
  if (message->header.response) {
    HandleResponse(*sa, *std::move(message));
  } else {
    HandleRequest(*sa, datagram, *std::move(message));
  }
}

// Authentic, so it is the peer's own mistake: fatal for both (RFC 7296, 2.21.3).
void Engine::Impl::HandleMalformed(IkeSa& sa, const Datagram& datagram, const Header& header) {
  if (header.response || header.message_id != sa.window.next_peer_id || sa.peer != nullptr ||
      !IsInPlace(sa.state, header.exchange)) {
    return;
  }
  sa.peer = std::make_unique<PeerExchange>();
  sa.peer->request.header = header;
  sa.peer->local = datagram.local;
  sa.peer->remote = datagram.remote;
  Respond(core_, sa, {Notify(NotifyType::kInvalidSyntax)});
  EndIkeSa(core_, sa, LogEvent::Level::kWarning, "ike-sa-down", "the peer sent invalid syntax",
           Afterwards::kRepeatAnswer);
}

void Engine::Impl::HandleRequest(IkeSa& sa, const Datagram& datagram, Message message) {
  MessageWindow& window = sa.window;
  const uint32_t id = message.header.message_id;
  if (id + 1 == window.next_peer_id) return RepeatResponse(core_, sa, datagram);
  if (id != window.next_peer_id || !IsInPlace(sa.state, message.header.exchange)) {
    ++core_.counters.unexpected_message_id;
    return;
  }
  if (sa.peer != nullptr) return;  // it is being worked on
  LogMessage(core_, "in", datagram.remote, message);
  sa.last_heard = core_.now;
  ConcedeToSuccessor(core_, sa, message);
  SettleChildren(sa);
  if (sa.state != IkeSaState::kHalfOpen) FollowPeer(core_, sa, datagram.local, datagram.remote);
  sa.peer = std::make_unique<PeerExchange>();
  sa.peer->request = std::move(message);
  sa.peer->local = datagram.local;
  sa.peer->remote = datagram.remote;
  DispatchRequest(sa);
}

void Engine::Impl::DispatchRequest(IkeSa& sa) {
  const Message& request = sa.peer->request;
  const bool authenticating = request.header.exchange == ExchangeType::kIkeAuth;
  if (request.unknown_critical) {  // RFC 7296, 2.5
    ++core_.counters.malformed;
    const std::string reason = absl::StrCat("the peer sent a critical payload of unknown type ",
                                            static_cast<int>(*request.unknown_critical));
    Respond(core_, sa,
            {Notify(NotifyType::kUnsupportedCriticalPayload, {*request.unknown_critical})});
    if (authenticating) {
      EndIkeSa(core_, sa, LogEvent::Level::kWarning, "ike-sa-failed", reason,
               Afterwards::kRepeatAnswer);
    }
    return;
  }
  absl::Status status = CheckRules(request);
  status.Update(CheckNonce(request, sa.suite.prf));
  if (!status.ok()) {
    ++core_.counters.malformed;
    Respond(core_, sa, {Notify(NotifyType::kInvalidSyntax)});
    return EndIkeSa(core_, sa, LogEvent::Level::kWarning,
                    authenticating ? "ike-sa-failed" : "ike-sa-down", status.message(),
                    Afterwards::kRepeatAnswer);
  }
  switch (request.header.exchange) {
    case ExchangeType::kIkeAuth:
      return ProcessIkeAuthRequest(core_, sa);
    case ExchangeType::kCreateChildSa:
      return IsIkeRekey(request) ? ProcessRekeyIkeRequest(core_, sa)
                                 : ProcessCreateChildRequest(core_, sa);
    case ExchangeType::kInformational:
      return ProcessInformationalRequest(core_, sa);
    case ExchangeType::kIkeSaInit:
      return;  // IsInPlace() has refused it
  }
}

void Engine::Impl::HandleResponse(IkeSa& sa, Message message) {
  if (!sa.window.in_flight || message.header.message_id != sa.window.own_id || sa.own == nullptr ||
      message.header.exchange != ExchangeOf(sa.own->kind)) {
    ++core_.counters.unexpected_message_id;
    return;
  }
  LogMessage(core_, "in", sa.remote, message);
  if (message.unknown_critical || !CheckRules(message).ok() ||
      !CheckNonce(message, sa.suite.prf).ok()) {
    ++core_.counters.malformed;
    return;
  }
  EndFlight(sa);
  sa.last_heard = core_.now;
  switch (sa.own->kind) {
    case OwnExchange::Kind::kIkeSaInit:
      return;  // not protected: ProcessIkeSaInitResponse()
    case OwnExchange::Kind::kIkeAuth:
      return ProcessIkeAuthResponse(core_, sa, std::move(message));
    case OwnExchange::Kind::kCreateChild:
      return ProcessCreateChildResponse(core_, sa, std::move(message));
    case OwnExchange::Kind::kRekeyIke:
      return ProcessRekeyIkeResponse(core_, sa, message);
    case OwnExchange::Kind::kDeleteChild:
    case OwnExchange::Kind::kDeleteIke:
    case OwnExchange::Kind::kLiveness:
      return ProcessInformationalResponse(core_, sa);
  }
}

Engine::Engine(EngineOptions options, Random& random, SpiAllocator& spis)
    : impl_(std::make_unique<Impl>(std::move(options), random, spis)) {}
Engine::~Engine() = default;

void Engine::SetConnections(std::vector<std::shared_ptr<const Connection>> connections) {
  impl_->core().connections = std::move(connections);
}

void Engine::HandleDatagram(const Datagram& datagram, absl::Time now, Actions& actions) {
  Impl::Input input(impl_->core(), now, actions);
  impl_->Dispatch(datagram);
}

void Engine::HandleTimers(absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  std::vector<uint64_t> due;
  for (const auto& [at, local_spi] : core.timers) {
    if (at > now) break;
    due.push_back(local_spi);
  }
  for (const uint64_t local_spi : due) {
    IkeSa* sa = core.Find(local_spi);
    if (sa == nullptr || sa->state == IkeSaState::kDead) continue;
    core.Touch(*sa);
    HandleIkeSaTimers(core, *sa);
  }
}

absl::Time Engine::next_deadline() const {
  const auto& timers = impl_->core().timers;
  return timers.empty() ? absl::InfiniteFuture() : timers.begin()->first;
}

void Engine::HandleComputation(ComputationId id, std::unique_ptr<Computation> done, absl::Time now,
                               Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  const auto found = core.computations.find(id);
  if (found == core.computations.end()) return;
  const Core::Pending pending = found->second;
  core.computations.erase(found);
  IkeSa* sa = core.Find(pending.local_spi);
  if (sa == nullptr || sa->state == IkeSaState::kDead) return;  // ended meanwhile
  core.Touch(*sa);
  pending.after(core, *sa, *done);
}

void Engine::HandleLease(IkeSaId ike_sa, absl::StatusOr<Lease> lease, absl::Time now,
                         Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindCurrent(ike_sa);
  if (sa == nullptr || sa->peer == nullptr || !sa->peer->waits_for_lease) return;
  core.Touch(*sa);
  sa->peer->waits_for_lease = false;
  sa->peer->lease = std::move(lease);
  ProcessLease(core, *sa);
}

void Engine::NoteInboundTraffic(ChildSaId child_sa, absl::Time now) {
  Core& core = impl_->core();
  IkeSa* sa = core.FindOwner(child_sa);
  if (sa == nullptr) return;
  sa->last_heard = std::max(sa->last_heard, now);
  ChildSa* child = FindChild(*sa, child_sa);
  if (child == nullptr || !child->outbound_waiting || child->redundant) return;
  // The peer sends on the new pair. What follows is said when the timers are next handled: now.
  child->peer_is_ready = true;
  core.now = now;
  core.Touch(*sa);
  core.timers.erase({sa->scheduled_at, sa->local_spi});
  sa->scheduled_at = now;
  core.timers.insert({now, sa->local_spi});
}

void Engine::NotePeerMoved(ChildSaId child_sa, const Endpoint& local, const Endpoint& remote,
                           absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindOwner(child_sa);
  if (sa == nullptr || sa->state == IkeSaState::kDead) return;
  sa->last_heard = now;
  FollowPeer(core, *sa, local, remote);
}

void Engine::NoteSoftExpiry(ChildSaId child_sa, absl::Time now, Actions& actions) {
  // An SA that has just ended is not worth a word.
  static_cast<void>(RekeyChildSa(child_sa, now, actions));
}

void Engine::NoteHardExpiry(ChildSaId child_sa, absl::Time now, Actions& actions) {
  static_cast<void>(DeleteChildSa(child_sa, now, actions));
}

absl::StatusOr<IkeSaId> Engine::Initiate(absl::string_view connection, const Endpoint& local,
                                         absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  if (core.shutting_down) return absl::FailedPreconditionError("the gateway is stopping");
  const auto found =
      std::find_if(core.connections.begin(), core.connections.end(),
                   [connection](const auto& candidate) { return candidate->name == connection; });
  if (found == core.connections.end()) {
    return absl::NotFoundError(absl::StrCat("there is no connection '", connection, "'"));
  }
  if (!(*found)->remote_endpoint) {
    return absl::FailedPreconditionError(
        absl::StrCat("connection '", connection, "' has no remote endpoint to call"));
  }
  if ((*found)->children.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("connection '", connection, "' has no children"));
  }
  return BeginIkeSaInit(core, *found, local).id;
}

namespace {

absl::Status NoIkeSa(IkeSaId id) {
  return absl::NotFoundError(absl::StrCat("there is no IKE SA ", static_cast<uint64_t>(id)));
}
absl::Status NoChildSa(ChildSaId id) {
  return absl::NotFoundError(absl::StrCat("there is no Child SA ", static_cast<uint64_t>(id)));
}

}  // namespace

absl::Status Engine::RekeyIkeSa(IkeSaId ike_sa, absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindCurrent(ike_sa);
  if (sa == nullptr) return NoIkeSa(ike_sa);
  if (sa->state != IkeSaState::kEstablished && sa->state != IkeSaState::kRekeying) {
    return absl::FailedPreconditionError(
        absl::StrCat("IKE SA ", static_cast<uint64_t>(ike_sa), " is ", Describe(sa->state)));
  }
  if (sa->state == IkeSaState::kEstablished) AddTask(*sa, {.kind = Task::Kind::kRekeyIke});
  core.Touch(*sa);
  return absl::OkStatus();
}

absl::Status Engine::RekeyChildSa(ChildSaId child_sa, absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindOwner(child_sa);
  if (sa == nullptr || FindChild(*sa, child_sa) == nullptr) return NoChildSa(child_sa);
  AddTask(*sa, {.kind = Task::Kind::kRekeyChild, .child = child_sa});
  core.Touch(*sa);
  return absl::OkStatus();
}

absl::Status Engine::DeleteIkeSa(IkeSaId ike_sa, absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindCurrent(ike_sa);
  if (sa == nullptr) return NoIkeSa(ike_sa);
  CloseIkeSa(core, *sa);
  return absl::OkStatus();
}

absl::Status Engine::DeleteChildSa(ChildSaId child_sa, absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  IkeSa* sa = core.FindOwner(child_sa);
  if (sa == nullptr || FindChild(*sa, child_sa) == nullptr) return NoChildSa(child_sa);
  AddTask(*sa, {.kind = Task::Kind::kDeleteChild, .child = child_sa});
  core.Touch(*sa);
  return absl::OkStatus();
}

void Engine::Shutdown(absl::Time now, Actions& actions) {
  Core& core = impl_->core();
  Impl::Input input(core, now, actions);
  core.shutting_down = true;
  for (const auto& [local_spi, sa] : core.ike_sas) CloseIkeSa(core, *sa);
}

bool Engine::idle() const {
  const auto& all = impl_->core().ike_sas;
  return std::all_of(all.begin(), all.end(),
                     [](const auto& entry) { return entry.second->state == IkeSaState::kClosed; });
}

std::vector<IkeSaInfo> Engine::ListIkeSas() const {
  const Core& core = impl_->core();
  std::vector<IkeSaInfo> list;
  list.reserve(core.current.size());
  for (const auto& [id, local_spi] : core.current) {
    const auto found = core.ike_sas.find(local_spi);
    if (found != core.ike_sas.end()) list.push_back(Describe(*found->second));
  }
  std::sort(list.begin(), list.end(),
            [](const IkeSaInfo& a, const IkeSaInfo& b) { return a.id < b.id; });
  return list;
}

const EngineCounters& Engine::counters() const { return impl_->core().counters; }
size_t Engine::half_open_count() const { return impl_->core().half_open; }

}  // namespace sekisho::ike
