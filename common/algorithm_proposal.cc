// Proposals and suites as people write them.
#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/algorithm.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace sekisho {
namespace {

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
  if (const auto* e = FindIn(AllEncryption(), named)) {
    proposal.encryption.push_back(e->encryption);
  } else if (const auto* i = FindIn(AllIntegrity(), named)) {
    proposal.integrity.push_back(i->id);
  } else if (const auto* p = FindIn(AllPrfs(), named)) {
    proposal.prf.push_back(p->id);
  } else if (const auto* k = FindIn(AllKeyExchanges(), named)) {
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
  return absl::StrCat("encryption: ", JoinNames(AllEncryption(), purpose),
                      "; integrity: ", JoinNames(AllIntegrity(), purpose),
                      "; prf: ", JoinNames(AllPrfs(), purpose),
                      "; key exchange: ", JoinNames(AllKeyExchanges(), purpose), "; or esn, noesn");
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
                     "-sha256 or another of: ", JoinNames(AllIntegrity(), purpose)));
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
        "', which names no encryption, want one of: ", JoinNames(AllEncryption(), purpose)));
  }
  SEKISHO_RETURN_IF_ERROR(CheckPurpose(text, proposal, purpose));
  SEKISHO_RETURN_IF_ERROR(CheckCombination(text, proposal, purpose));
  return proposal;
}

// "sha256", "aes128gmac-esn": what AH runs (RFC 4302).
absl::StatusOr<IpsecSuite> ParseAhSuite(absl::string_view text) {
  IpsecSuite suite;
  const auto integrity = [&](absl::string_view word) {
    const auto* traits = FindIn(
        AllIntegrity(), [name = WithoutAlias(word)](const auto& t) { return t.name == name; });
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
          absl::StrJoin(AllIntegrity(), " ",
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

absl::StatusOr<AlgorithmProposal> AlgorithmProposal::ParseIke(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(AlgorithmProposal proposal, ParseWords(text, Purpose::kIke));
  if (!proposal.esn.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' with esn, want it only in an ESP proposal"));
  }
  if (proposal.key_exchange.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "' without a key exchange, want ", text,
                     "-x25519 or another of: ", JoinNames(AllKeyExchanges(), Purpose::kIke)));
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
