#include "ike/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/hex.h"
#include "tests/ike/test_certificates.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

Identity Id(absl::string_view text) { return *Identity::Parse(text); }

TestCertificate MakeAuthority(const std::string& name) {
  return MakeCertificate({.subject = {{"CN", name}}, .authority = true});
}

TEST(CertificateTest, FieldsAreReadable) {
  const auto made =
      MakeCertificate({.subject = {{"C", "CH"}, {"O", "Interop Rig"}, {"CN", "client1"}}});
  EXPECT_EQ(made.certificate->SubjectText(), "C=CH, O=Interop Rig, CN=client1");
  EXPECT_EQ(made.certificate->IssuerText(), made.certificate->SubjectText());
  EXPECT_EQ(made.certificate->not_before(), kTestStart);
  EXPECT_EQ(made.certificate->not_after(), kTestStart + absl::Hours(24 * 365));
  EXPECT_EQ(made.certificate->subject().ToString(), "C=CH, O=Interop Rig, CN=client1");
}

// Every prefix, and one byte more.
TEST(CertificateTest, OnlyWholeDerIsTaken) {
  const Bytes der = MakeCertificate({}).certificate->der();
  EXPECT_TRUE(Certificate::FromDer(der).ok());
  for (size_t size = 0; size < der.size(); size += 7) {
    EXPECT_FALSE(Certificate::FromDer(ByteSpan(der).first(size)).ok()) << size;
  }
  Bytes more = der;
  more.push_back(0);
  EXPECT_THAT(Certificate::FromDer(more).status().message(), HasSubstr("behind its end"));
}

TEST(CertificateTest, PemHoldsOneOrMore) {
  const auto a = MakeCertificate({}), b = MakeCertificate({});
  const auto both = Certificate::FromPem("text\n" + a.certificate_pem + b.certificate_pem);
  ASSERT_TRUE(both.ok()) << both.status();
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ((*both)[1]->der(), b.certificate->der());
  EXPECT_THAT(Certificate::FromPem("nothing").status().message(), HasSubstr("no certificate"));
  std::string broken = a.certificate_pem;
  broken[100] = '!';
  EXPECT_FALSE(Certificate::FromPem(broken).ok());
}

// RFC 7296, 3.7: over the whole SubjectPublicKeyInfo, not over the key's bits alone.
TEST(CertificateTest, PublicKeyHashCoversPublicKeyInfo) {
  const auto made = MakeCertificate({});
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(made.key.get(), &der);
  Bytes hash(20);
  EVP_Digest(der, static_cast<size_t>(size), hash.data(), nullptr, EVP_sha1(), nullptr);
  OPENSSL_free(der);
  EXPECT_EQ(made.certificate->PublicKeyHash(), hash);
}

TEST(CertificateTest, MatchesSubjectAndAlternativeNames) {
  const auto made = MakeCertificate(
      {.subject = {{"O", "Example"}, {"CN", "common.example.org"}},
       .extensions = {{NID_subject_alt_name,
                       "DNS:vpn.example.org,DNS:*.wild.example.org,email:me@example.org,"
                       "IP:192.0.2.1,IP:2001:db8::1"}}});
  const Certificate& certificate = *made.certificate;
  for (const char* text :
       {"O=Example, CN=common.example.org", "O=EXAMPLE, CN=common.example.org", "vpn.example.org",
        "VPN.example.ORG", "a.wild.example.org", "me@example.org", "192.0.2.1", "2001:db8::1"}) {
    EXPECT_TRUE(certificate.Matches(Id(text))) << text;
  }
  for (const char* text :
       {"CN=common.example.org", "common.example.org", "example.org", "wild.example.org",
        "a.b.wild.example.org", "x@example.org", "192.0.2.2", "2001:db8::2", "@#6b6579"}) {
    EXPECT_FALSE(certificate.Matches(Id(text))) << text;
  }
  EXPECT_FALSE(certificate.Matches({IdentityType::kFqdn, TextBytes("*.wild.example.org")}));
  EXPECT_FALSE(certificate.Matches({IdentityType::kFqdn, {}}));
}

