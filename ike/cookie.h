// ike/cookie.h: N(COOKIE), which costs a peer a round trip and us no memory (RFC 7296, 2.6).
#pragma once

#include "absl/time/time.h"
#include "common/bytes.h"
#include "common/endpoint.h"
#include "common/secret.h"
#include "ike/random.h"

namespace sekisho::ike {

// Stateless: a cookie is a keyed hash of what the request says. The secret changes every minute;
// cookies made with the one before are still good.
class Cookies {
 public:
  explicit Cookies(Random& random) : random_(random) {}

  Bytes Build(uint64_t initiator_spi, ByteSpan nonce, const Endpoint& remote, absl::Time now);
  bool Check(ByteSpan cookie, uint64_t initiator_spi, ByteSpan nonce, const Endpoint& remote,
             absl::Time now);

 private:
  void Rotate(absl::Time now);
  Bytes Hash(int secret, uint64_t initiator_spi, ByteSpan nonce, const Endpoint& remote) const;

  Random& random_;
  SecretBytes secrets_[2];  // now, and the one before
  absl::Time rotate_at_ = absl::InfinitePast();
};

}  // namespace sekisho::ike
