#include "common/algorithm.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/status_macros.h"

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

// Other spellings in use for the same thing.
struct Alias {
  absl::string_view alias, name;
};
constexpr std::array kAliases = {
    Alias{"aes128gcm64", "aes128gcm8"},
    Alias{"aes128ccm64", "aes128ccm8"},
    Alias{"aes128gcm96", "aes128gcm12"},
    Alias{"aes128ccm96", "aes128ccm12"},
    Alias{"aes128gcm128", "aes128gcm16"},
    Alias{"aes128ccm128", "aes128ccm16"},
    Alias{"aes128gcm", "aes128gcm16"},
    Alias{"aes128cbc", "aes128"},
    Alias{"aes192gcm64", "aes192gcm8"},
    Alias{"aes192ccm64", "aes192ccm8"},
    Alias{"aes192gcm96", "aes192gcm12"},
    Alias{"aes192ccm96", "aes192ccm12"},
    Alias{"aes192gcm128", "aes192gcm16"},
    Alias{"aes192ccm128", "aes192ccm16"},
    Alias{"aes192gcm", "aes192gcm16"},
    Alias{"aes192cbc", "aes192"},
    Alias{"aes256gcm64", "aes256gcm8"},
    Alias{"aes256ccm64", "aes256ccm8"},
    Alias{"aes256gcm96", "aes256gcm12"},
    Alias{"aes256ccm96", "aes256ccm12"},
    Alias{"aes256gcm128", "aes256gcm16"},
    Alias{"aes256ccm128", "aes256ccm16"},
    Alias{"aes256gcm", "aes256gcm16"},
    Alias{"aes256cbc", "aes256"},
    Alias{"aes", "aes128"},
    Alias{"sha", "sha1"},
    Alias{"sha2_256", "sha256"},
    Alias{"sha2_384", "sha384"},
    Alias{"sha2_512", "sha512"},
    Alias{"curve25519", "x25519"},
    Alias{"chacha20", "chacha20poly1305"},
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

// What a proposal is for decides which of the algorithms it may name.
enum class Purpose { kIke, kEsp };

bool Fits(AlgorithmUse use, Purpose purpose) {
  return purpose == Purpose::kIke ? use == AlgorithmUse::kIkeAndIpsec
                                  : use != AlgorithmUse::kAhOnly;
}
bool Fits(const EncryptionTraits& traits, Purpose purpose) { return Fits(traits.use, purpose); }
bool Fits(const IntegrityTraits& traits, Purpose purpose) { return Fits(traits.use, purpose); }
template <typename Traits>
bool Fits(const Traits&, Purpose) {
  return true;
}

template <typename Table>
std::string JoinNames(const Table& table, Purpose purpose) {
  std::vector<absl::string_view> names;
  for (const auto& traits : table) {
    if (Fits(traits, purpose)) names.push_back(traits.name);
  }
  return absl::StrJoin(names, " ");
}

// The field's name; "group-99" and the like for what has none.
template <typename Id, typename Table>
std::string UnknownName(absl::string_view kind, Id id, const Table& foreign) {
  const auto* named =
      FindIn(foreign, [id](const ForeignName& f) { return f.id == static_cast<uint16_t>(id); });
  if (named != nullptr) return std::string(named->name);
  return absl::StrCat(kind, "-", static_cast<uint16_t>(id));
}

absl::string_view WithoutAlias(absl::string_view word) {
  const auto* alias = FindIn(kAliases, [&](const Alias& a) { return a.alias == word; });
  return alias == nullptr ? word : alias->name;
}

// Adds the algorithm called `word` to the list of its kind; false if there is none. "aes128gmac" is
// the cipher here; the integrity algorithm of that name is AH's, which has no proposals.
bool AddByName(absl::string_view word, AlgorithmProposal& proposal) {
  const auto named = [name = WithoutAlias(word)](const auto& traits) {
    return traits.name == name;
  };
  if (const auto* e = FindIn(kEncryption, named)) {
    proposal.encryption.push_back(e->encryption);
  } else if (const auto* i = FindIn(kIntegrity, named)) {
    proposal.integrity.push_back(i->id);
  } else if (const auto* p = FindIn(kPrfs, named)) {
    proposal.prf.push_back(p->id);
  } else if (const auto* k = FindIn(kKeyExchanges, named)) {
    proposal.key_exchange.push_back(k->id);
  } else if (word == "esn") {
    proposal.esn.push_back(EsnId::kEsn);
  } else if (word == "noesn") {
    proposal.esn.push_back(EsnId::kNoEsn);
  } else {
    return false;
  }
  return true;
}

std::string Choices(Purpose purpose) {
  return absl::StrCat("encryption: ", JoinNames(kEncryption, purpose),
                      "; integrity: ", JoinNames(kIntegrity, purpose),
                      "; prf: ", JoinNames(kPrfs, purpose),
                      "; key exchange: ", JoinNames(kKeyExchanges, purpose), "; or esn, noesn");
}

// IKE's own messages are protected by fewer algorithms than ESP packets.
absl::Status CheckPurpose(absl::string_view text, const AlgorithmProposal& proposal,
                          Purpose purpose) {
  const auto refuse = [&](absl::string_view name) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found '", name, "' in '", text, "', which is for ESP only, want of ", Choices(purpose)));
  };
  for (const Encryption& encryption : proposal.encryption) {
    const EncryptionTraits& traits = *FindEncryption(encryption);
    if (!Fits(traits, purpose)) return refuse(traits.name);
  }
  for (const IntegrityId integrity : proposal.integrity) {
    const IntegrityTraits& traits = *FindIntegrity(integrity);
    if (!Fits(traits, purpose)) return refuse(traits.name);
  }
  return absl::OkStatus();
}

