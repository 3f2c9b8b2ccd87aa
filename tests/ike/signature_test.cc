#include "ike/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/hex.h"
#include "tests/ike/test_certificates.h"

namespace sekisho::ike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Bytes kOctets = TextBytes("message | nonce | prf(SK_p, ID)");

// Making RSA keys takes time: one for all tests.
const TestCertificate& Rsa() {
  static const auto* const made = new TestCertificate(MakeCertificate({.curve = ""}));
  return *made;
}
const TestCertificate& Ecdsa(const std::string& curve) {
  static auto* const made = new std::vector<std::pair<std::string, TestCertificate>>;
  for (const auto& [name, certificate] : *made) {
    if (name == curve) return certificate;
  }
  made->reserve(4);
  return made->emplace_back(curve, MakeCertificate({.curve = curve})).second;
}

std::string IdentifierHex(const AuthPayload& auth) {
  return ToHex(ByteSpan(auth.data).subspan(1, auth.data[0]));
}

// The signature fits; with one bit of it, of the octets or of the key changed it does not.
void ExpectFitsOnlyThis(const TestCertificate& own, const TestCertificate& other,
                        const AuthPayload& auth, const std::vector<HashId>& peer_hashes) {
  EXPECT_EQ(Verify(*own.certificate, auth, kOctets, peer_hashes), absl::OkStatus());
  AuthPayload forged = auth;
  forged.data.back() ^= 1;
  EXPECT_FALSE(Verify(*own.certificate, forged, kOctets, peer_hashes).ok());
  Bytes octets = kOctets;
  octets[0] ^= 1;
  EXPECT_EQ(Verify(*own.certificate, auth, octets, peer_hashes).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(Verify(*other.certificate, auth, kOctets, peer_hashes).ok());
}

// RFC 7427, A.1: sha256WithRSAEncryption is the default; A.3: ECDSA with the curve's hash.
TEST(SignatureTest, Rfc7427IdentifiersAndRoundTrip) {
  const struct {
    const TestCertificate& own;
    const char* identifier;
  } cases[] = {{Rsa(), "300d06092a864886f70d01010b0500"},
               {Ecdsa("P-256"), "300a06082a8648ce3d040302"},
               {Ecdsa("P-384"), "300a06082a8648ce3d040303"},
               {Ecdsa("P-521"), "300a06082a8648ce3d040304"}};
  const TestCertificate other = MakeCertificate({});
  for (const auto& c : cases) {
    const auto auth = Sign(*c.own.private_key, OfferedHashes(), kOctets);
    ASSERT_TRUE(auth.ok()) << auth.status();
    EXPECT_EQ(auth->method, AuthMethod::kDigitalSignature);
    EXPECT_EQ(IdentifierHex(*auth), c.identifier);
    ExpectFitsOnlyThis(c.own, other, *auth, OfferedHashes());
  }
}

// A peer that takes only one hash gets that one.
TEST(SignatureTest, HashIsOneThePeerTakes) {
  const auto rsa = Sign(*Rsa().private_key, {HashId::kSha1, HashId::kSha2_512}, kOctets);
  EXPECT_EQ(IdentifierHex(*rsa), "300d06092a864886f70d01010d0500");
  EXPECT_EQ(Verify(*Rsa().certificate, *rsa, kOctets), absl::OkStatus());
  const auto ecdsa = Sign(*Ecdsa("P-256").private_key, {HashId::kSha2_384}, kOctets);
  EXPECT_EQ(IdentifierHex(*ecdsa), "300a06082a8648ce3d040303");
  EXPECT_EQ(Verify(*Ecdsa("P-256").certificate, *ecdsa, kOctets), absl::OkStatus());
}

// RFC 4754: r | s of the curve's size.
TEST(SignatureTest, LegacyEcdsa) {
  const struct {
    const char* curve;
    AuthMethod method;
    size_t bytes;
  } cases[] = {{"P-256", AuthMethod::kEcdsaSha256P256, 64},
               {"P-384", AuthMethod::kEcdsaSha384P384, 96},
               {"P-521", AuthMethod::kEcdsaSha512P521, 132}};
  for (const auto& c : cases) {
    const auto auth = Sign(*Ecdsa(c.curve).private_key, {}, kOctets);
    ASSERT_TRUE(auth.ok()) << auth.status();
    EXPECT_EQ(auth->method, c.method);
    EXPECT_EQ(auth->data.size(), c.bytes);
    ExpectFitsOnlyThis(Ecdsa(c.curve), MakeCertificate({.curve = c.curve}), *auth, {});
    AuthPayload cut = *auth;
    cut.data.pop_back();
    EXPECT_THAT(Verify(*Ecdsa(c.curve).certificate, cut, kOctets).message(), HasSubstr("bytes"));
  }
}

// Method 1 is SHA-1: only between peers that do not know better.
TEST(SignatureTest, LegacyRsaOnlyWithoutRfc7427) {
  const auto auth = Sign(*Rsa().private_key, {}, kOctets);
  ASSERT_TRUE(auth.ok()) << auth.status();
  EXPECT_EQ(auth->method, AuthMethod::kRsaSignature);
  ExpectFitsOnlyThis(Rsa(), Ecdsa("P-256"), *auth, {});
  EXPECT_THAT(Verify(*Rsa().certificate, *auth, kOctets, OfferedHashes()).message(),
              HasSubstr("want method 14"));
}

Bytes SignPss(EVP_PKEY* key, const EVP_MD* digest, int salt) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  EVP_DigestSignInit(context.get(), &key_context, digest, nullptr, key);
  EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING);
  EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, salt);
  size_t size = static_cast<size_t>(EVP_PKEY_get_size(key));
  Bytes signature(size);
  EVP_DigestSign(context.get(), signature.data(), &size, kOctets.data(), kOctets.size());
  return signature;
}

