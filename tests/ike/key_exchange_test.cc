#include "ike/key_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "ike/key_exchange_openssl.h"
#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

std::unique_ptr<KeyExchange> MakeX25519(const Bytes& private_key) {
  KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key.data(),
                                          private_key.size()));
  return *MakeKeyExchange(KeyExchangeId::kX25519, std::move(key));
}

// `point` is x | y, as in the KE payload.
std::unique_ptr<KeyExchange> MakeEcp(KeyExchangeId id, const char* group, const Bytes& private_key,
                                     Bytes point) {
  point.insert(point.begin(), 4);
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  const BignumPtr d(BN_bin2bn(private_key.data(), static_cast<int>(private_key.size()), nullptr));
  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d.get());
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(builder);
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  return *MakeKeyExchange(id, KeyPtr(key));
}

std::string SecretHex(const KeyExchange& own, const Bytes& peer) {
  const auto secret = own.SharedSecret(peer);
  return secret.ok() ? ToHex(secret->span()) : secret.status().ToString();
}

TEST(KeyExchangeTest, Rfc7748Section6_1) {
  const auto alice =
      MakeX25519(Hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
  const auto bob =
      MakeX25519(Hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  EXPECT_EQ(ToHex(alice->public_value()),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(ToHex(bob->public_value()),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const char secret[] = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(SecretHex(*alice, bob->public_value()), secret);
  EXPECT_EQ(SecretHex(*bob, alice->public_value()), secret);
}

TEST(KeyExchangeTest, Rfc5903Section8_1) {
  const Bytes point_i =
      Hex("DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF 945D0C37 72581180"
          "5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58 389E0577 B8990BB3");
  const Bytes point_r =
      Hex("D12DFB52 89C8D4F8 1208B702 70398C34 2296970A 0BCCB74C 736FC755 4494BF63"
          "56FBF3CA 366CC23E 8157854C 13C58D6A AC23F046 ADA30F83 53E74F33 039872AB");
  const auto i = MakeEcp(
      KeyExchangeId::kEcp256, "P-256",
      Hex("C88F01F5 10D9AC3F 70A292DA A2316DE5 44E9AAB8 AFE84049 C62A9C57 862D1433"), point_i);
  const auto r = MakeEcp(
      KeyExchangeId::kEcp256, "P-256",
      Hex("C6EF9C5D 78AE012A 011164AC B397CE20 88685D8F 06BF9BE0 B283AB46 476BEE53"), point_r);
  EXPECT_EQ(i->public_value(), point_i);
  const std::string secret =
      ToHex(Hex("D6840F6B 42F6EDAF D13116E0 E1256520 2FEF8E9E CE7DCE03 812464D0 4B9442DE"));
  EXPECT_EQ(SecretHex(*i, point_r), secret);
  EXPECT_EQ(SecretHex(*r, point_i), secret);
}

TEST(KeyExchangeTest, Rfc5903Section8_2) {
  const Bytes point_i =
      Hex("667842D7 D180AC2C DE6F74F3 7551F557 55C7645C 20EF73E3 1634FE72 B4C55EE6"
          "DE3AC808 ACB4BDB4 C88732AE E95F41AA 9482ED1F C0EEB9CA FC498462 5CCFC23F"
          "65032149 E0E144AD A0241815 35A0F38E EB9FCFF3 C2C947DA E69B4C63 4573A81C");
  const Bytes point_r =
      Hex("E558DBEF 53EECDE3 D3FCCFC1 AEA08A89 A987475D 12FD950D 83CFA417 32BC509D"
          "0D1AC43A 0336DEF9 6FDA41D0 774A3571 DCFBEC7A ACF31964 72169E83 8430367F"
          "66EEBE3C 6E70C416 DD5F0C68 759DD1FF F83FA401 42209DFF 5EAAD96D B9E6386C");
  const auto i = MakeEcp(KeyExchangeId::kEcp384, "P-384",
                         Hex("099F3C70 34D4A2C6 99884D73 A375A67F 7624EF7C 6B3C0F16 0647B674"
                             "14DCE655 E35B5380 41E649EE 3FAEF896 783AB194"),
                         point_i);
  const auto r = MakeEcp(KeyExchangeId::kEcp384, "P-384",
                         Hex("41CB0779 B4BDB85D 47846725 FBEC3C94 30FAB46C C8DC5060 855CC9BD"
                             "A0AA2942 E0308312 916B8ED2 960E4BD5 5A7448FC"),
                         point_r);
  EXPECT_EQ(r->public_value(), point_r);
  const std::string secret =
      ToHex(Hex("11187331 C279962D 93D60424 3FD592CB 9D0A926F 422E4718 7521287E"
                "7156C5C4 D6031355 69B9E9D0 9CF5D4A2 70F59746"));
  EXPECT_EQ(SecretHex(*i, point_r), secret);
  EXPECT_EQ(SecretHex(*r, point_i), secret);
}

class EveryKeyExchangeTest : public testing::TestWithParam<KeyExchangeTraits> {
 protected:
  std::unique_ptr<KeyExchange> Generate() { return *KeyExchange::Generate(GetParam().id); }
};

// Two fresh keys agree, and their public values have the length that the KE payload wants.
TEST_P(EveryKeyExchangeTest, BothSidesAgree) {
  const auto a = Generate(), b = Generate();
  EXPECT_EQ(a->public_value().size(), GetParam().public_bytes);
  EXPECT_NE(a->public_value(), b->public_value());
  const auto secret_a = a->SharedSecret(b->public_value());
  const auto secret_b = b->SharedSecret(a->public_value());
  ASSERT_TRUE(secret_a.ok() && secret_b.ok()) << secret_a.status() << secret_b.status();
  EXPECT_EQ(ToHex(secret_a->span()), ToHex(secret_b->span()));
}

// One byte less, one more, and none.
TEST_P(EveryKeyExchangeTest, WrongLengthIsRefused) {
  const auto own = Generate();
  Bytes value = Generate()->public_value();
  value.pop_back();
  EXPECT_THAT(own->SharedSecret(value).status().message(), HasSubstr("public value: found"));
  value.resize(value.size() + 2);
  EXPECT_FALSE(own->SharedSecret(value).ok());
  EXPECT_FALSE(own->SharedSecret({}).ok());
}

// All bits zero: X25519 of low order, no point on a curve, a modp value of 0. All bits one:
// no point, more than p.
TEST_P(EveryKeyExchangeTest, ZeroIsRefused) {
  const auto own = Generate();
  EXPECT_EQ(own->SharedSecret(Bytes(GetParam().public_bytes, 0)).status().code(),
            absl::StatusCode::kInvalidArgument);
  if (GetParam().id != KeyExchangeId::kX25519) {
    EXPECT_FALSE(own->SharedSecret(Bytes(GetParam().public_bytes, 0xff)).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryKeyExchangeTest, testing::ValuesIn(AllKeyExchanges()),
                         [](const auto& tested) { return std::string(tested.param.name); });

// A point with one bit of y wrong is on another curve: computing with it would give the key away.
TEST(KeyExchangeTest, PointOffTheCurveIsRefused) {
  for (KeyExchangeId id : {KeyExchangeId::kEcp256, KeyExchangeId::kEcp384}) {
    const auto own = *KeyExchange::Generate(id);
    Bytes value = (*KeyExchange::Generate(id))->public_value();
    value.back() ^= 1;
    EXPECT_THAT(own->SharedSecret(value).status().message(), HasSubstr("not on the curve"));
  }
}

// RFC 7748, 6.1: the points of small order of curve25519 and of its twist.
TEST(KeyExchangeTest, X25519LowOrderIsRefused) {
  const auto own = *KeyExchange::Generate(KeyExchangeId::kX25519);
  for (const char* value : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "0100000000000000000000000000000000000000000000000000000000000000",
           "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
           "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       }) {
    EXPECT_THAT(own->SharedSecret(Hex(value)).status().message(), HasSubstr("low order")) << value;
  }
}

// RFC 6989, 2.1: 0, 1, p-1, p are refused; 2 is not.
TEST(KeyExchangeTest, WeakModpValuesAreRefused) {
  const auto own = *KeyExchange::Generate(KeyExchangeId::kModp2048);
  const BignumPtr p(BN_get_rfc3526_prime_2048(nullptr));
  const auto value = [&p](int offset) {
    const BignumPtr number(BN_dup(p.get()));
    BN_sub_word(number.get(), static_cast<BN_ULONG>(offset));
    Bytes bytes(256);
    BN_bn2binpad(number.get(), bytes.data(), 256);
    return bytes;
  };
  Bytes small(256, 0);
  for (uint8_t weak : {uint8_t{0}, uint8_t{1}}) {
    small.back() = weak;
    EXPECT_FALSE(own->SharedSecret(small).ok()) << int{weak};
  }
  EXPECT_FALSE(own->SharedSecret(value(0)).ok());
  EXPECT_FALSE(own->SharedSecret(value(1)).ok());
  EXPECT_TRUE(own->SharedSecret(value(2)).ok());
  small.back() = 2;
  const auto secret = own->SharedSecret(small);
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(ToHex(secret->span()), ToHex(own->public_value()));  // 2 is the generator
}

TEST(KeyExchangeTest, UnknownMethodIsRefused) {
  EXPECT_THAT(KeyExchange::Generate(KeyExchangeId{2}).status().message(), HasSubstr("modp1024"));
}

}  // namespace
}  // namespace sekisho::ike
