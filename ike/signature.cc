#include "ike/signature.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, OpensslDelete<ECDSA_SIG_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, OpensslDelete<X509_ALGOR_free>>;
using PssParametersPtr = std::unique_ptr<RSA_PSS_PARAMS, OpensslDelete<RSA_PSS_PARAMS_free>>;

constexpr int kRsaBitsMin = 2048;

enum class Scheme : uint8_t { kRsaPkcs1, kRsaPss, kEcdsa };

// How a signature is made, whichever way the AUTH payload said it.
struct Algorithm {
  Scheme scheme;
  Hash hash;
  int pss_salt_bytes = 0;
};

// AlgorithmIdentifiers that we send; RFC 7427, appendix A.
struct NamedAlgorithm {
  int nid;
  Scheme scheme;
  HashId hash_id;
  Hash hash;
};
constexpr std::array kAlgorithms = {
    NamedAlgorithm{NID_sha256WithRSAEncryption, Scheme::kRsaPkcs1, HashId::kSha2_256,
                   Hash::kSha2_256},
    NamedAlgorithm{NID_sha384WithRSAEncryption, Scheme::kRsaPkcs1, HashId::kSha2_384,
                   Hash::kSha2_384},
    NamedAlgorithm{NID_sha512WithRSAEncryption, Scheme::kRsaPkcs1, HashId::kSha2_512,
                   Hash::kSha2_512},
    NamedAlgorithm{NID_ecdsa_with_SHA256, Scheme::kEcdsa, HashId::kSha2_256, Hash::kSha2_256},
    NamedAlgorithm{NID_ecdsa_with_SHA384, Scheme::kEcdsa, HashId::kSha2_384, Hash::kSha2_384},
    NamedAlgorithm{NID_ecdsa_with_SHA512, Scheme::kEcdsa, HashId::kSha2_512, Hash::kSha2_512},
};

// RFC 4754: curve, hash and method go together.
struct Curve {
  const char* name;
  AuthMethod method;
  HashId hash_id;
  Hash hash;
  size_t number_bytes;
};
constexpr std::array kCurves = {
    Curve{"prime256v1", AuthMethod::kEcdsaSha256P256, HashId::kSha2_256, Hash::kSha2_256, 32},
    Curve{"secp384r1", AuthMethod::kEcdsaSha384P384, HashId::kSha2_384, Hash::kSha2_384, 48},
    Curve{"secp521r1", AuthMethod::kEcdsaSha512P521, HashId::kSha2_512, Hash::kSha2_512, 66},
};

const Curve* FindCurve(const EVP_PKEY* key) {
  char name[32] = {};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name, sizeof(name), &size) != 1) return nullptr;
  for (const Curve& curve : kCurves) {
    if (absl::string_view(name) == curve.name) return &curve;
  }
  return nullptr;
}

bool IsRsa(const EVP_PKEY* key) { return EVP_PKEY_is_a(key, "RSA") == 1; }
bool IsEc(const EVP_PKEY* key) { return EVP_PKEY_is_a(key, "EC") == 1; }

// RSA of a fair size, or ECDSA on a curve that IKE has.
absl::Status CheckKey(const EVP_PKEY* key, absl::string_view whose) {
  if (key != nullptr && IsRsa(key)) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= kRsaBitsMin) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(whose, ": found RSA with ", bits, " bits, want ", kRsaBitsMin, " or more"));
  }
  if (key != nullptr && IsEc(key) && FindCurve(key) != nullptr) return absl::OkStatus();
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(
      whose, ": found another kind of key, want RSA, or ECDSA on P-256, P-384, P-521"));
}

absl::Status OurFailure() {
  return absl::InternalError(absl::StrCat("signature: ", TakeOpensslError()));
}

bool SetUp(const Algorithm& algorithm, EVP_PKEY_CTX* context) {
  switch (algorithm.scheme) {
    case Scheme::kRsaPkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    case Scheme::kRsaPss:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, algorithm.pss_salt_bytes) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, Find(algorithm.hash)) == 1;
    case Scheme::kEcdsa:
      return true;
  }
  return false;
}

