#include "ike/child_negotiation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "ike/notify.h"
#include "ike/traffic_selection.h"

namespace sekisho::ike {
namespace {

// What came of trying one template.
enum class Fit : uint8_t { kModeDiffers, kSelectorsDiffer, kProposalsDiffer, kFits };

bool Allows(const ChildTemplate& child_template, IpsecMode mode) {
  return mode == child_template.mode ||
         (mode == IpsecMode::kTunnel && child_template.may_fall_back);
}

bool AsksForTransport(const Message& message) {
  return message.FindNotify(NotifyType::kUseTransportMode) != nullptr;
}

Fit Try(const IkeSa& sa, const Message& request, InExchange exchange,
        const ChildTemplate& child_template, IpsecMode mode, ChildNegotiation& negotiation) {
  if (!Allows(child_template, mode)) return Fit::kModeDiffers;
  if (!NarrowRequest(sa, request, child_template, mode, negotiation)) {
    return Fit::kSelectorsDiffer;
  }
  const auto* ke = request.Find<KePayload>();
  auto choice = ChooseEsp(*request.Find<SaPayload>(), child_template.esp_proposals,
                          exchange == InExchange::kIkeAuth,
                          ke == nullptr ? KeyExchangeId::kNone : ke->method);
  if (!choice) return Fit::kProposalsDiffer;
  negotiation.choice = *std::move(choice);
  negotiation.child_template = &child_template;
  return Fit::kFits;
}

Fit TryInMode(const IkeSa& sa, const Message& request, InExchange exchange, IpsecMode mode,
              ChildNegotiation& negotiation) {
  if (negotiation.child_template != nullptr) {
    return Try(sa, request, exchange, *negotiation.child_template, mode, negotiation);
  }
  Fit best = Fit::kModeDiffers;
  for (const ChildTemplate& child_template : sa.connection->children) {
    const Fit fit = Try(sa, request, exchange, child_template, mode, negotiation);
    if (fit == Fit::kFits) return fit;
    best = std::max(best, fit);
  }
  return best;
}

// RFC 7296, 1.3.1: whoever asks for transport mode may be given tunnel mode, never the other way
// about. A rekey keeps the mode of the pair that it replaces.
Fit TryAll(const IkeSa& sa, const Message& request, InExchange exchange,
           ChildNegotiation& negotiation) {
  const bool asked = AsksForTransport(request);
  const std::optional<IpsecMode> keep =
      negotiation.rekeys ? std::optional(negotiation.mode) : std::nullopt;
  if (keep == IpsecMode::kTransport && !asked) return Fit::kModeDiffers;
  Fit best = Fit::kModeDiffers;
  if (asked && keep != IpsecMode::kTunnel) {
    best = TryInMode(sa, request, exchange, IpsecMode::kTransport, negotiation);
    if (best == Fit::kFits || keep == IpsecMode::kTransport) return best;
  }
  return std::max(best, TryInMode(sa, request, exchange, IpsecMode::kTunnel, negotiation));
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

void LogTunnelInstead(Core& core, const IkeSa& sa, const ChildTemplate& child_template,
                      absl::string_view why) {
  core.Log(LogEvent::Level::kInfo, "child-sa-mode", sa,
           {{"child", child_template.name},
            {"mode", Name(IpsecMode::kTunnel)},
            {"reason", std::string(why)}});
}

// The notify of the answer says which mode the peer made it in.
absl::Status AcceptMode(Core& core, const IkeSa& sa, const Message& response,
                        ChildNegotiation& negotiation) {
  const ChildTemplate& child_template = *negotiation.child_template;
  const IpsecMode offered = negotiation.mode;
  const bool transport = AsksForTransport(response);
  negotiation.mode = transport ? IpsecMode::kTransport : IpsecMode::kTunnel;
  if (negotiation.mode == offered) return absl::OkStatus();
  if (transport) return absl::InvalidArgumentError("the peer chose transport mode unasked");
  if (negotiation.rekeys || !child_template.may_fall_back) {
    negotiation.mode_refused = true;
  } else {
    LogTunnelInstead(core, sa, child_template, "the peer did not agree to transport mode");
  }
  return absl::OkStatus();
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
    case Fit::kModeDiffers:
      ++core.counters.no_proposal_chosen;
      LogChildFailed(core, sa, negotiation.child_template,
                     AsksForTransport(request)
                         ? "the peer asked for transport mode, want tunnel mode"
                         : "the peer asked for tunnel mode, want transport mode");
      return Notify(NotifyType::kNoProposalChosen);
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
  if (AsksForTransport(request) && negotiation.mode == IpsecMode::kTunnel) {
    LogTunnelInstead(core, sa, *negotiation.child_template, "the peer asked for transport mode");
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
  BuildMode(negotiation, payloads);
}

void BuildMode(const ChildNegotiation& negotiation, std::vector<Payload>& payloads) {
  if (negotiation.mode != IpsecMode::kTransport) return;
  payloads.push_back(Notify(NotifyType::kUseTransportMode));
}

absl::Status AcceptChild(Core& core, const IkeSa& sa, const Message& response, InExchange exchange,
                         ChildNegotiation& negotiation) {
  const auto* payload = response.Find<SaPayload>();
  if (payload == nullptr) return absl::InvalidArgumentError("the answer has no SA payload");
  auto choice = AcceptEsp(*payload, negotiation.child_template->esp_proposals,
                          exchange == InExchange::kCreateChildSa);
  if (!choice.ok()) return choice.status();
  negotiation.choice = *std::move(choice);
  SEKISHO_RETURN_IF_ERROR(AcceptMode(core, sa, response, negotiation));
  const AllowedSelectors proposed{negotiation.local, negotiation.remote};
  if (!AcceptNarrowed(sa, response, proposed, negotiation)) {
    return absl::InvalidArgumentError("the peer's traffic selectors are not within ours");
  }
  return absl::OkStatus();
}

void DeleteRefused(Core& core, IkeSa& sa, ChildSa& child) {
  child.redundant = true;
  LogChildFailed(core, sa, child.child_template,
                 "the peer did not agree to transport mode, and tunnel mode is not allowed here");
  AddTask(sa, {.kind = Task::Kind::kDeleteChild, .child = child.id});
}

}  // namespace sekisho::ike
