#include "ike/ike_sa_init.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ike/authentication.h"
#include "ike/child_negotiation.h"
#include "ike/computations.h"
#include "ike/ike_auth.h"
#include "ike/message_rules.h"
#include "ike/nat_detection.h"
#include "ike/notify.h"
#include "ike/prf.h"
#include "ike/retransmission.h"
#include "ike/signature.h"

namespace sekisho::ike {
namespace {

// Of an IKE_SA_INIT request: it is kept until AUTH has been checked, for as many strangers as may
// be half-open. Real ones have about 500 bytes.
constexpr size_t kInitBytesMax = 8192;
constexpr int kComplaintsLoggedMax = 5;  // of one attempt: anybody may send them
constexpr int kRestartsMax = 5;  // COOKIE and INVALID_KE_PAYLOAD answers that we go along with

bool IsKeyUsable(const KePayload& ke) {
  const KeyExchangeTraits* traits = FindKeyExchange(ke.method);
  return traits != nullptr && traits->public_bytes == ke.data.size();
}

void ReadHashes(const Message& message, IkeSa& sa) {
  const NotifyPayload* notify = message.FindNotify(NotifyType::kSignatureHashAlgorithms);
  if (notify != nullptr) sa.peer_hashes = ParseHashes(notify->data);
}

// --- Responder ---

// The digest tells a repeated request from another peer's with the same SPI (RFC 7296, 2.1).
Bytes Digest(ByteSpan datagram) {
  static constexpr uint8_t kLabel[] = {'i', 'n', 'i', 't'};
  return ToBytes(Prf(PrfId::kHmacSha2_256, kLabel, {datagram}).span());
}

bool WasSeen(Core& core, const Datagram& datagram, const Bytes& digest) {
  const auto seen = core.seen_inits.find(digest);
  if (seen == core.seen_inits.end()) return false;
  // While the answer is being made, and after IKE_AUTH has come, it is ignored.
  IkeSa* sa = core.Find(seen->second);
  if (sa != nullptr && sa->state == IkeSaState::kHalfOpen) RepeatResponse(core, *sa, datagram);
  return true;
}

bool PaysTheCookie(Core& core, const Datagram& datagram, const Message& request) {
  if (core.half_open < core.options.cookie_threshold) return true;
  const Bytes& nonce = request.Find<NoncePayload>()->data;
  const uint64_t spi = request.header.initiator_spi;
  const NotifyPayload* cookie = request.FindNotify(NotifyType::kCookie);
  if (cookie != nullptr &&
      core.cookies.Check(cookie->data, spi, nonce, datagram.remote, core.now)) {
    return true;
  }
  ++core.counters.cookies_asked;
  AnswerStranger(
      core, datagram, request.header,
      Notify(NotifyType::kCookie, core.cookies.Build(spi, nonce, datagram.remote, core.now)));
  return false;
}

// An IKE SA that was given up leaves its computation in the queue: those count, too.
bool HasRoom(Core& core, const Datagram& datagram) {
  const auto from = core.half_open_by_address.find(HalfOpenOwner(datagram.remote.address));
  const size_t from_there = from == core.half_open_by_address.end() ? 0 : from->second;
  if (core.half_open < core.options.half_open_max &&
      core.computations.size() < core.options.half_open_max &&
      from_there < core.options.half_open_per_address_max) {
    return true;
  }
  ++core.counters.half_open_refused;
  return false;
}

std::vector<const Connection*> Candidates(const Core& core, const Datagram& datagram) {
  std::vector<const Connection*> candidates;
  for (const auto& connection : core.connections) {
    if (MatchesEndpoints(*connection, datagram.local, datagram.remote)) {
      candidates.push_back(connection.get());
    }
  }
  return candidates;
}

void RefuseProposal(Core& core, const Datagram& datagram, const Message& request,
                    const std::vector<const Connection*>& candidates) {
  ++core.counters.no_proposal_chosen;
  std::string reason;
  if (candidates.empty()) {
    reason = absl::StrCat("no connection for ", datagram.remote.address.ToString(), " at ",
                          datagram.local.address.ToString());
  } else {
    reason =
        absl::StrCat("no proposal chosen: peer offered ", Describe(*request.Find<SaPayload>()));
    for (const Connection* connection : candidates) {
      absl::StrAppend(&reason, ", connection '", connection->name, "' accepts ",
                      Join(connection->ike_proposals));
    }
  }
  core.LogStranger("ike-sa-failed", {{"peer", datagram.remote.ToString()}, {"reason", reason}});
  AnswerStranger(core, datagram, request.header, Notify(NotifyType::kNoProposalChosen));
}

void SendAnswer(Core& core, IkeSa& sa) {
  const PeerExchange& peer = *sa.peer;
  SaPayload chosen{{peer.ike_choice.accepted}};
  chosen.proposals[0].spi.clear();
  std::vector<Payload> payloads = {std::move(chosen), KePayload{peer.method, peer.public_value},
                                   NoncePayload{sa.nonce_r}};
  BuildNatDetection(sa, payloads);
  BuildCertificateRequest(Candidates(core, {sa.local, sa.remote, {}}), payloads);
  payloads.push_back(Notify(NotifyType::kSignatureHashAlgorithms, EncodeHashes(OfferedHashes())));
  sa.init_response = SendInitResponse(core, sa, payloads);
}

void AfterKeyAnswered(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AnswerKey&>(done);
  if (sa.state != IkeSaState::kHalfOpen || sa.peer == nullptr) return;
  if (!key.shared_secret.ok()) {
    // A public value off the curve or the like: no peer of good will sends it.
    ++core.counters.malformed;
    return EndIkeSa(core, sa, LogEvent::Level::kDebug, "ike-sa-failed",
                    key.shared_secret.status().message());
  }
  sa.peer->public_value = std::move(key.public_value);
  sa.keys = DeriveIkeKeys(sa.suite, key.shared_secret->span(), sa.nonce_i, sa.nonce_r,
                          sa.initiator_spi(), sa.responder_spi());
  ReadyCiphers(sa);
  SendAnswer(core, sa);
}

void OpenHalf(Core& core, const Datagram& datagram, Message request, IkeChoice choice,
              Bytes digest) {
  IkeSa& sa = core.Create(IkeSaId{0});
  sa.initiator = false;
  sa.remote_spi = request.header.initiator_spi;
  sa.local = datagram.local;
  sa.remote = datagram.remote;
  sa.suite = choice.suite;
  sa.init_request = datagram.bytes;
  sa.nonce_i = request.Find<NoncePayload>()->data;
  sa.nonce_r = core.Nonce();
  sa.expires_at = core.now + core.options.half_open_timeout;
  ProcessNatDetection(request, sa);
  ReadHashes(request, sa);
  CountHalfOpen(core, sa);
  core.seen_inits[digest] = sa.local_spi;
  sa.request_digest = std::move(digest);

  auto key = std::make_unique<AnswerKey>();
  key->method = choice.suite.key_exchange;
  key->peer_public_value = request.Find<KePayload>()->data;
  sa.peer = std::make_unique<PeerExchange>();
  sa.peer->local = datagram.local;
  sa.peer->remote = datagram.remote;
  sa.peer->method = key->method;
  sa.peer->ike_choice = std::move(choice);
  sa.peer->request = std::move(request);
  core.Run(sa, std::move(key), AfterKeyAnswered);
}

}  // namespace

void ProcessIkeSaInitRequest(Core& core, const Datagram& datagram, const Header& header) {
  if (datagram.bytes.size() > kInitBytesMax) {
    ++core.counters.malformed;
    return;
  }
  Bytes digest = Digest(datagram.bytes);
  if (WasSeen(core, datagram, digest) || core.shutting_down) return;
  absl::StatusOr<Message> request = ParseMessage(datagram.bytes);
  if (!request.ok()) {
    ++core.counters.malformed;
    return AnswerStranger(core, datagram, header, Notify(NotifyType::kInvalidSyntax));
  }
  LogMessage(core, "in", datagram.remote, *request);
  if (request->unknown_critical) {
    ++core.counters.malformed;
    return AnswerStranger(
        core, datagram, header,
        Notify(NotifyType::kUnsupportedCriticalPayload, {*request->unknown_critical}));
  }
  if (!CheckRules(*request).ok()) {
    ++core.counters.malformed;
    return AnswerStranger(core, datagram, header, Notify(NotifyType::kInvalidSyntax));
  }
  if (!PaysTheCookie(core, datagram, *request) || !HasRoom(core, datagram)) return;

  const KePayload& ke = *request->Find<KePayload>();
  const std::vector<const Connection*> candidates = Candidates(core, datagram);
  std::optional<IkeChoice> choice;
  for (const Connection* connection : candidates) {
    choice = ChooseIke(*request->Find<SaPayload>(), connection->ike_proposals, ke.method);
    if (choice) break;
  }
  if (!choice) return RefuseProposal(core, datagram, *request, candidates);
  if (choice->suite.key_exchange != ke.method) {
    ++core.counters.invalid_ke;
    return AnswerStranger(core, datagram, header, NotifyInvalidKe(choice->suite.key_exchange));
  }
  if (!IsKeyUsable(ke) || !CheckNonce(*request, choice->suite.prf).ok()) {
    ++core.counters.malformed;
    return AnswerStranger(core, datagram, header, Notify(NotifyType::kInvalidSyntax));
  }
  OpenHalf(core, datagram, *std::move(request), *std::move(choice), std::move(digest));
}

// --- Initiator ---

namespace {

void SendRequestAgain(Core& core, IkeSa& sa) {
  const OwnExchange& own = *sa.own;
  std::vector<Payload> payloads;
  if (!own.cookie.empty()) payloads.push_back(Notify(NotifyType::kCookie, own.cookie));
  payloads.push_back(OfferIke(sa.connection->ike_proposals, std::nullopt));
  payloads.push_back(KePayload{own.method, own.key_exchange->public_value()});
  payloads.push_back(NoncePayload{sa.nonce_i});
  BuildNatDetection(sa, payloads);
  payloads.push_back(Notify(NotifyType::kSignatureHashAlgorithms, EncodeHashes(OfferedHashes())));
  sa.init_request = SendInitRequest(core, sa, payloads);
}

void AfterKeyGenerated(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<GenerateKey&>(done);
  if (sa.state != IkeSaState::kInitiating || sa.own == nullptr) return;
  if (!key.result.ok()) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
                    key.result.status().message());
  }
  sa.own->key_exchange = *std::move(key.result);
  SendRequestAgain(core, sa);
}

