// ike/key_exchange.h: Diffie-Hellman as the KE payload carries it (X25519, ECP, MODP).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"
#include "common/secret.h"

namespace sekisho::ike {

// One side's ephemeral key. Both calls are expensive: they belong into a Computation.
class KeyExchange {
 public:
  virtual ~KeyExchange() = default;
  // Fails for a method we do not have.
  static absl::StatusOr<std::unique_ptr<KeyExchange>> Generate(KeyExchangeId id);
  // Our KE data: 32 bytes for X25519, x | y for ECP, padded big-endian number for MODP.
  virtual const Bytes& public_value() const = 0;
  // Fails for a value of the wrong length or off the curve, 0, 1, p-1 and an all-zero X25519 result
  // (RFC 6989, RFC 7748, 6.1, RFC 8031, 5).
  virtual absl::StatusOr<SecretBytes> SharedSecret(ByteSpan peer_public_value) const = 0;
};

}  // namespace sekisho::ike
