#include "ike/prf.h"

#include <gtest/gtest.h>

#include "ike/openssl.h"
#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

// RFC 4231, 4.2 to 4.8, without test case 5, which truncates.
struct Rfc4231Case {
  const char *number, *key, *data, *sha256, *sha384, *sha512;
};
const Rfc4231Case kCases[] = {
    {
        "1",
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "4869205468657265",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f"
        "4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702"
        "038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    },
    {
        "2",
        "4a656665",
        "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7"
        "8b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a"
        "6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    },
    {
        "3",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
        "dddddddddddddddddddd",
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b9"
        "4e3ab6e101a34f27",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c8"
        "06b485a47e67c807b946a337bee8942674278859e13292fb",
    },
    {
        "4",
        "0102030405060708090a0b0c0d0e0f10111213141516171819",
        "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
        "cdcdcdcdcdcdcdcdcdcd",
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679"
        "ccf8a386c674cffb",
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4"
        "d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    },
    {
        "6",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaa",
        "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d20"
        "48617368204b6579204669727374",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe82"
        "96248df163f44952",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598"
        "bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    },
    {
        "7",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaa",
        "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b"
        "2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a652064"
        "6174612e20546865206b6579206e6565647320746f20626520686173686564206265666f72652062"
        "65696e6720757365642062792074686520484d414320616c676f726974686d2e",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d"
        "3860e6110c46523e",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b1"
        "0d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
    },
};

// The PRFs are plain HMACs: RFC 4231's keys and data give RFC 4231's values.
TEST(PrfTest, Rfc4231) {
  for (const Rfc4231Case& c : kCases) {
    SCOPED_TRACE(c.number);
    const Bytes key = Hex(c.key), data = Hex(c.data);
    EXPECT_EQ(ToHex(Prf(PrfId::kHmacSha2_256, key, {data}).span()), c.sha256);
    EXPECT_EQ(ToHex(Prf(PrfId::kHmacSha2_384, key, {data}).span()), c.sha384);
    EXPECT_EQ(ToHex(Prf(PrfId::kHmacSha2_512, key, {data}).span()), c.sha512);
  }
}

Bytes Join(std::initializer_list<ByteSpan> parts) {
  Bytes out;
  for (ByteSpan part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

// RFC 2104 by hand over a plain hash: another way to the same number.
Bytes PlainHmac(const EVP_MD* digest, ByteSpan key, const Bytes& data) {
  const auto hash = [digest](const Bytes& text) {
    Bytes out(static_cast<size_t>(EVP_MD_get_size(digest)));
    EVP_Digest(text.data(), text.size(), out.data(), nullptr, digest, nullptr);
    return out;
  };
  const size_t block = static_cast<size_t>(EVP_MD_get_block_size(digest));
  Bytes padded = key.size() > block ? hash(ToBytes(key)) : ToBytes(key);
  padded.resize(block);
  Bytes inner = padded, outer = padded;
  for (uint8_t& byte : inner) byte ^= 0x36;
  for (uint8_t& byte : outer) byte ^= 0x5c;
  return hash(Join({outer, hash(Join({inner, data}))}));
}

// RFC 7296, 2.13, word by word: T1 = prf (K, S | 0x01), T2 = prf (K, T1 | S | 0x02) ...
Bytes PlainPrfPlus(const EVP_MD* digest, ByteSpan key, const Bytes& seed, size_t bytes) {
  Bytes out, t;
  for (uint8_t n = 1; out.size() < bytes; ++n) {
    t = PlainHmac(digest, key, Join({t, seed, Bytes{n}}));
    out.insert(out.end(), t.begin(), t.end());
  }
  out.resize(bytes);
  return out;
}

// Parts are joined, and an empty part is nothing.
TEST(PrfTest, PartsAreConcatenated) {
  const Bytes key = TextBytes("key"), ab = TextBytes("ab"), a = TextBytes("a"), b = TextBytes("b");
  EXPECT_EQ(ToHex(Prf(PrfId::kHmacSha2_256, key, {a, Bytes{}, b}).span()),
            ToHex(Prf(PrfId::kHmacSha2_256, key, {ab}).span()));
}

// An empty key is a key, not the one before.
TEST(PrfTest, EmptyKey) {
  const Bytes data = TextBytes("data");
  EXPECT_EQ(ToHex(Prf(PrfId::kHmacSha2_256, {}, {data}).span()),
            ToHex(PlainHmac(EVP_sha256(), {}, data)));
}

// Every length from nothing over several blocks, and the longest there is.
TEST(PrfPlusTest, AgreesWithItsDefinition) {
  const Bytes key = TextBytes("a key"), seed = TextBytes("Ni | Nr | SPIi | SPIr");
  const struct {
    PrfId id;
    const EVP_MD* digest;
  } prfs[] = {{PrfId::kHmacSha2_256, EVP_sha256()},
              {PrfId::kHmacSha2_384, EVP_sha384()},
              {PrfId::kHmacSha2_512, EVP_sha512()}};
  for (const auto& prf : prfs) {
    const size_t longest = 255 * static_cast<size_t>(EVP_MD_get_size(prf.digest));
    for (size_t bytes : {size_t{0}, size_t{1}, size_t{31}, size_t{32}, size_t{33}, size_t{64},
                         size_t{200}, longest}) {
      EXPECT_EQ(ToHex(PrfPlus(prf.id, key, {seed}, bytes).span()),
                ToHex(PlainPrfPlus(prf.digest, key, seed, bytes)))
          << bytes;
    }
  }
}

constexpr uint64_t kSpiI = 0x0102030405060708, kSpiR = 0x1112131415161718;
const Bytes kSpis = Hex("0102030405060708 1112131415161718");
const Bytes kNonceI(32, 0xaa), kNonceR(24, 0xbb), kSecret(32, 0xcc);

// Cuts keys off the front of keying material.
struct Cutter {
  Bytes rest;
  std::string Cut(size_t bytes) {
    const Bytes head(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(bytes));
    rest.erase(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(bytes));
    return ToHex(head);
  }
};

void ExpectIkeKeys(const IkeKeys& keys, Cutter material, size_t prf, size_t integrity,
                   size_t encryption) {
  EXPECT_EQ(ToHex(keys.sk_d.span()), material.Cut(prf));
  EXPECT_EQ(ToHex(keys.sk_ai.span()), material.Cut(integrity));
  EXPECT_EQ(ToHex(keys.sk_ar.span()), material.Cut(integrity));
  EXPECT_EQ(ToHex(keys.sk_ei.span()), material.Cut(encryption));
  EXPECT_EQ(ToHex(keys.sk_er.span()), material.Cut(encryption));
  EXPECT_EQ(ToHex(keys.sk_pi.span()), material.Cut(prf));
  EXPECT_EQ(ToHex(keys.sk_pr.span()), material.Cut(prf));
}

// RFC 7296, 2.14: an AEAD has no integrity keys, and a salt with its encryption keys.
TEST(IkeKeysTest, AeadTakesSaltAndNoIntegrityKey) {
  const IkeSuite suite = {.encryption = {EncryptionId::kAesGcm16, 256},
                          .prf = PrfId::kHmacSha2_384,
                          .key_exchange = KeyExchangeId::kX25519};
  const Bytes skeyseed = PlainHmac(EVP_sha384(), Join({kNonceI, kNonceR}), kSecret);
  const Bytes material =
      PlainPrfPlus(EVP_sha384(), skeyseed, Join({kNonceI, kNonceR, kSpis}), 3 * 48 + 2 * 36);
  ExpectIkeKeys(DeriveIkeKeys(suite, kSecret, kNonceI, kNonceR, kSpiI, kSpiR), {material}, 48, 0,
                36);
}

// RFC 7296, 2.18: the old PRF makes SKEYSEED, the new one the keys.
TEST(IkeKeysTest, RekeyUsesOldPrfForSkeyseed) {
  const IkeSuite suite = {.encryption = {EncryptionId::kAesCbc, 128},
                          .integrity = IntegrityId::kHmacSha2_512_256,
                          .prf = PrfId::kHmacSha2_512,
                          .key_exchange = KeyExchangeId::kEcp256};
  const Bytes old_sk_d(32, 0xdd);
  const Bytes skeyseed = PlainHmac(EVP_sha256(), old_sk_d, Join({kSecret, kNonceI, kNonceR}));
  const Bytes material = PlainPrfPlus(EVP_sha512(), skeyseed, Join({kNonceI, kNonceR, kSpis}),
                                      3 * 64 + 2 * 64 + 2 * 16);
  ExpectIkeKeys(DeriveRekeyedIkeKeys(suite, PrfId::kHmacSha2_256, old_sk_d, kSecret, kNonceI,
                                     kNonceR, kSpiI, kSpiR),
                {material}, 64, 64, 16);
}

// RFC 7296, 2.17: encryption before integrity, initiator before responder; g^ir comes first.
TEST(ChildKeysTest, OrderAndPfs) {
  const Bytes sk_d(32, 0xdd);
  const IpsecSuite cbc = {.encryption = {EncryptionId::kAesCbc, 256},
                          .integrity = IntegrityId::kHmacSha2_384_192};
  Cutter with_pfs{PlainPrfPlus(EVP_sha256(), sk_d, Join({kSecret, kNonceI, kNonceR}), 160)};
  ChildKeys keys = DeriveChildKeys(cbc, PrfId::kHmacSha2_256, sk_d, kSecret, kNonceI, kNonceR);
  EXPECT_EQ(ToHex(keys.encryption_i.span()), with_pfs.Cut(32));
  EXPECT_EQ(ToHex(keys.integrity_i.span()), with_pfs.Cut(48));
  EXPECT_EQ(ToHex(keys.encryption_r.span()), with_pfs.Cut(32));
  EXPECT_EQ(ToHex(keys.integrity_r.span()), with_pfs.Cut(48));

  const IpsecSuite gcm = {.encryption = {EncryptionId::kAesGcm16, 128}};
  Cutter without_pfs{PlainPrfPlus(EVP_sha256(), sk_d, Join({kNonceI, kNonceR}), 40)};
  keys = DeriveChildKeys(gcm, PrfId::kHmacSha2_256, sk_d, {}, kNonceI, kNonceR);
  EXPECT_EQ(ToHex(keys.encryption_i.span()), without_pfs.Cut(20));
  EXPECT_TRUE(keys.integrity_i.empty());
  EXPECT_EQ(ToHex(keys.encryption_r.span()), without_pfs.Cut(20));
  EXPECT_TRUE(keys.integrity_r.empty());
}

// RFC 7296, 2.15.
TEST(PskAuthTest, AgreesWithItsDefinition) {
  const Bytes sk_p(32, 0x11), id_body = Hex("02000000 61"), init = TextBytes("the first message");
  const Bytes octets = SignedOctets(PrfId::kHmacSha2_256, init, kNonceR, sk_p, id_body);
  EXPECT_EQ(octets, Join({init, kNonceR, PlainHmac(EVP_sha256(), sk_p, id_body)}));
  const Bytes psk = TextBytes("secret");
  const Bytes key = PlainHmac(EVP_sha256(), psk, TextBytes("Key Pad for IKEv2"));
  EXPECT_EQ(ToHex(PskAuth(PrfId::kHmacSha2_256, psk, octets).span()),
            ToHex(PlainHmac(EVP_sha256(), key, octets)));
}

}  // namespace
}  // namespace sekisho::ike
