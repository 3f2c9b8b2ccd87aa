#include "ike/proposal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

constexpr Spi kSpi = {0xc0000001};
constexpr auto kNoGroup = KeyExchangeId::kNone;

std::vector<AlgorithmProposal> Ike(std::initializer_list<const char*> texts) {
  std::vector<AlgorithmProposal> proposals;
  for (const char* text : texts) proposals.push_back(*AlgorithmProposal::ParseIke(text));
  return proposals;
}
std::vector<AlgorithmProposal> Esp(std::initializer_list<const char*> texts) {
  std::vector<AlgorithmProposal> proposals;
  for (const char* text : texts) proposals.push_back(*AlgorithmProposal::ParseEsp(text));
  return proposals;
}
SaPayload IkeOffer(std::initializer_list<const char*> texts) {
  return OfferIke(Ike(texts), std::nullopt);
}
SaPayload EspOffer(std::initializer_list<const char*> texts, bool with_key_exchange = true) {
  return OfferEsp(Esp(texts), kSpi, with_key_exchange);
}

std::string ChosenIke(const SaPayload& offer, std::initializer_list<const char*> ours,
                      KeyExchangeId preferred = kNoGroup) {
  const auto choice = ChooseIke(offer, Ike(ours), preferred);
  return choice ? choice->suite.ToString() : "none";
}
std::string ChosenEsp(const SaPayload& offer, std::initializer_list<const char*> ours,
                      KeyExchangeId preferred = kNoGroup, bool in_ike_auth = false) {
  const auto choice = ChooseEsp(offer, Esp(ours), in_ike_auth, preferred);
  if (!choice) return "none";
  const std::string suite = choice->suite.ToString();
  return choice->key_exchange == kNoGroup ? suite : suite + "-" + Name(choice->key_exchange);
}

// What is chosen goes back, and the initiator takes it for what it is.
void ExpectAgreement(const std::vector<AlgorithmProposal>& initiator,
                     const std::vector<AlgorithmProposal>& responder, const std::string& suite) {
  const auto choice = ChooseIke(OfferIke(initiator, 0x1122334455667788), responder, kNoGroup);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->suite.ToString(), suite);
  EXPECT_EQ(choice->peer_spi, 0x1122334455667788u);
  EXPECT_TRUE(choice->accepted.spi.empty());
  Proposal answer = choice->accepted;
  answer.spi = Hex("8877665544332211");
  const auto accepted = AcceptIke({{answer}}, initiator);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->suite, choice->suite);
  EXPECT_EQ(accepted->peer_spi, 0x8877665544332211u);
}

TEST(ProposalTest, DefaultsAgreeWithThemselves) {
  ExpectAgreement(DefaultIkeProposals(), DefaultIkeProposals(), "aes256gcm16-prfsha256-x25519");
  ExpectAgreement(Ike({"aes128-sha384-ecp384"}), DefaultIkeProposals(),
                  "aes128-sha384-prfsha384-ecp384");
  ExpectAgreement(Ike({"chacha20poly1305-prfsha512-modp2048"}), DefaultIkeProposals(),
                  "chacha20poly1305-prfsha512-modp2048");
}

// RFC 7296, 3.3: bytes of an offer with a rekeyed SPI; ChaCha20 has no key length attribute.
TEST(ProposalTest, OfferBytes) {
  const SaPayload sa = OfferIke(Ike({"aes256gcm16-chacha20poly1305-prfsha256-x25519"}), 5);
  EXPECT_EQ(ToHex(EncodePayloads({Payload(sa)}).bytes),
            "00000038"
            "00000034"
            "01010804"
            "0000000000000005"
            "0300000c"
            "01000014"
            "800e0100"
            "03000008"
            "0100001c"
            "03000008"
            "02000005"
            "00000008"
            "0400001f");
}

