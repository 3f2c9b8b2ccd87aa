#include "common/algorithm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sekisho {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AlgorithmTest, ParsesIkeProposal) {
  const auto proposal = AlgorithmProposal::ParseIke("aes256gcm16-prfsha384-x25519-ecp256");
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_THAT(proposal->encryption, ElementsAre(Encryption{EncryptionId::kAesGcm16, 256}));
  EXPECT_THAT(proposal->prf, ElementsAre(PrfId::kHmacSha2_384));
  EXPECT_THAT(proposal->key_exchange, ElementsAre(KeyExchangeId::kX25519, KeyExchangeId::kEcp256));
  EXPECT_EQ(proposal->ToString(), "aes256gcm16-prfsha384-x25519-ecp256");
}

// Without a prf in the text, the integrity algorithm's hash is the prf's.
TEST(AlgorithmTest, PrfFollowsIntegrity) {
  const auto proposal = AlgorithmProposal::ParseIke("aes128-sha512-modp2048");
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_THAT(proposal->prf, ElementsAre(PrfId::kHmacSha2_512));
}

TEST(AlgorithmTest, RefusesWhatCannotBe) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& c :
       {Case{"aes256-x25519", "without integrity"},
        Case{"aes256gcm16-sha256-x25519", "beside an AEAD"},
        Case{"aes256gcm16-aes128-sha256-x25519", "mixes"},
        Case{"aes256gcm16-prfsha256", "without a key exchange"},
        Case{"prfsha256-x25519", "no encryption"}, Case{"aes256gcm17-x25519", "'aes256gcm17'"},
        Case{"aes256gcm16-x25519-esn", "esn"}, Case{"", "found algorithm ''"}}) {
    const auto proposal = AlgorithmProposal::ParseIke(c.text);
    ASSERT_FALSE(proposal.ok()) << c.text;
    EXPECT_THAT(std::string(proposal.status().message()), HasSubstr(c.says)) << c.text;
  }
  EXPECT_FALSE(AlgorithmProposal::ParseEsp("aes256gcm16-prfsha256").ok());
}

// Every name in the tables parses to itself, so that `show` output can be pasted into a file.
TEST(AlgorithmTest, NamesRoundTrip) {
  for (const auto& e : AllEncryption()) {
    const std::string text = std::string(e.name) + (e.aead ? "" : "-sha256");
    const auto proposal = AlgorithmProposal::ParseEsp(text);
    ASSERT_TRUE(proposal.ok()) << proposal.status();
    EXPECT_EQ(proposal->ToString(), text);
  }
  for (const auto& proposal : DefaultIkeProposals()) {
    EXPECT_EQ(AlgorithmProposal::ParseIke(proposal.ToString()).value(), proposal);
  }
  for (const auto& proposal : DefaultEspProposals()) {
    EXPECT_EQ(AlgorithmProposal::ParseEsp(proposal.ToString()).value(), proposal);
  }
}

TEST(AlgorithmTest, UnknownNumbersStillPrint) {
  EXPECT_EQ(Name(Encryption{static_cast<EncryptionId>(99), 168}), "encryption-99/168");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(99)), "group-99");
}

TEST(AlgorithmTest, SuitesPrint) {
  EXPECT_EQ(
      (IpsecSuite{{EncryptionId::kAesCbc, 256}, IntegrityId::kHmacSha2_256_128, true}.ToString()),
      "aes256-sha256-esn");
  EXPECT_EQ((IkeSuite{{EncryptionId::kAesGcm16, 128},
                      IntegrityId::kNone,
                      PrfId::kHmacSha2_256,
                      KeyExchangeId::kX25519}
                 .ToString()),
            "aes128gcm16-prfsha256-x25519");
}

// --- What only ESP and AH use --------------------------------------------------------------------

// IKE's messages are protected by what they were protected by before there was more for ESP.
TEST(Algorithm, IkeUsesFewerThanEsp) {
  const std::string forbidden[] = {
      "aes256gcm8",       "aes256gcm12",   "aes192gcm16", "aes128ccm16", "aes128gmac",
      "aes256ctr-sha256", "aes192-sha256", "null-sha256", "3des-sha256", "aes128-sha1"};
  for (const std::string& text : forbidden) {
    const auto proposal = AlgorithmProposal::ParseIke(text + "-x25519");
    ASSERT_FALSE(proposal.ok()) << text;
    EXPECT_THAT(std::string(proposal.status().message()), HasSubstr("for ESP only")) << text;
    EXPECT_TRUE(AlgorithmProposal::ParseEsp(text).ok()) << text;
  }
  for (const AlgorithmProposal& proposal : DefaultEspProposals()) {
    EXPECT_TRUE(AlgorithmProposal::ParseIke(proposal.ToString() + "-x25519").ok());
  }
}

