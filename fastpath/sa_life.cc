#include "fastpath/sa_life.h"

#include <algorithm>

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

// RFC 4303, 3.3.3: the counter never cycles.
uint64_t SequenceMax(const OutboundSa& sa) {
  return sa.layout.esn ? UINT64_MAX - 1 : uint64_t{UINT32_MAX};
}

// A smaller packet does not fit either: check_sequence stays where every packet comes by.
DropReason EndOutbound(EspWorker& worker, OutboundSa& sa) {
  sa.check_sequence = 0;
  sa.over = true;
  if (!sa.hard_reported) {
    sa.hard_reported = worker.up.Add(
        Expiry(worker, sa, UpMessage::Direction::kOutbound, UpMessage::Kind::kHardExpiry));
  }
  return sa.sequence_next.load(std::memory_order_relaxed) > SequenceMax(sa)
             ? DropReason::kEspSequenceExhausted
             : DropReason::kSaLifetime;
}

}  // namespace

OutboundLife LifeOf(const OutboundSa& sa) {
  if (sa.life != nullptr) return *sa.life;
  return {.soft_sequence = SequenceMax(sa) / 4 * 3, .sequence_last = SequenceMax(sa)};
}

void SetChecks(OutboundSa& sa) {
  const OutboundLife life = LifeOf(sa);
  sa.check_sequence = life.sequence_last + 1;
  sa.check_bytes = life.hard_bytes;
  if (sa.soft_reported) return;
  sa.check_sequence = std::min(sa.check_sequence, life.soft_sequence);
  sa.check_bytes = std::min(sa.check_bytes, life.soft_bytes);
}

DropReason CheckLimits(EspWorker& worker, OutboundSa& sa, size_t bytes) {
  const OutboundLife life = LifeOf(sa);
  const uint64_t sequence = sa.sequence_next.load(std::memory_order_relaxed);
  const uint64_t total = sa.bytes.Get() + bytes;
  if (sa.over || sequence > life.sequence_last || total > life.hard_bytes) {
    return EndOutbound(worker, sa);
  }
  if ((sequence >= life.soft_sequence || total >= life.soft_bytes) && !sa.soft_reported) {
    sa.soft_reported = worker.up.Add(
        Expiry(worker, sa, UpMessage::Direction::kOutbound, UpMessage::Kind::kSoftExpiry));
    SetChecks(sa);
  }
  return DropReason::kNone;
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
