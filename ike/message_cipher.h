// ike/message_cipher.h: the SK payload (RFC 7296, 3.14; AEADs: RFC 5282): one direction of one IKE
// SA's encryption and integrity. Created once per key, then used for every message.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"
#include "common/secret.h"
#include "ike/message.h"
#include "ike/random.h"

namespace sekisho::ike {

class MessageCipher {
 public:
  virtual ~MessageCipher() = default;
  // Requires: keys of the suite's sizes, as DeriveIkeKeys() gives them.
  static std::unique_ptr<MessageCipher> Create(const IkeSuite& suite, ByteSpan encryption_key,
                                               ByteSpan integrity_key);

  // The whole datagram: header, SK payload. The IV is a counter for AEADs (never repeated under one
  // key; retransmissions resend the same bytes), random for CBC.
  virtual Bytes Seal(const Header& header, const std::vector<Payload>& payloads,
                     Random& random) = 0;
  // Checks the integrity first, then parses. Unauthenticated: PermissionDenied. Authentic but
  // malformed: InvalidArgument.
  virtual absl::StatusOr<Message> Open(ByteSpan datagram) const = 0;
};

}  // namespace sekisho::ike
