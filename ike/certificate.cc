#include "ike/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "ike/distinguished_name.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslDelete<GENERAL_NAMES_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, OpensslDelete<X509_STORE_CTX_free>>;

// 112 bits: RSA and DSA keys from 2048 bits, no SHA-1 or MD5 in a signature below the authority.
constexpr int kSecurityLevel = 2;
constexpr int kChainDepthMax = 8;

using Asn1TimePtr = std::unique_ptr<ASN1_TIME, OpensslDelete<ASN1_TIME_free>>;

absl::Time ToTime(const ASN1_TIME* time) {
  const Asn1TimePtr epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0, seconds = 0;
  if (time == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
    return absl::InfinitePast();
  }
  return absl::UnixEpoch() + days * absl::Hours(24) + absl::Seconds(seconds);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

absl::string_view TextOf(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}
absl::string_view TextOf(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A dNSName of a certificate against the name that a peer is called by. '*' is a whole left-most
// label, and stands for one label (RFC 6125, 6.4.3).
bool DnsNameMatches(absl::string_view pattern, absl::string_view name) {
  if (name.empty() || absl::StrContains(name, '*')) return false;
  if (!absl::StartsWith(pattern, "*.")) return absl::EqualsIgnoreCase(pattern, name);
  const size_t dot = name.find('.');
  if (dot == absl::string_view::npos || dot == 0) return false;
  return absl::EqualsIgnoreCase(pattern.substr(1), name.substr(dot));
}

bool AltNameMatches(const GENERAL_NAME* alternative, const Identity& identity) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(alternative, &type);
  switch (identity.type) {
    case IdentityType::kFqdn:
      return type == GEN_DNS &&
             DnsNameMatches(TextOf(static_cast<const ASN1_STRING*>(value)), TextOf(identity.data));
    case IdentityType::kRfc822Address:
      return type == GEN_EMAIL &&
             absl::EqualsIgnoreCase(TextOf(static_cast<const ASN1_STRING*>(value)),
                                    TextOf(identity.data));
    case IdentityType::kIpv4Address:
    case IdentityType::kIpv6Address:
      return type == GEN_IPADD &&
             TextOf(static_cast<const ASN1_STRING*>(value)) == TextOf(identity.data);
    case IdentityType::kDerAsn1Dn: {
      const X509NamePtr name = DecodeName(identity.data);
      return type == GEN_DIRNAME && name != nullptr &&
             SameName(static_cast<const X509_NAME*>(value), name.get());
    }
    case IdentityType::kKeyId:
      break;
  }
  return false;
}

bool CommonNameMatches(const X509_NAME* subject, const Identity& identity) {
  if (identity.type != IdentityType::kFqdn) return false;
  for (const NameAttribute& attribute : NameAttributes(subject)) {
    if (attribute.nid == NID_commonName &&
        absl::EqualsIgnoreCase(attribute.value, TextOf(identity.data))) {
      return true;
    }
  }
  return false;
}

// RFC 4945, 5.1.3.2: where key usage is limited, it must allow signatures. Extended key usage is
// the authority's business: certificates for TLS servers and clients are in use for IKE.
absl::Status CheckKeyUsage(const Certificate& leaf) {
  constexpr uint32_t kSigns = KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION;
  if ((X509_get_key_usage(leaf.x509()) & kSigns) != 0) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("certificate '", leaf.SubjectText(),
                   "': its key usage allows no signatures, want digitalSignature"));
}

absl::Status DescribeFailure(X509_STORE_CTX* context, const Certificate& leaf, absl::Time now) {
  X509* const at = X509_STORE_CTX_get_current_cert(context);
  X509* const certificate = at == nullptr ? leaf.x509() : at;
  const std::string subject = NameText(X509_get_subject_name(certificate));
  const std::string issuer = NameText(X509_get_issuer_name(certificate));
  const int error = X509_STORE_CTX_get_error(context);
  const auto failed = [&subject](auto... what) {
    return absl::PermissionDeniedError(absl::StrCat("certificate '", subject, "'", what...));
  };
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return failed(" expired at ", TimeText(ToTime(X509_get0_notAfter(certificate))),
                    ", now it is ", TimeText(now));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return failed(" is valid only from ", TimeText(ToTime(X509_get0_notBefore(certificate))),
                    ", now it is ", TimeText(now));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return failed(": its issuer '", issuer,
                    "' is neither a trusted authority nor among the certificates sent");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return failed(" signed itself and is not a trusted authority");
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return failed(": the signature of '", issuer, "' on it is wrong");
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return failed(": its key is too short, want RSA of 2048 bits or more, or ECDSA");
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return failed(" is signed with a broken hash, want SHA-256 or better");
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
      return failed(" issued a certificate and is not an authority");
    default:
      return failed(": ", X509_verify_cert_error_string(error));
  }
}

}  // namespace

Certificate::Certificate(x509_st* x509) : x509_(x509) {
  uint8_t* der = nullptr;
  const int size = i2d_X509(x509_, &der);
  if (size > 0) der_.assign(der, der + size);
  OPENSSL_free(der);
  // Reads the extensions now, so that later calls, on any thread, only look.
  X509_check_purpose(x509_, -1, 0);
  ERR_clear_error();
}

