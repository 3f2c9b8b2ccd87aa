#include "ike/informational.h"

#include <utility>

#include "ike/notify.h"
#include "ike/rekey_ike_sa.h"
#include "ike/retransmission.h"

namespace sekisho::ike {
namespace {

// What is over for the pair, by either side's Delete.
void EndChild(Core& core, IkeSa& sa, ChildSa& child, absl::string_view reason) {
  if (ChildSa* successor = FindSuccessor(sa, child); successor != nullptr) {
    // Sends on the new pair if it did not yet; the old inbound half stays a while.
    child.state = ChildSaState::kRekeyed;
    SwitchOutbound(core, sa, *successor);
    RetireChildSa(core, child);
  } else if (child.redundant || child.replaced_by) {
    RetireChildSa(core, child);
  } else {
    child.state = ChildSaState::kDeleting;
    RemoveChildSa(core, sa, child, reason);
  }
  core.Touch(sa);
}

void BeginExchange(IkeSa& sa, OwnExchange::Kind kind) {
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = kind;
}

}  // namespace

void BeginDeleteChild(Core& core, IkeSa& sa, ChildSaId id) {
  ChildSa* child = FindChild(sa, id);
  if (child == nullptr || child->state == ChildSaState::kDeleting) return;
  if (core.now < child->unsettled_until) {
    child->expires_at = core.now + core.RetryDelay();
    return;
  }
  child->state = ChildSaState::kDeleting;
  child->rekey_at = child->expires_at = absl::InfiniteFuture();
  BeginExchange(sa, OwnExchange::Kind::kDeleteChild);
  sa.own->child = id;
  SendRequest(core, sa, ExchangeType::kInformational,
              {DeletePayload{.protocol = ProtocolId::kEsp, .spis = {child->inbound}}});
}

void BeginDeleteIke(Core& core, IkeSa& sa) {
  SetState(core, sa, IkeSaState::kDeleting);
  BeginExchange(sa, OwnExchange::Kind::kDeleteIke);
  SendRequest(core, sa, ExchangeType::kInformational,
              {DeletePayload{.protocol = ProtocolId::kIke, .spis = {}}});
}

void SendAuthenticationFailed(Core& core, IkeSa& sa) {
  SetState(core, sa, IkeSaState::kDeleting);
  BeginExchange(sa, OwnExchange::Kind::kDeleteIke);
  SendRequest(core, sa, ExchangeType::kInformational,
              {Notify(NotifyType::kAuthenticationFailed),
               DeletePayload{.protocol = ProtocolId::kIke, .spis = {}}});
}

void ProcessInformationalResponse(Core& core, IkeSa& sa) {
  const std::unique_ptr<OwnExchange> own = std::move(sa.own);
  core.Touch(sa);
  if (own->kind == OwnExchange::Kind::kDeleteIke) {
    return EndIkeSa(core, sa, LogEvent::Level::kInfo, "ike-sa-down", "deleted by us");
  }
  if (own->kind != OwnExchange::Kind::kDeleteChild) return;
  if (ChildSa* child = FindChild(sa, own->child)) EndChild(core, sa, *child, "deleted by us");
}

void ProcessInformationalRequest(Core& core, IkeSa& sa) {
  const Message request = std::move(sa.peer->request);
  sa.peer->request.header = request.header;  // what Respond() needs
  DeletePayload answer{.protocol = ProtocolId::kEsp, .spis = {}};
  bool delete_ike = request.FindNotify(NotifyType::kAuthenticationFailed) != nullptr;
  for (const Payload& payload : request.payloads) {
    const auto* deletion = std::get_if<DeletePayload>(&payload);
    if (deletion == nullptr) continue;
    if (deletion->protocol == ProtocolId::kIke) delete_ike = true;
    if (deletion->protocol != ProtocolId::kEsp) continue;
    for (const Spi spi : deletion->spis) {
      ChildSa* child = FindChildByOutboundSpi(sa, spi);
      if (child == nullptr) continue;
      // RFC 7296, 1.4.1: a pair that both delete at once is in neither answer.
      if (child->state != ChildSaState::kDeleting) answer.spis.push_back(child->inbound);
      EndChild(core, sa, *child, "deleted by the peer");
    }
  }
  if (delete_ike) {
    ConcedeRekey(core, sa);
    Respond(core, sa, {});
    return EndIkeSa(core, sa, LogEvent::Level::kInfo, "ike-sa-down", "deleted by the peer",
                    Afterwards::kRepeatAnswer);
  }
  if (answer.spis.empty()) return Respond(core, sa, {});
  Respond(core, sa, {std::move(answer)});
}

}  // namespace sekisho::ike
