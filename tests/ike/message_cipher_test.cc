#include "ike/message_cipher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

// Counts up from a byte, so that a CBC message can be compared with one made elsewhere.
class CountingRandom final : public Random {
 public:
  void Fill(std::span<uint8_t> bytes) override { std::iota(bytes.begin(), bytes.end(), 0x50); }
};

Bytes Counting(size_t size, uint8_t first) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

struct SuiteCase {
  const char* name;
  IkeSuite suite;
  const char* sealed;  // made with Python's cryptography, from the keys below
};

IkeSuite Aead(EncryptionId id, uint16_t bits) { return {.encryption = {id, bits}}; }
IkeSuite Cbc(uint16_t bits, IntegrityId integrity) {
  return {.encryption = {EncryptionId::kAesCbc, bits}, .integrity = integrity};
}

const SuiteCase kSuites[] = {
    {"aes256gcm16", Aead(EncryptionId::kAesGcm16, 256),
     "010203040506070811121314151617182e20250800000005000000412900002500000000000000001cb95c3e2364"
     "f5bcb923718379aee41ccdf3b24a4964a9bf29"},
    {"aes128gcm16", Aead(EncryptionId::kAesGcm16, 128),
     "010203040506070811121314151617182e20250800000005000000412900002500000000000000008a5dce95478f"
     "746f537b0090c4b0ba37e3b3ce28550541b165"},
    {"chacha20poly1305", Aead(EncryptionId::kChaCha20Poly1305, 256),
     "010203040506070811121314151617182e2025080000000500000041290000250000000000000000f6c29884e132"
     "3b266bb90bdcfdcdd88536e10b051115798d7a"},
    {"aes128_sha256", Cbc(128, IntegrityId::kHmacSha2_256_128),
     "010203040506070811121314151617182e202508000000050000005029000034505152535455565758595a5b5c5d"
     "5e5fa2021d769f4a993d225328157bf4f65eea0cb4ff215201af4841b5e3cd1276c2"},
    {"aes256_sha384", Cbc(256, IntegrityId::kHmacSha2_384_192),
     "010203040506070811121314151617182e20250800000005000000582900003c505152535455565758595a5b5c5d"
     "5e5fb9525efd9443515c03f296ade8b93e077ef02ceaba91883d4f4e6ae50cceb1c320b87df03c92325f"},
    {"aes256_sha512", Cbc(256, IntegrityId::kHmacSha2_512_256),
     "010203040506070811121314151617182e202508000000050000006029000044505152535455565758595a5b5c5d"
     "5e5fb9525efd9443515c03f296ade8b93e07858d01957a2dcf56e243e7880ab328a2c9c37dc08640aabf75c48e8c"
     "e1c259eb"},
};

const Header kHeader = {.initiator_spi = 0x0102030405060708,
                        .responder_spi = 0x1112131415161718,
                        .exchange = ExchangeType::kInformational,
                        .from_initiator = true,
                        .message_id = 5};
const std::vector<Payload> kPayloads = {NotifyPayload{.type = NotifyType::kInitialContact}};

class MessageCipherTest : public testing::TestWithParam<SuiteCase> {
 protected:
  std::unique_ptr<MessageCipher> Create() {
    const IkeSuite& suite = GetParam().suite;
    const auto* encryption = FindEncryption(suite.encryption);
    Bytes key = Counting(encryption->key_bytes, 0);
    const Bytes salt = Counting(encryption->salt_bytes, 0xa0);
    key.insert(key.end(), salt.begin(), salt.end());
    const auto* integrity = FindIntegrity(suite.integrity);
    return MessageCipher::Create(
        suite, key, integrity == nullptr ? Bytes{} : Counting(integrity->key_bytes, 0x80));
  }
  CountingRandom random_;
};

// The same keys and IV give the same bytes as another implementation.
TEST_P(MessageCipherTest, AgreesWithKnownAnswer) {
  EXPECT_EQ(ToHex(Create()->Seal(kHeader, kPayloads, random_)), GetParam().sealed);
}

// The known answer opens, and holds what was put in.
TEST_P(MessageCipherTest, OpensKnownAnswer) {
  const auto message = Create()->Open(Hex(GetParam().sealed));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->header.initiator_spi, kHeader.initiator_spi);
  EXPECT_EQ(message->header.message_id, 5u);
  EXPECT_TRUE(message->header.from_initiator);
  ASSERT_EQ(message->payloads.size(), 1u);
  EXPECT_NE(message->FindNotify(NotifyType::kInitialContact), nullptr);
}

