#include "ike/authentication.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/secret.h"
#include "ike/computations.h"
#include "ike/prf.h"

namespace sekisho::ike {
namespace {

bool Accepts(const Connection& connection, const IkeSuite& suite) {
  const auto holds = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  return std::any_of(connection.ike_proposals.begin(), connection.ike_proposals.end(),
                     [&](const AlgorithmProposal& proposal) {
                       return holds(proposal.encryption, suite.encryption) &&
                              (suite.integrity == IntegrityId::kNone
                                   ? proposal.integrity.empty()
                                   : holds(proposal.integrity, suite.integrity)) &&
                              holds(proposal.prf, suite.prf) &&
                              holds(proposal.key_exchange, suite.key_exchange);
                     });
}

bool LetsIn(const Connection& connection, const Identity& identity) {
  const auto& patterns = connection.remote.identities;
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(), [&identity](const IdentityPattern& pattern) {
           return pattern.Matches(identity);
         });
}

const SecretBytes* FindPsk(const Connection& connection, const Identity& identity) {
  const auto found = connection.psks.find(identity);
  if (found != connection.psks.end()) return &found->second;
  // Spelt otherwise it is the same peer, and the key for all others is not for this one.
  for (const auto& [owner, psk] : connection.psks) {
    if (SameIdentity(owner, identity)) return &psk;
  }
  return connection.any_psk ? &*connection.any_psk : nullptr;
}

// What each side's AUTH covers (RFC 7296, 2.15).
Bytes OctetsOf(const IkeSa& sa, bool initiator, const Identity& identity) {
  const Bytes body = EncodeIdBody(identity);
  return initiator
             ? SignedOctets(sa.suite.prf, sa.init_request, sa.nonce_r, sa.keys.sk_pi.span(), body)
             : SignedOctets(sa.suite.prf, sa.init_response, sa.nonce_i, sa.keys.sk_pr.span(), body);
}
Bytes OurOctets(const IkeSa& sa) {
  return OctetsOf(sa, sa.initiator, sa.connection->local.identity);
}
Bytes PeerOctets(const IkeSa& sa) { return OctetsOf(sa, !sa.initiator, sa.remote_identity); }

absl::StatusOr<const SecretBytes*> NeedPsk(const IkeSa& sa) {
  if (const SecretBytes* psk = FindPsk(*sa.connection, sa.remote_identity)) return psk;
  return absl::NotFoundError(absl::StrCat("connection '", sa.connection->name,
                                          "' has no pre-shared key for identity ",
                                          sa.remote_identity.ToString()));
}

}  // namespace

bool IsSignature(AuthMethod method) { return method != AuthMethod::kSharedKey; }

bool MatchesEndpoints(const Connection& connection, const Endpoint& local, const Endpoint& remote) {
  const auto& locals = connection.local_addresses;
  if (!locals.empty() && std::find(locals.begin(), locals.end(), local.address) == locals.end()) {
    return false;
  }
  const auto& remotes = connection.remote_addresses;
  return remotes.empty() ||
         std::any_of(remotes.begin(), remotes.end(),
                     [&remote](const IpRange& range) { return range.Contains(remote.address); });
}

absl::StatusOr<std::shared_ptr<const Connection>> ChooseConnection(const Core& core,
                                                                   const IkeSa& sa,
                                                                   const Message& request) {
  const Identity& peer = request.FindId(true)->identity;
  const IdPayload* wanted = request.FindId(false);
  const AuthPayload* auth = request.Find<AuthPayload>();
  const AuthenticationKind kind =
      IsSignature(auth->method) ? AuthenticationKind::kCertificate : AuthenticationKind::kPsk;
  bool somebody_has_idr = false;
  const Connection* other_kind = nullptr;
  for (const auto& connection : core.connections) {
    if (!MatchesEndpoints(*connection, sa.local, sa.remote) || !Accepts(*connection, sa.suite)) {
      continue;
    }
    if (wanted != nullptr && !SameIdentity(wanted->identity, connection->local.identity)) {
      continue;
    }
    somebody_has_idr = true;
    if (!LetsIn(*connection, peer)) continue;
    if (connection->remote.kind != kind) {
      other_kind = connection.get();
      continue;
    }
    return connection;
  }
  if (other_kind != nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat("peer ", peer.ToString(), " authenticates with a ",
                     kind == AuthenticationKind::kPsk ? "pre-shared key" : "certificate",
                     ", connection '", other_kind->name, "' wants a ",
                     kind == AuthenticationKind::kPsk ? "certificate" : "pre-shared key"));
  }
  if (wanted != nullptr && !somebody_has_idr) {
    return absl::NotFoundError(absl::StrCat("peer ", peer.ToString(), " asks for identity ",
                                            wanted->identity.ToString(),
                                            ", which no connection here has"));
  }
  return absl::NotFoundError(
      absl::StrCat("no connection for identity ", peer.ToString(), " from ", sa.remote.ToString()));
}

