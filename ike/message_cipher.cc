#include "ike/message_cipher.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "ike/field_reader.h"
#include "ike/message_wire.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

struct FetchedCipher {
  Encryption encryption;
  const char* name;
  EVP_CIPHER* cipher = nullptr;
};

const EVP_CIPHER* FetchCipher(Encryption encryption) {
  using Table = std::array<FetchedCipher, 5>;
  static const Table* const table = [] {
    auto* result = new Table{{{{EncryptionId::kAesGcm16, 128}, "AES-128-GCM"},
                              {{EncryptionId::kAesGcm16, 256}, "AES-256-GCM"},
                              {{EncryptionId::kChaCha20Poly1305, 256}, "ChaCha20-Poly1305"},
                              {{EncryptionId::kAesCbc, 128}, "AES-128-CBC"},
                              {{EncryptionId::kAesCbc, 256}, "AES-256-CBC"}}};
    for (FetchedCipher& entry : *result) {
      entry.cipher = EVP_CIPHER_fetch(nullptr, entry.name, nullptr);
    }
    return result;
  }();
  for (const FetchedCipher& entry : *table) {
    if (entry.encryption == encryption) return entry.cipher;
  }
  return nullptr;
}

Hash HashOf(IntegrityId id) {
  switch (id) {
    case IntegrityId::kHmacSha2_384_192:
      return Hash::kSha2_384;
    case IntegrityId::kHmacSha2_512_256:
      return Hash::kSha2_512;
    default:
      return Hash::kSha2_256;
  }
}

absl::Status Unauthenticated(absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat("SK payload: ", why));
}

// Where the parts of an encrypted message are. Of a message that is not authenticated yet: only
// bounds are checked.
struct Layout {
  ByteSpan associated;  // header, payloads before SK, generic header of SK
  ByteSpan iv, ciphertext, icv;
  ByteSpan outer;  // the payloads before SK, of `first_outer` and so on
  PayloadType first_outer = PayloadType::kNone, first_inner = PayloadType::kNone;
};

absl::StatusOr<Layout> FindParts(ByteSpan datagram, size_t iv_bytes, size_t icv_bytes) {
  Layout layout;
  size_t at = kHeaderBytes;
  PayloadType type{datagram[kHeaderNextPayloadOffset]};
  layout.first_outer = type;
  for (size_t count = 0; type != PayloadType::kNone; ++count) {
    ByteReader in(datagram.subspan(at));
    const PayloadType next{in.ReadU8()};
    in.Skip(1);
    const uint16_t length = in.ReadU16();
    if (!in.ok() || length < kGenericHeaderBytes || length > datagram.size() - at ||
        count == kPayloadsMax) {
      return Unauthenticated("a payload's length is wrong");
    }
    if (type != PayloadType::kEncrypted) {
      at += length;
      type = next;
      continue;
    }
    if (at + length != datagram.size()) return Unauthenticated("it is not the last one");
    if (length < kGenericHeaderBytes + iv_bytes + icv_bytes) {
      return Unauthenticated("shorter than IV and ICV");
    }
    layout.outer = datagram.subspan(kHeaderBytes, at - kHeaderBytes);
    layout.associated = datagram.first(at + kGenericHeaderBytes);
    const ByteSpan body = datagram.subspan(at + kGenericHeaderBytes);
    layout.iv = body.first(iv_bytes);
    layout.ciphertext = body.subspan(iv_bytes, body.size() - iv_bytes - icv_bytes);
    layout.icv = body.last(icv_bytes);
    layout.first_inner = next;
    return layout;
  }
  return Unauthenticated("there is none");
}

