#include "fastpath/sa_life.h"

namespace sekisho::fastpath {
namespace {

template <typename Sa>
UpMessage Expiry(const EspWorker& worker, const Sa& sa, UpMessage::Direction direction,
                 UpMessage::Kind kind) {
  UpMessage message;
  message.kind = kind;
  message.worker = worker.id;
  message.sa = {.slot = sa.slot, .generation = sa.generation, .direction = direction};
  return message;
}

}  // namespace

DropReason EndOutbound(EspWorker& worker, OutboundSa& sa) {
  const uint64_t sequence_max = sa.layout.esn ? UINT64_MAX - 1 : uint64_t{UINT32_MAX};
  sa.sequence_last = 0;  // a smaller packet does not fit either
  if (!sa.hard_reported) {
    sa.hard_reported = worker.up.Add(
        Expiry(worker, sa, UpMessage::Direction::kOutbound, UpMessage::Kind::kHardExpiry));
  }
  return sa.sequence_next.load(std::memory_order_relaxed) > sequence_max
             ? DropReason::kEspSequenceExhausted
             : DropReason::kSaLifetime;
}

void SaySoftExpiry(EspWorker& worker, OutboundSa& sa) {
  sa.soft_reported = worker.up.Add(
      Expiry(worker, sa, UpMessage::Direction::kOutbound, UpMessage::Kind::kSoftExpiry));
}

DropReason CountLimited(EspWorker& worker, InboundSa& sa, size_t bytes) {
  InboundLife& life = sa.life;
  const uint64_t packets = sa.packets.Get() + 1;
  const uint64_t total = sa.bytes.Get() + bytes;
  constexpr auto kInbound = UpMessage::Direction::kInbound;
  if (sa.life_over || packets > life.hard_packets || total > life.hard_bytes) {
    // Until it is said, packets come as far as this to say it.
    if (!life.hard_reported) {
      life.hard_reported =
          worker.up.Add(Expiry(worker, sa, kInbound, UpMessage::Kind::kHardExpiry));
    }
    sa.life_over = life.hard_reported;
    life.hard_packets = 0;
    return DropReason::kSaLifetime;
  }
  if ((packets >= life.soft_packets || total >= life.soft_bytes) && !life.soft_reported) {
    life.soft_reported = worker.up.Add(Expiry(worker, sa, kInbound, UpMessage::Kind::kSoftExpiry));
  }
  return DropReason::kNone;
}

}  // namespace sekisho::fastpath