TEST(Algorithm, SuitesOfEspAndAhParseToThemselves) {
  for (const char* text : {"aes128gcm8", "aes192gcm12-esn", "aes256ccm16", "aes128gmac-esn",
                           "aes256ctr-sha1", "null-sha512", "3des-sha1", "chacha20poly1305"}) {
    const auto suite = IpsecSuite::Parse(IpsecProtocol::kEsp, text);
    ASSERT_TRUE(suite.ok()) << suite.status();
    EXPECT_EQ(suite->ToString(), text);
    EXPECT_EQ(suite->protocol(), IpsecProtocol::kEsp);
  }
  for (const char* text : {"sha1", "sha256-esn", "aes128gmac", "aes256gmac-esn"}) {
    const auto suite = IpsecSuite::Parse(IpsecProtocol::kAh, text);
    ASSERT_TRUE(suite.ok()) << suite.status();
    EXPECT_EQ(suite->ToString(), text);
    EXPECT_EQ(suite->protocol(), IpsecProtocol::kAh);
    EXPECT_TRUE(Find(*suite).exists());
  }
  for (const char* text : {"aes128", "aes128-aes256-sha256", "aes128-sha256-x25519", "sha256"}) {
    EXPECT_FALSE(IpsecSuite::Parse(IpsecProtocol::kEsp, text).ok()) << text;
  }
  for (const char* text : {"aes128gcm16", "", "esn", "sha1-sha256", "null-sha256"}) {
    EXPECT_FALSE(IpsecSuite::Parse(IpsecProtocol::kAh, text).ok()) << text;
  }
}

// RFC 4543, 5.4 and 9: the same key material, numbers of their own, never one for the other.
TEST(Algorithm, GmacIsACipherOfEspAndAnIntegrityAlgorithmOfAh) {
  const IpsecSuite esp = *IpsecSuite::Parse(IpsecProtocol::kEsp, "aes192gmac");
  const IpsecSuite ah = *IpsecSuite::Parse(IpsecProtocol::kAh, "aes192gmac");
  EXPECT_EQ(esp.encryption, (Encryption{EncryptionId::kNullAesGmac, 192}));
  EXPECT_EQ(ah.integrity, IntegrityId::kAes192Gmac);
  EXPECT_EQ(Find(esp).encryption_key_bytes(), 28u);
  EXPECT_EQ(Find(esp).integrity_key_bytes(), 0u);
  EXPECT_EQ(Find(ah).encryption_key_bytes(), 0u);
  EXPECT_EQ(Find(ah).integrity_key_bytes(), 28u);
  EXPECT_FALSE(Find({{EncryptionId::kAesCbc, 128}, IntegrityId::kAes128Gmac}).exists());
  EXPECT_FALSE(Find({{EncryptionId::kAesGcm16, 128}, IntegrityId::kHmacSha2_256_128}).exists());
  EXPECT_FALSE(Find({{EncryptionId::kAesCbc, 128}, IntegrityId::kNone}).exists());
  EXPECT_FALSE(Find(IpsecSuite{}).exists());
}

TEST(Algorithm, OldCiphersWantTheOperatorsWord) {
  const IpsecSuite old = *IpsecSuite::Parse(IpsecProtocol::kEsp, "3des-sha256");
  const absl::Status refused = CheckPermitted(old, {});
  EXPECT_THAT(std::string(refused.message()), HasSubstr("crypto.legacy: true"));
  EXPECT_TRUE(CheckPermitted(old, {.legacy = true}).ok());
  for (const char* text : {"null-sha1", "aes128gcm8", "aes256-sha1"}) {
    EXPECT_TRUE(CheckPermitted(*IpsecSuite::Parse(IpsecProtocol::kEsp, text), {}).ok()) << text;
  }
  EXPECT_FALSE(CheckPermitted(IpsecSuite{}, {.legacy = true}).ok());
}

TEST(Algorithm, AnEspProposalHoldsEverySuiteItMayEndIn) {
  const auto proposal = AlgorithmProposal::ParseEsp("aes128-aes256-sha1-sha256-esn-noesn");
  ASSERT_TRUE(proposal.ok());
  std::vector<std::string> names;
  for (const IpsecSuite& suite : proposal->Suites()) names.push_back(suite.ToString());
  EXPECT_THAT(names,
              ElementsAre("aes128-sha1-esn", "aes128-sha1", "aes128-sha256-esn", "aes128-sha256",
                          "aes256-sha1-esn", "aes256-sha1", "aes256-sha256-esn", "aes256-sha256"));
}

// So that "no proposal chosen" can be acted on. No offer of ours may use them.
TEST(Algorithm, WhatWeDoNotHaveIsNamedAllTheSame) {
  const auto cipher = [](uint16_t id, uint16_t bits) {
    return Name(Encryption{static_cast<EncryptionId>(id), bits});
  };
  EXPECT_EQ(cipher(2, 0), "des");
  EXPECT_EQ(cipher(3, 0), "3des");
  EXPECT_EQ(cipher(12, 192), "aes192");
  EXPECT_EQ(cipher(13, 128), "aes128ctr");
  EXPECT_EQ(cipher(20, 192), "aes192gcm16");
  EXPECT_EQ(cipher(20, 512), "aes512gcm16");
  EXPECT_EQ(cipher(23, 256), "camellia256");
  EXPECT_EQ(Name(static_cast<IntegrityId>(1)), "md5");
  EXPECT_EQ(Name(static_cast<IntegrityId>(2)), "sha1");
  EXPECT_EQ(Name(static_cast<IntegrityId>(5)), "aesxcbc");
  EXPECT_EQ(Name(static_cast<IntegrityId>(8)), "aescmac");
  EXPECT_EQ(Name(static_cast<PrfId>(2)), "prfsha1");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(2)), "modp1024");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(5)), "modp1536");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(15)), "modp3072");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(16)), "modp4096");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(21)), "ecp521");
  EXPECT_EQ(Name(static_cast<KeyExchangeId>(32)), "x448");
  EXPECT_FALSE(AlgorithmProposal::ParseIke("3des-sha1-modp1024").ok());
}

}  // namespace
}  // namespace sekisho
