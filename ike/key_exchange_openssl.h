// ike/key_exchange_openssl.h: a KeyExchange around a key pair that is already there.
#pragma once

#include <memory>

#include "ike/key_exchange.h"
#include "ike/openssl.h"

namespace sekisho::ike {

// Requires: a private key of the method's kind and group.
absl::StatusOr<std::unique_ptr<KeyExchange>> MakeKeyExchange(KeyExchangeId id, KeyPtr key);

}  // namespace sekisho::ike
