#include "ike/cookie.h"

#include <utility>

#include "ike/prf.h"

namespace sekisho::ike {
namespace {
constexpr absl::Duration kSecretLife = absl::Minutes(1);
constexpr size_t kSecretBytes = 32;
}  // namespace

Bytes Cookies::Build(uint64_t initiator_spi, ByteSpan nonce, const Endpoint& remote,
                     absl::Time now) {
  Rotate(now);
  return Hash(0, initiator_spi, nonce, remote);
}

bool Cookies::Check(ByteSpan cookie, uint64_t initiator_spi, ByteSpan nonce, const Endpoint& remote,
                    absl::Time now) {
  Rotate(now);
  for (int secret = 0; secret < 2; ++secret) {
    if (ConstantTimeEqual(cookie, Hash(secret, initiator_spi, nonce, remote))) return true;
  }
  return false;
}

void Cookies::Rotate(absl::Time now) {
  if (now < rotate_at_) return;
  const bool first = rotate_at_ == absl::InfinitePast();
  secrets_[1] = std::move(secrets_[0]);
  secrets_[0] = SecretBytes(kSecretBytes);
  random_.Fill(secrets_[0].mutable_span());
  if (first) secrets_[1] = secrets_[0];
  rotate_at_ = now + kSecretLife;
}

Bytes Cookies::Hash(int secret, uint64_t initiator_spi, ByteSpan nonce,
                    const Endpoint& remote) const {
  // Without the port: a NAT may choose another one for the repeated request.
  ByteWriter spi;
  spi.WriteU64(initiator_spi);
  const SecretBytes hash = Prf(PrfId::kHmacSha2_256, secrets_[secret].span(),
                               {nonce, remote.address.bytes(), spi.span()});
  return ToBytes(hash.span());
}

}  // namespace sekisho::ike