AuthPayload Digital(const Bytes& identifier, const Bytes& signature) {
  ByteWriter out;
  out.WriteU8(static_cast<uint8_t>(identifier.size()));
  out.WriteBytes(identifier);
  out.WriteBytes(signature);
  return {AuthMethod::kDigitalSignature, std::move(out).Take()};
}

// RFC 7427, A.4.3: RSASSA-PSS with SHA-256 in both places and a salt of 32.
const char kPssSha256[] =
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
    "300d06096086480165030402010500a203020120";

TEST(SignatureTest, RsaPssIsVerified) {
  const auto auth = Digital(Hex(kPssSha256), SignPss(Rsa().key.get(), EVP_sha256(), 32));
  ExpectFitsOnlyThis(Rsa(), Ecdsa("P-256"), auth, OfferedHashes());
  const auto other_salt = Digital(Hex(kPssSha256), SignPss(Rsa().key.get(), EVP_sha256(), 20));
  EXPECT_FALSE(Verify(*Rsa().certificate, other_salt, kOctets).ok());
}

// SHA-1, as the defaults of RSASSA-PSS and sha1WithRSAEncryption have it, Ed25519, and no DER.
TEST(SignatureTest, OtherAlgorithmsAreNamed) {
  const Bytes signature(256, 1);
  for (const char* identifier : {"300d06092a864886f70d01010a3000", "300d06092a864886f70d0101050500",
                                 "300506032b6570", "3005", ""}) {
    const auto status = Verify(*Rsa().certificate, Digital(Hex(identifier), signature), kOctets);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << identifier << status;
  }
  EXPECT_EQ(Verify(*Rsa().certificate, {AuthMethod{200}, signature}, kOctets).code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Verify(*Rsa().certificate, {AuthMethod::kDigitalSignature, {9, 1}}, kOctets).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Verify(*Rsa().certificate, {AuthMethod::kDigitalSignature, {}}, kOctets).ok());
}

// Nothing that a peer puts into AUTH makes more than an error.
TEST(SignatureTest, FlippedIdentifierNeverFits) {
  const auto auth = Digital(Hex(kPssSha256), SignPss(Rsa().key.get(), EVP_sha256(), 32));
  for (size_t bit = 8; bit < (1 + sizeof(kPssSha256) / 2) * 8; ++bit) {
    AuthPayload forged = auth;
    forged.data[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Verify(*Rsa().certificate, forged, kOctets).IgnoreError();
  }
}

TEST(SignatureTest, HashList) {
  EXPECT_EQ(ToHex(EncodeHashes(OfferedHashes())), "000200030004");
  EXPECT_THAT(ParseHashes(Hex("0001 0005 0004 0004 00")),
              ElementsAre(HashId::kSha1, HashId::kSha2_512));
}

TEST(PrivateKeyTest, RefusesWhatItCannotUse) {
  EXPECT_THAT(PrivateKey::FromPem("x").status().message(), HasSubstr("found none"));
  EXPECT_THAT(PrivateKey::FromPem(PemOf(Rsa().key.get(), EVP_aes_128_cbc())).status().message(),
              HasSubstr("passphrase"));
  const auto small = MakeCertificate({.curve = "", .rsa_bits = 1024});
  EXPECT_THAT(PrivateKey::FromPem(small.key_pem).status().message(), HasSubstr("1024 bits"));
  const KeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_THAT(PrivateKey::FromPem(PemOf(ed25519.get())).status().message(),
              HasSubstr("another kind of key"));
}

TEST(PrivateKeyTest, MatchesItsCertificateOnly) {
  EXPECT_TRUE(Rsa().private_key->Matches(*Rsa().certificate));
  EXPECT_FALSE(Rsa().private_key->Matches(*Ecdsa("P-256").certificate));
  EXPECT_FALSE(Ecdsa("P-256").private_key->Matches(*MakeCertificate({}).certificate));
}

}  // namespace
}  // namespace sekisho::ike
