#include "fastpath/inbound_sad.h"

#include <rte_malloc.h>

#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/checksum.h"
#include "fastpath/random_bytes.h"

namespace sekisho::fastpath {

void InboundSad::FreeMemory::operator()(std::byte* memory) const { rte_free(memory); }

absl::StatusOr<std::unique_ptr<InboundSad>> InboundSad::Create(WorkerId worker, uint32_t slots,
                                                               uint32_t window_bits,
                                                               CryptoBackend& crypto) {
  if (!std::has_single_bit(slots) || slots > kSlotsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: ", slots, " slots, want a power of two up to ", kSlotsMax));
  }
  if (!std::has_single_bit(window_bits) || window_bits < ReplayWindow::kBitsMin ||
      window_bits > ReplayWindow::kBitsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: replay window of ", window_bits, " packets, want a power of two, ",
                     ReplayWindow::kBitsMin, " to ", ReplayWindow::kBitsMax));
  }
  std::unique_ptr<InboundSad> sad(new InboundSad(worker, slots, window_bits, crypto));
  const size_t bytes = sad->slot_bytes_ * slots;
  sad->memory_.reset(
      static_cast<std::byte*>(rte_zmalloc("inbound_sad", bytes, alignof(InboundSa))));
  if (sad->memory_ == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("sad: no ", bytes, " bytes for ", slots,
                                                     " inbound SAs; give the EAL more memory"));
  }
  for (uint32_t i = 0; i < slots; ++i) new (sad->At(SlotId{i})) InboundSa();
  return sad;
}

InboundSad::InboundSad(WorkerId worker, uint32_t slots, uint32_t window_bits, CryptoBackend& crypto)
    : worker_(worker),
      mask_(slots - 1),
      window_bits_(window_bits),
      slot_bytes_((sizeof(InboundSa) + window_bits / 8 + kCacheLine - 1) & ~(kCacheLine - 1)),
      crypto_(crypto),
      records_(slots) {
  for (uint32_t i = 0; i < slots; ++i) free_.push_back(SlotId{i});
  // The slot is part of the SPI, which a stranger should have to guess whole.
  for (uint32_t i = slots - 1; i > 0; --i) {
    std::swap(free_[i], free_[RandomNumber<uint32_t>() % (i + 1)]);
  }
}

InboundSad::~InboundSad() {
  for (uint32_t i = 0; i < records_.size() && memory_ != nullptr; ++i) {
    if (records_[i].state >= SlotState::kFilled) Clear(records_[i], SlotId{i});
  }
}

absl::StatusOr<Spi> InboundSad::AllocateSpi() {
  if (free_.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sad: all ", records_.size(), " inbound SAs are in use"));
  }
  const SlotId slot = free_.front();
  free_.pop_front();
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  // One of the generations 1 to 63 that is not the previous owner's (common/spi.h).
  uint32_t generation = 1 + RandomNumber<uint32_t>() % (kSpiGenerations - 2);
  if (record.spi.value != 0 && generation >= record.spi.generation()) ++generation;
  record.spi = Spi::Make(generation, worker_, slot);
  record.state = SlotState::kReserved;
  return record.spi;
}

void InboundSad::ReleaseSpi(Spi spi) {
  const auto slot = static_cast<uint32_t>(spi.slot());
  if (slot >= records_.size() || records_[slot].spi != spi ||
      records_[slot].state != SlotState::kReserved) {
    return;
  }
  records_[slot].state = SlotState::kFree;
  free_.push_back(spi.slot());
}

absl::StatusOr<SaHandle> InboundSad::Fill(const InboundSaParameters& parameters) {
  const SlotId slot = parameters.spi.slot();
  const auto index = static_cast<uint32_t>(slot);
  if (index >= records_.size() || records_[index].spi != parameters.spi ||
      records_[index].state != SlotState::kReserved) {
    return absl::FailedPreconditionError(
        absl::StrCat("sad: SPI ", parameters.spi.ToString(), " is not allocated"));
  }
  SEKISHO_RETURN_IF_ERROR(CheckShape(ShapeOf(parameters)));
  SEKISHO_ASSIGN_OR_RETURN(
      const CryptoSession session,
      crypto_.CreateSession(parameters.suite, CryptoDirection::kDecrypt,
                            parameters.encryption_key.span(), parameters.integrity_key.span()));
  SlotRecord& record = records_[index];
  record.state = SlotState::kFilled;
  record.session = session;
  record.selectors = std::make_unique<SelectorSet>(parameters.local, parameters.remote);
  ++record.generation;
  ++installed_;

  InboundSa& sa = *At(slot);
  const IpAddress& local = parameters.local_endpoint.address;
  sa.layout = LayoutOf(parameters.suite,
                       {parameters.encryption_key.span(), parameters.integrity_key.span()},
                       parameters.udp_encapsulation, local.family());
  sa.layout.transport = parameters.mode == IpsecMode::kTransport;
  sa.session = session;
  sa.selectors = record.selectors.get();
  std::memcpy(sa.local_address, local.bytes().data(), local.bytes().size());
  auto* words = reinterpret_cast<uint64_t*>(&sa + 1);
  sa.window = ReplayWindow({words, window_bits_ / 64});
  sa.spi = parameters.spi;
  sa.slot = parameters.spi.place();
  sa.generation = record.generation;
  sa.remote = parameters.remote_endpoint;
  sa.peer = parameters.peer;
  sa.original_known = parameters.original_local && parameters.original_remote;
  if (sa.original_known) {
    Bytes addresses(parameters.original_remote->bytes().begin(),
                    parameters.original_remote->bytes().end());
    const ByteSpan to = parameters.original_local->bytes();
    addresses.insert(addresses.end(), to.begin(), to.end());
    sa.original_sum = OnesSum(addresses);
  }
  return SaHandle{UpMessage::Direction::kInbound, sa.slot, record.generation};
}