TEST(ProposalTest, OurOrderWins) {
  const SaPayload offer = IkeOffer({"aes128-sha256-modp2048-x25519",
                                    "aes128gcm16-aes256gcm16-prfsha512-prfsha256-ecp256-x25519"});
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-aes128gcm16-prfsha256-prfsha512-x25519-ecp256"}),
            "aes256gcm16-prfsha256-x25519");
  EXPECT_EQ(ChosenIke(offer, {"aes128-sha256-x25519", "aes256gcm16-prfsha256-x25519"}),
            "aes128-sha256-prfsha256-x25519");
  EXPECT_EQ(ChosenIke(offer, {"aes256-sha256-x25519"}), "none");
}

// The group of the KE payload that came along, if we take it.
TEST(ProposalTest, PreferredGroupSavesARoundTrip) {
  const SaPayload offer = IkeOffer({"aes256gcm16-prfsha256-modp2048-x25519-ecp384"});
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-prfsha256-x25519-modp2048"}, KeyExchangeId::kModp2048),
            "aes256gcm16-prfsha256-modp2048");
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-prfsha256-x25519-modp2048"}, KeyExchangeId::kEcp384),
            "aes256gcm16-prfsha256-x25519");
}

// The number goes back as it came (RFC 7296, 3.3.1).
TEST(ProposalTest, NumberIsThePeers) {
  const auto choice = ChooseIke(IkeOffer({"aes128-sha256-x25519", "aes256gcm16-x25519"}),
                                Ike({"aes256gcm16-x25519"}), kNoGroup);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->accepted.number, 2);
  EXPECT_EQ(choice->accepted.transforms.size(), 3u);
}

TEST(ProposalTest, IntegrityNoneBesideAeadIsTolerated) {
  SaPayload offer = IkeOffer({"aes256gcm16-prfsha256-x25519"});
  auto& transforms = offer.proposals[0].transforms;
  transforms.push_back({TransformType::kIntegrity, 0});
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-x25519"}), "aes256gcm16-prfsha256-x25519");
  transforms.back().id = 12;
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-x25519"}), "none");
}

// RFC 7296, 3.3.6: an unknown attribute spoils the transform, an unknown type the proposal.
TEST(ProposalTest, UnknownAttributesAndTypes) {
  SaPayload offer = IkeOffer({"aes256gcm16-aes128gcm16-prfsha256-x25519"});
  offer.proposals[0].transforms[0].unknown_attribute = true;
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-aes128gcm16-x25519"}), "aes128gcm16-prfsha256-x25519");
  offer.proposals[0].transforms.push_back({TransformType{6}, 35});
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-aes128gcm16-x25519"}), "none");
}

// A key length where none belongs, and none where one does.
TEST(ProposalTest, KeyLengthsAreExact) {
  SaPayload offer = IkeOffer({"chacha20poly1305-prfsha256-x25519"});
  offer.proposals[0].transforms[0].key_bits = 256;
  EXPECT_EQ(ChosenIke(offer, {"chacha20poly1305-x25519"}), "none");
  offer = IkeOffer({"aes256gcm16-prfsha256-x25519"});
  offer.proposals[0].transforms[0].key_bits = 0;
  EXPECT_EQ(ChosenIke(offer, {"aes256gcm16-x25519"}), "none");
}

TEST(EspProposalTest, PfsIsRequiredWhereWeNameGroups) {
  const SaPayload without = EspOffer({"aes256gcm16"}), with = EspOffer({"aes256gcm16-ecp256"});
  EXPECT_EQ(ChosenEsp(without, {"aes256gcm16-x25519"}), "none");
  EXPECT_EQ(ChosenEsp(with, {"aes256gcm16-x25519"}), "none");
  EXPECT_EQ(ChosenEsp(with, {"aes256gcm16-x25519-ecp256"}), "aes256gcm16-ecp256");
}