// A proposal has AEADs alone, or other ciphers with integrity algorithms.
absl::Status CheckCombination(absl::string_view text, const AlgorithmProposal& proposal,
                              Purpose purpose) {
  const bool aead = FindEncryption(proposal.encryption.front())->aead;
  for (const Encryption& encryption : proposal.encryption) {
    if (FindEncryption(encryption)->aead != aead) {
      return absl::InvalidArgumentError(absl::StrCat(
          "found '", text, "', which mixes AEAD and other encryption, want one proposal for each"));
    }
  }
  if (aead && !proposal.integrity.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found '", text, "', which has an integrity algorithm beside an AEAD, want none",
        " (a PRF is written prfsha256)"));
  }
  if (!aead && proposal.integrity.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' without integrity, want ", text,
                     "-sha256 or another of: ", JoinNames(kIntegrity, purpose)));
  }
  return absl::OkStatus();
}

absl::StatusOr<AlgorithmProposal> ParseWords(absl::string_view text, Purpose purpose) {
  AlgorithmProposal proposal;
  for (absl::string_view word : absl::StrSplit(text, '-')) {
    if (!AddByName(word, proposal)) {
      return absl::InvalidArgumentError(
          absl::StrCat("found algorithm '", word, "' in '", text, "', want of ", Choices(purpose)));
    }
  }
  if (proposal.encryption.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found '", text,
        "', which names no encryption, want one of: ", JoinNames(kEncryption, purpose)));
  }
  SEKISHO_RETURN_IF_ERROR(CheckPurpose(text, proposal, purpose));
  SEKISHO_RETURN_IF_ERROR(CheckCombination(text, proposal, purpose));
  return proposal;
}

// "sha256", "aes128gmac-esn": what AH runs (RFC 4302).
absl::StatusOr<IpsecSuite> ParseAhSuite(absl::string_view text) {
  IpsecSuite suite;
  const auto integrity = [&](absl::string_view word) {
    const auto* traits =
        FindIn(kIntegrity, [name = WithoutAlias(word)](const auto& t) { return t.name == name; });
    return traits == nullptr ? IntegrityId::kNone : traits->id;
  };
  for (absl::string_view word : absl::StrSplit(text, '-')) {
    if (word == "esn" || word == "noesn") {
      suite.esn = word == "esn";
    } else if (const IntegrityId id = integrity(word);
               id != IntegrityId::kNone && suite.integrity == IntegrityId::kNone) {
      suite.integrity = id;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "found '", word, "' in '", text, "', want for AH one of: ",
          absl::StrJoin(kIntegrity, " ",
                        [](auto* out, const auto& t) { absl::StrAppend(out, t.name); }),
          "; and esn"));
    }
  }
  if (suite.integrity == IntegrityId::kNone) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "', which names no integrity algorithm"));
  }
  return suite;
}