// Payloads outside of SK are authentic too, but nothing of ours is ever sent there: only a critical
// one that we do not know is of interest (RFC 7296, 2.5).
absl::Status CheckOuter(const Layout& layout, Message& message) {
  PayloadType type = layout.first_outer;
  FieldReader in(layout.outer);
  while (!in.empty()) {
    const PayloadType next{in.U8("next payload")};
    const bool critical = (in.U8("critical bit") & kCriticalBit) != 0;
    const uint16_t length = in.U16("payload length");
    in.Take("payload", length - kGenericHeaderBytes);
    const bool known = type >= PayloadType::kSa && type <= PayloadType::kConfiguration;
    if (critical && !known) message.unknown_critical = static_cast<uint8_t>(type);
    type = next;
  }
  return in.status();
}

// Takes off padding and its length (RFC 7296, 3.14), then parses.
absl::StatusOr<Message> ParsePlaintext(const Header& header, const Layout& layout,
                                       ByteSpan plaintext) {
  Message message;
  message.header = header;
  if (header.major_version != 2) {
    return FieldError("header: major version", header.major_version, "2");
  }
  SEKISHO_RETURN_IF_ERROR(CheckOuter(layout, message));
  if (message.unknown_critical) return message;
  if (plaintext.empty()) return FieldError("SK payload: pad length", "0 bytes", "1");
  const size_t padding = plaintext.back();
  if (padding + 1 > plaintext.size()) {
    return FieldError("SK payload: pad length", padding,
                      absl::StrCat(plaintext.size() - 1, " or less"));
  }
  SEKISHO_RETURN_IF_ERROR(
      ParsePayloads(layout.first_inner, plaintext.first(plaintext.size() - padding - 1), message));
  return message;
}

// The message up to and with the IV, all lengths final, and room for the ciphertext and ICV.
struct Frame {
  ByteWriter out;
  size_t ciphertext_at;
};
Frame BeginMessage(const Header& header, PayloadType first_inner, ByteSpan iv,
                   size_t plaintext_bytes, size_t icv_bytes) {
  const size_t payload_bytes = kGenericHeaderBytes + iv.size() + plaintext_bytes + icv_bytes;
  const size_t message_bytes = kHeaderBytes + payload_bytes;
  SEKISHO_CHECK(message_bytes <= kMessageBytesMax);
  Frame frame;
  WriteHeader(header, PayloadType::kEncrypted, frame.out);
  frame.out.Patch<uint32_t>(kHeaderLengthOffset, static_cast<uint32_t>(message_bytes));
  frame.out.WriteU8(static_cast<uint8_t>(first_inner));
  frame.out.WriteU8(0);
  frame.out.WriteU16(static_cast<uint16_t>(payload_bytes));
  frame.out.WriteBytes(iv);
  frame.ciphertext_at = frame.out.size();
  frame.out.WriteZeros(plaintext_bytes + icv_bytes);
  return frame;
}

// RFC 5282: AES-GCM with 16-byte ICV, ChaCha20-Poly1305 (RFC 7634).
class AeadCipher final : public MessageCipher {
 public:
  AeadCipher(const EncryptionTraits& traits, ByteSpan key_and_salt)
      : traits_(traits),
        cipher_(FetchCipher(traits.encryption)),
        key_(key_and_salt.first(traits.key_bytes)),
        salt_(key_and_salt.subspan(traits.key_bytes)) {
    SEKISHO_CHECK(cipher_ != nullptr && traits.iv_bytes == sizeof(next_iv_));
  }

