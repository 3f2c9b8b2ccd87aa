#include "ike/ike_auth.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/authentication.h"
#include "ike/child_negotiation.h"
#include "ike/computations.h"
#include "ike/configuration_payload.h"
#include "ike/informational.h"
#include "ike/notify.h"
#include "ike/retransmission.h"
#include "ike/traffic_selection.h"

namespace sekisho::ike {
namespace {

void ComeUp(Core& core, IkeSa& sa) {
  sa.init_request.clear();
  sa.init_response.clear();
  SetState(core, sa, IkeSaState::kEstablished);
  StartTimers(core, sa);
  core.by_identity[sa.remote_identity].insert(sa.id);
  ++core.counters.ike_sas_established;
  LogFields fields = {{"role", sa.initiator ? "initiator" : "responder"},
                      {"local-identity", sa.connection->local.identity.ToString()},
                      {"local", sa.local.ToString()},
                      {"suite", sa.suite.ToString()},
                      {"nat", sa.local_behind_nat ? (sa.remote_behind_nat ? "both" : "local")
                                                  : (sa.remote_behind_nat ? "remote" : "none")}};
  if (sa.virtual_ipv4) fields.emplace_back("virtual-ipv4", sa.virtual_ipv4->ToString());
  if (sa.virtual_ipv6) fields.emplace_back("virtual-ipv6", sa.virtual_ipv6->ToString());
  core.Log(LogEvent::Level::kInfo, "ike-sa-up", sa, std::move(fields));
}

// The peer has lost its memory: older IKE SAs of the same identity under the same connection are
// dead on its side (RFC 7296, 2.4).
void ProcessInitialContact(Core& core, const IkeSa& sa, const Message& message) {
  if (message.FindNotify(NotifyType::kInitialContact) == nullptr) return;
  const auto found = core.by_identity.find(sa.remote_identity);
  if (found == core.by_identity.end()) return;
  const absl::flat_hash_set<IkeSaId> ids = found->second;  // the entry changes as they end
  for (const IkeSaId id : ids) {
    IkeSa* older = core.FindCurrent(id);
    if (older == nullptr || older == &sa || older->connection->name != sa.connection->name) {
      continue;
    }
    EndIkeSa(core, *older, LogEvent::Level::kInfo, "ike-sa-down",
             "the peer came anew (INITIAL_CONTACT)");
  }
}

// --- Responder ---

void Refuse(Core& core, IkeSa& sa, absl::string_view reason) {
  ++core.counters.authentication_failed;
  Respond(core, sa, {Notify(NotifyType::kAuthenticationFailed)});
  EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed", reason, Afterwards::kRepeatAnswer);
}

// A connection whose every child wants virtual addresses, and a peer that asked for none.
bool NeedsConfigurationRequest(const IkeSa& sa, const Message& request) {
  const Connection& connection = *sa.connection;
  return (connection.assign_ipv4 || connection.assign_ipv6) && !sa.peer->lease &&
         request.Find<ConfigurationPayload>() == nullptr && !connection.children.empty() &&
         std::all_of(connection.children.begin(), connection.children.end(),
                     [](const ChildTemplate& child) { return child.remote.empty(); });
}

// The Child SA that the exchange carries along; its failure leaves the IKE SA standing.
void AnswerChild(Core& core, IkeSa& sa, std::vector<Payload>& payloads) {
  PeerExchange& peer = *sa.peer;
  ChildNegotiation& negotiation = peer.negotiation;
  if (LeaseFailed(peer)) {
    LogChildFailed(core, sa, nullptr,
                   absl::StrCat("no virtual address for this peer: ",
                                peer.lease->ok() ? "the pool gave none"
                                                 : std::string(peer.lease->status().message())));
    payloads.push_back(Notify(NotifyType::kInternalAddressFailure));
    return;
  }
  if (NeedsConfigurationRequest(sa, peer.request)) {
    LogChildFailed(core, sa, nullptr, "the peer did not ask for a virtual address");
    payloads.push_back(Notify(NotifyType::kFailedCpRequired));
    return;
  }
  if (auto error = ChooseChild(core, sa, peer.request, InExchange::kIkeAuth, negotiation)) {
    payloads.push_back(*std::move(error));
    return;
  }
  negotiation.nonce_i = sa.nonce_i;
  negotiation.nonce_r = sa.nonce_r;
  BuildConfigurationReply(peer, payloads);
  Proposal accepted = negotiation.choice.accepted;
  ByteWriter spi;
  spi.WriteU32(negotiation.inbound.spi().value);
  accepted.spi = std::move(spi).Take();
  payloads.push_back(SaPayload{{std::move(accepted)}});
  BuildTrafficSelectors(negotiation, payloads);
  BuildMode(negotiation, payloads);
  ChildSa& child = CreateChildSa(core, sa, negotiation, {});
  SwitchOutbound(core, sa, child);
}

void Accept(Core& core, IkeSa& sa) {
  std::vector<Payload> payloads = {
      IdPayload{.initiator = false, .identity = sa.connection->local.identity}};
  BuildCertificates(*sa.connection, payloads);
  payloads.push_back(*sa.peer->auth);
  ProcessInitialContact(core, sa, sa.peer->request);
  ComeUp(core, sa);
  AnswerChild(core, sa, payloads);
  Respond(core, sa, payloads);
}

void AfterOurSignature(Core& core, IkeSa& sa, Computation& done) {
  auto& signature = static_cast<MakeSignature&>(done);
  if (sa.state != IkeSaState::kAuthenticating || sa.peer == nullptr) return;
  if (!signature.result.ok()) {
    return Refuse(core, sa,
                  absl::StrCat("we could not sign: ", signature.result.status().message()));
  }
  sa.peer->auth = *std::move(signature.result);
  Accept(core, sa);
}

void ProveOurselves(Core& core, IkeSa& sa) {
  if (sa.connection->local.kind == AuthenticationKind::kCertificate) {
    return core.Run(sa, MakeOurSignature(sa), AfterOurSignature);
  }
  absl::StatusOr<AuthPayload> auth = BuildPskAuth(sa);
  if (!auth.ok()) return Refuse(core, sa, auth.status().message());
  sa.peer->auth = *std::move(auth);
  Accept(core, sa);
}

void AfterPeerProved(Core& core, IkeSa& sa) {
  if (AskForLease(core, sa, sa.peer->request)) return;  // goes on in ProcessLease()
  ProveOurselves(core, sa);
}

void AfterPeerCheck(Core& core, IkeSa& sa, Computation& done) {
  const auto& check = static_cast<CheckSignature&>(done);
  if (sa.state != IkeSaState::kAuthenticating || sa.peer == nullptr) return;
  if (!check.result.ok()) return Refuse(core, sa, check.result.message());
  AfterPeerProved(core, sa);
}

}  // namespace

void ProcessIkeAuthRequest(Core& core, IkeSa& sa) {
  const Message& request = sa.peer->request;
  SetState(core, sa, IkeSaState::kAuthenticating);
  sa.local = sa.peer->local;  // the initiator may have moved to port 4500
  sa.remote = sa.peer->remote;
  sa.remote_identity = request.FindId(true)->identity;
  sa.have_remote_identity = true;
  const AuthPayload* auth = request.Find<AuthPayload>();
  if (auth == nullptr) {
    return Refuse(core, sa,
                  "the peer wants EAP; connections here authenticate peers by pre-shared key or "
                  "certificate");
  }
  auto connection = ChooseConnection(core, sa, request);
  if (!connection.ok()) return Refuse(core, sa, connection.status().message());
  sa.connection = *std::move(connection);
  if (sa.connection->remote.kind == AuthenticationKind::kCertificate) {
    return core.Run(sa, MakePeerCheck(sa, request, core.now), AfterPeerCheck);
  }
  if (const absl::Status status = CheckPskAuth(sa, *auth); !status.ok()) {
    return Refuse(core, sa, status.message());
  }
  AfterPeerProved(core, sa);
}

void ProcessLease(Core& core, IkeSa& sa) {
  const PeerExchange& peer = *sa.peer;
  if (peer.lease->ok()) {
    sa.virtual_ipv4 = (*peer.lease)->ipv4;
    sa.virtual_ipv6 = (*peer.lease)->ipv6;
  } else {
    sa.lease_asked = false;  // there is nothing to give back
  }
  ProveOurselves(core, sa);
}

// --- Initiator ---

namespace {

// Is this the only IKE SA that we have under this connection?
bool IsFirstContact(const Core& core, const IkeSa& sa) {
  return std::none_of(core.ike_sas.begin(), core.ike_sas.end(), [&sa](const auto& entry) {
    const IkeSa& other = *entry.second;
    return &other != &sa && other.connection == sa.connection &&
           other.state == IkeSaState::kEstablished;
  });
}

void SendAuthRequest(Core& core, IkeSa& sa, AuthPayload auth) {
  const Connection& connection = *sa.connection;
  std::vector<Payload> payloads = {
      IdPayload{.initiator = true, .identity = connection.local.identity}};
  BuildCertificates(connection, payloads);
  BuildCertificateRequest({&connection}, payloads);
  if (const auto expected = ExpectedIdentity(connection)) {
    payloads.push_back(IdPayload{.initiator = false, .identity = *expected});
  }
  payloads.push_back(std::move(auth));
  if (IsFirstContact(core, sa)) payloads.push_back(Notify(NotifyType::kInitialContact));
  BuildConfigurationRequest(sa, payloads);
  BuildChildOffer(*sa.own, InExchange::kIkeAuth, payloads);
  SendRequest(core, sa, ExchangeType::kIkeAuth, payloads);
}

void AfterSigned(Core& core, IkeSa& sa, Computation& done) {
  auto& signature = static_cast<MakeSignature&>(done);
  if (sa.state != IkeSaState::kAuthenticating || sa.own == nullptr) return;
  if (!signature.result.ok()) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
                    absl::StrCat("we could not sign: ", signature.result.status().message()));
  }
  SendAuthRequest(core, sa, *std::move(signature.result));
}

