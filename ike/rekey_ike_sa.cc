#include "ike/rekey_ike_sa.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/child_negotiation.h"
#include "ike/collision.h"
#include "ike/computations.h"
#include "ike/message_rules.h"
#include "ike/notify.h"
#include "ike/prf.h"
#include "ike/retransmission.h"

namespace sekisho::ike {
namespace {

constexpr int kRestartsMax = 3;  // INVALID_KE_PAYLOAD answers that we go along with

// How long an IKE SA that was replaced waits for the peer's Delete.
absl::Duration Linger(const Core& core) { return 2 * core.options.half_open_timeout; }

struct Agreement {
  const IkeSuite& suite;
  ByteSpan shared_secret;
  const Bytes& nonce_i;
  const Bytes& nonce_r;
  uint64_t local_spi, remote_spi;
  bool initiated_by_us;
};

IkeSa& MakeSuccessor(Core& core, const IkeSa& old, const Agreement& agreement) {
  IkeSa& next = core.Create(old.id, agreement.local_spi);
  next.remote_spi = agreement.remote_spi;
  next.initiator = agreement.initiated_by_us;
  next.state = IkeSaState::kEstablished;
  next.connection = old.connection;
  next.local = old.local;
  next.remote = old.remote;
  next.local_behind_nat = old.local_behind_nat;
  next.remote_behind_nat = old.remote_behind_nat;
  next.remote_identity = old.remote_identity;
  next.have_remote_identity = old.have_remote_identity;
  next.virtual_ipv4 = old.virtual_ipv4;
  next.virtual_ipv6 = old.virtual_ipv6;
  next.suite = agreement.suite;
  next.keys = DeriveRekeyedIkeKeys(next.suite, old.suite.prf, old.keys.sk_d.span(),
                                   agreement.shared_secret, agreement.nonce_i, agreement.nonce_r,
                                   next.initiator_spi(), next.responder_spi());
  ReadyCiphers(next);
  return next;
}

// A peer that rekeys faster than it deletes must not make us hold them all.
void ForgetOldest(Core& core, IkeSa& next) {
  while (next.replaced.size() > kReplacedMax) {
    IkeSa* oldest = core.Find(next.replaced.front());
    next.replaced.pop_front();
    if (oldest != nullptr) EndIkeSa(core, *oldest, LogEvent::Level::kDebug, "", "");
  }
}

// The successor stands for the tunnel from now on.
void Inherit(Core& core, IkeSa& old, IkeSa& next) {
  next.children = std::move(old.children);
  old.children.clear();
  for (const auto& child : next.children) core.owners[child->id] = next.local_spi;
  for (const Task& task : std::exchange(old.tasks, {})) {
    if (task.kind != Task::Kind::kRekeyIke) AddTask(next, task);
  }
  next.replaced = std::exchange(old.replaced, {});
  next.replaced.push_back(old.local_spi);
  next.lease_asked = std::exchange(old.lease_asked, false);
  next.local = old.local;  // the peer may have moved since the successor was made
  next.remote = old.remote;
  if (core.IsCurrent(old)) core.current[old.id] = next.local_spi;
  StartTimers(core, next);
  if (!next.initiator) next.unsettled_until = core.now + core.options.half_open_timeout;
  old.rival_spi = 0;
  old.rekey_at = old.check_liveness_at = absl::InfiniteFuture();
  old.expires_at = core.now + Linger(core);
  SetState(core, old, IkeSaState::kReplaced);
  core.Touch(next);
  ++core.counters.ike_sas_rekeyed;
  core.Log(
      LogEvent::Level::kInfo, "ike-sa-rekeyed", next,
      {{"role", next.initiator ? "initiator" : "responder"}, {"suite", next.suite.ToString()}});
  ForgetOldest(core, next);
}

void MarkRedundant(Core& core, IkeSa& sa) {
  if (sa.state == IkeSaState::kEstablished) SetState(core, sa, IkeSaState::kRedundant);
  sa.expires_at = core.now + Linger(core);
}

// --- Whoever begins ---

// Nothing came of our rekey: the peer's takes over, or it is tried again later.
void GiveUpOwn(Core& core, IkeSa& sa) {
  sa.own.reset();
  core.Touch(sa);
  if (sa.state != IkeSaState::kRekeying) return;
  if (IkeSa* rival = core.Find(sa.rival_spi); rival != nullptr) return Inherit(core, sa, *rival);
  SetState(core, sa, IkeSaState::kEstablished);
  sa.rekey_at = core.now + core.RetryDelay();
}

// The peer is about to rekey this IKE SA, or has done so: ours, which it has not seen, is dropped.
bool IsStillWanted(const IkeSa& sa) {
  return sa.state == IkeSaState::kRekeying && sa.rival_spi == 0 &&
         (sa.peer == nullptr || sa.peer->new_spi == 0);
}

void AfterKeyGenerated(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<GenerateKey&>(done);
  if (sa.own == nullptr) return;
  if (!key.result.ok() || !IsStillWanted(sa)) return GiveUpOwn(core, sa);
  OwnExchange& own = *sa.own;
  own.key_exchange = *std::move(key.result);
  SendRequest(core, sa, ExchangeType::kCreateChildSa,
              {OfferIke(sa.connection->ike_proposals, own.new_spi), NoncePayload{own.nonce},
               KePayload{own.method, own.key_exchange->public_value()}});
}

void Offer(Core& core, IkeSa& sa, KeyExchangeId method) {
  sa.own->method = method;
  sa.own->sent = false;
  auto key = std::make_unique<GenerateKey>();
  key->method = method;
  core.Run(sa, std::move(key), AfterKeyGenerated);
}

bool MayUseGroup(const Connection& connection, KeyExchangeId method) {
  return std::any_of(connection.ike_proposals.begin(), connection.ike_proposals.end(),
                     [method](const AlgorithmProposal& proposal) {
                       return std::find(proposal.key_exchange.begin(), proposal.key_exchange.end(),
                                        method) != proposal.key_exchange.end();
                     });
}

void AfterKeyAgreed(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AgreeKey&>(done);
  if (sa.own == nullptr) return;
  const std::unique_ptr<OwnExchange> own = std::move(sa.own);
  core.Touch(sa);
  if (!key.shared_secret.ok()) {  // the peer believes in a successor that cannot be
    if (sa.state != IkeSaState::kRekeying) return;
    SetState(core, sa, IkeSaState::kEstablished);
    return CloseIkeSa(core, sa);
  }
  const Bytes& nonce_r = own->response->Find<NoncePayload>()->data;
  IkeSa& mine = MakeSuccessor(core, sa,
                              {.suite = own->ike_choice.suite,
                               .shared_secret = key.shared_secret->span(),
                               .nonce_i = own->nonce,
                               .nonce_r = nonce_r,
                               .local_spi = own->new_spi,
                               .remote_spi = own->ike_choice.peer_spi,
                               .initiated_by_us = true});
  IkeSa* rival = core.Find(sa.rival_spi);
  if (own->rival_nonce && OursIsRedundant(LowerNonce(own->nonce, nonce_r), *own->rival_nonce)) {
    MarkRedundant(core, mine);
    AddTask(mine, {.kind = Task::Kind::kDeleteIke});
    if (sa.state != IkeSaState::kRekeying) return;  // the peer has gone ahead already
    if (rival != nullptr) return Inherit(core, sa, *rival);
    return SetState(core, sa, IkeSaState::kEstablished);  // the peer's is being computed
  }
  if (sa.state != IkeSaState::kRekeying) return MarkRedundant(core, mine);
  if (rival != nullptr) MarkRedundant(core, *rival);
  if (sa.peer != nullptr && sa.peer->new_spi != 0) sa.peer->redundant = true;
  Inherit(core, sa, mine);
  AddTask(sa, {.kind = Task::Kind::kDeleteIke});
}

}  // namespace

bool IsIkeRekey(const Message& request) {
  const auto* sa = request.Find<SaPayload>();
  return sa != nullptr && !sa->proposals.empty() && sa->proposals[0].protocol == ProtocolId::kIke;
}

void BeginRekeyIke(Core& core, IkeSa& sa) {
  if (sa.peer != nullptr && sa.peer->new_spi != 0) return;  // the peer is at it
  SetState(core, sa, IkeSaState::kRekeying);
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = OwnExchange::Kind::kRekeyIke;
  sa.own->nonce = core.Nonce();
  sa.own->new_spi = core.NewIkeSpi();
  Offer(core, sa, sa.suite.key_exchange);
}

void ProcessRekeyIkeResponse(Core& core, IkeSa& sa, const Message& response) {
  OwnExchange& own = *sa.own;
  if (const NotifyPayload* error = response.FindErrorNotify()) {
    const KeyExchangeId wanted = WantedGroup(*error);
    if (error->type == NotifyType::kInvalidKePayload && own.restarts < kRestartsMax &&
        MayUseGroup(*sa.connection, wanted) && IsStillWanted(sa)) {
      ++own.restarts;
      return Offer(core, sa, wanted);
    }
    return GiveUpOwn(core, sa);
  }
  auto choice = AcceptIke(*response.Find<SaPayload>(), sa.connection->ike_proposals);
  const auto* ke = response.Find<KePayload>();
  if (!choice.ok() || ke == nullptr || ke->method != own.method ||
      choice->suite.key_exchange != own.method || choice->peer_spi == 0 ||
      !CheckNonce(response, choice->suite.prf).ok()) {
    ++core.counters.malformed;
    return GiveUpOwn(core, sa);
  }
  own.ike_choice = *std::move(choice);
  own.response = response;
  auto key = std::make_unique<AgreeKey>();
  key->key_exchange = std::move(own.key_exchange);
  key->peer_public_value = ke->data;
  core.Run(sa, std::move(key), AfterKeyAgreed);
}

void ConcedeRekey(Core& core, IkeSa& sa) {
  IkeSa* rival = core.Find(sa.rival_spi);
  if (rival != nullptr && sa.state == IkeSaState::kRekeying) Inherit(core, sa, *rival);
  if (IkeSa* next = core.FindCurrent(sa.id); next != nullptr && next != &sa) {
    next->unsettled_until = absl::InfinitePast();
    core.Touch(*next);
  }
}

void ConcedeToSuccessor(Core& core, IkeSa& next, const Message& request) {
  IkeSa* old = core.Find(next.predecessor_spi);
  if (old == nullptr || old->rival_spi != next.local_spi) return;
  for (const Payload& payload : request.payloads) {
    const auto* deletion = std::get_if<DeletePayload>(&payload);
    if (deletion != nullptr && deletion->protocol == ProtocolId::kIke) return;
  }
  ConcedeRekey(core, *old);
}

// --- Whoever answers ---

namespace {

void AfterKeyAnswered(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AnswerKey&>(done);
  if (sa.peer == nullptr) return;
  PeerExchange& peer = *sa.peer;
  if (!key.shared_secret.ok()) {
    return Respond(core, sa, {Notify(NotifyType::kNoProposalChosen)});
  }
  IkeSa& next = MakeSuccessor(core, sa,
                              {.suite = peer.ike_choice.suite,
                               .shared_secret = key.shared_secret->span(),
                               .nonce_i = peer.request.Find<NoncePayload>()->data,
                               .nonce_r = peer.nonce,
                               .local_spi = peer.new_spi,
                               .remote_spi = peer.ike_choice.peer_spi,
                               .initiated_by_us = false});
  Proposal accepted = peer.ike_choice.accepted;
  ByteWriter spi;
  spi.WriteU64(peer.new_spi);
  accepted.spi = std::move(spi).Take();
  const bool redundant = peer.redundant;
  Respond(core, sa,
          {SaPayload{{std::move(accepted)}}, NoncePayload{peer.nonce},
           KePayload{peer.method, std::move(key.public_value)}});
  if (redundant || (sa.state != IkeSaState::kEstablished && sa.state != IkeSaState::kRekeying)) {
    return MarkRedundant(core, next);  // ours has won; the peer will see that and delete its own
  }
  if (OwnRekeyOf(sa) != nullptr) {
    sa.rival_spi = next.local_spi;  // decided when our own exchange ends
    next.predecessor_spi = sa.local_spi;
    return;
  }
  Inherit(core, sa, next);
}

}  // namespace

void ProcessRekeyIkeRequest(Core& core, IkeSa& sa) {
  PeerExchange& peer = *sa.peer;
  const Message& request = peer.request;
  const auto* ke = request.Find<KePayload>();
  if (ke == nullptr) return Respond(core, sa, {Notify(NotifyType::kInvalidSyntax)});
  // RFC 7296, 2.25.2: not while it is being closed, was replaced, or a Child SA is changing; nor
  // while the peer's last one waits for the end of ours.
  if ((sa.state != IkeSaState::kEstablished && sa.state != IkeSaState::kRekeying) ||
      IsChangingChildren(sa) || core.Find(sa.rival_spi) != nullptr) {
    return Respond(core, sa, {Notify(NotifyType::kTemporaryFailure)});
  }
  auto choice = ChooseIke(*request.Find<SaPayload>(), sa.connection->ike_proposals, ke->method);
  if (!choice || choice->peer_spi == 0) {
    ++core.counters.no_proposal_chosen;
    core.Log(LogEvent::Level::kWarning, "ike-sa-rekey-refused", sa,
             {{"reason", absl::StrCat("no proposal chosen: peer offered ",
                                      Describe(*request.Find<SaPayload>()), ", connection '",
                                      sa.connection->name, "' accepts ",
                                      Join(sa.connection->ike_proposals))}});
    return Respond(core, sa, {Notify(NotifyType::kNoProposalChosen)});
  }
  if (!CheckNonce(request, choice->suite.prf).ok()) {  // the new PRF's key may be a longer one
    ++core.counters.malformed;
    return Respond(core, sa, {Notify(NotifyType::kInvalidSyntax)});
  }
  if (choice->suite.key_exchange != ke->method) {
    ++core.counters.invalid_ke;
    return Respond(core, sa, {NotifyInvalidKe(choice->suite.key_exchange)});
  }
  peer.ike_choice = *std::move(choice);
  peer.method = ke->method;
  peer.nonce = core.Nonce();
  peer.new_spi = core.NewIkeSpi();
  if (OwnExchange* own = OwnRekeyOf(sa)) {
    own->rival_nonce = LowerNonce(request.Find<NoncePayload>()->data, peer.nonce);
  }
  auto key = std::make_unique<AnswerKey>();
  key->method = ke->method;
  key->peer_public_value = ke->data;
  core.Run(sa, std::move(key), AfterKeyAnswered);
}

}  // namespace sekisho::ike