absl::StatusOr<Bytes> SignWith(const Algorithm& algorithm, EVP_PKEY* key, ByteSpan octets) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;  // belongs to `context`
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), &key_context, Find(algorithm.hash), nullptr, key) != 1 ||
      !SetUp(algorithm, key_context)) {
    return OurFailure();
  }
  size_t size = static_cast<size_t>(EVP_PKEY_get_size(key));
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, octets.data(), octets.size()) != 1) {
    return OurFailure();
  }
  signature.resize(size);
  return signature;
}

absl::Status VerifyWith(const Algorithm& algorithm, EVP_PKEY* key, ByteSpan signature,
                        ByteSpan octets) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;  // belongs to `context`
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), &key_context, Find(algorithm.hash), nullptr, key) != 1 ||
      !SetUp(algorithm, key_context)) {
    return OurFailure();
  }
  const bool fits = EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                     octets.data(), octets.size()) == 1;
  ERR_clear_error();
  if (fits) return absl::OkStatus();
  return absl::PermissionDeniedError("AUTH payload: the signature does not fit the certificate");
}

// r | s, each as long as the curve's order (RFC 4754, 7), and DER (RFC 3279) as OpenSSL has it.
absl::StatusOr<Bytes> DerToPair(ByteSpan der, size_t number_bytes) {
  const uint8_t* at = der.data();
  const EcdsaSigPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  Bytes pair(2 * number_bytes);
  const int size = static_cast<int>(number_bytes);
  if (signature == nullptr ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), pair.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), pair.data() + number_bytes, size) != size) {
    return OurFailure();
  }
  return pair;
}

// Requires: 2 * number_bytes bytes.
Bytes PairToDer(ByteSpan pair, size_t number_bytes) {
  const int size = static_cast<int>(number_bytes);
  const EcdsaSigPtr signature(ECDSA_SIG_new());
  SEKISHO_CHECK(signature != nullptr &&
                ECDSA_SIG_set0(signature.get(), BN_bin2bn(pair.data(), size, nullptr),
                               BN_bin2bn(pair.data() + number_bytes, size, nullptr)) == 1);
  uint8_t* der = nullptr;
  const int der_bytes = i2d_ECDSA_SIG(signature.get(), &der);
  SEKISHO_CHECK(der_bytes > 0);
  Bytes bytes(der, der + der_bytes);
  OPENSSL_free(der);
  return bytes;
}

