// The vectors of Project Wycheproof, most of them made to slip through: from the folder that the
// environment variable SEKISHO_VECTORS names, in the form of its testvectors folder. Skipped
// without it.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "ike/certificate.h"
#include "ike/key_exchange_openssl.h"
#include "ike/prf.h"
#include "ike/signature.h"
#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using nlohmann::json;

// Calls `check(group, test)` for each test of a file; returns how many there were.
template <typename F>
int ForEach(const std::string& name, F check) {
  const char* const folder = std::getenv("SEKISHO_VECTORS");
  std::ifstream in(std::string(folder) + "/" + name);
  const json all = json::parse(in, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(all.is_discarded()) << "unreadable: " << folder << "/" << name;
  if (all.is_discarded()) return 0;
  int count = 0;
  for (const json& group : all["testGroups"]) {
    for (const json& test : group["tests"]) {
      SCOPED_TRACE(name + " tcId " + test["tcId"].dump() + ": " +
                   test["comment"].get<std::string>());
      ++count;
      check(group, test);
    }
  }
  return count;
}

class Wycheproof : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("SEKISHO_VECTORS") == nullptr) {
      GTEST_SKIP() << "SEKISHO_VECTORS names no folder with Wycheproof's vectors";
    }
  }
  static Bytes Field(const json& test, const char* name) {
    return Hex(test[name].get<std::string>());
  }
};

KeyPtr MakeEcKey(const char* group, Bytes number) {
  while (!number.empty() && number.front() == 0) number.erase(number.begin());
  const BignumPtr value(BN_bin2bn(number.data(), static_cast<int>(number.size()), nullptr));
  const std::unique_ptr<EC_GROUP, OpensslDelete<EC_GROUP_free>> curve(
      EC_GROUP_new_by_curve_name(OBJ_sn2nid(group)));
  const std::unique_ptr<EC_POINT, OpensslDelete<EC_POINT_free>> point(EC_POINT_new(curve.get()));
  EXPECT_EQ(EC_POINT_mul(curve.get(), point.get(), value.get(), nullptr, nullptr, nullptr), 1);
  Bytes encoded(200);
  encoded.resize(EC_POINT_point2oct(curve.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                                    encoded.data(), encoded.size(), nullptr));
  OSSL_PARAM_BLD* const build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, value.get());
  OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size());
  OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(build);
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  EXPECT_EQ(EVP_PKEY_fromdata_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters), 1);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(build);
  return KeyPtr(key);
}

// A secret of zeros is refused here, though the vectors find it acceptable (RFC 8031, 5).
TEST_F(Wycheproof, X25519) {
  const int count = ForEach("x25519_test.json", [&](const json&, const json& test) {
    const Bytes number = Field(test, "private");
    KeyPtr key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, number.data(), number.size()));
    const auto own = MakeKeyExchange(KeyExchangeId::kX25519, std::move(key));
    ASSERT_TRUE(own.ok());
    const auto secret = (*own)->SharedSecret(Field(test, "public"));
    const std::string want = test["shared"];
    if (want == std::string(64, '0')) {
      EXPECT_FALSE(secret.ok());
    } else {
      ASSERT_TRUE(secret.ok()) << secret.status();
      EXPECT_EQ(ToHex(secret->span()), want);
    }
  });
  EXPECT_GT(count, 0);
}

void CheckEcdh(const char* file, const char* group, KeyExchangeId id) {
  const int count = ForEach(file, [&](const json&, const json& test) {
    const auto own = MakeKeyExchange(id, MakeEcKey(group, Hex(test["private"].get<std::string>())));
    ASSERT_TRUE(own.ok());
    Bytes peer = Hex(test["public"].get<std::string>());
    // A KE payload has both coordinates and no first byte; compressed points have no place there.
    const bool fits = peer.size() == (*own)->public_value().size() + 1 && peer[0] == 4;
    if (!fits) return;
    peer.erase(peer.begin());
    const auto secret = (*own)->SharedSecret(peer);
    const std::string want = test["shared"];
    const bool zero = want.find_first_not_of('0') == std::string::npos;  // never taken for a secret
    EXPECT_EQ(secret.ok(), test["result"] == "valid" && !zero);
    if (secret.ok()) {
      EXPECT_EQ(ToHex(secret->span()), want);
    }
  });
  EXPECT_GT(count, 0);
}
TEST_F(Wycheproof, EcdhP256) {
  CheckEcdh("ecdh_secp256r1_ecpoint_test.json", "prime256v1", KeyExchangeId::kEcp256);
}
TEST_F(Wycheproof, EcdhP384) {
  CheckEcdh("ecdh_secp384r1_ecpoint_test.json", "secp384r1", KeyExchangeId::kEcp384);
}

// A certificate around a public key, signed by nobody in particular.
std::shared_ptr<const Certificate> Around(const Bytes& public_key_der) {
  const uint8_t* at = public_key_der.data();
  const KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(public_key_der.size())));
  const KeyPtr issuer(EVP_EC_gen("P-256"));
  const X509Ptr x509(X509_new());
  X509_set_version(x509.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), key.get());
  EXPECT_GT(X509_sign(x509.get(), issuer.get(), EVP_sha256()), 0);
  uint8_t* der = nullptr;
  const int size = i2d_X509(x509.get(), &der);
  auto certificate = Certificate::FromDer(Bytes(der, der + size));
  OPENSSL_free(der);
  return certificate.ok() ? *certificate : nullptr;
}

void CheckSignatures(const char* file, const char* identifier_hex) {
  std::string key_of;
  std::shared_ptr<const Certificate> certificate;
  const int count = ForEach(file, [&](const json& group, const json& test) {
    if (key_of != group["publicKeyDer"]) {
      key_of = group["publicKeyDer"];
      certificate = Around(Hex(key_of));
    }
    ASSERT_NE(certificate, nullptr);
    const Bytes identifier = Hex(identifier_hex);
    const Bytes signature = Hex(test["sig"].get<std::string>());
    ByteWriter auth;  // RFC 7427, 3
    auth.WriteU8(static_cast<uint8_t>(identifier.size()));
    auth.WriteBytes(identifier);
    auth.WriteBytes(signature);
    const bool fits = Verify(*certificate, {AuthMethod::kDigitalSignature, ToBytes(auth.span())},
                             Hex(test["msg"].get<std::string>()), OfferedHashes())
                          .ok();
    if (test["result"] == "acceptable") return;
    EXPECT_EQ(fits, test["result"] == "valid");
  });
  EXPECT_GT(count, 0);
}
TEST_F(Wycheproof, EcdsaP256Sha256) {
  CheckSignatures("ecdsa_secp256r1_sha256_test.json", "300a06082a8648ce3d040302");
}
TEST_F(Wycheproof, Rsa2048Sha256) {
  CheckSignatures("rsa_signature_2048_sha256_test.json", "300d06092a864886f70d01010b0500");
}
TEST_F(Wycheproof, RsaPss2048Sha256) {
  CheckSignatures("rsa_pss_2048_sha256_mgf1_32_test.json",
                  "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a86"
                  "4886f70d010108300d06096086480165030402010500a203020120");
}

TEST_F(Wycheproof, HmacSha256) {
  const int count = ForEach("hmac_sha256_test.json", [&](const json& group, const json& test) {
    const SecretBytes mac = Prf(PrfId::kHmacSha2_256, Field(test, "key"), {Field(test, "msg")});
    const size_t bytes = group["tagSize"].get<size_t>() / 8;
    EXPECT_EQ(ToHex(mac.span().first(bytes)) == test["tag"], test["result"] == "valid");
  });
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace sekisho::ike
