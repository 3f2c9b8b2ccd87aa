#include "common/algorithm.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace sekisho {
namespace {

// Name, number and key bits, key, salt, IV, ICV, block, AEAD, key length attribute, use.
constexpr std::array kEncryption = {
    EncryptionTraits{"aes256gcm16",
                     {EncryptionId::kAesGcm16, 256},
                     32,
                     4,
                     8,
                     16,
                     1,
                     true,
                     true,
                     AlgorithmUse::kIkeAndIpsec},
    EncryptionTraits{"aes128gcm16",
                     {EncryptionId::kAesGcm16, 128},
                     16,
                     4,
                     8,
                     16,
                     1,
                     true,
                     true,
                     AlgorithmUse::kIkeAndIpsec},
    EncryptionTraits{"chacha20poly1305",
                     {EncryptionId::kChaCha20Poly1305, 256},
                     32,
                     4,
                     8,
                     16,
                     1,
                     true,
                     false,
                     AlgorithmUse::kIkeAndIpsec},
    EncryptionTraits{"aes256",
                     {EncryptionId::kAesCbc, 256},
                     32,
                     0,
                     16,
                     0,
                     16,
                     false,
                     true,
                     AlgorithmUse::kIkeAndIpsec},
    EncryptionTraits{"aes128",
                     {EncryptionId::kAesCbc, 128},
                     16,
                     0,
                     16,
                     0,
                     16,
                     false,
                     true,
                     AlgorithmUse::kIkeAndIpsec},
    EncryptionTraits{"aes192gcm16", {EncryptionId::kAesGcm16, 192}, 24, 4, 8, 16, 1, true, true},
    EncryptionTraits{"aes256gcm12", {EncryptionId::kAesGcm12, 256}, 32, 4, 8, 12, 1, true, true},
    EncryptionTraits{"aes192gcm12", {EncryptionId::kAesGcm12, 192}, 24, 4, 8, 12, 1, true, true},
    EncryptionTraits{"aes128gcm12", {EncryptionId::kAesGcm12, 128}, 16, 4, 8, 12, 1, true, true},
    EncryptionTraits{"aes256gcm8", {EncryptionId::kAesGcm8, 256}, 32, 4, 8, 8, 1, true, true},
    EncryptionTraits{"aes192gcm8", {EncryptionId::kAesGcm8, 192}, 24, 4, 8, 8, 1, true, true},
    EncryptionTraits{"aes128gcm8", {EncryptionId::kAesGcm8, 128}, 16, 4, 8, 8, 1, true, true},
    EncryptionTraits{"aes256ccm16", {EncryptionId::kAesCcm16, 256}, 32, 3, 8, 16, 1, true, true},
    EncryptionTraits{"aes192ccm16", {EncryptionId::kAesCcm16, 192}, 24, 3, 8, 16, 1, true, true},
    EncryptionTraits{"aes128ccm16", {EncryptionId::kAesCcm16, 128}, 16, 3, 8, 16, 1, true, true},
    EncryptionTraits{"aes256ccm12", {EncryptionId::kAesCcm12, 256}, 32, 3, 8, 12, 1, true, true},
    EncryptionTraits{"aes192ccm12", {EncryptionId::kAesCcm12, 192}, 24, 3, 8, 12, 1, true, true},
    EncryptionTraits{"aes128ccm12", {EncryptionId::kAesCcm12, 128}, 16, 3, 8, 12, 1, true, true},
    EncryptionTraits{"aes256ccm8", {EncryptionId::kAesCcm8, 256}, 32, 3, 8, 8, 1, true, true},
    EncryptionTraits{"aes192ccm8", {EncryptionId::kAesCcm8, 192}, 24, 3, 8, 8, 1, true, true},
    EncryptionTraits{"aes128ccm8", {EncryptionId::kAesCcm8, 128}, 16, 3, 8, 8, 1, true, true},
    EncryptionTraits{"aes192", {EncryptionId::kAesCbc, 192}, 24, 0, 16, 0, 16, false, true},
    EncryptionTraits{"aes256ctr", {EncryptionId::kAesCtr, 256}, 32, 4, 8, 0, 1, false, true},
    EncryptionTraits{"aes192ctr", {EncryptionId::kAesCtr, 192}, 24, 4, 8, 0, 1, false, true},
    EncryptionTraits{"aes128ctr", {EncryptionId::kAesCtr, 128}, 16, 4, 8, 0, 1, false, true},
    EncryptionTraits{"aes256gmac", {EncryptionId::kNullAesGmac, 256}, 32, 4, 8, 16, 1, true, true},
    EncryptionTraits{"aes192gmac", {EncryptionId::kNullAesGmac, 192}, 24, 4, 8, 16, 1, true, true},
    EncryptionTraits{"aes128gmac", {EncryptionId::kNullAesGmac, 128}, 16, 4, 8, 16, 1, true, true},
    EncryptionTraits{"null", {EncryptionId::kNull, 0}, 0, 0, 0, 0, 1, false, false},
    EncryptionTraits{
        "3des", {EncryptionId::k3DesCbc, 0}, 24, 0, 8, 0, 8, false, false, AlgorithmUse::kLegacy},
};
constexpr std::array kIntegrity = {
    IntegrityTraits{"sha256", IntegrityId::kHmacSha2_256_128, 32, 16, AlgorithmUse::kIkeAndIpsec},
    IntegrityTraits{"sha384", IntegrityId::kHmacSha2_384_192, 48, 24, AlgorithmUse::kIkeAndIpsec},
    IntegrityTraits{"sha512", IntegrityId::kHmacSha2_512_256, 64, 32, AlgorithmUse::kIkeAndIpsec},
    IntegrityTraits{"sha1", IntegrityId::kHmacSha1_96, 20, 12},
    IntegrityTraits{"aes256gmac", IntegrityId::kAes256Gmac, 36, 16, AlgorithmUse::kAhOnly, 4, 8},
    IntegrityTraits{"aes192gmac", IntegrityId::kAes192Gmac, 28, 16, AlgorithmUse::kAhOnly, 4, 8},
    IntegrityTraits{"aes128gmac", IntegrityId::kAes128Gmac, 20, 16, AlgorithmUse::kAhOnly, 4, 8},
};
constexpr std::array kPrfs = {
    PrfTraits{"prfsha256", PrfId::kHmacSha2_256, 32},
    PrfTraits{"prfsha384", PrfId::kHmacSha2_384, 48},
    PrfTraits{"prfsha512", PrfId::kHmacSha2_512, 64},
};
constexpr std::array kKeyExchanges = {
    KeyExchangeTraits{"x25519", KeyExchangeId::kX25519, 32},
    KeyExchangeTraits{"ecp256", KeyExchangeId::kEcp256, 64},
    KeyExchangeTraits{"ecp384", KeyExchangeId::kEcp384, 96},
    KeyExchangeTraits{"modp2048", KeyExchangeId::kModp2048, 256},
};

// What peers offer and we do not have, or not with that key length, for the log: IANA "IKEv2
// Parameters". A cipher's key length goes behind its name, or where its second part says.
struct ForeignName {
  uint16_t id;
  absl::string_view name, after_key_length = "";
};
constexpr std::array kForeignEncryption = {
    ForeignName{1, "des-iv64"},
    ForeignName{2, "des"},
    ForeignName{3, "3des"},
    ForeignName{4, "rc5"},
    ForeignName{5, "idea"},
    ForeignName{6, "cast"},
    ForeignName{7, "blowfish"},
    ForeignName{8, "3idea"},
    ForeignName{9, "des-iv32"},
    ForeignName{11, "null"},
    ForeignName{12, "aes"},
    ForeignName{13, "aes", "ctr"},
    ForeignName{14, "aes", "ccm8"},
    ForeignName{15, "aes", "ccm12"},
    ForeignName{16, "aes", "ccm16"},
    ForeignName{18, "aes", "gcm8"},
    ForeignName{19, "aes", "gcm12"},
    ForeignName{20, "aes", "gcm16"},
    ForeignName{21, "aes", "gmac"},
    ForeignName{23, "camellia"},
    ForeignName{24, "camellia", "ctr"},
    ForeignName{25, "camellia", "ccm8"},
    ForeignName{26, "camellia", "ccm12"},
    ForeignName{27, "camellia", "ccm16"},
};
constexpr std::array kForeignIntegrity = {
    ForeignName{1, "md5"},     ForeignName{3, "desmac"},  ForeignName{4, "kpdkmd5"},
    ForeignName{5, "aesxcbc"}, ForeignName{6, "md5_128"}, ForeignName{7, "sha1_160"},
    ForeignName{8, "aescmac"},
};
constexpr std::array kForeignPrfs = {
    ForeignName{1, "prfmd5"},     ForeignName{2, "prfsha1"},    ForeignName{3, "prftiger"},
    ForeignName{4, "prfaesxcbc"}, ForeignName{8, "prfaescmac"},
};
constexpr std::array kForeignKeyExchanges = {
    ForeignName{1, "modp768"},       ForeignName{2, "modp1024"},
    ForeignName{5, "modp1536"},      ForeignName{15, "modp3072"},
    ForeignName{16, "modp4096"},     ForeignName{17, "modp6144"},
    ForeignName{18, "modp8192"},     ForeignName{21, "ecp521"},
    ForeignName{22, "modp1024s160"}, ForeignName{23, "modp2048s224"},
    ForeignName{24, "modp2048s256"}, ForeignName{25, "ecp192"},
    ForeignName{26, "ecp224"},       ForeignName{27, "ecp224bp"},
    ForeignName{28, "ecp256bp"},     ForeignName{29, "ecp384bp"},
    ForeignName{30, "ecp512bp"},     ForeignName{32, "x448"},
    ForeignName{35, "mlkem512"},     ForeignName{36, "mlkem768"},
    ForeignName{37, "mlkem1024"},
};

template <typename Table, typename Predicate>
const typename Table::value_type* FindIn(const Table& table, Predicate predicate) {
  const auto found = std::find_if(table.begin(), table.end(), predicate);
  return found == table.end() ? nullptr : &*found;
}

// The field's name; "group-99" and the like for what has none.
template <typename Id, typename Table>
std::string UnknownName(absl::string_view kind, Id id, const Table& foreign) {
  const auto* named =
      FindIn(foreign, [id](const ForeignName& f) { return f.id == static_cast<uint16_t>(id); });
  if (named != nullptr) return std::string(named->name);
  return absl::StrCat(kind, "-", static_cast<uint16_t>(id));
}

}  // namespace