// The responder is not who it should be. It believes the IKE SA to be up: tell it (RFC 7296,
// 2.21.2).
void Reject(Core& core, IkeSa& sa, absl::string_view reason) {
  ++core.counters.authentication_failed;
  core.Log(LogEvent::Level::kWarning, "ike-sa-failed", sa, {{"reason", std::string(reason)}});
  sa.own.reset();
  SendAuthenticationFailed(core, sa);
}

void TakeChild(Core& core, IkeSa& sa, OwnExchange& own, const Message& response) {
  ChildNegotiation& negotiation = own.negotiation;
  if (const NotifyPayload* error = response.FindErrorNotify()) {
    return LogChildFailed(core, sa, negotiation.child_template,
                          absl::StrCat("peer answered with notify ", static_cast<int>(error->type),
                                       ": ", Describe(response)));
  }
  const absl::Status status = AcceptChild(core, sa, response, InExchange::kIkeAuth, negotiation);
  if (!status.ok()) {
    // The responder has installed it: what it believes in must not stay.
    LogChildFailed(core, sa, negotiation.child_template, std::string(status.message()));
    return CloseIkeSa(core, sa);
  }
  negotiation.nonce_i = sa.nonce_i;
  negotiation.nonce_r = sa.nonce_r;
  ChildSa& child = CreateChildSa(core, sa, negotiation, {});
  if (negotiation.mode_refused) return DeleteRefused(core, sa, child);
  SwitchOutbound(core, sa, child);
}

