#include "fastpath/esp_worker.h"

#include <algorithm>

#include "common/check.h"

namespace sekisho::fastpath {
namespace {

UpMessage Retired(WorkerId worker, UpMessage::Direction direction, SlotId slot,
                  uint32_t generation) {
  UpMessage message;
  message.kind = UpMessage::Kind::kSaRetired;
  message.worker = worker;
  message.sa = {.slot = slot, .generation = generation, .direction = direction};
  return message;
}

}  // namespace

void UpEvents::Remove(uint16_t count) {
  SEKISHO_DCHECK(count <= count_);
  std::copy(messages_.begin() + count, messages_.begin() + count_, messages_.begin());
  count_ = static_cast<uint16_t>(count_ - count);
}

void PrefetchSaOf(const EspWorker& worker, const DownMessage& message) {
  switch (message.kind) {
    case DownMessage::Kind::kInstallInboundSa:
    case DownMessage::Kind::kRemoveInboundSa:
      return worker.inbound->PrefetchSlot(message.sa.slot);
    case DownMessage::Kind::kRemoveOutboundSa:
      return worker.outbound->PrefetchSlot(message.sa.slot);
    default:
      return;
  }
}

bool HandleSaMessage(EspWorker& worker, const DownMessage& message) {
  switch (message.kind) {
    case DownMessage::Kind::kInstallInboundSa:
      worker.inbound->Activate(message.sa.slot, message.sa.generation);
      return true;
    case DownMessage::Kind::kRemoveInboundSa:
      worker.inbound->Deactivate(message.sa.slot, message.sa.generation);
      return true;
    case DownMessage::Kind::kRemoveOutboundSa:
      worker.outbound->Deactivate(message.sa.slot, message.sa.generation);
      return true;
    case DownMessage::Kind::kMovePeer:
      worker.outbound->Move(message.move_peer.slot, message.move_peer.generation,
                            message.move_peer.local, message.move_peer.remote);
      return true;
    case DownMessage::Kind::kSetPathMtu:
      worker.outbound->SetPathMtu(message.set_path_mtu.slot, message.set_path_mtu.generation,
                                  message.set_path_mtu.mtu, worker.now_tsc + worker.path_mtu_tsc);
      return true;
    default:
      return false;
  }
}

void ReportRetired(EspWorker& worker) {
  while (!worker.up.full()) {
    const InboundSa* sa = worker.inbound->TakeIdleRemoved();
    if (sa == nullptr) break;
    worker.up.Add(Retired(worker.id, UpMessage::Direction::kInbound, sa->slot, sa->generation));
  }
  while (!worker.up.full()) {
    const OutboundSa* sa = worker.outbound->TakeIdleRemoved(worker.id);
    if (sa == nullptr) break;
    worker.up.Add(Retired(worker.id, UpMessage::Direction::kOutbound, sa->slot, sa->generation));
  }
  worker.outbound->ReportQuiescent(worker.id);
}

}  // namespace sekisho::fastpath