void Generate(Core& core, IkeSa& sa, KeyExchangeId method) {
  sa.own->method = method;
  auto key = std::make_unique<GenerateKey>();
  key->method = method;
  core.Run(sa, std::move(key), AfterKeyGenerated);
}

void AfterKeyAgreed(Core& core, IkeSa& sa, Computation& done) {
  auto& key = static_cast<AgreeKey&>(done);
  if (sa.state != IkeSaState::kInitiating) return;
  if (!key.shared_secret.ok()) {
    return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
                    key.shared_secret.status().message());
  }
  sa.keys = DeriveIkeKeys(sa.suite, key.shared_secret->span(), sa.nonce_i, sa.nonce_r,
                          sa.initiator_spi(), sa.responder_spi());
  ReadyCiphers(sa);
  sa.own.reset();
  BeginIkeAuth(core, sa);
}

// An unprotected complaint may be forged: it is noted, and we go on asking (RFC 7296, 2.21.1).
void NoteComplaint(Core& core, IkeSa& sa, std::string reason) {
  if (sa.own->init_error == reason) return;
  sa.own->init_error = std::move(reason);
  if (++sa.own->complaints > kComplaintsLoggedMax) return;
  core.Log(LogEvent::Level::kWarning, "ike-sa-init-refused", sa, {{"reason", sa.own->init_error}});
}