void ComeUpAsInitiator(Core& core, IkeSa& sa) {
  const std::unique_ptr<OwnExchange> own = std::move(sa.own);
  const Message& response = *own->response;
  ProcessInitialContact(core, sa, response);
  const bool configured = ProcessConfigurationReply(response, sa);
  ComeUp(core, sa);
  for (size_t i = 1; i < sa.connection->children.size(); ++i) {
    AddTask(sa, {.kind = Task::Kind::kNewChild, .template_index = i});
  }
  if (!configured && response.FindErrorNotify() == nullptr) {
    LogChildFailed(core, sa, own->negotiation.child_template,
                   "the peer gave us no virtual address");
    return CloseIkeSa(core, sa);
  }
  TakeChild(core, sa, *own, response);
}

void AfterResponderCheck(Core& core, IkeSa& sa, Computation& done) {
  const auto& check = static_cast<CheckSignature&>(done);
  if (sa.state != IkeSaState::kAuthenticating || sa.own == nullptr) return;
  if (!check.result.ok()) return Reject(core, sa, check.result.message());
  ComeUpAsInitiator(core, sa);
}

}  // namespace

void BeginIkeAuth(Core& core, IkeSa& sa) {
  SetState(core, sa, IkeSaState::kAuthenticating);
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = OwnExchange::Kind::kIkeAuth;
  ChildNegotiation& negotiation = sa.own->negotiation;
  negotiation.initiated_by_us = true;
  negotiation.child_template = &sa.connection->children[0];
  AllowedSelectors proposed = Proposed(sa, *negotiation.child_template);
  negotiation.local = std::move(proposed.local);
  negotiation.remote = std::move(proposed.remote);
  negotiation.mode = negotiation.child_template->mode;
  if (negotiation.local.empty() || negotiation.remote.empty()) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
                    absl::StrCat("child '", negotiation.child_template->name,
                                 "' for transport mode does not hold ", sa.local.address.ToString(),
                                 " and ", sa.remote.address.ToString()));
  }
  if (!ReserveSpi(core, negotiation)) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed", "no SPI is left");
  }
  if (sa.connection->local.kind == AuthenticationKind::kCertificate) {
    return core.Run(sa, MakeOurSignature(sa), AfterSigned);
  }
  absl::StatusOr<AuthPayload> auth = BuildPskAuth(sa);
  if (!auth.ok()) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed", auth.status().message());
  }
  SendAuthRequest(core, sa, *std::move(auth));
}