Certificate::~Certificate() { X509_free(x509_); }

absl::StatusOr<std::shared_ptr<const Certificate>> Certificate::FromDer(ByteSpan der) {
  const uint8_t* at = der.data();
  X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (x509 == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate: not X.509 in DER (", TakeOpensslError(), ")"));
  }
  if (at != der.data() + der.size()) {
    return absl::InvalidArgumentError("certificate: found bytes behind its end");
  }
  return std::shared_ptr<const Certificate>(new Certificate(x509.release()));
}

absl::StatusOr<std::vector<std::shared_ptr<const Certificate>>> Certificate::FromPem(
    absl::string_view pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<std::shared_ptr<const Certificate>> certificates;
  SEKISHO_CHECK(in != nullptr);
  while (X509* const x509 = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    certificates.push_back(std::shared_ptr<const Certificate>(new Certificate(x509)));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = TakeOpensslError();
  if (!at_end) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate ", certificates.size() + 1, ": unreadable PEM (", reason, ")"));
  }
  if (certificates.empty()) {
    return absl::InvalidArgumentError("found no certificate, want -----BEGIN CERTIFICATE-----");
  }
  return certificates;
}

Identity Certificate::subject() const {
  return {IdentityType::kDerAsn1Dn, EncodeName(X509_get_subject_name(x509_))};
}
std::string Certificate::SubjectText() const { return NameText(X509_get_subject_name(x509_)); }
std::string Certificate::IssuerText() const { return NameText(X509_get_issuer_name(x509_)); }
absl::Time Certificate::not_before() const { return ToTime(X509_get0_notBefore(x509_)); }
absl::Time Certificate::not_after() const { return ToTime(X509_get0_notAfter(x509_)); }
evp_pkey_st* Certificate::public_key() const { return X509_get0_pubkey(x509_); }

bool Certificate::Matches(const Identity& identity) const {
  X509_NAME* const own_subject = X509_get_subject_name(x509_);
  if (identity.type == IdentityType::kDerAsn1Dn) {
    const X509NamePtr name = DecodeName(identity.data);
    if (name != nullptr && SameName(name.get(), own_subject)) return true;
  }
  const GeneralNamesPtr alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509_, NID_subject_alt_name, nullptr, nullptr)));
  if (alternatives == nullptr) {
    ERR_clear_error();
    // An extension that is there but does not parse is not the same as none.
    return X509_get_ext_by_NID(x509_, NID_subject_alt_name, -1) < 0 &&
           CommonNameMatches(own_subject, identity);
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    if (AltNameMatches(sk_GENERAL_NAME_value(alternatives.get(), i), identity)) return true;
  }
  return false;
}

Bytes Certificate::PublicKeyHash() const {
  uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509_), &der);
  Bytes hash(DigestBytes(Hash::kSha1));
  SEKISHO_CHECK(size > 0 && EVP_Digest(der, static_cast<size_t>(size), hash.data(), nullptr,
                                       Find(Hash::kSha1), nullptr) == 1);
  OPENSSL_free(der);
  return hash;
}

struct TrustStore::Store {
  std::unique_ptr<X509_STORE, OpensslDelete<X509_STORE_free>> x509_store;
};

TrustStore::TrustStore(std::vector<std::shared_ptr<const Certificate>> authorities)
    : authorities_(std::move(authorities)), store_(std::make_unique<Store>()) {
  store_->x509_store.reset(X509_STORE_new());
  SEKISHO_CHECK(store_->x509_store != nullptr);
  for (const auto& authority : authorities_) {
    SEKISHO_CHECK(X509_STORE_add_cert(store_->x509_store.get(), authority->x509()) == 1);
  }
}

TrustStore::~TrustStore() = default;

absl::Status TrustStore::Verify(
    const Certificate& leaf, const std::vector<std::shared_ptr<const Certificate>>& intermediates,
    absl::Time now) const {
  using StackPtr = std::unique_ptr<STACK_OF(X509),
                                   decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;
  const StackPtr untrusted(sk_X509_new_null());
  SEKISHO_CHECK(untrusted != nullptr);
  for (const auto& intermediate : intermediates) {
    SEKISHO_CHECK(sk_X509_push(untrusted.get(), intermediate->x509()) > 0);
  }
  const StoreContextPtr context(X509_STORE_CTX_new());
  SEKISHO_CHECK(context != nullptr && X509_STORE_CTX_init(context.get(), store_->x509_store.get(),
                                                          leaf.x509(), untrusted.get()) == 1);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, absl::ToTimeT(now));
  X509_VERIFY_PARAM_set_depth(parameters, kChainDepthMax);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  // An authority that an operator names is trusted, also one that another authority signed.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  const bool valid = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!valid) return DescribeFailure(context.get(), leaf, now);
  return CheckKeyUsage(leaf);
}

}  // namespace sekisho::ike