void InboundSad::Unfill(const SaHandle& sa) {
  if (!CheckInstalled(sa).ok()) return;
  SlotRecord& record = records_[IndexOf(sa.slot)];
  Clear(record, sa.slot);
  record.state = SlotState::kReserved;
  --installed_;
}

const InboundSad::SlotRecord* InboundSad::Record(const SaHandle& sa) const {
  const uint32_t index = IndexOf(sa.slot);
  if (sa.direction != UpMessage::Direction::kInbound || WorkerOf(sa.slot) != worker_ ||
      index >= records_.size()) {
    return nullptr;
  }
  const SlotRecord& record = records_[index];
  if (record.state < SlotState::kFilled || record.generation != sa.generation) return nullptr;
  return &record;
}

absl::Status InboundSad::CheckInstalled(const SaHandle& sa) const {
  const SlotRecord* record = Record(sa);
  if (record != nullptr && record->state == SlotState::kFilled) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("sad: no inbound SA in slot ",
                                          static_cast<uint32_t>(sa.slot), " of generation ",
                                          sa.generation));
}

void InboundSad::MarkRemoved(const SaHandle& sa) {
  SEKISHO_CHECK(CheckInstalled(sa).ok());
  records_[IndexOf(sa.slot)].state = SlotState::kRemoved;
  --installed_;
}

void InboundSad::Release(SlotId slot, uint32_t generation) {
  const uint32_t index = IndexOf(slot);
  if (index >= records_.size()) return;
  SlotRecord& record = records_[index];
  if (record.state != SlotState::kRemoved || record.generation != generation) return;
  Clear(record, slot);
  record.state = SlotState::kFree;
  free_.push_back(SlotId{index});
}

// Everything but active_spi, which the worker reads at any time and has cleared itself.
void InboundSad::Clear(SlotRecord& record, SlotId slot) {
  crypto_.FreeSession(record.session);
  record.session = {};
  record.selectors.reset();
  static_assert(offsetof(InboundSa, active_spi) == 0 && sizeof(InboundSa::active_spi) == 4);
  auto* bytes = reinterpret_cast<std::byte*>(At(slot));
  WipeMemory(bytes + sizeof(Be32), slot_bytes_ - sizeof(Be32));
}

absl::StatusOr<SaCounters> InboundSad::Counters(const SaHandle& sa) const {
  if (Record(sa) == nullptr) return absl::NotFoundError("sad: no such inbound SA");
  const InboundSa& slot = *At(sa.slot);
  return SaCounters{.packets = slot.packets.Get(),
                    .bytes = slot.bytes.Get(),
                    .dropped = slot.dropped.Get(),
                    .sequence = slot.highest.Get()};
}

bool InboundSad::Activate(SlotId slot, uint32_t generation) {
  InboundSa& sa = *At(slot);
  if (IndexOf(slot) > mask_ || sa.generation != generation) return false;
  sa.active_spi = Be32::FromHost(sa.spi.value);
  return true;
}

bool InboundSad::Deactivate(SlotId slot, uint32_t generation) {
  InboundSa& sa = *At(slot);
  if (IndexOf(slot) > mask_ || sa.generation != generation || sa.active_spi.raw() == 0) {
    return false;
  }
  sa.active_spi = Be32();
  sa.retiring_next = removed_head_;
  removed_head_ = static_cast<uint32_t>(slot) + 1;
  return true;
}

InboundSa* InboundSad::TakeIdleRemoved() {
  for (uint32_t* link = &removed_head_; *link != 0;) {
    InboundSa* sa = At(SlotId{*link - 1});
    if (sa->in_flight == 0) {
      *link = sa->retiring_next;
      return sa;
    }
    link = &sa->retiring_next;
  }
  return nullptr;
}

}  // namespace sekisho::fastpath