TEST(EspProposalTest, PfsIsOptionalWhereWeNameNone) {
  EXPECT_EQ(ChosenEsp(EspOffer({"aes256gcm16"}), {"aes256gcm16"}), "aes256gcm16");
  SaPayload offer = EspOffer({"aes256gcm16-ecp384-ecp256"});
  EXPECT_EQ(ChosenEsp(offer, {"aes256gcm16"}, KeyExchangeId::kEcp384), "aes256gcm16-ecp384");
  EXPECT_EQ(ChosenEsp(offer, {"aes256gcm16"}), "aes256gcm16-ecp256");
  offer.proposals[0].transforms.push_back({TransformType::kKeyExchange, 0});
  EXPECT_EQ(ChosenEsp(offer, {"aes256gcm16"}), "aes256gcm16");
  EXPECT_EQ(ChosenEsp(offer, {"aes256gcm16"}, KeyExchangeId::kEcp256), "aes256gcm16-ecp256");
  offer = EspOffer({"aes256gcm16"});
  offer.proposals[0].transforms.push_back({TransformType::kKeyExchange, 2});  // modp1024 alone
  EXPECT_EQ(ChosenEsp(offer, {"aes256gcm16"}), "none");
}

// RFC 7296, 1.2.
TEST(EspProposalTest, GroupsAreIgnoredInIkeAuth) {
  const SaPayload with = EspOffer({"aes256gcm16-ecp256"}), without = EspOffer({"aes256gcm16"});
  for (const SaPayload& offer : {with, without}) {
    const auto choice = ChooseEsp(offer, Esp({"aes256gcm16-x25519"}), true, kNoGroup);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->key_exchange, kNoGroup);
    EXPECT_EQ(choice->peer_spi, kSpi);
    for (const Transform& transform : choice->accepted.transforms) {
      EXPECT_NE(transform.type, TransformType::kKeyExchange);
    }
  }
}

TEST(EspProposalTest, ExtendedSequenceNumbers) {
  EXPECT_EQ(ChosenEsp(EspOffer({"aes256gcm16-esn-noesn"}), {"aes256gcm16"}), "aes256gcm16");
  EXPECT_EQ(ChosenEsp(EspOffer({"aes256gcm16-esn-noesn"}), {"aes256gcm16-esn"}), "aes256gcm16-esn");
  EXPECT_EQ(ChosenEsp(EspOffer({"aes256gcm16-esn"}), {"aes256gcm16"}), "none");
  SaPayload silent = EspOffer({"aes256gcm16"});
  silent.proposals[0].transforms.pop_back();
  EXPECT_EQ(ChosenEsp(silent, {"aes256gcm16"}), "aes256gcm16");
  EXPECT_EQ(ChosenEsp(silent, {"aes256gcm16-esn"}), "none");
}

// RFC 4303, 2.1: 0 to 255 are no SPIs; an AH proposal is none for ESP.
TEST(EspProposalTest, ReservedSpisAndOtherProtocols) {
  EXPECT_FALSE(ChooseEsp(OfferEsp(Esp({"aes256gcm16"}), Spi{255}, false), Esp({"aes256gcm16"}),
                         true, kNoGroup));
  SaPayload ah = EspOffer({"aes256gcm16"});
  ah.proposals[0].protocol = ProtocolId::kAh;
  EXPECT_EQ(ChosenEsp(ah, {"aes256gcm16"}), "none");
}

