// ike/certificate.h: X.509 certificates as IKE uses them (RFC 4945), over OpenSSL.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/bytes.h"
#include "ike/identity.h"

struct x509_st;
struct evp_pkey_st;

namespace sekisho::ike {

// Immutable, may be used from any thread.
class Certificate {
 public:
  ~Certificate();
  static absl::StatusOr<std::shared_ptr<const Certificate>> FromDer(ByteSpan der);
  // Every certificate in a PEM text, in order; fails if there is none.
  static absl::StatusOr<std::vector<std::shared_ptr<const Certificate>>> FromPem(
      absl::string_view pem);

  const Bytes& der() const { return der_; }
  Identity subject() const;         // kDerAsn1Dn
  std::string SubjectText() const;  // for people: "CN=client1, O=Example"
  std::string IssuerText() const;
  absl::Time not_before() const;
  absl::Time not_after() const;
  // Does the certificate speak for this identity: its subject, or one of its subjectAltNames?
  bool Matches(const Identity& identity) const;
  // SHA-1 over the SubjectPublicKeyInfo, as CERTREQ names an authority (RFC 7296, 3.7).
  Bytes PublicKeyHash() const;

  x509_st* x509() const { return x509_; }
  evp_pkey_st* public_key() const;

 private:
  explicit Certificate(x509_st* x509);
  x509_st* x509_;
  Bytes der_;
};

// The authorities that a connection trusts. Immutable, may be used from any thread.
class TrustStore {
 public:
  explicit TrustStore(std::vector<std::shared_ptr<const Certificate>> authorities);
  ~TrustStore();

  // Is there a chain from `leaf` over `intermediates` to an authority, valid at `now`? The error
  // says what was wrong in words an operator can act on.
  absl::Status Verify(const Certificate& leaf,
                      const std::vector<std::shared_ptr<const Certificate>>& intermediates,
                      absl::Time now) const;
  const std::vector<std::shared_ptr<const Certificate>>& authorities() const {
    return authorities_;
  }

 private:
  std::vector<std::shared_ptr<const Certificate>> authorities_;
  struct Store;
  std::unique_ptr<Store> store_;
};

}  // namespace sekisho::ike