  Bytes Seal(const Header& header, const std::vector<Payload>& payloads, Random&) override {
    EncodedPayloads inner = EncodePayloads(payloads);
    inner.bytes.push_back(0);  // pad length: an AEAD needs no padding
    std::array<uint8_t, sizeof(next_iv_)> iv;
    SEKISHO_CHECK(next_iv_ != UINT64_MAX);
    StoreBigEndian<uint64_t>(iv.data(), next_iv_++);
    Frame frame = BeginMessage(header, inner.first, iv, inner.bytes.size(), traits_.icv_bytes);
    const std::span<uint8_t> message = frame.out.mutable_span();
    const ByteSpan associated = message.first(frame.ciphertext_at - iv.size());
    uint8_t* const ciphertext = message.data() + frame.ciphertext_at;
    const CipherContextPtr context = Begin(iv, associated, true);
    int written = 0, rest = 0;
    SEKISHO_CHECK(EVP_CipherUpdate(context.get(), ciphertext, &written, inner.bytes.data(),
                                   static_cast<int>(inner.bytes.size())) == 1 &&
                  EVP_CipherFinal_ex(context.get(), ciphertext + written, &rest) == 1);
    SEKISHO_CHECK(static_cast<size_t>(written + rest) == inner.bytes.size() &&
                  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, traits_.icv_bytes,
                                      ciphertext + inner.bytes.size()) == 1);
    WipeMemory(inner.bytes.data(), inner.bytes.size());
    return std::move(frame.out).Take();
  }

  absl::StatusOr<Message> Open(ByteSpan datagram) const override {
    const absl::StatusOr<Header> header = ParseHeader(datagram);
    if (!header.ok()) return Unauthenticated(header.status().message());
    SEKISHO_ASSIGN_OR_RETURN(const Layout layout,
                             FindParts(datagram, traits_.iv_bytes, traits_.icv_bytes));
    SecretBytes plaintext(layout.ciphertext.size());
    if (!Decrypt(layout, plaintext)) return Unauthenticated("integrity check failed");
    return ParsePlaintext(*header, layout, plaintext.span());
  }

 private:
  CipherContextPtr Begin(ByteSpan iv, ByteSpan associated, bool encrypt) const {
    std::array<uint8_t, 12> nonce;
    SEKISHO_CHECK(salt_.size() + iv.size() == nonce.size());
    std::copy_n(salt_.data(), salt_.size(), nonce.begin());
    std::copy(iv.begin(), iv.end(), nonce.begin() + static_cast<ptrdiff_t>(salt_.size()));
    CipherContextPtr context(EVP_CIPHER_CTX_new());
    int written = 0;
    SEKISHO_CHECK(context != nullptr &&
                  EVP_CipherInit_ex2(context.get(), cipher_, key_.data(), nonce.data(),
                                     encrypt ? 1 : 0, nullptr) == 1 &&
                  EVP_CipherUpdate(context.get(), nullptr, &written, associated.data(),
                                   static_cast<int>(associated.size())) == 1);
    return context;
  }

  bool Decrypt(const Layout& layout, SecretBytes& plaintext) const {
    const CipherContextPtr context = Begin(layout.iv, layout.associated, false);
    int written = 0, rest = 0;
    uint8_t end[16];  // nothing is ever written here: there is no padding
    if (!layout.ciphertext.empty() &&
        EVP_CipherUpdate(context.get(), plaintext.mutable_span().data(), &written,
                         layout.ciphertext.data(),
                         static_cast<int>(layout.ciphertext.size())) != 1) {
      return false;
    }
    const bool authentic =
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, traits_.icv_bytes,
                            const_cast<uint8_t*>(layout.icv.data())) == 1 &&
        EVP_CipherFinal_ex(context.get(), end, &rest) == 1;
    if (!authentic) ERR_clear_error();
    return authentic;
  }

  const EncryptionTraits& traits_;
  const EVP_CIPHER* cipher_;
  SecretBytes key_, salt_;
  uint64_t next_iv_ = 0;
};

// AES-CBC with HMAC over header, IV and ciphertext (RFC 7296, 3.14).
class CbcCipher final : public MessageCipher {
 public:
  CbcCipher(const EncryptionTraits& encryption, const IntegrityTraits& integrity,
            ByteSpan encryption_key, ByteSpan integrity_key)
      : encryption_(encryption),
        integrity_(integrity),
        cipher_(FetchCipher(encryption.encryption)),
        encryption_key_(encryption_key),
        integrity_key_(integrity_key) {
    SEKISHO_CHECK(cipher_ != nullptr);
  }