// Every padding there is: payloads of all lengths, also none at all.
TEST_P(MessageCipherTest, RoundTripAtEveryLength) {
  const auto cipher = Create();
  const auto empty = cipher->Open(cipher->Seal(kHeader, {}, random_));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->payloads.empty());
  for (size_t size = 0; size < 40; ++size) {
    const Bytes data = Counting(size, 1);
    const auto message =
        cipher->Open(cipher->Seal(kHeader, {Payload(VendorIdPayload{data})}, random_));
    ASSERT_TRUE(message.ok()) << size << message.status();
    ASSERT_NE(message->Find<VendorIdPayload>(), nullptr);
    EXPECT_EQ(message->Find<VendorIdPayload>()->data, data);
  }
}

// Two messages under one key never share an IV.
TEST_P(MessageCipherTest, IvIsNeverRepeated) {
  const auto cipher = Create();
  SystemRandom random;
  const Bytes first = cipher->Seal(kHeader, kPayloads, random);
  const Bytes second = cipher->Seal(kHeader, kPayloads, random);
  EXPECT_NE(ToHex(ByteSpan(first).subspan(32, 8)), ToHex(ByteSpan(second).subspan(32, 8)));
}

// Each bit of header, SK header, IV, ciphertext and ICV is covered.
TEST_P(MessageCipherTest, EveryFlippedBitIsRefused) {
  const auto cipher = Create();
  const Bytes sealed = cipher->Seal(kHeader, kPayloads, random_);
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes forged = sealed;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(cipher->Open(forged).status().code(), absl::StatusCode::kPermissionDenied) << bit;
  }
}

// With the header's and the payload's length made to fit, so that only the ICV tells.
TEST_P(MessageCipherTest, EveryPrefixIsRefused) {
  const auto cipher = Create();
  const Bytes sealed = cipher->Seal(kHeader, kPayloads, random_);
  for (size_t size = 0; size < sealed.size(); ++size) {
    Bytes cut(sealed.begin(), sealed.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(cipher->Open(cut).status().code(), absl::StatusCode::kPermissionDenied) << size;
    if (size < 32) continue;
    cut[27] = static_cast<uint8_t>(size);
    cut[31] = static_cast<uint8_t>(size - 28);
    EXPECT_EQ(cipher->Open(cut).status().code(), absl::StatusCode::kPermissionDenied) << size;
  }
}

// One byte behind the SK payload.
TEST_P(MessageCipherTest, PayloadBehindSkIsRefused) {
  const auto cipher = Create();
  Bytes sealed = cipher->Seal(kHeader, kPayloads, random_);
  sealed.push_back(0);
  ++sealed[27];
  EXPECT_THAT(cipher->Open(sealed).status().message(), HasSubstr("not the last"));
}

// The other direction's key does not open it.
TEST_P(MessageCipherTest, OtherKeyIsRefused) {
  const IkeSuite& suite = GetParam().suite;
  const auto* encryption = FindEncryption(suite.encryption);
  const auto* integrity = FindIntegrity(suite.integrity);
  const auto other =
      MessageCipher::Create(suite, Bytes(size_t{encryption->key_bytes} + encryption->salt_bytes, 9),
                            integrity == nullptr ? Bytes{} : Bytes(integrity->key_bytes, 9));
  EXPECT_FALSE(other->Open(Create()->Seal(kHeader, kPayloads, random_)).ok());
}

INSTANTIATE_TEST_SUITE_P(All, MessageCipherTest, testing::ValuesIn(kSuites),
                         [](const auto& tested) { return tested.param.name; });

// The IV and the notify are the RFC's; we never send SET_WINDOW_SIZE, but anybody may.
TEST(MessageCipherVectors, Rfc7634AppendixB) {
  Bytes key = Counting(32, 0x80);
  const Bytes salt = Counting(4, 0xa0);
  key.insert(key.end(), salt.begin(), salt.end());
  const auto cipher =
      MessageCipher::Create(Aead(EncryptionId::kChaCha20Poly1305, 256), key, Bytes());
  Bytes datagram =
      Hex("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029"
          "1011121314151617610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2");
  const auto message = cipher->Open(datagram);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->header.initiator_spi, 0xc0c1c2c3c4c5c6c7);
  EXPECT_EQ(message->header.message_id, 9u);
  ASSERT_EQ(message->payloads.size(), 1u);
  const NotifyPayload* notify = message->FindNotify(NotifyType::kSetWindowSize);
  ASSERT_NE(notify, nullptr);
  EXPECT_EQ(notify->data, Hex("0000000a"));
  datagram.back() ^= 1;
  EXPECT_FALSE(cipher->Open(datagram).ok());
}

}  // namespace
}  // namespace sekisho::ike