const EncryptionTraits* FindEncryption(Encryption encryption) {
  return FindIn(kEncryption, [&](const auto& t) { return t.encryption == encryption; });
}
const IntegrityTraits* FindIntegrity(IntegrityId id) {
  return FindIn(kIntegrity, [&](const auto& t) { return t.id == id; });
}
const PrfTraits* FindPrf(PrfId id) {
  return FindIn(kPrfs, [&](const auto& t) { return t.id == id; });
}
const KeyExchangeTraits* FindKeyExchange(KeyExchangeId id) {
  return FindIn(kKeyExchanges, [&](const auto& t) { return t.id == id; });
}

std::span<const EncryptionTraits> AllEncryption() { return kEncryption; }
std::span<const IntegrityTraits> AllIntegrity() { return kIntegrity; }
std::span<const PrfTraits> AllPrfs() { return kPrfs; }
std::span<const KeyExchangeTraits> AllKeyExchanges() { return kKeyExchanges; }

std::string Name(Encryption encryption) {
  if (const auto* traits = FindEncryption(encryption)) return std::string(traits->name);
  const auto* foreign = FindIn(kForeignEncryption, [&](const ForeignName& f) {
    return f.id == static_cast<uint16_t>(encryption.id);
  });
  if (foreign == nullptr) {
    return absl::StrCat("encryption-", static_cast<uint16_t>(encryption.id), "/",
                        encryption.key_bits);
  }
  if (encryption.key_bits == 0) return absl::StrCat(foreign->name, foreign->after_key_length);
  return absl::StrCat(foreign->name, encryption.key_bits, foreign->after_key_length);
}
std::string Name(IntegrityId id) {
  const auto* traits = FindIntegrity(id);
  return traits ? std::string(traits->name) : UnknownName("integrity", id, kForeignIntegrity);
}
std::string Name(PrfId id) {
  const auto* traits = FindPrf(id);
  return traits ? std::string(traits->name) : UnknownName("prf", id, kForeignPrfs);
}
std::string Name(KeyExchangeId id) {
  const auto* traits = FindKeyExchange(id);
  return traits ? std::string(traits->name) : UnknownName("group", id, kForeignKeyExchanges);
}