bool MayUseGroup(const Connection& connection, KeyExchangeId method) {
  return std::any_of(connection.ike_proposals.begin(), connection.ike_proposals.end(),
                     [method](const AlgorithmProposal& proposal) {
                       return std::find(proposal.key_exchange.begin(), proposal.key_exchange.end(),
                                        method) != proposal.key_exchange.end();
                     });
}

// COOKIE, INVALID_KE_PAYLOAD, or a complaint.
void ProcessNotify(Core& core, IkeSa& sa, const Message& response) {
  OwnExchange& own = *sa.own;
  const NotifyPayload* cookie = response.FindNotify(NotifyType::kCookie);
  if (cookie != nullptr && own.restarts < kRestartsMax) {
    ++own.restarts;
    own.cookie = cookie->data;
    EndFlight(sa);
    return SendRequestAgain(core, sa);
  }
  const NotifyPayload* invalid_ke = response.FindNotify(NotifyType::kInvalidKePayload);
  if (invalid_ke != nullptr && own.restarts < kRestartsMax) {
    const KeyExchangeId wanted = WantedGroup(*invalid_ke);
    if (wanted == own.method) return;  // a late copy
    if (MayUseGroup(*sa.connection, wanted)) {
      ++own.restarts;
      EndFlight(sa);
      own.sent = false;
      return Generate(core, sa, wanted);
    }
    return NoteComplaint(
        core, sa,
        absl::StrCat("peer wants ", Name(wanted), ", connection '", sa.connection->name,
                     "' accepts ", Join(sa.connection->ike_proposals)));
  }
  const NotifyPayload* error = response.FindErrorNotify();
  if (error == nullptr) return;
  NoteComplaint(core, sa,
                absl::StrCat("peer answered with notify ", static_cast<int>(error->type),
                             " to IKE_SA_INIT: ", Describe(response)));
}

}  // namespace