std::optional<Identity> ExpectedIdentity(const Connection& connection) {
  const auto& patterns = connection.remote.identities;
  if (patterns.size() != 1 || patterns[0].is_any()) return std::nullopt;
  const std::string text = patterns[0].ToString();
  if (absl::StrContains(text, '*')) return std::nullopt;
  auto identity = Identity::Parse(text);
  if (!identity.ok() || !patterns[0].Matches(*identity)) return std::nullopt;
  return *std::move(identity);
}

absl::StatusOr<AuthPayload> BuildPskAuth(const IkeSa& sa) {
  // Before the responder has said who it is, the initiator goes by whom it expects.
  const Connection& connection = *sa.connection;
  const SecretBytes* psk = nullptr;
  if (sa.have_remote_identity) {
    psk = FindPsk(connection, sa.remote_identity);
  } else if (const auto expected = ExpectedIdentity(connection)) {
    psk = FindPsk(connection, *expected);
  } else if (connection.psks.size() == 1) {
    psk = &connection.psks.begin()->second;
  } else if (connection.any_psk) {
    psk = &*connection.any_psk;
  }
  if (psk == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("connection '", connection.name, "' has no pre-shared key for this peer"));
  }
  const SecretBytes value = PskAuth(sa.suite.prf, psk->span(), OurOctets(sa));
  return AuthPayload{.method = AuthMethod::kSharedKey, .data = ToBytes(value.span())};
}

absl::Status CheckPskAuth(const IkeSa& sa, const AuthPayload& auth) {
  if (auth.method != AuthMethod::kSharedKey) {
    return absl::PermissionDeniedError("the peer did not authenticate with a pre-shared key");
  }
  const absl::StatusOr<const SecretBytes*> psk = NeedPsk(sa);
  if (!psk.ok()) return psk.status();
  const SecretBytes want = PskAuth(sa.suite.prf, (*psk)->span(), PeerOctets(sa));
  if (ConstantTimeEqual(want.span(), auth.data)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("AUTH mismatch: pre-shared keys for identity ",
                                                  sa.remote_identity.ToString(), " differ"));
}

std::unique_ptr<Computation> MakeOurSignature(const IkeSa& sa) {
  auto computation = std::make_unique<MakeSignature>();
  computation->key = sa.connection->local.private_key;
  computation->peer_hashes = sa.peer_hashes;
  computation->octets = OurOctets(sa);
  return computation;
}

std::unique_ptr<Computation> MakePeerCheck(const IkeSa& sa, const Message& message,
                                           absl::Time now) {
  auto computation = std::make_unique<CheckSignature>();
  for (const Payload& payload : message.payloads) {
    const auto* certificate = std::get_if<CertPayload>(&payload);
    if (certificate == nullptr ||
        certificate->encoding != static_cast<uint8_t>(CertificateEncoding::kX509Signature)) {
      continue;
    }
    computation->certificates.push_back(certificate->data);
  }
  computation->identity = sa.remote_identity;
  computation->trust_store = sa.connection->remote.trust_store;
  computation->auth = *message.Find<AuthPayload>();
  computation->octets = PeerOctets(sa);
  computation->peer_hashes = sa.peer_hashes;
  computation->now = now;
  return computation;
}

void BuildCertificates(const Connection& connection, std::vector<Payload>& payloads) {
  if (connection.local.kind != AuthenticationKind::kCertificate) return;
  for (const auto& certificate : connection.local.chain) {
    payloads.push_back(
        CertPayload{static_cast<uint8_t>(CertificateEncoding::kX509Signature), certificate->der()});
  }
}

void BuildCertificateRequest(const std::vector<const Connection*>& connections,
                             std::vector<Payload>& payloads) {
  CertReqPayload request;
  for (const Connection* connection : connections) {
    if (connection->remote.kind != AuthenticationKind::kCertificate ||
        connection->remote.trust_store == nullptr) {
      continue;
    }
    for (const auto& authority : connection->remote.trust_store->authorities()) {
      const Bytes hash = authority->PublicKeyHash();
      request.authorities.insert(request.authorities.end(), hash.begin(), hash.end());
    }
  }
  if (!request.authorities.empty()) payloads.push_back(std::move(request));
}

}  // namespace sekisho::ike
