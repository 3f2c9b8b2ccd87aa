#include "ike/proposal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"

namespace sekisho::ike {
namespace {

// What of an offer goes into the log: a stranger decides on its length.
constexpr size_t kDescribedTransformsMax = 64;

Transform ToTransform(Encryption encryption) {
  const EncryptionTraits* traits = FindEncryption(encryption);
  SEKISHO_CHECK(traits != nullptr);
  return {.type = TransformType::kEncryption,
          .id = static_cast<uint16_t>(encryption.id),
          .key_bits = traits->key_length_attribute ? encryption.key_bits : uint16_t{0}};
}
template <typename Id>
Transform ToTransform(TransformType type, Id id) {
  return {.type = type, .id = static_cast<uint16_t>(id)};
}
template <typename Id>
void AppendTransforms(TransformType type, const std::vector<Id>& ids, Proposal& out) {
  for (Id id : ids) out.transforms.push_back(ToTransform(type, id));
}

// The cipher that a transform names: key lengths are where RFC 7296, 3.3.5 wants them.
std::optional<Encryption> ToEncryption(const Transform& transform) {
  const EncryptionId id{transform.id};
  for (const EncryptionTraits& traits : AllEncryption()) {
    const uint16_t on_wire = traits.key_length_attribute ? traits.encryption.key_bits : uint16_t{0};
    if (traits.encryption.id == id && on_wire == transform.key_bits) return traits.encryption;
  }
  return std::nullopt;
}

// A proposal with a transform type that we do not know, or that has no place in its protocol, is
// unacceptable as a whole (RFC 7296, 3.3.6).
bool HasOnlyTypes(const Proposal& proposal, std::initializer_list<TransformType> types) {
  return std::all_of(proposal.transforms.begin(), proposal.transforms.end(),
                     [&](const Transform& transform) {
                       return std::find(types.begin(), types.end(), transform.type) != types.end();
                     });
}

// The offered transform of this type and id, if it is usable. None but a cipher has a key length.
const Transform* FindTransform(const Proposal& offered, TransformType type, uint16_t id) {
  for (const Transform& transform : offered.transforms) {
    if (transform.type == type && transform.id == id && transform.key_bits == 0 &&
        !transform.unknown_attribute) {
      return &transform;
    }
  }
  return nullptr;
}
const Transform* FindTransform(const Proposal& offered, Encryption encryption) {
  for (const Transform& transform : offered.transforms) {
    if (transform.type == TransformType::kEncryption && !transform.unknown_attribute &&
        ToEncryption(transform) == encryption) {
      return &transform;
    }
  }
  return nullptr;
}
bool HasType(const Proposal& offered, TransformType type) {
  return std::any_of(offered.transforms.begin(), offered.transforms.end(),
                     [type](const Transform& transform) { return transform.type == type; });
}

// Picks one transform of each type out of one offered proposal and keeps what it picked.
class Picker {
 public:
  explicit Picker(const Proposal& offered) : offered_(offered) {
    accepted_.number = offered.number;
    accepted_.protocol = offered.protocol;
  }

  bool PickEncryption(Encryption encryption) { return Keep(FindTransform(offered_, encryption)); }

  template <typename Id>
  std::optional<Id> PickFirst(TransformType type, const std::vector<Id>& ours) {
    for (Id id : ours) {
      if (Keep(FindTransform(offered_, type, static_cast<uint16_t>(id)))) return id;
    }
    return std::nullopt;
  }

  // With an AEAD there is no integrity algorithm, or NONE (RFC 7296, 3.3.3).
  std::optional<IntegrityId> PickIntegrity(Encryption encryption,
                                           const std::vector<IntegrityId>& ours) {
    if (!FindEncryption(encryption)->aead) return PickFirst(TransformType::kIntegrity, ours);
    if (!HasType(offered_, TransformType::kIntegrity)) return IntegrityId::kNone;
    return PickFirst(TransformType::kIntegrity, std::vector{IntegrityId::kNone});
  }

  std::optional<KeyExchangeId> PickKeyExchange(const std::vector<KeyExchangeId>& ours,
                                               KeyExchangeId preferred) {
    if (std::find(ours.begin(), ours.end(), preferred) != ours.end() &&
        preferred != KeyExchangeId::kNone) {
      if (PickFirst(TransformType::kKeyExchange, std::vector{preferred})) return preferred;
    }
    return PickFirst(TransformType::kKeyExchange, ours);
  }