TEST(AcceptTest, AnswerMustBeASubset) {
  const auto ours = Ike({"aes256gcm16-prfsha256-x25519-ecp256", "aes128-sha256-x25519"});
  const auto answer = [&ours](const SaPayload& response) {
    return std::string(AcceptIke(response, ours).status().message());
  };
  EXPECT_EQ(answer(IkeOffer({"aes256gcm16-prfsha256-ecp256"})), "");
  EXPECT_THAT(answer({}), HasSubstr("found 0 proposals, want 1"));
  EXPECT_THAT(answer(IkeOffer({"aes256gcm16-x25519", "aes256gcm16-x25519"})),
              HasSubstr("found 2 proposals"));
  EXPECT_THAT(answer(IkeOffer({"aes256gcm16-x25519-ecp256"})), HasSubstr("two transforms"));
  EXPECT_THAT(answer(IkeOffer({"aes128gcm16-x25519"})),
              HasSubstr("found aes128gcm16-prfsha256-x25519, want a choice from aes256gcm16-"));
  EXPECT_NE(answer(IkeOffer({"aes128-sha256-x25519"})), "");  // ours, under the other number
  SaPayload numbered = IkeOffer({"aes128-sha256-x25519"});
  numbered.proposals[0].number = 2;
  EXPECT_EQ(answer(numbered), "");
  numbered.proposals[0].number = 3;
  EXPECT_THAT(answer(numbered), HasSubstr("number 3, want 1 to 2"));
  SaPayload incomplete = IkeOffer({"aes256gcm16-x25519"});
  incomplete.proposals[0].transforms.pop_back();
  EXPECT_NE(answer(incomplete), "");
}

TEST(AcceptTest, EspAnswers) {
  const auto accepted = [](const SaPayload& response, const char* ours, bool with_key_exchange) {
    const auto choice = AcceptEsp(response, Esp({ours}), with_key_exchange);
    if (!choice.ok()) return std::string("refused");
    return choice->suite.ToString() + "/" + absl::StrCat(static_cast<int>(choice->key_exchange));
  };
  EXPECT_EQ(accepted(EspOffer({"aes256gcm16"}), "aes256gcm16-x25519", false), "aes256gcm16/0");
  EXPECT_EQ(accepted(EspOffer({"aes256gcm16"}), "aes256gcm16-x25519", true), "refused");
  EXPECT_EQ(accepted(EspOffer({"aes256gcm16-x25519"}), "aes256gcm16-x25519", true),
            "aes256gcm16/31");
  EXPECT_EQ(accepted(EspOffer({"aes256gcm16-x25519"}), "aes256gcm16", false), "refused");
  EXPECT_EQ(accepted(EspOffer({"aes256gcm16-x25519"}), "aes256gcm16", true), "refused");
  SaPayload none = EspOffer({"aes256gcm16"});
  none.proposals[0].transforms.push_back({TransformType::kKeyExchange, 0});
  EXPECT_EQ(accepted(none, "aes256gcm16", true), "aes256gcm16/0");
  EXPECT_EQ(AcceptEsp(EspOffer({"aes128"
                                "-sha256"}),
                      Esp({"aes128-sha256"}), false)
                ->peer_spi,
            kSpi);
}

TEST(DescribeTest, OfferReadsAsConfigurationDoes) {
  EXPECT_EQ(Describe(IkeOffer({"aes256gcm16-prfsha256-x25519", "aes128-sha256-modp2048"})),
            "aes256gcm16-prfsha256-x25519, aes128-prfsha256-sha256-modp2048");
  EXPECT_EQ(Describe(EspOffer({"chacha20poly1305-esn"})), "chacha20poly1305-esn");
  SaPayload old;
  old.proposals.push_back({.transforms = {{TransformType::kEncryption, 3},
                                          {TransformType::kEncryption, 13, 192},
                                          {TransformType::kIntegrity, 2},
                                          {TransformType::kPrf, 2},
                                          {TransformType::kKeyExchange, 2},
                                          {TransformType{6}, 35}}});
  EXPECT_EQ(Describe(old), "3des-aes192ctr-sha1-prfsha1-modp1024-transform-6-35");
}

// A stranger does not decide how long a line in the log is.
TEST(DescribeTest, IsBounded) {
  SaPayload huge;
  for (int i = 0; i < 64; ++i) {
    Proposal& proposal = huge.proposals.emplace_back();
    proposal.transforms.resize(255, {TransformType::kEncryption, 4000, 60000});
  }
  EXPECT_LT(Describe(huge).size(), 3000u);
  EXPECT_THAT(Describe(huge), HasSubstr("..."));
}

}  // namespace
}  // namespace sekisho::ike
