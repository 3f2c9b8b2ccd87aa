// ike/message_rules.h: which payloads a message must and may hold (RFC 7296, 1.2 to 1.4, appendix
// C): one table, checked before a handler sees the message.
#pragma once

#include "absl/status/status.h"
#include "ike/message.h"

namespace sekisho::ike {

// The error names the payload that is missing or there too often. Payloads that have no place in an
// exchange are ignored, notifies and vendor ids may stand anywhere. A response that carries an
// error notify needs nothing else.
absl::Status CheckRules(const Message& message);

// RFC 7296, 2.10: a nonce has at least half the key size of the PRF. (That it has 16 to 256 bytes
// is the parser's business.) OK for a message without one.
absl::Status CheckNonce(const Message& message, PrfId prf);

}  // namespace sekisho::ike
