// ike/prf.h: the negotiated pseudo-random function and the keys that come out of it (RFC 7296, 2.13
// to 2.18).
#pragma once

#include <initializer_list>

#include "common/algorithm.h"
#include "common/bytes.h"
#include "common/secret.h"

namespace sekisho::ike {

// prf(key, parts[0] | parts[1] | ...). Requires: FindPrf(id).
SecretBytes Prf(PrfId id, ByteSpan key, std::initializer_list<ByteSpan> parts);
// prf+(key, seed), the first `bytes` of it. Requires: bytes <= 255 * output (RFC 7296, 2.13).
SecretBytes PrfPlus(PrfId id, ByteSpan key, std::initializer_list<ByteSpan> seed, size_t bytes);

struct IkeKeys {
  SecretBytes sk_d, sk_ai, sk_ar, sk_ei, sk_er, sk_pi, sk_pr;
};
// RFC 7296, 2.14.
IkeKeys DeriveIkeKeys(const IkeSuite& suite, ByteSpan shared_secret, ByteSpan nonce_i,
                      ByteSpan nonce_r, uint64_t spi_i, uint64_t spi_r);
// RFC 7296, 2.18: for the IKE SA that replaces one whose SK_d and PRF are given.
IkeKeys DeriveRekeyedIkeKeys(const IkeSuite& suite, PrfId old_prf, ByteSpan old_sk_d,
                             ByteSpan shared_secret, ByteSpan nonce_i, ByteSpan nonce_r,
                             uint64_t spi_i, uint64_t spi_r);

struct ChildKeys {
  SecretBytes encryption_i, integrity_i, encryption_r, integrity_r;  // encryption with its salt
};
// RFC 7296, 2.17. `shared_secret` is empty without PFS.
ChildKeys DeriveChildKeys(const IpsecSuite& suite, PrfId prf, ByteSpan sk_d, ByteSpan shared_secret,
                          ByteSpan nonce_i, ByteSpan nonce_r);

// AUTH with a shared key (RFC 7296, 2.15): prf(prf(key, "Key Pad for IKEv2"), signed octets), where
// the signed octets are message | nonce of the other side | prf(SK_p, ID body).
SecretBytes PskAuth(PrfId prf, ByteSpan psk, ByteSpan signed_octets);
// The octets that AUTH covers, for PSK and signatures alike.
Bytes SignedOctets(PrfId prf, ByteSpan own_init_message, ByteSpan other_nonce, ByteSpan own_sk_p,
                   ByteSpan own_id_body);

}  // namespace sekisho::ike