  // An offer that is silent about ESN has none.
  std::optional<EsnId> PickEsn(std::vector<EsnId> ours) {
    if (ours.empty()) ours = {EsnId::kNoEsn};
    if (HasType(offered_, TransformType::kEsn)) return PickFirst(TransformType::kEsn, ours);
    if (std::find(ours.begin(), ours.end(), EsnId::kNoEsn) == ours.end()) return std::nullopt;
    return EsnId::kNoEsn;
  }

  const Proposal& offered() const { return offered_; }
  Proposal TakeAccepted() { return std::move(accepted_); }

 private:
  bool Keep(const Transform* transform) {
    if (transform == nullptr) return false;
    accepted_.transforms.push_back(*transform);
    return true;
  }

  const Proposal& offered_;
  Proposal accepted_;
};

// No group at all, in a Child SA: the peer offers none, or NONE.
std::optional<KeyExchangeId> PickOptionalPfs(Picker& picker, KeyExchangeId preferred) {
  constexpr auto kType = TransformType::kKeyExchange;
  const std::vector none = {KeyExchangeId::kNone};
  if (!HasType(picker.offered(), kType)) return KeyExchangeId::kNone;
  if (preferred == KeyExchangeId::kNone && picker.PickFirst(kType, none)) return none.front();
  std::vector<KeyExchangeId> known;
  for (const KeyExchangeTraits& traits : AllKeyExchanges()) known.push_back(traits.id);
  if (const auto group = picker.PickKeyExchange(known, preferred)) return group;
  return picker.PickFirst(kType, none);
}

std::optional<IkeChoice> TryIke(const Proposal& offered, const AlgorithmProposal& ours,
                                Encryption encryption, KeyExchangeId preferred_ke) {
  using enum TransformType;
  if (offered.protocol != ProtocolId::kIke ||
      !HasOnlyTypes(offered, {kEncryption, kPrf, kIntegrity, kKeyExchange})) {
    return std::nullopt;
  }
  Picker picker(offered);
  if (!picker.PickEncryption(encryption)) return std::nullopt;
  const auto prf = picker.PickFirst(kPrf, ours.prf);
  const auto integrity = picker.PickIntegrity(encryption, ours.integrity);
  const auto key_exchange = picker.PickKeyExchange(ours.key_exchange, preferred_ke);
  if (!prf || !integrity || !key_exchange) return std::nullopt;
  IkeChoice choice;
  choice.suite = {encryption, *integrity, *prf, *key_exchange};
  choice.accepted = picker.TakeAccepted();
  if (offered.spi.size() == 8) choice.peer_spi = LoadBigEndian<uint64_t>(offered.spi.data());
  return choice;
}

enum class Pfs : uint8_t { kIgnored, kNegotiated };

std::optional<EspChoice> TryEsp(const Proposal& offered, const AlgorithmProposal& ours,
                                Encryption encryption, Pfs pfs, KeyExchangeId preferred_ke) {
  using enum TransformType;
  if (offered.protocol != ProtocolId::kEsp || offered.spi.size() != 4 ||
      !HasOnlyTypes(offered, {kEncryption, kIntegrity, kKeyExchange, kEsn})) {
    return std::nullopt;
  }
  const Spi peer_spi = {LoadBigEndian<uint32_t>(offered.spi.data())};
  if (peer_spi.is_reserved()) return std::nullopt;
  Picker picker(offered);
  if (!picker.PickEncryption(encryption)) return std::nullopt;
  const auto integrity = picker.PickIntegrity(encryption, ours.integrity);
  std::optional<KeyExchangeId> key_exchange = KeyExchangeId::kNone;
  if (pfs == Pfs::kNegotiated) {
    key_exchange = ours.key_exchange.empty()
                       ? PickOptionalPfs(picker, preferred_ke)
                       : picker.PickKeyExchange(ours.key_exchange, preferred_ke);
  }
  const auto esn = picker.PickEsn(ours.esn);
  if (!integrity || !key_exchange || !esn) return std::nullopt;
  EspChoice choice;
  choice.suite = {encryption, *integrity, *esn == EsnId::kEsn};
  choice.key_exchange = *key_exchange;
  choice.accepted = picker.TakeAccepted();
  choice.peer_spi = peer_spi;
  return choice;
}

// The one proposal of a response, and the one of ours that it answers.
absl::StatusOr<const AlgorithmProposal*> FindAnswered(
    const SaPayload& response, const std::vector<AlgorithmProposal>& offered) {
  if (response.proposals.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "SA payload of the response: found ", response.proposals.size(), " proposals, want 1"));
  }
  const uint8_t number = response.proposals.front().number;
  if (number < 1 || number > offered.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("SA payload of the response: found proposal number ", number, ", want 1 to ",
                     offered.size()));
  }
  return &offered[number - size_t{1}];
}

