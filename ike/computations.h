// ike/computations.h: the expensive steps of a handshake, each with its own inputs and outputs, so
// that any thread can run them.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ike/actions.h"
#include "ike/certificate.h"
#include "ike/key_exchange.h"
#include "ike/signature.h"

namespace sekisho::ike {

// Whoever begins an exchange: an ephemeral key.
struct GenerateKey final : Computation {
  KeyExchangeId method = KeyExchangeId::kNone;
  absl::StatusOr<std::unique_ptr<KeyExchange>> result;
  void Run() override;
};

// Whoever answers: an ephemeral key, and at once the secret shared with the peer.
struct AnswerKey final : Computation {
  KeyExchangeId method = KeyExchangeId::kNone;
  Bytes peer_public_value;
  Bytes public_value;
  absl::StatusOr<SecretBytes> shared_secret;
  void Run() override;
};

// Whoever began, with the answer.
struct AgreeKey final : Computation {
  std::unique_ptr<KeyExchange> key_exchange;
  Bytes peer_public_value;
  absl::StatusOr<SecretBytes> shared_secret;
  void Run() override;
};

struct MakeSignature final : Computation {
  std::shared_ptr<const PrivateKey> key;
  std::vector<HashId> peer_hashes;
  Bytes octets;
  absl::StatusOr<AuthPayload> result;
  void Run() override;
};

// Do these certificates lead to one we trust, do they speak for the identity, and did their owner
// sign?
struct CheckSignature final : Computation {
  std::vector<Bytes> certificates;  // as the peer sent them: its own first
  Identity identity;
  std::shared_ptr<const TrustStore> trust_store;
  AuthPayload auth;
  std::vector<HashId> peer_hashes;  // that it announced (RFC 7427)
  Bytes octets;
  absl::Time now;
  absl::Status result;
  void Run() override;
};

}  // namespace sekisho::ike
