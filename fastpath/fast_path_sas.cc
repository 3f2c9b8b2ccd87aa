#include "common/status_macros.h"
#include "fastpath/fast_path_impl.h"

namespace sekisho::fastpath {
namespace {

bool IsInbound(const SaHandle& sa) { return sa.direction == UpMessage::Direction::kInbound; }

DownMessage AboutSa(DownMessage::Kind kind, const SaHandle& sa) {
  DownMessage message;
  message.kind = kind;
  message.sa = {sa.slot, sa.generation};
  return message;
}

}  // namespace

absl::Status FastPath::CheckSuite(const IpsecSuite& suite) const {
  return impl_->crypto->CheckSuite(suite);
}

std::string FastPath::DescribeCrypto() const { return impl_->crypto->Describe(); }

absl::StatusOr<Spi> FastPath::AllocateSpi() { return impl_->inbound->AllocateSpi(); }
void FastPath::ReleaseSpi(Spi spi) { impl_->inbound->ReleaseSpi(spi); }

absl::StatusOr<SaHandle> FastPath::InstallInbound(const InboundSaParameters& parameters) {
  SEKISHO_ASSIGN_OR_RETURN(const SaHandle sa, impl_->inbound->Fill(parameters));
  if (absl::Status sent = impl_->Send(AboutSa(DownMessage::Kind::kInstallInboundSa, sa));
      !sent.ok()) {
    impl_->inbound->Unfill(sa);
    return sent;
  }
  return sa;
}

absl::StatusOr<SaHandle> FastPath::InstallOutbound(const OutboundSaParameters& parameters) {
  SEKISHO_ASSIGN_OR_RETURN(const SaHandle sa, impl_->outbound->Fill(parameters));
  if (absl::Status sent = impl_->Send(AboutSa(DownMessage::Kind::kInstallOutboundSa, sa));
      !sent.ok()) {
    impl_->outbound->Unfill(sa);
    return sent;
  }
  return sa;
}

absl::Status FastPath::Remove(const SaHandle& sa) {
  if (IsInbound(sa)) {
    SEKISHO_RETURN_IF_ERROR(impl_->inbound->CheckInstalled(sa));
    SEKISHO_RETURN_IF_ERROR(impl_->Send(AboutSa(DownMessage::Kind::kRemoveInboundSa, sa)));
    impl_->inbound->MarkRemoved(sa);
  } else {
    SEKISHO_RETURN_IF_ERROR(impl_->outbound->CheckInstalled(sa));
    SEKISHO_RETURN_IF_ERROR(impl_->Send(AboutSa(DownMessage::Kind::kRemoveOutboundSa, sa)));
    impl_->outbound->MarkRemoved(sa);
  }
  return absl::OkStatus();
}

absl::Status FastPath::MovePeer(const SaHandle& outbound, const Endpoint& local,
                                const Endpoint& remote) {
  if (IsInbound(outbound)) {
    return absl::InvalidArgumentError("only an outbound SA has a peer to move");
  }
  SEKISHO_RETURN_IF_ERROR(impl_->outbound->CheckMove(outbound, local, remote));
  DownMessage message;
  message.kind = DownMessage::Kind::kMovePeer;
  message.move_peer = {outbound.slot, outbound.generation, local, remote};
  return impl_->Send(message);
}

absl::StatusOr<SaCounters> FastPath::Counters(const SaHandle& sa) const {
  return IsInbound(sa) ? impl_->inbound->Counters(sa) : impl_->outbound->Counters(sa);
}

uint32_t FastPath::inbound_sas() const { return impl_->inbound->installed(); }
uint32_t FastPath::outbound_sas() const { return impl_->outbound->installed(); }

}  // namespace sekisho::fastpath
