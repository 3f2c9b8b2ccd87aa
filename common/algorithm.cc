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

constexpr std::array kEncryption = {
    EncryptionTraits{"aes256gcm16", {EncryptionId::kAesGcm16, 256}, 32, 4, 8, 16, 1, true, true},
    EncryptionTraits{"aes128gcm16", {EncryptionId::kAesGcm16, 128}, 16, 4, 8, 16, 1, true, true},
    EncryptionTraits{
        "chacha20poly1305", {EncryptionId::kChaCha20Poly1305, 256}, 32, 4, 8, 16, 1, true, false},
    EncryptionTraits{"aes256", {EncryptionId::kAesCbc, 256}, 32, 0, 16, 0, 16, false, true},
    EncryptionTraits{"aes128", {EncryptionId::kAesCbc, 128}, 16, 0, 16, 0, 16, false, true},
};
constexpr std::array kIntegrity = {
    IntegrityTraits{"sha256", IntegrityId::kHmacSha2_256_128, 32, 16},
    IntegrityTraits{"sha384", IntegrityId::kHmacSha2_384_192, 48, 24},
    IntegrityTraits{"sha512", IntegrityId::kHmacSha2_512_256, 64, 32},
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
    Alias{"aes128gcm128", "aes128gcm16"},  Alias{"aes256gcm128", "aes256gcm16"},
    Alias{"aes128gcm", "aes128gcm16"},     Alias{"aes256gcm", "aes256gcm16"},
    Alias{"aes128cbc", "aes128"},          Alias{"aes256cbc", "aes256"},
    Alias{"sha2_256", "sha256"},           Alias{"sha2_384", "sha384"},
    Alias{"sha2_512", "sha512"},           Alias{"curve25519", "x25519"},
    Alias{"chacha20", "chacha20poly1305"},
};

// What peers offer and we do not have, for the log: IANA "IKEv2 Parameters". A cipher's key length
// goes behind its name, or where its second part says.
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
    ForeignName{1, "md5"},         ForeignName{2, "sha1"},        ForeignName{3, "desmac"},
    ForeignName{4, "kpdkmd5"},     ForeignName{5, "aesxcbc"},     ForeignName{6, "md5_128"},
    ForeignName{7, "sha1_160"},    ForeignName{8, "aescmac"},     ForeignName{9, "aes128gmac"},
    ForeignName{10, "aes192gmac"}, ForeignName{11, "aes256gmac"},
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

template <typename Table>
std::string JoinNames(const Table& table) {
  return absl::StrJoin(
      table, " ", [](std::string* out, const auto& traits) { absl::StrAppend(out, traits.name); });
}

// The field's name; "group-99" and the like for what has none.
template <typename Id, typename Table>
std::string UnknownName(absl::string_view kind, Id id, const Table& foreign) {
  const auto* named =
      FindIn(foreign, [id](const ForeignName& f) { return f.id == static_cast<uint16_t>(id); });
  if (named != nullptr) return std::string(named->name);
  return absl::StrCat(kind, "-", static_cast<uint16_t>(id));
}

// Adds the algorithm called `word` to the list of its kind; false if there is none.
bool AddByName(absl::string_view word, AlgorithmProposal& proposal) {
  if (const auto* alias = FindIn(kAliases, [&](const Alias& a) { return a.alias == word; })) {
    word = alias->name;
  }
  const auto named = [&](const auto& traits) { return traits.name == word; };
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

absl::StatusOr<AlgorithmProposal> ParseWords(absl::string_view text) {
  AlgorithmProposal proposal;
  for (absl::string_view word : absl::StrSplit(text, '-')) {
    if (!AddByName(word, proposal)) {
      return absl::InvalidArgumentError(
          absl::StrCat("found algorithm '", word, "' in '", text,
                       "', want of encryption: ", JoinNames(kEncryption),
                       "; integrity: ", JoinNames(kIntegrity), "; prf: ", JoinNames(kPrfs),
                       "; key exchange: ", JoinNames(kKeyExchanges), "; or esn, noesn"));
    }
  }
  if (proposal.encryption.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found '", text, "', which names no encryption, want one of: ", JoinNames(kEncryption)));
  }
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
                     "-sha256 or another of: ", JoinNames(kIntegrity)));
  }
  return proposal;
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

std::string IpsecSuite::ToString() const {
  std::string text = Name(encryption);
  if (integrity != IntegrityId::kNone) absl::StrAppend(&text, "-", Name(integrity));
  if (esn) absl::StrAppend(&text, "-esn");
  return text;
}

std::string IkeSuite::ToString() const {
  std::string text = Name(encryption);
  if (integrity != IntegrityId::kNone) absl::StrAppend(&text, "-", Name(integrity));
  return absl::StrCat(text, "-", Name(prf), "-", Name(key_exchange));
}

absl::StatusOr<AlgorithmProposal> AlgorithmProposal::ParseIke(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(AlgorithmProposal proposal, ParseWords(text));
  if (!proposal.esn.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' with esn, want it only in an ESP proposal"));
  }
  if (proposal.key_exchange.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' without a key exchange, want ", text,
                     "-x25519 or another of: ", JoinNames(kKeyExchanges)));
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
  SEKISHO_ASSIGN_OR_RETURN(AlgorithmProposal proposal, ParseWords(text));
  if (!proposal.prf.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' with a prf, want it only in an IKE proposal"));
  }
  return proposal;
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