  Bytes Seal(const Header& header, const std::vector<Payload>& payloads, Random& random) override {
    EncodedPayloads inner = EncodePayloads(payloads);
    const size_t block = encryption_.block_bytes;
    const size_t padding = block - 1 - inner.bytes.size() % block;
    inner.bytes.resize(inner.bytes.size() + padding);
    inner.bytes.push_back(static_cast<uint8_t>(padding));
    Bytes iv(encryption_.iv_bytes);
    random.Fill(iv);
    Frame frame = BeginMessage(header, inner.first, iv, inner.bytes.size(), integrity_.icv_bytes);
    const std::span<uint8_t> message = frame.out.mutable_span();
    Crypt(iv, inner.bytes, message.data() + frame.ciphertext_at, true);
    WipeMemory(inner.bytes.data(), inner.bytes.size());
    const size_t icv_at = message.size() - integrity_.icv_bytes;
    const Bytes icv = Icv(message.first(icv_at));
    std::copy(icv.begin(), icv.end(), message.begin() + static_cast<ptrdiff_t>(icv_at));
    return std::move(frame.out).Take();
  }

  absl::StatusOr<Message> Open(ByteSpan datagram) const override {
    const absl::StatusOr<Header> header = ParseHeader(datagram);
    if (!header.ok()) return Unauthenticated(header.status().message());
    SEKISHO_ASSIGN_OR_RETURN(const Layout layout,
                             FindParts(datagram, encryption_.iv_bytes, integrity_.icv_bytes));
    const ByteSpan covered = datagram.first(datagram.size() - integrity_.icv_bytes);
    if (!ConstantTimeEqual(Icv(covered), layout.icv)) {
      return Unauthenticated("integrity check failed");
    }
    const size_t block = encryption_.block_bytes;
    if (layout.ciphertext.size() % block != 0) {
      return FieldError("SK payload: ciphertext", absl::StrCat(layout.ciphertext.size(), " bytes"),
                        absl::StrCat("a multiple of ", block));
    }
    SecretBytes plaintext(layout.ciphertext.size());
    Crypt(layout.iv, layout.ciphertext, plaintext.mutable_span().data(), false);
    return ParsePlaintext(*header, layout, plaintext.span());
  }

 private:
  Bytes Icv(ByteSpan covered) const {
    const Hash hash = HashOf(integrity_.id);
    Bytes digest(DigestBytes(hash));
    Hmac(hash, integrity_key_.span()).Compute({covered}, digest);
    digest.resize(integrity_.icv_bytes);
    return digest;
  }

  // Requires: whole blocks.
  void Crypt(ByteSpan iv, ByteSpan from, uint8_t* to, bool encrypt) const {
    if (from.empty()) return;
    const CipherContextPtr context(EVP_CIPHER_CTX_new());
    int written = 0;
    SEKISHO_CHECK(context != nullptr &&
                  EVP_CipherInit_ex2(context.get(), cipher_, encryption_key_.data(), iv.data(),
                                     encrypt ? 1 : 0, nullptr) == 1 &&
                  EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
                  EVP_CipherUpdate(context.get(), to, &written, from.data(),
                                   static_cast<int>(from.size())) == 1 &&
                  static_cast<size_t>(written) == from.size());
  }

  const EncryptionTraits& encryption_;
  const IntegrityTraits& integrity_;
  const EVP_CIPHER* cipher_;
  SecretBytes encryption_key_, integrity_key_;
};

}  // namespace

std::unique_ptr<MessageCipher> MessageCipher::Create(const IkeSuite& suite, ByteSpan encryption_key,
                                                     ByteSpan integrity_key) {
  const EncryptionTraits* encryption = FindEncryption(suite.encryption);
  SEKISHO_CHECK(encryption != nullptr &&
                encryption_key.size() == size_t{encryption->key_bytes} + encryption->salt_bytes);
  if (encryption->aead) return std::make_unique<AeadCipher>(*encryption, encryption_key);
  const IntegrityTraits* integrity = FindIntegrity(suite.integrity);
  SEKISHO_CHECK(integrity != nullptr && integrity_key.size() == integrity->key_bytes);
  return std::make_unique<CbcCipher>(*encryption, *integrity, encryption_key, integrity_key);
}

}  // namespace sekisho::ike