Bytes EncodeAlgorithm(const NamedAlgorithm& named) {
  const AlgorithmPtr identifier(X509_ALGOR_new());
  // RFC 7427, A: NULL parameters with RSA, none with ECDSA.
  const int parameters = named.scheme == Scheme::kEcdsa ? V_ASN1_UNDEF : V_ASN1_NULL;
  SEKISHO_CHECK(identifier != nullptr && X509_ALGOR_set0(identifier.get(), OBJ_nid2obj(named.nid),
                                                         parameters, nullptr) == 1);
  uint8_t* der = nullptr;
  const int size = i2d_X509_ALGOR(identifier.get(), &der);
  SEKISHO_CHECK(size > 0);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

std::optional<Hash> HashOf(const X509_ALGOR* identifier) {
  const ASN1_OBJECT* object = nullptr;
  if (identifier == nullptr) return std::nullopt;  // the default, SHA-1
  X509_ALGOR_get0(&object, nullptr, nullptr, identifier);
  switch (OBJ_obj2nid(object)) {
    case NID_sha256:
      return Hash::kSha2_256;
    case NID_sha384:
      return Hash::kSha2_384;
    case NID_sha512:
      return Hash::kSha2_512;
    default:
      return std::nullopt;
  }
}

// RFC 4055, 3.1: MGF1 with the hash of the message and the usual trailer; any length of salt.
std::optional<Algorithm> DecodePss(int parameter_type, const void* parameter) {
  if (parameter_type != V_ASN1_SEQUENCE) return std::nullopt;
  const auto* sequence = static_cast<const ASN1_STRING*>(parameter);
  const uint8_t* at = ASN1_STRING_get0_data(sequence);
  const PssParametersPtr pss(d2i_RSA_PSS_PARAMS(nullptr, &at, ASN1_STRING_length(sequence)));
  if (pss == nullptr || pss->maskGenAlgorithm == nullptr) return std::nullopt;
  const ASN1_OBJECT* mask = nullptr;
  int mask_type = 0;
  const void* mask_value = nullptr;
  X509_ALGOR_get0(&mask, &mask_type, &mask_value, pss->maskGenAlgorithm);
  if (OBJ_obj2nid(mask) != NID_mgf1 || mask_type != V_ASN1_SEQUENCE) return std::nullopt;
  const auto* mask_sequence = static_cast<const ASN1_STRING*>(mask_value);
  const uint8_t* mask_at = ASN1_STRING_get0_data(mask_sequence);
  const AlgorithmPtr mask_hash(
      d2i_X509_ALGOR(nullptr, &mask_at, ASN1_STRING_length(mask_sequence)));
  const auto hash = HashOf(pss->hashAlgorithm);
  if (!hash || HashOf(mask_hash.get()) != hash) return std::nullopt;
  const long salt = pss->saltLength == nullptr ? 20 : ASN1_INTEGER_get(pss->saltLength);
  const long trailer = pss->trailerField == nullptr ? 1 : ASN1_INTEGER_get(pss->trailerField);
  if (salt < 0 || salt > 512 || trailer != 1) return std::nullopt;
  return Algorithm{Scheme::kRsaPss, *hash, static_cast<int>(salt)};
}

absl::Status UnknownAlgorithm(absl::string_view what) {
  ERR_clear_error();
  return absl::UnimplementedError(
      absl::StrCat("AUTH payload: found ", what,
                   ", want RSA (PKCS #1 v1.5 or PSS) or ECDSA with SHA2-256, "
                   "SHA2-384 or SHA2-512"));
}

absl::StatusOr<Algorithm> DecodeAlgorithm(ByteSpan der) {
  const uint8_t* at = der.data();
  const AlgorithmPtr identifier(d2i_X509_ALGOR(nullptr, &at, static_cast<long>(der.size())));
  if (identifier == nullptr || at != der.data() + der.size()) {
    return UnknownAlgorithm("an algorithm identifier that is not DER");
  }
  const ASN1_OBJECT* object = nullptr;
  int parameter_type = 0;
  const void* parameter = nullptr;
  X509_ALGOR_get0(&object, &parameter_type, &parameter, identifier.get());
  const int nid = OBJ_obj2nid(object);
  for (const NamedAlgorithm& named : kAlgorithms) {
    if (named.nid == nid) return Algorithm{named.scheme, named.hash};
  }
  if (nid == NID_rsassaPss) {
    if (const auto pss = DecodePss(parameter_type, parameter)) return *pss;
    return UnknownAlgorithm("RSASSA-PSS with other parameters");
  }
  char name[80] = {};
  OBJ_obj2txt(name, sizeof(name), object, 0);
  return UnknownAlgorithm(absl::StrCat("signature algorithm ", name));
}

// The hash of the curve, or SHA2-256 for RSA; else the next one that the peer takes.
const NamedAlgorithm* ChooseAlgorithm(const EVP_PKEY* key, const std::vector<HashId>& peer_hashes) {
  const Scheme scheme = IsRsa(key) ? Scheme::kRsaPkcs1 : Scheme::kEcdsa;
  std::vector<HashId> order = OfferedHashes();
  if (const Curve* curve = scheme == Scheme::kEcdsa ? FindCurve(key) : nullptr) {
    order.insert(order.begin(), curve->hash_id);
  }
  for (HashId hash : order) {
    if (std::find(peer_hashes.begin(), peer_hashes.end(), hash) == peer_hashes.end()) continue;
    for (const NamedAlgorithm& named : kAlgorithms) {
      if (named.scheme == scheme && named.hash_id == hash) return &named;
    }
  }
  return nullptr;
}

// RFC 7427, 3: length of the AlgorithmIdentifier, the identifier, the signature.
absl::StatusOr<AuthPayload> SignDigitally(EVP_PKEY* key, const NamedAlgorithm& named,
                                          ByteSpan octets) {
  SEKISHO_ASSIGN_OR_RETURN(const Bytes signature,
                           SignWith({named.scheme, named.hash}, key, octets));
  const Bytes identifier = EncodeAlgorithm(named);
  ByteWriter out;
  out.WriteU8(static_cast<uint8_t>(identifier.size()));
  out.WriteBytes(identifier);
  out.WriteBytes(signature);
  return AuthPayload{AuthMethod::kDigitalSignature, std::move(out).Take()};
}

// The methods from before RFC 7427.
absl::StatusOr<AuthPayload> SignLegacy(EVP_PKEY* key, ByteSpan octets) {
  if (IsRsa(key)) {
    SEKISHO_ASSIGN_OR_RETURN(Bytes signature,
                             SignWith({Scheme::kRsaPkcs1, Hash::kSha1}, key, octets));
    return AuthPayload{AuthMethod::kRsaSignature, std::move(signature)};
  }
  const Curve* curve = FindCurve(key);
  SEKISHO_CHECK(curve != nullptr);
  SEKISHO_ASSIGN_OR_RETURN(const Bytes der, SignWith({Scheme::kEcdsa, curve->hash}, key, octets));
  SEKISHO_ASSIGN_OR_RETURN(Bytes pair, DerToPair(der, curve->number_bytes));
  return AuthPayload{curve->method, std::move(pair)};
}

absl::Status VerifyDigital(EVP_PKEY* key, ByteSpan data, ByteSpan octets) {
  ByteReader in(data);
  const ByteSpan identifier = in.ReadBytes(in.ReadU8());
  const ByteSpan signature = in.ReadRest();
  if (!in.ok()) {
    return absl::InvalidArgumentError(
        "AUTH payload: algorithm identifier: longer than the payload");
  }
  SEKISHO_ASSIGN_OR_RETURN(const Algorithm algorithm, DecodeAlgorithm(identifier));
  if ((algorithm.scheme == Scheme::kEcdsa) != IsEc(key)) {
    return absl::PermissionDeniedError(
        "AUTH payload: the signature algorithm is not for the certificate's kind of key");
  }
  return VerifyWith(algorithm, key, signature, octets);
}

absl::Status VerifyEcdsa(EVP_PKEY* key, const AuthPayload& auth, ByteSpan octets) {
  const Curve* curve = IsEc(key) ? FindCurve(key) : nullptr;
  if (curve == nullptr || curve->method != auth.method) {
    return absl::PermissionDeniedError(
        "AUTH payload: the ECDSA method is not for the certificate's kind of key");
  }
  if (auth.data.size() != 2 * curve->number_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("AUTH payload: signature: found ",
                                                   auth.data.size(), " bytes, want ",
                                                   2 * curve->number_bytes));
  }
  return VerifyWith({Scheme::kEcdsa, curve->hash}, key, PairToDer(auth.data, curve->number_bytes),
                    octets);
}