std::string IpsecSuite::ToString() const {
  std::string text = protocol() == IpsecProtocol::kAh ? Name(integrity) : Name(encryption);
  if (protocol() == IpsecProtocol::kEsp && integrity != IntegrityId::kNone) {
    absl::StrAppend(&text, "-", Name(integrity));
  }
  if (esn) absl::StrAppend(&text, "-esn");
  return text;
}

size_t IpsecSuiteTraits::encryption_key_bytes() const {
  return encryption == nullptr ? 0 : size_t{encryption->key_bytes} + encryption->salt_bytes;
}
size_t IpsecSuiteTraits::integrity_key_bytes() const {
  return integrity == nullptr ? 0 : size_t{integrity->key_bytes};
}

IpsecSuiteTraits Find(const IpsecSuite& suite) {
  const IntegrityTraits* integrity = FindIntegrity(suite.integrity);
  if (suite.integrity != IntegrityId::kNone && integrity == nullptr) return {};
  if (suite.encryption == Encryption{}) return {nullptr, integrity};
  const EncryptionTraits* encryption = FindEncryption(suite.encryption);
  if (encryption == nullptr || encryption->aead != (integrity == nullptr)) return {};
  if (integrity != nullptr && integrity->use == AlgorithmUse::kAhOnly) return {};
  return {encryption, integrity};
}

absl::Status CheckPermitted(const IpsecSuite& suite, AlgorithmPermission permission) {
  const IpsecSuiteTraits traits = Find(suite);
  if (!traits.exists()) {
    return absl::InvalidArgumentError(absl::StrCat("no such suite: ", suite.ToString()));
  }
  if (traits.encryption != nullptr && traits.encryption->use == AlgorithmUse::kLegacy &&
      !permission.legacy) {
    return absl::FailedPreconditionError(absl::StrCat(
        "found ", traits.encryption->name, ", whose blocks of 64 bits repeat within ",
        "32 GB under one key (RFC 8221, 5); want another cipher, or crypto.legacy: true"));
  }
  return absl::OkStatus();
}

std::string IkeSuite::ToString() const {
  std::string text = Name(encryption);
  if (integrity != IntegrityId::kNone) absl::StrAppend(&text, "-", Name(integrity));
  return absl::StrCat(text, "-", Name(prf), "-", Name(key_exchange));
}

}  // namespace sekisho
