#include "bench/openssl_esp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/byte_order.h"
#include "common/status_macros.h"

namespace sekisho::bench {
namespace {

constexpr size_t kHeaderBytes = 8;

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

std::string CipherName(const Encryption& encryption) {
  const std::string aes = absl::StrCat("AES-", encryption.key_bits, "-");
  switch (encryption.id) {
    case EncryptionId::k3DesCbc:
      return "DES-EDE3-CBC";
    case EncryptionId::kAesCbc:
      return aes + "CBC";
    case EncryptionId::kAesCtr:
      return aes + "CTR";
    case EncryptionId::kAesCcm8:
    case EncryptionId::kAesCcm12:
    case EncryptionId::kAesCcm16:
      return aes + "CCM";
    case EncryptionId::kAesGcm8:
    case EncryptionId::kAesGcm12:
    case EncryptionId::kAesGcm16:
    case EncryptionId::kNullAesGmac:
      return aes + "GCM";
    case EncryptionId::kChaCha20Poly1305:
      return "ChaCha20-Poly1305";
    case EncryptionId::kNone:
    case EncryptionId::kNull:
      break;
  }
  return "";
}

const EVP_MD* HashOf(IntegrityId id) {
  switch (id) {
    case IntegrityId::kHmacSha1_96:
      return EVP_sha1();
    case IntegrityId::kHmacSha2_256_128:
      return EVP_sha256();
    case IntegrityId::kHmacSha2_384_192:
      return EVP_sha384();
    case IntegrityId::kHmacSha2_512_256:
      return EVP_sha512();
    default:
      return nullptr;
  }
}

// A packet and where its parts are.
struct Parts {
  ByteSpan header, iv, encrypted, icv;
};

// SPI, with ESN the high half, and the low half of the sequence number.
Bytes AadOf(const IpsecSuite& suite, const Parts& parts) {
  Bytes aad(parts.header.begin(), parts.header.end());
  if (suite.esn) aad.insert(aad.begin() + 4, 4, 0);
  return aad;
}

Bytes NonceOf(const EncryptionTraits& traits, ByteSpan key, const Parts& parts) {
  const ByteSpan salt = key.subspan(traits.key_bytes, traits.salt_bytes);
  Bytes nonce(salt.begin(), salt.end());
  nonce.insert(nonce.end(), parts.iv.begin(), parts.iv.end());
  // RFC 3686, 4: the counter starts at 1.
  if (traits.encryption.id == EncryptionId::kAesCtr) nonce.insert(nonce.end(), {0, 0, 0, 1});
  return nonce;
}

absl::StatusOr<Bytes> Decrypt(const IpsecSuite& suite, const EncryptionTraits& traits, ByteSpan key,
                              const Parts& parts) {
  if (suite.encryption.id == EncryptionId::kNull) {
    return Bytes(parts.encrypted.begin(), parts.encrypted.end());
  }
  const std::string name = CipherName(suite.encryption);
  const std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
      EVP_CIPHER_fetch(nullptr, name.c_str(), nullptr));
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr) {
    return absl::UnimplementedError(absl::StrCat("OpenSSL has no ", name));
  }
  const Bytes nonce = NonceOf(traits, key, parts);
  const bool ccm = name.ends_with("CCM");
  const bool gmac = suite.encryption.id == EncryptionId::kNullAesGmac;
  bool ok = EVP_DecryptInit_ex(context.get(), cipher.get(), nullptr, nullptr, nullptr) == 1;
  Bytes icv(parts.icv.begin(), parts.icv.end());
  if (traits.aead) {
    ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN,
                                   static_cast<int>(nonce.size()), nullptr) == 1;
    ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG,
                                   static_cast<int>(icv.size()), icv.data()) == 1;
  }
  ok = ok && EVP_DecryptInit_ex(context.get(), nullptr, nullptr, key.data(), nonce.data()) == 1;
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  int count = 0;
  const int bytes = static_cast<int>(parts.encrypted.size());
  if (ccm) ok = ok && EVP_DecryptUpdate(context.get(), nullptr, &count, nullptr, bytes) == 1;
  if (traits.aead) {
    Bytes aad = AadOf(suite, parts);
    if (gmac) {
      aad.insert(aad.end(), parts.iv.begin(), parts.iv.end());
      aad.insert(aad.end(), parts.encrypted.begin(), parts.encrypted.end());
    }
    ok = ok && EVP_DecryptUpdate(context.get(), nullptr, &count, aad.data(),
                                 static_cast<int>(aad.size())) == 1;
  }
  Bytes clear(parts.encrypted.begin(), parts.encrypted.end());
  if (!gmac) {
    ok = ok &&
         EVP_DecryptUpdate(context.get(), clear.data(), &count, parts.encrypted.data(), bytes) == 1;
  }
  uint8_t rest[32];
  if (!ccm) ok = ok && EVP_DecryptFinal_ex(context.get(), rest, &count) == 1;
  if (!ok) return absl::DataLossError("OpenSSL cannot decrypt it, or its ICV is wrong");
  return clear;
}

