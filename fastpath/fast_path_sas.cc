#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/fast_path_impl.h"
#include "fastpath/home_worker.h"

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

absl::StatusOr<Spi> FastPath::AllocateSpi() {
  return impl_->InboundOf(impl_->WorkerWithMostRoom()).AllocateSpi();
}

absl::StatusOr<Spi> FastPath::AllocateSpiAtHomeOf(const IpAddress& remote) {
  return impl_->InboundOf(HomeOf(remote, impl_->worker_count())).AllocateSpi();
}

void FastPath::ReleaseSpi(Spi spi) {
  if (impl_->IsWorker(spi.worker())) impl_->InboundOf(spi.worker()).ReleaseSpi(spi);
}

absl::StatusOr<SaHandle> FastPath::InstallInbound(const InboundSaParameters& parameters) {
  const WorkerId owner = OwnerOf(parameters.spi, impl_->worker_count());
  InboundSad& inbound = impl_->InboundOf(owner);
  SEKISHO_ASSIGN_OR_RETURN(const SaHandle sa, inbound.Fill(parameters));
  if (absl::Status sent = impl_->Send(owner, AboutSa(DownMessage::Kind::kInstallInboundSa, sa));
      !sent.ok()) {
    inbound.Unfill(sa);
    return sent;
  }
  return sa;
}

absl::StatusOr<SaHandle> FastPath::InstallOutbound(const OutboundSaParameters& parameters) {
  absl::StatusOr<SaHandle> sa;
  if (parameters.worker.has_value()) {
    sa = impl_->outbound->Fill(parameters);
  } else {
    OutboundSaParameters placed = parameters;
    const bool follows = parameters.then && impl_->outbound->CheckInstalled(*parameters.then).ok();
    placed.worker =
        follows ? impl_->outbound->OwnerOf(*parameters.then) : impl_->WorkerWithFewestOutbound();
    sa = impl_->outbound->Fill(placed);
  }
  if (sa.ok()) impl_->outbound->Publish(*sa);
  return sa;
}

absl::Status FastPath::Remove(const SaHandle& sa) {
  if (IsInbound(sa)) {
    const WorkerId owner = WorkerOf(sa.slot);
    if (!impl_->IsWorker(owner)) return absl::NotFoundError("sad: no such inbound SA");
    InboundSad& inbound = impl_->InboundOf(owner);
    SEKISHO_RETURN_IF_ERROR(inbound.CheckInstalled(sa));
    SEKISHO_RETURN_IF_ERROR(impl_->Send(owner, AboutSa(DownMessage::Kind::kRemoveInboundSa, sa)));
    inbound.MarkRemoved(sa);
    return absl::OkStatus();
  }
  SEKISHO_RETURN_IF_ERROR(impl_->outbound->CheckInstalled(sa));
  const WorkerId owner = impl_->outbound->OwnerOf(sa);
  if (!impl_->HasRoom(owner)) return impl_->RingFull(owner);
  // First it is found no more, then its owner lets go: what the owner is handed after that has
  // another SA, or none.
  impl_->outbound->MarkRemoved(sa);
  return impl_->Send(owner, AboutSa(DownMessage::Kind::kRemoveOutboundSa, sa));
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
  SEKISHO_RETURN_IF_ERROR(impl_->Send(impl_->outbound->OwnerOf(outbound), message));
  impl_->outbound->NoteMoved(outbound, remote.address);
  return absl::OkStatus();
}

absl::StatusOr<SaCounters> FastPath::Counters(const SaHandle& sa) const {
  if (!IsInbound(sa)) {
    SEKISHO_ASSIGN_OR_RETURN(SaCounters counters, impl_->outbound->Counters(sa));
    counters.path_mtu = impl_->outbound->PathMtu(sa, impl_->Now());
    return counters;
  }
  const WorkerId owner = WorkerOf(sa.slot);
  if (!impl_->IsWorker(owner)) return absl::NotFoundError("sad: no such inbound SA");
  return impl_->InboundOf(owner).Counters(sa);
}

uint32_t FastPath::inbound_sas() const {
  uint32_t installed = 0;
  for (const auto& inbound : impl_->inbound) installed += inbound->installed();
  return installed;
}

uint32_t FastPath::outbound_sas() const { return impl_->outbound->installed(); }

}  // namespace sekisho::fastpath