absl::Status VerifyRsaSha1(EVP_PKEY* key, const AuthPayload& auth,
                           const std::vector<HashId>& peer_hashes, ByteSpan octets) {
  if (!peer_hashes.empty()) {
    return absl::PermissionDeniedError(
        "AUTH payload: found an RSA signature with SHA-1 of a peer that knows RFC 7427, want "
        "method 14 with SHA2");
  }
  if (!IsRsa(key)) {
    return absl::PermissionDeniedError(
        "AUTH payload: an RSA signature, and the certificate has another kind of key");
  }
  return VerifyWith({Scheme::kRsaPkcs1, Hash::kSha1}, key, auth.data, octets);
}

}  // namespace

const std::vector<HashId>& OfferedHashes() {
  static const auto* const hashes =
      new std::vector<HashId>{HashId::kSha2_256, HashId::kSha2_384, HashId::kSha2_512};
  return *hashes;
}

Bytes EncodeHashes(const std::vector<HashId>& hashes) {
  ByteWriter out;
  for (HashId hash : hashes) out.WriteU16(static_cast<uint16_t>(hash));
  return std::move(out).Take();
}

std::vector<HashId> ParseHashes(ByteSpan data) {
  std::vector<HashId> hashes;
  ByteReader in(data);
  while (in.remaining() >= 2) {
    const HashId hash{in.ReadU16()};
    const bool known = hash >= HashId::kSha1 && hash <= HashId::kSha2_512;
    if (known && std::find(hashes.begin(), hashes.end(), hash) == hashes.end()) {
      hashes.push_back(hash);
    }
  }
  return hashes;
}