// One of each type: whatever is there twice was not chosen.
absl::Status CheckOneOfEach(const Proposal& proposal) {
  for (size_t i = 0; i < proposal.transforms.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (proposal.transforms[i].type == proposal.transforms[j].type) {
        return absl::InvalidArgumentError(
            absl::StrCat("SA payload of the response: found two transforms of type ",
                         static_cast<int>(proposal.transforms[i].type), ", want one"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status NotOffered(const SaPayload& response, const AlgorithmProposal& ours) {
  return absl::InvalidArgumentError(absl::StrCat("SA payload of the response: found ",
                                                 Describe(response), ", want a choice from ",
                                                 ours.ToString()));
}

// "esn" for extended sequence numbers; nothing for none, where that is all there is.
std::string DescribeTransform(const Transform& transform) {
  switch (transform.type) {
    case TransformType::kEncryption: {
      if (const auto known = ToEncryption(transform)) return Name(*known);
      const std::string name = Name(Encryption{EncryptionId{transform.id}, transform.key_bits});
      return transform.key_bits != 0 ? name : name.substr(0, name.find('/'));
    }
    case TransformType::kPrf:
      return Name(PrfId{transform.id});
    case TransformType::kIntegrity:
      return transform.id == 0 ? "" : Name(IntegrityId{transform.id});
    case TransformType::kKeyExchange:
      return transform.id == 0 ? "none" : Name(KeyExchangeId{transform.id});
    case TransformType::kEsn:
      return transform.id == 1 ? "esn" : "";
  }
  return absl::StrCat("transform-", static_cast<int>(transform.type), "-", transform.id);
}

std::string DescribeProposal(const Proposal& proposal, size_t& transforms_left) {
  std::vector<std::string> words;
  if (proposal.protocol == ProtocolId::kAh) {
    words.push_back("ah");
  } else if (proposal.protocol != ProtocolId::kIke && proposal.protocol != ProtocolId::kEsp) {
    words.push_back(absl::StrCat("protocol-", static_cast<int>(proposal.protocol)));
  }
  for (const Transform& transform : proposal.transforms) {
    if (transforms_left == 0) {
      words.push_back("...");
      break;
    }
    --transforms_left;
    std::string word = DescribeTransform(transform);
    if (!word.empty()) words.push_back(std::move(word));
  }
  return absl::StrJoin(words, "-");
}

}  // namespace

SaPayload OfferIke(const std::vector<AlgorithmProposal>& proposals,
                   std::optional<uint64_t> rekey_spi) {
  SEKISHO_CHECK(proposals.size() <= kProposalsMax);
  SaPayload offer;
  for (const AlgorithmProposal& ours : proposals) {
    Proposal& proposal = offer.proposals.emplace_back();
    proposal.number = static_cast<uint8_t>(offer.proposals.size());
    proposal.protocol = ProtocolId::kIke;
    if (rekey_spi) {
      proposal.spi.resize(sizeof(*rekey_spi));
      StoreBigEndian<uint64_t>(proposal.spi.data(), *rekey_spi);
    }
    for (Encryption encryption : ours.encryption) {
      proposal.transforms.push_back(ToTransform(encryption));
    }
    AppendTransforms(TransformType::kPrf, ours.prf, proposal);
    AppendTransforms(TransformType::kIntegrity, ours.integrity, proposal);
    AppendTransforms(TransformType::kKeyExchange, ours.key_exchange, proposal);
  }
  return offer;
}

SaPayload OfferEsp(const std::vector<AlgorithmProposal>& proposals, Spi spi,
                   bool with_key_exchange) {
  SEKISHO_CHECK(proposals.size() <= kProposalsMax);
  SaPayload offer;
  for (const AlgorithmProposal& ours : proposals) {
    Proposal& proposal = offer.proposals.emplace_back();
    proposal.number = static_cast<uint8_t>(offer.proposals.size());
    proposal.protocol = ProtocolId::kEsp;
    proposal.spi.resize(sizeof(spi.value));
    StoreBigEndian<uint32_t>(proposal.spi.data(), spi.value);
    for (Encryption encryption : ours.encryption) {
      proposal.transforms.push_back(ToTransform(encryption));
    }
    AppendTransforms(TransformType::kIntegrity, ours.integrity, proposal);
    if (with_key_exchange) {
      AppendTransforms(TransformType::kKeyExchange, ours.key_exchange, proposal);
    }
    AppendTransforms(TransformType::kEsn, ours.esn.empty() ? std::vector{EsnId::kNoEsn} : ours.esn,
                     proposal);
  }
  return offer;
}

std::optional<IkeChoice> ChooseIke(const SaPayload& offered,
                                   const std::vector<AlgorithmProposal>& accepted,
                                   KeyExchangeId preferred_ke) {
  for (const AlgorithmProposal& ours : accepted) {
    for (Encryption encryption : ours.encryption) {
      for (const Proposal& proposal : offered.proposals) {
        if (auto choice = TryIke(proposal, ours, encryption, preferred_ke)) return choice;
      }
    }
  }
  return std::nullopt;
}

std::optional<EspChoice> ChooseEsp(const SaPayload& offered,
                                   const std::vector<AlgorithmProposal>& accepted, bool in_ike_auth,
                                   KeyExchangeId preferred_ke) {
  const Pfs pfs = in_ike_auth ? Pfs::kIgnored : Pfs::kNegotiated;
  for (const AlgorithmProposal& ours : accepted) {
    for (Encryption encryption : ours.encryption) {
      for (const Proposal& proposal : offered.proposals) {
        if (auto choice = TryEsp(proposal, ours, encryption, pfs, preferred_ke)) return choice;
      }
    }
  }
  return std::nullopt;
}

absl::StatusOr<IkeChoice> AcceptIke(const SaPayload& response,
                                    const std::vector<AlgorithmProposal>& offered) {
  const auto ours = FindAnswered(response, offered);
  if (!ours.ok()) return ours.status();
  const Proposal& proposal = response.proposals.front();
  if (absl::Status status = CheckOneOfEach(proposal); !status.ok()) return status;
  // With one of each type the only possible choice is the peer's.
  for (Encryption encryption : (*ours)->encryption) {
    auto choice = TryIke(proposal, **ours, encryption, KeyExchangeId::kNone);
    if (choice) return *std::move(choice);
  }
  return NotOffered(response, **ours);
}

absl::StatusOr<EspChoice> AcceptEsp(const SaPayload& response,
                                    const std::vector<AlgorithmProposal>& offered,
                                    bool with_key_exchange) {
  const auto ours = FindAnswered(response, offered);
  if (!ours.ok()) return ours.status();
  const Proposal& proposal = response.proposals.front();
  if (absl::Status status = CheckOneOfEach(proposal); !status.ok()) return status;
  AlgorithmProposal limit = **ours;
  // Where we offered no group the only answer is none: NONE, or silence.
  if (!with_key_exchange || limit.key_exchange.empty()) {
    limit.key_exchange.clear();
    if (HasType(proposal, TransformType::kKeyExchange) &&
        FindTransform(proposal, TransformType::kKeyExchange, 0) == nullptr) {
      return NotOffered(response, limit);
    }
  }
  for (Encryption encryption : limit.encryption) {
    auto choice = TryEsp(proposal, limit, encryption, Pfs::kNegotiated, KeyExchangeId::kNone);
    if (choice) return *std::move(choice);
  }
  return NotOffered(response, limit);
}

std::string Describe(const SaPayload& offered) {
  size_t transforms_left = kDescribedTransformsMax;
  std::vector<std::string> texts;
  for (const Proposal& proposal : offered.proposals) {
    texts.push_back(DescribeProposal(proposal, transforms_left));
    if (transforms_left == 0 && texts.size() < offered.proposals.size()) {
      texts.push_back("...");
      break;
    }
  }
  return absl::StrJoin(texts, ", ");
}

}  // namespace sekisho::ike