PrfId PrfOfHash(IntegrityId integrity) {
  switch (integrity) {
    case IntegrityId::kHmacSha2_384_192:
      return PrfId::kHmacSha2_384;
    case IntegrityId::kHmacSha2_512_256:
      return PrfId::kHmacSha2_512;
    default:
      return PrfId::kHmacSha2_256;
  }
}

AlgorithmProposal MustParse(absl::StatusOr<AlgorithmProposal> proposal) {
  SEKISHO_CHECK(proposal.ok());
  return *std::move(proposal);
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

absl::StatusOr<IpsecSuite> IpsecSuite::Parse(IpsecProtocol protocol, absl::string_view text) {
  if (protocol == IpsecProtocol::kAh) return ParseAhSuite(text);
  SEKISHO_ASSIGN_OR_RETURN(const AlgorithmProposal proposal, AlgorithmProposal::ParseEsp(text));
  const std::vector<IpsecSuite> suites = proposal.Suites();
  if (suites.size() != 1 || !proposal.key_exchange.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "', want one suite such as aes256-sha256 or null-sha256"));
  }
  return suites.front();
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

absl::StatusOr<AlgorithmProposal> AlgorithmProposal::ParseIke(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(AlgorithmProposal proposal, ParseWords(text, Purpose::kIke));
  if (!proposal.esn.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' with esn, want it only in an ESP proposal"));
  }
  if (proposal.key_exchange.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' without a key exchange, want ", text,
                     "-x25519 or another of: ", JoinNames(kKeyExchanges, Purpose::kIke)));
  }
  if (proposal.prf.empty()) {
    if (proposal.integrity.empty()) proposal.prf = {PrfId::kHmacSha2_256};
    for (IntegrityId integrity : proposal.integrity) {
      proposal.prf.push_back(PrfOfHash(integrity));
    }
  }
  return proposal;
}

absl::StatusOr<AlgorithmProposal> AlgorithmProposal::ParseEsp(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(AlgorithmProposal proposal, ParseWords(text, Purpose::kEsp));
  if (!proposal.prf.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' with a prf, want it only in an IKE proposal"));
  }
  return proposal;
}

std::vector<IpsecSuite> AlgorithmProposal::Suites() const {
  const std::vector<IntegrityId> no_integrity = {IntegrityId::kNone};
  const std::vector<EsnId> no_esn = {EsnId::kNoEsn};
  std::vector<IpsecSuite> suites;
  for (const Encryption& e : encryption) {
    for (const IntegrityId i : integrity.empty() ? no_integrity : integrity) {
      for (const EsnId n : esn.empty() ? no_esn : esn) {
        suites.push_back({.encryption = e, .integrity = i, .esn = n == EsnId::kEsn});
      }
    }
  }
  return suites;
}

std::string AlgorithmProposal::ToString() const {
  std::vector<std::string> words;
  for (Encryption e : encryption) words.push_back(Name(e));
  for (IntegrityId i : integrity) words.push_back(Name(i));
  for (PrfId p : prf) words.push_back(Name(p));
  for (KeyExchangeId k : key_exchange) words.push_back(Name(k));
  for (EsnId e : esn) words.push_back(e == EsnId::kEsn ? "esn" : "noesn");
  return absl::StrJoin(words, "-");
}

std::vector<AlgorithmProposal> DefaultIkeProposals() {
  return {MustParse(AlgorithmProposal::ParseIke(
              "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-"
              "ecp256-ecp384-modp2048")),
          MustParse(AlgorithmProposal::ParseIke(
              "aes256-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-modp2048"))};
}

std::vector<AlgorithmProposal> DefaultEspProposals() {
  return {MustParse(AlgorithmProposal::ParseEsp("aes256gcm16-aes128gcm16-chacha20poly1305")),
          MustParse(AlgorithmProposal::ParseEsp("aes256-aes128-sha256-sha384-sha512"))};
}

}  // namespace sekisho
