// tests/ike/test_certificates.h: certificates made for one test: each has its own key, its fields
// are what the test says, and its times are fixed.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "ike/certificate.h"
#include "ike/openssl.h"
#include "ike/signature.h"

namespace sekisho::ike {

inline const absl::Time kTestStart = absl::FromUnixSeconds(1'700'000'000);
inline const absl::Time kTestNow = kTestStart + absl::Hours(24);

struct TestCertificate {
  KeyPtr key;
  std::string key_pem, certificate_pem;
  std::shared_ptr<const Certificate> certificate;
  std::shared_ptr<const PrivateKey> private_key;  // nullptr: the key was refused
};

struct TestCertificateOptions {
  std::vector<std::pair<std::string, std::string>> subject = {{"CN", "test"}};
  std::vector<std::pair<int, std::string>> extensions;  // {NID_subject_alt_name, "DNS:a.example"}
  std::string curve = "P-256";                          // empty: RSA
  unsigned int rsa_bits = 2048;
  bool authority = false;
  absl::Duration validity = absl::Hours(24 * 365);
  const TestCertificate* issuer = nullptr;  // nullptr: signs itself
};

inline std::string PemOf(int (*write)(BIO*, const X509*), const X509* x509) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  write(out.get(), x509);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

inline std::string PemOf(EVP_PKEY* key, const EVP_CIPHER* cipher = nullptr) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  char passphrase[] = "secret";
  PEM_write_bio_PKCS8PrivateKey(out.get(), key, cipher, cipher ? passphrase : nullptr,
                                cipher ? 6 : 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

inline TestCertificate MakeCertificate(const TestCertificateOptions& options) {
  TestCertificate made;
  made.key.reset(options.curve.empty()
                     ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{options.rsa_bits})
                     : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", options.curve.c_str()));
  X509* const x509 = X509_new();
  X509_set_version(x509, X509_VERSION_3);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(x509), absl::ToTimeT(kTestStart));
  ASN1_TIME_set(X509_getm_notAfter(x509), absl::ToTimeT(kTestStart + options.validity));
  X509_set_pubkey(x509, made.key.get());
  X509_NAME* const name = X509_get_subject_name(x509);
  for (const auto& [type, value] : options.subject) {
    X509_NAME_add_entry_by_txt(name, type.c_str(), MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  }
  X509* const issuer = options.issuer ? options.issuer->certificate->x509() : x509;
  X509_set_issuer_name(x509, X509_get_subject_name(issuer));
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  auto extensions = options.extensions;
  if (options.authority) extensions.push_back({NID_basic_constraints, "critical,CA:TRUE"});
  for (const auto& [nid, value] : extensions) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(x509, options.issuer ? options.issuer->key.get() : made.key.get(), EVP_sha256());
  made.certificate_pem = PemOf(PEM_write_bio_X509, x509);
  X509_free(x509);
  made.key_pem = PemOf(made.key.get());
  made.certificate = Certificate::FromPem(made.certificate_pem)->front();
  if (auto key = PrivateKey::FromPem(made.key_pem); key.ok()) made.private_key = *std::move(key);
  return made;
}

}  // namespace sekisho::ike