absl::Status CheckHmac(const IpsecSuite& suite, ByteSpan key, ByteSpan esp, const Parts& parts) {
  Bytes authenticated(esp.begin(), esp.end() - static_cast<ptrdiff_t>(parts.icv.size()));
  if (suite.esn) authenticated.insert(authenticated.end(), 4, 0);
  uint8_t made[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  if (HMAC(HashOf(suite.integrity), key.data(), static_cast<int>(key.size()), authenticated.data(),
           authenticated.size(), made, &bytes) == nullptr ||
      bytes < parts.icv.size() || CRYPTO_memcmp(made, parts.icv.data(), parts.icv.size()) != 0) {
    return absl::DataLossError("its ICV is not the one that OpenSSL makes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OpenedEsp> OpenWithOpenSsl(const IpsecSuite& suite, ByteSpan encryption_key,
                                          ByteSpan integrity_key, ByteSpan esp) {
  const IpsecSuiteTraits traits = Find(suite);
  const EncryptionTraits& encryption = *traits.encryption;
  const size_t icv_bytes = encryption.aead ? encryption.icv_bytes : traits.integrity->icv_bytes;
  if (esp.size() < kHeaderBytes + encryption.iv_bytes + 2 + icv_bytes) {
    return absl::DataLossError("it is too short for ESP");
  }
  const size_t front = kHeaderBytes + encryption.iv_bytes;
  const Parts parts = {.header = esp.first(kHeaderBytes),
                       .iv = esp.subspan(kHeaderBytes, encryption.iv_bytes),
                       .encrypted = esp.subspan(front, esp.size() - front - icv_bytes),
                       .icv = esp.last(icv_bytes)};
  if (!encryption.aead) SEKISHO_RETURN_IF_ERROR(CheckHmac(suite, integrity_key, esp, parts));
  SEKISHO_ASSIGN_OR_RETURN(Bytes clear, Decrypt(suite, encryption, encryption_key, parts));
  const size_t padding = clear[clear.size() - 2];
  if (padding + 2 > clear.size()) return absl::DataLossError("its padding is longer than it");
  for (size_t i = 0; i < padding; ++i) {
    // RFC 4303, 2.4
    if (clear[clear.size() - 2 - padding + i] != i + 1) {
      return absl::DataLossError("its padding is not 1, 2, 3, ...");
    }
  }
  OpenedEsp opened = {.spi = LoadBigEndian<uint32_t>(esp.data()),
                      .sequence = LoadBigEndian<uint32_t>(esp.data() + 4),
                      .next_header = clear.back(),
                      .payload = {}};
  clear.resize(clear.size() - 2 - padding);
  opened.payload = std::move(clear);
  return opened;
}

}  // namespace sekisho::bench
