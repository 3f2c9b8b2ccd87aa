// common/algorithm.h: the algorithms we know, by their IANA numbers and the field's names.
//
// Numbers: IANA "IKEv2 Parameters", transform types 1 to 5 (RFC 7296, 3.3.2). Names are the ones
// strongSwan, Libreswan and their users write: aes256gcm16, prfsha256, x25519. One table in
// algorithm.cc holds number, key size, name; nothing else in the project spells an algorithm.
// algorithm_proposal.cc reads what people write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ipsec.h"

namespace sekisho {

enum class TransformType : uint8_t {
  kEncryption = 1,
  kPrf = 2,
  kIntegrity = 3,
  kKeyExchange = 4,
  kEsn = 5,
};

enum class EncryptionId : uint16_t {
  kNone = 0,
  k3DesCbc = 3,   // RFC 2451; refused unless the operator asks for it (IsPermitted)
  kNull = 11,     // RFC 2410
  kAesCbc = 12,   // RFC 3602
  kAesCtr = 13,   // RFC 3686
  kAesCcm8 = 14,  // RFC 4309
  kAesCcm12 = 15,
  kAesCcm16 = 16,
  kAesGcm8 = 18,  // RFC 4106 (ESP), RFC 5282 (IKE)
  kAesGcm12 = 19,
  kAesGcm16 = 20,
  kNullAesGmac = 21,       // RFC 4543: ENCR_NULL_AUTH_AES_GMAC
  kChaCha20Poly1305 = 28,  // RFC 7634
};

enum class IntegrityId : uint16_t {
  kNone = 0,
  kHmacSha1_96 = 2,  // RFC 2404
  kAes128Gmac = 9,   // RFC 4543: AUTH_AES_128_GMAC; these three in AH only
  kAes192Gmac = 10,
  kAes256Gmac = 11,
  kHmacSha2_256_128 = 12,  // RFC 4868
  kHmacSha2_384_192 = 13,
  kHmacSha2_512_256 = 14,
};

enum class PrfId : uint16_t {
  kNone = 0,
  kHmacSha2_256 = 5,  // RFC 4868
  kHmacSha2_384 = 6,
  kHmacSha2_512 = 7,
};

enum class KeyExchangeId : uint16_t {
  kNone = 0,
  kModp2048 = 14,  // RFC 3526
  kEcp256 = 19,    // RFC 5903
  kEcp384 = 20,
  kX25519 = 31,  // RFC 8031
};

enum class EsnId : uint16_t { kNoEsn = 0, kEsn = 1 };

// A cipher with the length of its key, as transforms and SAs name it.
struct Encryption {
  EncryptionId id = EncryptionId::kNone;
  uint16_t key_bits = 0;  // of the key alone, without the salt
  friend auto operator<=>(const Encryption&, const Encryption&) = default;
};

// Who may use an algorithm. IKE protects its own messages with fewer than ESP has; an integrity
// algorithm with a nonce (GMAC) is AH's alone (RFC 4543, 5.3); 3DES is there for old peers only.
enum class AlgorithmUse : uint8_t {
  kIkeAndIpsec,
  kIpsecOnly,
  kAhOnly,
  kLegacy,  // IPsec, where the operator says so
};

// Sizes in bytes, of what stands in a packet and of keying material.
struct EncryptionTraits {
  absl::string_view name;  // "aes256gcm16"
  Encryption encryption;
  uint8_t key_bytes;          // keying material taken for it is key_bytes + salt_bytes
  uint8_t salt_bytes;         // the implicit start of each nonce or counter block; 0 for CBC
  uint8_t iv_bytes;           // explicit IV in the packet
  uint8_t icv_bytes;          // 0 unless AEAD
  uint8_t block_bytes;        // what plaintext is padded to (at least 4 in ESP)
  bool aead;                  // a combined mode: no integrity algorithm beside it (AES-GMAC too)
  bool key_length_attribute;  // is the key length an attribute on the wire? (not for ChaCha20)
  AlgorithmUse use = AlgorithmUse::kIpsecOnly;
};
struct IntegrityTraits {
  absl::string_view name;  // "sha256"
  IntegrityId id;
  uint8_t key_bytes;  // keying material taken for it, GMAC's salt at the end included
  uint8_t icv_bytes;
  AlgorithmUse use = AlgorithmUse::kIpsecOnly;
  uint8_t salt_bytes = 0;  // GMAC: 4
  uint8_t iv_bytes = 0;    // GMAC: 8, which stand before the ICV in AH (RFC 4543, 4)
};
struct PrfTraits {
  absl::string_view name;  // "prfsha256"
  PrfId id;
  uint8_t output_bytes;  // also the preferred key size
};
struct KeyExchangeTraits {
  absl::string_view name;  // "x25519"
  KeyExchangeId id;
  uint16_t public_bytes;  // length of the data in a KE payload
};

// nullptr: an algorithm we do not have.
const EncryptionTraits* FindEncryption(Encryption encryption);
const IntegrityTraits* FindIntegrity(IntegrityId id);
const PrfTraits* FindPrf(PrfId id);
const KeyExchangeTraits* FindKeyExchange(KeyExchangeId id);

// Every algorithm we have, strongest preference first.
std::span<const EncryptionTraits> AllEncryption();
std::span<const IntegrityTraits> AllIntegrity();
std::span<const PrfTraits> AllPrfs();
std::span<const KeyExchangeTraits> AllKeyExchanges();

// "aes256gcm16"; also for what we do not have but peers may offer: "camellia128", "modp1024".
// For a number nobody has named "encryption-99/168" and the like, for the log.
std::string Name(Encryption encryption);
std::string Name(IntegrityId id);
std::string Name(PrfId id);
std::string Name(KeyExchangeId id);

// What an SA runs: ESP with an encryption (which may be kNull), AH without one (kNone).
struct IpsecSuite {
  Encryption encryption;
  IntegrityId integrity = IntegrityId::kNone;  // kNone with an AEAD
  bool esn = false;

