// ike/signature.h: AUTH with signatures: RSA and ECDSA (RFC 7296, 2.15; RFC 4754; RFC 7427).
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"
#include "ike/certificate.h"
#include "ike/message.h"

struct evp_pkey_st;

namespace sekisho::ike {

// RFC 7427, 4: what SIGNATURE_HASH_ALGORITHMS lists.
enum class HashId : uint16_t { kSha1 = 1, kSha2_256 = 2, kSha2_384 = 3, kSha2_512 = 4 };

// The hashes we offer in SIGNATURE_HASH_ALGORITHMS, and its encoding.
const std::vector<HashId>& OfferedHashes();
Bytes EncodeHashes(const std::vector<HashId>& hashes);
std::vector<HashId> ParseHashes(ByteSpan data);  // unknown ones are left out

// Immutable, may be used from any thread.
class PrivateKey {
 public:
  ~PrivateKey();
  // PKCS#8 or traditional PEM, without a passphrase.
  static absl::StatusOr<std::shared_ptr<const PrivateKey>> FromPem(absl::string_view pem);
  bool Matches(const Certificate& certificate) const;  // is it this one's key?
  evp_pkey_st* key() const { return key_; }

 private:
  explicit PrivateKey(evp_pkey_st* key) : key_(key) {}
  evp_pkey_st* key_;
};

// The AUTH payload over `octets`. With `peer_hashes` not empty (the peer sent
// SIGNATURE_HASH_ALGORITHMS): method 14 with the best hash both know; else method 1 for RSA
// (SHA-1 is what the method says) or 9, 10, 11 for ECDSA by curve. Expensive.
absl::StatusOr<AuthPayload> Sign(const PrivateKey& key, const std::vector<HashId>& peer_hashes,
                                 ByteSpan octets);
// Expensive. The error tells an unknown method or algorithm (Unimplemented) from a signature that
// does not fit (PermissionDenied). `peer_hashes` is what the peer announced: a peer that knows RFC
// 7427 has no reason to sign with SHA-1, so that method 1 is then refused. RSA keys under 2048 bits
// are refused.
absl::Status Verify(const Certificate& certificate, const AuthPayload& auth, ByteSpan octets,
                    const std::vector<HashId>& peer_hashes = {});

}  // namespace sekisho::ike
