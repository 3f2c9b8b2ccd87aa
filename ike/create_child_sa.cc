#include "ike/create_child_sa.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/child_negotiation.h"
#include "ike/collision.h"
#include "ike/computations.h"
#include "ike/notify.h"
#include "ike/retransmission.h"
#include "ike/traffic_selection.h"

namespace sekisho::ike {
namespace {

constexpr int kRestartsMax = 3;  // INVALID_KE_PAYLOAD answers that we go along with

// The group of our key exchange: the one that the old pair had, or our first; kNone without PFS.
KeyExchangeId FirstGroup(const ChildTemplate& child_template, const ChildSa* old) {
  KeyExchangeId first = KeyExchangeId::kNone;
  for (const AlgorithmProposal& proposal : child_template.esp_proposals) {
    for (const KeyExchangeId method : proposal.key_exchange) {
      if (first == KeyExchangeId::kNone) first = method;
      if (old != nullptr && old->pfs == method) return method;
    }
  }
  return first;
}

bool MayUseGroup(const ChildTemplate& child_template, KeyExchangeId method) {
  for (const AlgorithmProposal& proposal : child_template.esp_proposals) {
    for (const KeyExchangeId ours : proposal.key_exchange) {
      if (ours == method) return true;
    }
  }
  return false;
}

// --- Whoever begins ---

// Nothing came of it; a rekey is tried again, unless the peer's has replaced the pair meanwhile.
void GiveUpOwn(Core& core, IkeSa& sa) {
  const std::unique_ptr<OwnExchange> own = std::move(sa.own);
  core.Touch(sa);
  if (!own->negotiation.rekeys) return;
  ChildSa* old = FindChild(sa, *own->negotiation.rekeys);
  if (old == nullptr) return;
  const bool replaced = FindSuccessor(sa, *old) != nullptr;
  old->state = replaced ? ChildSaState::kRekeyed : ChildSaState::kInstalled;
  if (!replaced) old->rekey_at = core.now + core.RetryDelay();
}

void SendOffer(Core& core, IkeSa& sa) {
  OwnExchange& own = *sa.own;
  std::vector<Payload> payloads;
  if (own.negotiation.rekeys) {
    const ChildSa* old = FindChild(sa, *own.negotiation.rekeys);
    payloads.push_back(NotifyAbout(NotifyType::kRekeySa, old->inbound));
  }
  BuildChildOffer(own, InExchange::kCreateChildSa, payloads);
  SendRequest(core, sa, ExchangeType::kCreateChildSa, payloads);
}

// May the exchange still go out? The peer may have replaced or deleted the pair, or the IKE SA.
bool IsStillWanted(IkeSa& sa) {
  if (sa.state != IkeSaState::kEstablished) return false;
  const auto& rekeys = sa.own->negotiation.rekeys;
  if (!rekeys) return true;
  const ChildSa* old = FindChild(sa, *rekeys);
  const bool peer_is_at_it = sa.peer != nullptr && sa.peer->negotiation.rekeys == rekeys;
  return old != nullptr && old->state == ChildSaState::kRekeying && !peer_is_at_it &&
         FindSuccessor(sa, *old) == nullptr;
}

void AfterKeyGenerated(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<GenerateKey&>(done);
  if (sa.own == nullptr) return;
  if (!key.result.ok() || !IsStillWanted(sa)) return GiveUpOwn(core, sa);
  sa.own->key_exchange = *std::move(key.result);
  SendOffer(core, sa);
}

void Offer(Core& core, IkeSa& sa, KeyExchangeId method) {
  OwnExchange& own = *sa.own;
  own.method = method;
  own.sent = false;
  if (method == KeyExchangeId::kNone) return SendOffer(core, sa);
  auto key = std::make_unique<GenerateKey>();
  key->method = method;
  core.Run(sa, std::move(key), AfterKeyGenerated);
}

void Begin(Core& core, IkeSa& sa, const ChildTemplate& child_template, ChildSa* old) {
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = OwnExchange::Kind::kCreateChild;
  ChildNegotiation& negotiation = sa.own->negotiation;
  negotiation.initiated_by_us = true;
  negotiation.child_template = &child_template;
  if (old != nullptr) {  // RFC 7296, 2.9.2: the same selectors
    old->state = ChildSaState::kRekeying;
    negotiation.rekeys = old->id;
    negotiation.local = old->local;
    negotiation.remote = old->remote;
    negotiation.mode = old->mode;
    if (old->mode == IpsecMode::kTransport) {  // the peer may have moved
      negotiation.local = WithAddress(std::move(negotiation.local), sa.local.address);
      negotiation.remote = WithAddress(std::move(negotiation.remote), sa.remote.address);
    }
  } else {
    AllowedSelectors proposed = Proposed(sa, child_template);
    negotiation.local = std::move(proposed.local);
    negotiation.remote = std::move(proposed.remote);
    negotiation.mode = child_template.mode;
    if (negotiation.local.empty() || negotiation.remote.empty()) {
      LogChildFailed(
          core, sa, &child_template,
          absl::StrCat("its selectors for transport mode do not hold ", sa.local.address.ToString(),
                       " and ", sa.remote.address.ToString()));
      return GiveUpOwn(core, sa);
    }
  }
  negotiation.nonce_i = core.Nonce();
  if (!ReserveSpi(core, negotiation)) return GiveUpOwn(core, sa);
  Offer(core, sa, FirstGroup(child_template, old));
}

// The new pair stands at both ends. RFC 7296, 2.8.1: was it the only one?
void Finish(Core& core, IkeSa& sa, ByteSpan shared_secret) {
  const std::unique_ptr<OwnExchange> own = std::move(sa.own);
  ChildSa& child = CreateChildSa(core, sa, own->negotiation, shared_secret);
  ChildSa* old = child.rekeys ? FindChild(sa, *child.rekeys) : nullptr;
  if (own->negotiation.mode_refused) {
    if (old != nullptr) {
      old->state = ChildSaState::kInstalled;
      old->rekey_at = core.now + core.RetryDelay();
    }
    return DeleteRefused(core, sa, child);
  }
  const Bytes& lowest = LowerNonce(own->negotiation.nonce_i, own->negotiation.nonce_r);
  if (own->rival_nonce && OursIsRedundant(lowest, *own->rival_nonce)) {
    // The peer deletes the old pair, we delete what we just made.
    child.redundant = true;
    if (old != nullptr) old->state = ChildSaState::kRekeyed;
    return AddTask(sa, {.kind = Task::Kind::kDeleteChild, .child = child.id});
  }
  if (old != nullptr) {
    if (ChildSa* rival = sa.children.empty() ? nullptr : FindSuccessor(sa, *old);
        rival != nullptr && rival != &child) {
      rival->redundant = true;
    }
    if (sa.peer != nullptr && sa.peer->negotiation.rekeys == old->id) sa.peer->redundant = true;
    old->replaced_by = child.id;
    old->state = ChildSaState::kRekeyed;
    AddTask(sa, {.kind = Task::Kind::kDeleteChild, .child = old->id});
  }
  SwitchOutbound(core, sa, child);
}

void AfterKeyAgreed(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AgreeKey&>(done);
  if (sa.own == nullptr) return;
  if (!key.shared_secret.ok()) {
    LogChildFailed(core, sa, sa.own->negotiation.child_template,
                   std::string(key.shared_secret.status().message()));
    sa.own.reset();
    return CloseIkeSa(core, sa);  // the peer believes in a pair that cannot be
  }
  Finish(core, sa, key.shared_secret->span());
}

void ProcessError(Core& core, IkeSa& sa, const Message& response, const NotifyPayload& error) {
  OwnExchange& own = *sa.own;
  const ChildTemplate& child_template = *own.negotiation.child_template;
  if (error.type == NotifyType::kInvalidKePayload && own.restarts < kRestartsMax &&
      MayUseGroup(child_template, WantedGroup(error)) && IsStillWanted(sa)) {
    ++own.restarts;
    own.key_exchange.reset();
    return Offer(core, sa, WantedGroup(error));
  }
  ChildSa* old = own.negotiation.rekeys ? FindChild(sa, *own.negotiation.rekeys) : nullptr;
  const bool collided = own.rival_nonce.has_value();
  const bool is_rekey = own.negotiation.rekeys.has_value();
  GiveUpOwn(core, sa);
  if (collided || (is_rekey && old == nullptr)) return;  // the peer's rekey goes its way
  if (error.type == NotifyType::kChildSaNotFound && old != nullptr) {
    old->state = ChildSaState::kDeleting;
    return RemoveChildSa(core, sa, *old, "the peer no longer has it");
  }
  if (error.type != NotifyType::kTemporaryFailure) {
    LogChildFailed(core, sa, &child_template,
                   absl::StrCat("peer answered with notify ", static_cast<int>(error.type), ": ",
                                Describe(response)));
  } else if (!is_rekey) {
    const size_t index = static_cast<size_t>(&child_template - sa.connection->children.data());
    AddTask(sa, {.kind = Task::Kind::kNewChild, .template_index = index});
  }
}

}  // namespace

void BeginNewChild(Core& core, IkeSa& sa, size_t template_index) {
  Begin(core, sa, sa.connection->children[template_index], nullptr);
}

void BeginRekeyChild(Core& core, IkeSa& sa, ChildSaId id) {
  ChildSa* old = FindChild(sa, id);
  if (old == nullptr || old->state != ChildSaState::kInstalled || old->redundant) return;
  if (sa.peer != nullptr && sa.peer->negotiation.rekeys == id) return;  // the peer is at it
  if (core.now < old->unsettled_until) {
    old->rekey_at = core.now + core.RetryDelay();
    return;
  }
  Begin(core, sa, *old->child_template, old);
}

void ProcessCreateChildResponse(Core& core, IkeSa& sa, Message response) {
  OwnExchange& own = *sa.own;
  if (const NotifyPayload* error = response.FindErrorNotify()) {
    return ProcessError(core, sa, response, *error);
  }
  absl::Status status =
      AcceptChild(core, sa, response, InExchange::kCreateChildSa, own.negotiation);
  const auto* ke = response.Find<KePayload>();
  const KeyExchangeId chosen = own.negotiation.choice.key_exchange;
  if (status.ok() && chosen != KeyExchangeId::kNone &&
      (ke == nullptr || ke->method != chosen || chosen != own.method)) {
    status = absl::InvalidArgumentError("the peer's key exchange is not the one that it chose");
  }
  if (!status.ok()) {
    LogChildFailed(core, sa, own.negotiation.child_template, std::string(status.message()));
    GiveUpOwn(core, sa);
    return CloseIkeSa(core, sa);  // the peer believes in a pair that cannot be
  }
  own.negotiation.nonce_r = response.Find<NoncePayload>()->data;
  if (chosen == KeyExchangeId::kNone) return Finish(core, sa, {});
  auto key = std::make_unique<AgreeKey>();
  key->key_exchange = std::move(own.key_exchange);
  key->peer_public_value = ke->data;
  core.Run(sa, std::move(key), AfterKeyAgreed);
}

// --- Whoever answers ---

namespace {

void Refuse(Core& core, IkeSa& sa, NotifyType type) { Respond(core, sa, {Notify(type)}); }

// The pair to be rekeyed; nullptr: the request has been refused.
ChildSa* FindRekeyed(Core& core, IkeSa& sa, const NotifyPayload& rekey) {
  ChildSa* old = FindChildByOutboundSpi(sa, SpiOf(rekey));
  if (old == nullptr) {
    Respond(core, sa, {NotifyAbout(NotifyType::kChildSaNotFound, SpiOf(rekey))});
    return nullptr;
  }
  // RFC 7296, 2.25.1: one that we are closing, or that has been replaced, is not rekeyed again.
  if (old->state == ChildSaState::kDeleting || old->state == ChildSaState::kRekeyed) {
    Refuse(core, sa, NotifyType::kTemporaryFailure);
    return nullptr;
  }
  return old;
}

void Answer(Core& core, IkeSa& sa, ByteSpan shared_secret) {
  PeerExchange& peer = *sa.peer;
  ChildNegotiation& negotiation = peer.negotiation;
  Proposal accepted = negotiation.choice.accepted;
  ByteWriter spi;
  spi.WriteU32(negotiation.inbound.spi().value);
  accepted.spi = std::move(spi).Take();
  std::vector<Payload> payloads = {SaPayload{{std::move(accepted)}},
                                   NoncePayload{negotiation.nonce_r}};
  if (!shared_secret.empty()) {
    payloads.push_back(KePayload{negotiation.choice.key_exchange, peer.public_value});
  }
  BuildTrafficSelectors(negotiation, payloads);
  BuildMode(negotiation, payloads);

  ChildSa& child = CreateChildSa(core, sa, negotiation, shared_secret);
  child.redundant = peer.redundant;
  child.unsettled_until = core.now + core.options.half_open_timeout;
  ChildSa* old = child.rekeys ? FindChild(sa, *child.rekeys) : nullptr;
  if (old != nullptr) {
    old->rekey_at = absl::InfiniteFuture();
    if (OwnRekeyOf(sa, old->id) == nullptr) old->state = ChildSaState::kRekeyed;
  } else if (!child.redundant) {
    SwitchOutbound(core, sa, child);  // nothing is there that could carry the traffic meanwhile
  }
  Respond(core, sa, payloads);
}

void AfterKeyAnswered(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AnswerKey&>(done);
  if (sa.peer == nullptr) return;
  if (sa.state != IkeSaState::kEstablished && sa.state != IkeSaState::kRekeying) {
    return Refuse(core, sa, NotifyType::kTemporaryFailure);  // closed or replaced meanwhile
  }
  if (!key.shared_secret.ok()) {
    LogChildFailed(core, sa, sa.peer->negotiation.child_template,
                   std::string(key.shared_secret.status().message()));
    return Refuse(core, sa, NotifyType::kNoProposalChosen);
  }
  sa.peer->public_value = std::move(key.public_value);
  Answer(core, sa, key.shared_secret->span());
}

}  // namespace

void ProcessCreateChildRequest(Core& core, IkeSa& sa) {
  PeerExchange& peer = *sa.peer;
  const Message& request = peer.request;
  // RFC 7296, 2.25.2: not while the IKE SA is being rekeyed or closed.
  if (sa.state != IkeSaState::kEstablished) return Refuse(core, sa, NotifyType::kTemporaryFailure);
  if (request.FindTs(true) == nullptr || request.FindTs(false) == nullptr) {
    return Refuse(core, sa, NotifyType::kInvalidSyntax);
  }
  ChildSa* old = nullptr;
  if (const NotifyPayload* rekey = request.FindNotify(NotifyType::kRekeySa)) {
    old = FindRekeyed(core, sa, *rekey);
    if (old == nullptr) return;
    peer.negotiation.child_template = old->child_template;
    peer.negotiation.rekeys = old->id;
    peer.negotiation.mode = old->mode;
  }
  if (auto error = ChooseChild(core, sa, request, InExchange::kCreateChildSa, peer.negotiation)) {
    return Respond(core, sa, {*std::move(error)});
  }
  const auto* ke = request.Find<KePayload>();
  const KeyExchangeId chosen = peer.negotiation.choice.key_exchange;
  if (chosen != KeyExchangeId::kNone && (ke == nullptr || ke->method != chosen)) {
    ++core.counters.invalid_ke;
    return Respond(core, sa, {NotifyInvalidKe(chosen)});
  }
  peer.negotiation.nonce_i = request.Find<NoncePayload>()->data;
  peer.negotiation.nonce_r = core.Nonce();
  if (OwnExchange* own = old == nullptr ? nullptr : OwnRekeyOf(sa, old->id)) {
    own->rival_nonce = LowerNonce(peer.negotiation.nonce_i, peer.negotiation.nonce_r);
  }
  if (chosen == KeyExchangeId::kNone) return Answer(core, sa, {});
  auto key = std::make_unique<AnswerKey>();
  key->method = chosen;
  key->peer_public_value = ke->data;
  core.Run(sa, std::move(key), AfterKeyAnswered);
}

}  // namespace sekisho::ike