PrivateKey::~PrivateKey() { EVP_PKEY_free(key_); }

absl::StatusOr<std::shared_ptr<const PrivateKey>> PrivateKey::FromPem(absl::string_view pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  SEKISHO_CHECK(in != nullptr);
  // Never asks at a terminal: a key with a passphrase is refused.
  bool asked = false;
  const auto refuse = [](char*, int, int, void* user) {
    *static_cast<bool*>(user) = true;
    return -1;
  };
  KeyPtr key(PEM_read_bio_PrivateKey_ex(in.get(), nullptr, refuse, &asked, nullptr, nullptr));
  if (key == nullptr) {
    const std::string reason = TakeOpensslError();
    if (asked) {
      return absl::InvalidArgumentError(
          "private key: found one under a passphrase, want one without");
    }
    return absl::InvalidArgumentError(
        absl::StrCat("private key: found none, want -----BEGIN PRIVATE KEY----- (", reason, ")"));
  }
  SEKISHO_RETURN_IF_ERROR(CheckKey(key.get(), "private key"));
  return std::shared_ptr<const PrivateKey>(new PrivateKey(key.release()));
}

bool PrivateKey::Matches(const Certificate& certificate) const {
  const bool same = EVP_PKEY_eq(key_, certificate.public_key()) == 1;
  ERR_clear_error();
  return same;
}

absl::StatusOr<AuthPayload> Sign(const PrivateKey& key, const std::vector<HashId>& peer_hashes,
                                 ByteSpan octets) {
  const NamedAlgorithm* named = ChooseAlgorithm(key.key(), peer_hashes);
  return named == nullptr ? SignLegacy(key.key(), octets)
                          : SignDigitally(key.key(), *named, octets);
}

absl::Status Verify(const Certificate& certificate, const AuthPayload& auth, ByteSpan octets,
                    const std::vector<HashId>& peer_hashes) {
  EVP_PKEY* const key = certificate.public_key();
  SEKISHO_RETURN_IF_ERROR(CheckKey(key, "the certificate's key"));
  switch (auth.method) {
    case AuthMethod::kDigitalSignature:
      return VerifyDigital(key, auth.data, octets);
    case AuthMethod::kRsaSignature:
      return VerifyRsaSha1(key, auth, peer_hashes, octets);
    case AuthMethod::kEcdsaSha256P256:
    case AuthMethod::kEcdsaSha384P384:
    case AuthMethod::kEcdsaSha512P521:
      return VerifyEcdsa(key, auth, octets);
    case AuthMethod::kSharedKey:
      break;
  }
  return UnknownAlgorithm(absl::StrCat("authentication method ", static_cast<int>(auth.method)));
}

}  // namespace sekisho::ike