IkeSa& BeginIkeSaInit(Core& core, std::shared_ptr<const Connection> connection,
                      const Endpoint& local) {
  IkeSa& sa = core.Create(IkeSaId{0});
  sa.initiator = true;
  sa.state = IkeSaState::kInitiating;
  sa.local = local;
  sa.remote = *connection->remote_endpoint;
  sa.connection = std::move(connection);
  sa.nonce_i = core.Nonce();
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = OwnExchange::Kind::kIkeSaInit;
  const auto& proposals = sa.connection->ike_proposals;
  const bool have_group = !proposals.empty() && !proposals[0].key_exchange.empty();
  Generate(core, sa, have_group ? proposals[0].key_exchange[0] : KeyExchangeId::kNone);
  return sa;
}

void ProcessIkeSaInitResponse(Core& core, IkeSa& sa, const Datagram& datagram) {
  if (sa.state != IkeSaState::kInitiating || sa.own == nullptr || !sa.window.in_flight) {
    ++core.counters.unexpected_message_id;
    return;
  }
  const absl::StatusOr<Message> response = ParseMessage(datagram.bytes);
  if (!response.ok() || response->unknown_critical || !CheckRules(*response).ok()) {
    ++core.counters.malformed;
    return;
  }
  LogMessage(core, "in", datagram.remote, *response);
  const auto* chosen = response->Find<SaPayload>();
  const auto* ke = response->Find<KePayload>();
  const auto* nonce = response->Find<NoncePayload>();
  if (chosen == nullptr || ke == nullptr || nonce == nullptr) {
    return ProcessNotify(core, sa, *response);
  }
  const absl::StatusOr<IkeChoice> choice = AcceptIke(*chosen, sa.connection->ike_proposals);
  if (!choice.ok()) return NoteComplaint(core, sa, std::string(choice.status().message()));
  if (choice->suite.key_exchange != sa.own->method || ke->method != sa.own->method ||
      !IsKeyUsable(*ke) || !CheckNonce(*response, choice->suite.prf).ok() ||
      response->header.responder_spi == 0) {
    ++core.counters.malformed;
    return;
  }
  EndFlight(sa);
  sa.last_heard = core.now;
  sa.suite = choice->suite;
  sa.remote_spi = response->header.responder_spi;
  sa.nonce_r = nonce->data;
  sa.init_response = datagram.bytes;
  ReadHashes(*response, sa);
  ProcessNatDetection(*response, sa);
  MoveToNatPort(sa);
  auto key = std::make_unique<AgreeKey>();
  key->key_exchange = std::move(sa.own->key_exchange);
  key->peer_public_value = ke->data;
  core.Run(sa, std::move(key), AfterKeyAgreed);
}

}  // namespace sekisho::ike
