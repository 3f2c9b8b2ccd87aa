// ike/proposal.h: what is offered, what is chosen and what comes back in SA payloads (RFC 7296,
// 2.7, 3.3). Transforms with an attribute we do not know are not considered (3.3.6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/spi.h"
#include "ike/message.h"

namespace sekisho::ike {

// Initiator: one proposal for each of `proposals`, numbered from 1. In a rekey each carries the
// SPI of the new IKE SA, 8 bytes. Requires: no more than kProposalsMax proposals.
SaPayload OfferIke(const std::vector<AlgorithmProposal>& proposals,
                   std::optional<uint64_t> rekey_spi);
// Key exchange transforms are written only if `with_key_exchange`: not in IKE_AUTH.
SaPayload OfferEsp(const std::vector<AlgorithmProposal>& proposals, Spi spi,
                   bool with_key_exchange);

struct IkeChoice {
  IkeSuite suite;
  // As it is sent back: the peer's number, one transform of each type; no SPI, the caller fills it.
  Proposal accepted;
  uint64_t peer_spi = 0;  // in rekeying; 0 where the proposal has no SPI
};
struct EspChoice {
  IpsecSuite suite;
  KeyExchangeId key_exchange = KeyExchangeId::kNone;  // kNone: no PFS
  Proposal accepted;                                  // likewise, without an SPI
  Spi peer_spi;
};

// Responder: the first of our proposals that the peer's offer meets; nullopt: none. Our order of
// algorithms wins, except that `preferred_ke`, the group of the KE payload that came along, is
// taken if it is acceptable, to save a round trip.
std::optional<IkeChoice> ChooseIke(const SaPayload& offered,
                                   const std::vector<AlgorithmProposal>& accepted,
                                   KeyExchangeId preferred_ke);
// In IKE_AUTH key exchange transforms are ignored (RFC 7296, 1.2). Elsewhere: where our proposal
// names groups, PFS is required, with one of them. Where it names none, PFS is optional: any group
// we know that the peer offers, or none if it offers none, or NONE.
std::optional<EspChoice> ChooseEsp(const SaPayload& offered,
                                   const std::vector<AlgorithmProposal>& accepted, bool in_ike_auth,
                                   KeyExchangeId preferred_ke);

// Initiator: the choice, if the response is exactly one proposal and a subset of what
// OfferIke(offered), or OfferEsp(offered) asked for. The error says what was wrong.
absl::StatusOr<IkeChoice> AcceptIke(const SaPayload& response,
                                    const std::vector<AlgorithmProposal>& offered);
absl::StatusOr<EspChoice> AcceptEsp(const SaPayload& response,
                                    const std::vector<AlgorithmProposal>& offered,
                                    bool with_key_exchange);

// "aes256gcm16-prfsha256-x25519, 3des-sha1", for 'no proposal chosen: peer offered ...'.
std::string Describe(const SaPayload& offered);

}  // namespace sekisho::ike