void ProcessIkeAuthResponse(Core& core, IkeSa& sa, Message response) {
  const AuthPayload* auth = response.Find<AuthPayload>();
  if (auth == nullptr) {
    const NotifyPayload* error = response.FindErrorNotify();
    if (error->type == NotifyType::kAuthenticationFailed) ++core.counters.authentication_failed;
    return EndIkeSa(
        core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
        error->type == NotifyType::kAuthenticationFailed
            ? std::string("peer answered AUTHENTICATION_FAILED: it does not know our "
                          "identity, or our key or certificate is not the right one")
            : absl::StrCat("peer answered IKE_AUTH with an error: ", Describe(response)));
  }
  const IdPayload* idr = response.FindId(false);
  if (idr == nullptr) return Reject(core, sa, "the peer did not say who it is");
  const auto& patterns = sa.connection->remote.identities;
  const Identity identity = idr->identity;
  if (!patterns.empty() &&
      std::none_of(patterns.begin(), patterns.end(),
                   [&](const IdentityPattern& pattern) { return pattern.Matches(identity); })) {
    return Reject(core, sa,
                  absl::StrCat("the peer says that it is ", identity.ToString(),
                               ", which connection '", sa.connection->name, "' does not accept"));
  }
  sa.remote_identity = identity;
  sa.have_remote_identity = true;
  sa.own->response = std::move(response);
  const Message& kept = *sa.own->response;
  if (sa.connection->remote.kind == AuthenticationKind::kCertificate) {
    if (!IsSignature(kept.Find<AuthPayload>()->method)) {
      return Reject(core, sa, "the peer did not authenticate with a certificate");
    }
    return core.Run(sa, MakePeerCheck(sa, kept, core.now), AfterResponderCheck);
  }
  const absl::Status status = CheckPskAuth(sa, *kept.Find<AuthPayload>());
  if (!status.ok()) return Reject(core, sa, status.message());
  ComeUpAsInitiator(core, sa);
}

}  // namespace sekisho::ike
