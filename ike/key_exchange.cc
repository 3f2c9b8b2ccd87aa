#include "ike/key_exchange.h"

#include <openssl/ec.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "ike/key_exchange_openssl.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

// How OpenSSL calls a method: the kind of key, and the group where the kind has several.
struct Method {
  KeyExchangeId id;
  const char* key_type;
  const char* group;  // nullptr: none
  size_t secret_bytes;
};
constexpr std::array kMethods = {
    Method{KeyExchangeId::kX25519, "X25519", nullptr, 32},
    Method{KeyExchangeId::kEcp256, "EC", "P-256", 32},
    Method{KeyExchangeId::kEcp384, "EC", "P-384", 48},
    Method{KeyExchangeId::kModp2048, "DH", "modp_2048", 256},
};

const Method* FindMethod(KeyExchangeId id) {
  for (const Method& method : kMethods) {
    if (method.id == id) return &method;
  }
  return nullptr;
}

absl::Status OurFailure(absl::string_view what) {
  return absl::InternalError(absl::StrCat("key exchange: ", what, ": ", TakeOpensslError()));
}

absl::Status WeakValue(KeyExchangeId id, absl::string_view why) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat("key exchange ", Name(id), ": ", why));
}

// The first byte of an uncompressed point, which the KE payload leaves out (RFC 5903, 7).
constexpr uint8_t kUncompressedPoint = 4;

absl::StatusOr<Bytes> EncodePublic(const Method& method, EVP_PKEY* key) {
  uint8_t* encoded = nullptr;
  const size_t size = EVP_PKEY_get1_encoded_public_key(key, &encoded);
  const std::unique_ptr<uint8_t, decltype([](uint8_t* p) { OPENSSL_free(p); })> owner(encoded);
  ByteSpan bytes(encoded, size);
  if (method.id == KeyExchangeId::kEcp256 || method.id == KeyExchangeId::kEcp384) {
    if (bytes.empty() || bytes[0] != kUncompressedPoint) return OurFailure("encoding a point");
    bytes = bytes.subspan(1);
  }
  const size_t want = FindKeyExchange(method.id)->public_bytes;
  if (bytes.empty() || bytes.size() > want) return OurFailure("encoding a public value");
  Bytes padded(want - bytes.size(), 0);
  padded.insert(padded.end(), bytes.begin(), bytes.end());
  return padded;
}

// 1 < value < p - 1 (RFC 6989, 2.1). p is a safe prime, so that no other value is weak.
absl::Status CheckModpRange(const EVP_PKEY* key, ByteSpan value) {
  BIGNUM* p = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_P, &p) != 1) return OurFailure("prime");
  const BignumPtr prime(p);
  const BignumPtr number(BN_bin2bn(value.data(), static_cast<int>(value.size()), nullptr));
  SEKISHO_CHECK(number != nullptr && BN_sub_word(prime.get(), 1) == 1);
  if (BN_cmp(number.get(), BN_value_one()) > 0 && BN_cmp(number.get(), prime.get()) < 0) {
    return absl::OkStatus();
  }
  return WeakValue(KeyExchangeId::kModp2048, "found a public value of 0, 1, p-1 or more");
}

class OpensslKeyExchange final : public KeyExchange {
 public:
  OpensslKeyExchange(const Method& method, KeyPtr key, Bytes public_value)
      : method_(method), key_(std::move(key)), public_value_(std::move(public_value)) {}

  const Bytes& public_value() const override { return public_value_; }

  absl::StatusOr<SecretBytes> SharedSecret(ByteSpan peer_public_value) const override {
    if (peer_public_value.size() != public_value_.size()) {
      return WeakValue(method_.id, absl::StrCat("public value: found ", peer_public_value.size(),
                                                " bytes, want ", public_value_.size()));
    }
    SEKISHO_ASSIGN_OR_RETURN(const KeyPtr peer, MakePeerKey(peer_public_value));
    return Derive(peer.get());
  }

 private:
  absl::StatusOr<KeyPtr> MakePeerKey(ByteSpan value) const {
    KeyPtr peer(EVP_PKEY_new());
    if (peer == nullptr || EVP_PKEY_copy_parameters(peer.get(), key_.get()) != 1) {
      return OurFailure("parameters");
    }
    Bytes encoded;
    switch (method_.id) {
      case KeyExchangeId::kEcp256:
      case KeyExchangeId::kEcp384:
        encoded.push_back(kUncompressedPoint);
        break;
      case KeyExchangeId::kModp2048:
        SEKISHO_RETURN_IF_ERROR(CheckModpRange(key_.get(), value));
        break;
      default:
        break;
    }
    encoded.insert(encoded.end(), value.begin(), value.end());
    // For a point this includes the check that it is on the curve, and not at infinity.
    if (EVP_PKEY_set1_encoded_public_key(peer.get(), encoded.data(), encoded.size()) != 1) {
      return WeakValue(method_.id, "found a public value that is not on the curve");
    }
    return peer;
  }

  absl::StatusOr<SecretBytes> Derive(EVP_PKEY* peer) const {
    const KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
    if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1) return OurFailure("derive");
    // RFC 7296, 2.14: g^ir is as long as the modulus, with leading zeros where it needs them.
    if (method_.id == KeyExchangeId::kModp2048) {
      unsigned int pad = 1;
      OSSL_PARAM parameters[] = {OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad),
                                 OSSL_PARAM_construct_end()};
      if (EVP_PKEY_CTX_set_params(context.get(), parameters) != 1) return OurFailure("padding");
    }
    // The value was checked above, for less than OpenSSL's own check of a modp value costs.
    if (EVP_PKEY_derive_set_peer_ex(context.get(), peer, 0) != 1) return OurFailure("peer's key");
    SecretBytes secret(method_.secret_bytes);
    size_t size = secret.size();
    const bool derived = EVP_PKEY_derive(context.get(), secret.mutable_span().data(), &size) == 1;
    const SecretBytes zeros(secret.size());
    if (!derived || size != secret.size() || ConstantTimeEqual(secret.span(), zeros.span())) {
      return WeakValue(method_.id, "found a public value of low order");
    }
    return secret;
  }

  const Method& method_;
  KeyPtr key_;
  Bytes public_value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KeyExchange>> KeyExchange::Generate(KeyExchangeId id) {
  const Method* method = FindMethod(id);
  if (method == nullptr) {
    return absl::UnimplementedError(absl::StrCat("key exchange: ", Name(id), " is not supported"));
  }
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, method->key_type, nullptr));
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1) return OurFailure("keygen");
  if (method->group != nullptr) {
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(
                                   OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(method->group), 0),
                               OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_set_params(context.get(), parameters) != 1) return OurFailure("group");
  }
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_generate(context.get(), &key) != 1) return OurFailure("keygen");
  return MakeKeyExchange(id, KeyPtr(key));
}

absl::StatusOr<std::unique_ptr<KeyExchange>> MakeKeyExchange(KeyExchangeId id, KeyPtr key) {
  const Method* method = FindMethod(id);
  SEKISHO_CHECK(method != nullptr);
  SEKISHO_ASSIGN_OR_RETURN(Bytes public_value, EncodePublic(*method, key.get()));
  return std::make_unique<OpensslKeyExchange>(*method, std::move(key), std::move(public_value));
}

}  // namespace sekisho::ike