TEST(CertificateTest, CommonNameCountsOnlyWithoutAlternativeNames) {
  const auto made = MakeCertificate({.subject = {{"CN", "vpn.example.org"}}});
  EXPECT_TRUE(made.certificate->Matches(Id("vpn.example.org")));
  EXPECT_FALSE(made.certificate->Matches(Id("me@example.org")));
  const auto with_san = MakeCertificate({.subject = {{"CN", "vpn.example.org"}},
                                         .extensions = {{NID_subject_alt_name, "IP:192.0.2.1"}}});
  EXPECT_FALSE(with_san.certificate->Matches(Id("vpn.example.org")));
}

class TrustStoreTest : public testing::Test {
 protected:
  TestCertificate root_ = MakeAuthority("root");
  TestCertificate middle_ =
      MakeCertificate({.subject = {{"CN", "middle"}}, .authority = true, .issuer = &root_});
  TestCertificate leaf_ = MakeCertificate({.subject = {{"CN", "leaf"}}, .issuer = &middle_});
  TrustStore store_{{root_.certificate}};

  std::string Failure(const TestCertificate& leaf, absl::Time now = kTestNow) {
    return std::string(store_.Verify(*leaf.certificate, {middle_.certificate}, now).message());
  }
};

TEST_F(TrustStoreTest, ChainOverIntermediate) {
  EXPECT_EQ(store_.Verify(*leaf_.certificate, {middle_.certificate}, kTestNow), absl::OkStatus());
  EXPECT_THAT(store_.Verify(*leaf_.certificate, {}, kTestNow).message(),
              HasSubstr("certificate 'CN=leaf': its issuer 'CN=middle' is neither"));
}

// An operator may name the intermediate authority alone.
TEST_F(TrustStoreTest, IntermediateMayBeTheAuthority) {
  const TrustStore store({middle_.certificate});
  EXPECT_EQ(store.Verify(*leaf_.certificate, {}, kTestNow), absl::OkStatus());
}

TEST_F(TrustStoreTest, TimeIsTheArgument) {
  EXPECT_THAT(Failure(leaf_, kTestStart - absl::Seconds(1)), HasSubstr("is valid only from"));
  const auto short_lived = MakeCertificate(
      {.subject = {{"CN", "short"}}, .validity = absl::Hours(1), .issuer = &middle_});
  EXPECT_THAT(Failure(short_lived), HasSubstr("'CN=short' expired at 2023-11-14"));
}

TEST_F(TrustStoreTest, StrangersAreRefused) {
  EXPECT_THAT(Failure(MakeCertificate({.subject = {{"CN", "self"}}})), HasSubstr("signed itself"));
  const auto other_root = MakeAuthority("root");  // the same name, another key
  const auto forged = MakeCertificate({.subject = {{"CN", "forged"}}, .issuer = &other_root});
  EXPECT_NE(Failure(forged), "");
  EXPECT_NE(Failure(MakeCertificate({.subject = {{"CN", "x"}}, .issuer = &leaf_})), "");
}

// A certificate that is no authority issues nothing.
TEST_F(TrustStoreTest, LeafIsNoAuthority) {
  const auto below = MakeCertificate({.subject = {{"CN", "below"}}, .issuer = &leaf_});
  EXPECT_NE(store_.Verify(*below.certificate, {leaf_.certificate, middle_.certificate}, kTestNow),
            absl::OkStatus());
}

TEST_F(TrustStoreTest, ExtendedKeyUsageOfTlsIsTaken) {
  for (const char* usage : {"serverAuth", "clientAuth", "anyExtendedKeyUsage", "ipsecIKE"}) {
    const auto leaf =
        MakeCertificate({.extensions = {{NID_ext_key_usage, usage}}, .issuer = &middle_});
    EXPECT_EQ(Failure(leaf), "") << usage;
  }
}

TEST_F(TrustStoreTest, KeyUsageMustAllowSignatures) {
  const auto signs =
      MakeCertificate({.extensions = {{NID_key_usage, "digitalSignature"}}, .issuer = &middle_});
  EXPECT_EQ(Failure(signs), "");
  const auto encrypts =
      MakeCertificate({.extensions = {{NID_key_usage, "keyAgreement"}}, .issuer = &middle_});
  EXPECT_THAT(Failure(encrypts), HasSubstr("want digitalSignature"));
}

TEST_F(TrustStoreTest, ShortRsaKeyIsRefused) {
  const auto leaf = MakeCertificate({.curve = "", .rsa_bits = 1024, .issuer = &middle_});
  EXPECT_THAT(Failure(leaf), HasSubstr("too short"));
}

}  // namespace
}  // namespace sekisho::ike
