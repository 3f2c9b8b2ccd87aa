// ike/authentication.h: who the peer is, and who we are: the AUTH payload with pre-shared keys and
// certificates (RFC 7296, 2.15; RFC 7427), and which connection a peer belongs to. The place of EAP
// (RFC 7296, 2.16) is beside CheckPsk() and MakeCertificateCheck(): a third way for a peer to prove
// itself, which ike_auth.cc would call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ike/actions.h"
#include "ike/core.h"
#include "ike/ike_sa.h"
#include "ike/message.h"

namespace sekisho::ike {

// Could this connection be meant, as far as the addresses tell?
bool MatchesEndpoints(const Connection& connection, const Endpoint& local, const Endpoint& remote);

// Responder: the first connection that fits the endpoints, the suite, the IDr that the peer asks
// for (if it does), the peer's IDi and the way it authenticates. The error says what did not fit.
absl::StatusOr<std::shared_ptr<const Connection>> ChooseConnection(const Core& core,
                                                                   const IkeSa& sa,
                                                                   const Message& request);

// Initiator: the one identity that the peer must have, if the connection names it.
std::optional<Identity> ExpectedIdentity(const Connection& connection);

// AUTH with the pre-shared key. NotFound: there is none for the peer's identity.
absl::StatusOr<AuthPayload> BuildPskAuth(const IkeSa& sa);
absl::Status CheckPskAuth(const IkeSa& sa, const AuthPayload& auth);

// AUTH with certificates: computations to run.
std::unique_ptr<Computation> MakeOurSignature(const IkeSa& sa);
std::unique_ptr<Computation> MakePeerCheck(const IkeSa& sa, const Message& message, absl::Time now);

// CERT for each certificate of ours, if that is how we authenticate.
void BuildCertificates(const Connection& connection, std::vector<Payload>& payloads);
// CERTREQ with the authorities of the connections that want certificates of their peers.
void BuildCertificateRequest(const std::vector<const Connection*>& connections,
                             std::vector<Payload>& payloads);

bool IsSignature(AuthMethod method);

}  // namespace sekisho::ike