  IpsecProtocol protocol() const {
    return encryption.id == EncryptionId::kNone ? IpsecProtocol::kAh : IpsecProtocol::kEsp;
  }
  // One suite: "aes256gcm16", "null-sha1-esn" for ESP; "sha256", "aes128gmac-esn" for AH.
  static absl::StatusOr<IpsecSuite> Parse(IpsecProtocol protocol, absl::string_view text);
  std::string ToString() const;  // "aes128gcm16", "aes256-sha256-esn"; AH: "sha256-esn"
  friend auto operator<=>(const IpsecSuite&, const IpsecSuite&) = default;
};

// Is there such a suite? An AEAD alone, another cipher (null included) with an HMAC, or no cipher
// and any integrity algorithm. Both traits are nullptr where there is not; `encryption` is also
// nullptr for AH, `integrity` with an AEAD.
struct IpsecSuiteTraits {
  const EncryptionTraits* encryption = nullptr;
  const IntegrityTraits* integrity = nullptr;
  bool exists() const { return encryption != nullptr || integrity != nullptr; }
  size_t encryption_key_bytes() const;  // keying material, salt included
  size_t integrity_key_bytes() const;
};
IpsecSuiteTraits Find(const IpsecSuite& suite);

// What an operator permits beyond what is safe to use by default (`crypto.legacy`).
struct AlgorithmPermission {
  bool legacy = false;  // 3DES
};
// May an SA run this suite here? The error says which algorithm may not, and why. For proposals of
// connections and for manual SAs alike.
absl::Status CheckPermitted(const IpsecSuite& suite, AlgorithmPermission permission);

// What an IKE SA runs.
struct IkeSuite {
  Encryption encryption;
  IntegrityId integrity = IntegrityId::kNone;
  PrfId prf = PrfId::kNone;
  KeyExchangeId key_exchange = KeyExchangeId::kNone;
  std::string ToString() const;  // "aes256gcm16-prfsha256-x25519"
  friend auto operator<=>(const IkeSuite&, const IkeSuite&) = default;
};

// What an operator accepts: for each transform type the algorithms in order of preference. A
// connection holds a list of these, tried in order.
struct AlgorithmProposal {
  std::vector<Encryption> encryption;
  std::vector<IntegrityId> integrity;  // empty with AEADs; a proposal never mixes the two
  std::vector<PrfId> prf;              // IKE only
  std::vector<KeyExchangeId> key_exchange;
  std::vector<EsnId> esn;  // ESP only; empty means kNoEsn

  // "aes256gcm16-prfsha256-x25519-ecp256", "aes128-aes256-sha256-modp2048-esn". An IKE proposal
  // needs a key exchange; where it names no prf, the one of the integrity algorithm's hash is
  // taken. It may name only what IKE itself uses (AlgorithmUse). An ESP proposal must name no prf;
  // a key exchange in it means PFS. "aes128gmac" in it is the cipher that encrypts nothing.
  static absl::StatusOr<AlgorithmProposal> ParseIke(absl::string_view text);
  static absl::StatusOr<AlgorithmProposal> ParseEsp(absl::string_view text);
  // Of an ESP proposal: every suite that it may end in.
  std::vector<IpsecSuite> Suites() const;
  std::string ToString() const;
  friend auto operator<=>(const AlgorithmProposal&, const AlgorithmProposal&) = default;
};

// What a connection accepts when its configuration is silent.
std::vector<AlgorithmProposal> DefaultIkeProposals();
std::vector<AlgorithmProposal> DefaultEspProposals();

}  // namespace sekisho
