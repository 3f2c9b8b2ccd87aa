#include "ike/child_negotiation.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ike/notify.h"
#include "ike/traffic_selection.h"

namespace sekisho::ike {
namespace {

// What came of trying one template.
enum class Fit : uint8_t { kSelectorsDiffer, kProposalsDiffer, kFits };

Fit Try(const IkeSa& sa, const Message& request, InExchange exchange,
        const ChildTemplate& child_template, ChildNegotiation& negotiation) {
  if (!NarrowRequest(sa, request, child_template, negotiation)) return Fit::kSelectorsDiffer;
  const auto* ke = request.Find<KePayload>();
  auto choice = ChooseEsp(*request.Find<SaPayload>(), child_template.esp_proposals,
                          exchange == InExchange::kIkeAuth,
                          ke == nullptr ? KeyExchangeId::kNone : ke->method);
  if (!choice) return Fit::kProposalsDiffer;
  negotiation.choice = *std::move(choice);
  negotiation.child_template = &child_template;
  return Fit::kFits;
}

Fit TryAll(const IkeSa& sa, const Message& request, InExchange exchange,
           ChildNegotiation& negotiation) {
  if (negotiation.child_template != nullptr) {
    return Try(sa, request, exchange, *negotiation.child_template, negotiation);
  }
  Fit best = Fit::kSelectorsDiffer;
  for (const ChildTemplate& child_template : sa.connection->children) {
    const Fit fit = Try(sa, request, exchange, child_template, negotiation);
    if (fit == Fit::kFits) return fit;
    if (fit == Fit::kProposalsDiffer) best = fit;
  }
  return best;
}

std::string SelectorsReason(const IkeSa& sa, const Message& request) {
  std::string accepted;
  for (const ChildTemplate& child_template : sa.connection->children) {
    const AllowedSelectors allowed = Allowed(sa, child_template);
    absl::StrAppend(&accepted, accepted.empty() ? "" : "; ", "child '", child_template.name,
                    "' accepts ", ToString(allowed.remote), " to ", ToString(allowed.local));
  }
  return absl::StrCat("traffic selectors unacceptable: peer asked for ",
                      ToString(request.FindTs(true)->selectors), " to ",
                      ToString(request.FindTs(false)->selectors), ", ", accepted);
}

std::string ProposalsReason(const IkeSa& sa, const Message& request) {
  std::string accepted;
  for (const ChildTemplate& child_template : sa.connection->children) {
    absl::StrAppend(&accepted, accepted.empty() ? "" : "; ", "child '", child_template.name,
                    "' accepts ", Join(child_template.esp_proposals));
  }
  return absl::StrCat("no proposal chosen: peer offered ", Describe(*request.Find<SaPayload>()),
                      ", ", accepted);
}

}  // namespace

std::string Join(const std::vector<AlgorithmProposal>& proposals) {
  return absl::StrJoin(proposals, ", ", [](std::string* out, const AlgorithmProposal& proposal) {
    absl::StrAppend(out, proposal.ToString());
  });
}

void LogChildFailed(Core& core, const IkeSa& sa, const ChildTemplate* child_template,
                    std::string reason) {
  LogFields fields;
  if (child_template != nullptr) fields.emplace_back("child", child_template->name);
  fields.emplace_back("reason", std::move(reason));
  core.Log(LogEvent::Level::kWarning, "child-sa-failed", sa, std::move(fields));
}

std::optional<NotifyPayload> ChooseChild(Core& core, IkeSa& sa, const Message& request,
                                         InExchange exchange, ChildNegotiation& negotiation) {
  switch (TryAll(sa, request, exchange, negotiation)) {
    case Fit::kSelectorsDiffer:
      ++core.counters.ts_unacceptable;
      LogChildFailed(core, sa, nullptr, SelectorsReason(sa, request));
      return Notify(NotifyType::kTsUnacceptable);
    case Fit::kProposalsDiffer:
      ++core.counters.no_proposal_chosen;
      LogChildFailed(core, sa, nullptr, ProposalsReason(sa, request));
      return Notify(NotifyType::kNoProposalChosen);
    case Fit::kFits:
      break;
  }
  if (sa.children.size() >= kChildSasMax || !ReserveSpi(core, negotiation)) {
    LogChildFailed(core, sa, negotiation.child_template, "no additional Child SA is possible");
    return Notify(NotifyType::kNoAdditionalSas);
  }
  return std::nullopt;
}

bool ReserveSpi(Core& core, ChildNegotiation& negotiation) {
  const absl::StatusOr<Spi> spi = core.spis.Allocate();
  if (!spi.ok()) return false;
  negotiation.inbound = ReservedSpi(core.spis, *spi);
  return true;
}

void BuildChildOffer(const OwnExchange& own, InExchange exchange, std::vector<Payload>& payloads) {
  const ChildNegotiation& negotiation = own.negotiation;
  payloads.push_back(OfferEsp(negotiation.child_template->esp_proposals, negotiation.inbound.spi(),
                              exchange == InExchange::kCreateChildSa));
  if (exchange == InExchange::kCreateChildSa) {
    payloads.push_back(NoncePayload{negotiation.nonce_i});
    if (own.key_exchange != nullptr) {
      payloads.push_back(KePayload{own.method, own.key_exchange->public_value()});
    }
  }
  BuildTrafficSelectors(negotiation, payloads);
}

absl::Status AcceptChild(const Message& response, InExchange exchange,
                         ChildNegotiation& negotiation) {
  const auto* sa = response.Find<SaPayload>();
  if (sa == nullptr) return absl::InvalidArgumentError("the answer has no SA payload");
  auto choice = AcceptEsp(*sa, negotiation.child_template->esp_proposals,
                          exchange == InExchange::kCreateChildSa);
  if (!choice.ok()) return choice.status();
  negotiation.choice = *std::move(choice);
  const AllowedSelectors proposed{negotiation.local, negotiation.remote};
  if (!AcceptNarrowed(response, proposed, negotiation)) {
    return absl::InvalidArgumentError("the peer's traffic selectors are not within ours");
  }
  return absl::OkStatus();
}

}  // namespace sekisho::ike
