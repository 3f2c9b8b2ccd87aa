#include "fastpath/inbound_sad.h"

#include <rte_malloc.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/checksum.h"
#include "fastpath/esp_crypto.h"
#include "fastpath/random_bytes.h"

namespace sekisho::fastpath {

namespace {

size_t IpBytes(uint8_t family) { return family == 4 ? 4 : 16; }

void SetLife(const SaLifetimes& lifetimes, InboundSa& sa) {
  const auto limit = [](uint64_t value) { return value == 0 ? UINT64_MAX : value; };
  sa.life = {.soft_packets = limit(lifetimes.soft_packets),
             .hard_packets = limit(lifetimes.hard_packets),
             .soft_bytes = limit(lifetimes.soft_bytes),
             .hard_bytes = limit(lifetimes.hard_bytes)};
  sa.limited = (lifetimes.soft_packets | lifetimes.hard_packets | lifetimes.soft_bytes |
                lifetimes.hard_bytes) != 0;
}

}  // namespace

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
  const uint32_t previous = record.spi.generation();
  record.spi = Spi::Make(generation, worker_, slot);
  // Not one that a person typed: packets of the two could not be told apart.
  for (uint32_t i = 0; i < kSpiGenerations && (IsTyped(record.spi) || generation == previous);
       ++i) {
    generation = generation % (kSpiGenerations - 1) + 1;
    record.spi = Spi::Make(generation, worker_, slot);
  }
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

bool InboundSad::IsTyped(Spi spi) const {
  if (!typed_.MayHold(spi)) return false;
  return std::any_of(records_.begin(), records_.end(), [&](const SlotRecord& record) {
    return record.typed && record.state >= SlotState::kFilled && record.spi == spi;
  });
}

absl::Status InboundSad::CheckNotTwice(const InboundSaParameters& parameters) const {
  const Spi spi = parameters.spi;
  const ByteSpan local = parameters.local_endpoint.address.bytes();
  const auto same = [&](const SlotRecord& record) {
    if (!record.typed || record.state != SlotState::kFilled || record.spi != spi) return false;
    const InboundSa& sa = *At(SlotId{static_cast<uint32_t>(&record - records_.data())});
    return sa.protocol == parameters.protocol &&
           std::memcmp(sa.local_address, local.data(), local.size()) == 0;
  };
  const auto index = static_cast<uint32_t>(spi.slot());
  const bool chosen = index < records_.size() && records_[index].spi == spi &&
                      !records_[index].typed && records_[index].state != SlotState::kFree;
  if (!chosen && (!typed_.MayHold(spi) || std::none_of(records_.begin(), records_.end(), same))) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(absl::StrCat("sad: there is an inbound SA with SPI ",
                                               spi.ToString(), " already, want another SPI"));
}

absl::StatusOr<SlotId> InboundSad::TakeSlotFor(const InboundSaParameters& parameters) {
  if (parameters.spi.is_reserved()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: SPI ", parameters.spi.ToString(), " is reserved (RFC 4303, 2.1)"));
  }
  SEKISHO_RETURN_IF_ERROR(CheckNotTwice(parameters));
  if (free_.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sad: all ", records_.size(), " inbound SAs are in use"));
  }
  if (!typed_.Reserve(parameters.spi)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sad: no room for SPI ", parameters.spi.ToString(), " among the ",
                     typed_.reserved(), " typed ones, want another SPI"));
  }
  const SlotId slot = free_.front();
  free_.pop_front();
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  record.spi = parameters.spi;
  record.typed = true;
  record.state = SlotState::kReserved;
  return slot;
}

absl::Status InboundSad::CheckAllocated(Spi spi) const {
  const auto index = static_cast<uint32_t>(spi.slot());
  if (index < records_.size() && records_[index].spi == spi && !records_[index].typed &&
      records_[index].state == SlotState::kReserved) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("sad: SPI ", spi.ToString(), " is not allocated"));
}

void InboundSad::MakeFree(SlotRecord& record, SlotId slot) {
  if (record.typed) typed_.Unreserve(record.spi);
  record.typed = false;
  record.state = SlotState::kFree;
  free_.push_back(SlotId{IndexOf(slot)});
}

absl::StatusOr<SaHandle> InboundSad::Fill(const InboundSaParameters& parameters) {
  SlotId slot = parameters.spi.slot();
  if (!parameters.typed_spi) SEKISHO_RETURN_IF_ERROR(CheckAllocated(parameters.spi));
  SEKISHO_RETURN_IF_ERROR(CheckShape(ShapeOf(parameters)));
  if (parameters.typed_spi) {
    SEKISHO_ASSIGN_OR_RETURN(slot, TakeSlotFor(parameters));
  }
  SlotRecord& record = records_[IndexOf(slot)];
  if (absl::Status written = Write(slot, parameters); !written.ok()) {
    if (parameters.typed_spi) MakeFree(record, slot);
    return written;
  }
  record.state = SlotState::kFilled;
  ++installed_;
  return SaHandle{UpMessage::Direction::kInbound, At(slot)->slot, record.generation};
}

absl::Status InboundSad::Write(SlotId slot, const InboundSaParameters& parameters) {
  SEKISHO_ASSIGN_OR_RETURN(
      const CryptoSession session,
      crypto_.CreateSession(parameters.suite, CryptoDirection::kDecrypt,
                            parameters.encryption_key.span(), parameters.integrity_key.span()));
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  record.session = session;
  record.selectors = std::make_unique<SelectorSet>(parameters.local, parameters.remote);
  ++record.generation;

  InboundSa& sa = *At(slot);
  const IpAddress& local = parameters.local_endpoint.address;
  sa.layout = LayoutOf(parameters.suite,
                       {parameters.encryption_key.span(), parameters.integrity_key.span()},
                       parameters.udp_encapsulation, local.family());
  sa.layout.transport = parameters.mode == IpsecMode::kTransport;
  sa.session = session;
  sa.selectors = record.selectors.get();
  std::memcpy(sa.local_address, local.bytes().data(), local.bytes().size());
  sa.protocol = parameters.protocol;
  sa.plain = sa.protocol == IpsecProtocol::kEsp && !sa.layout.transport && !DisplacesSpi(sa.layout);
  sa.anti_replay = parameters.anti_replay;
  sa.typed_spi = parameters.typed_spi;
  sa.life_over = false;
  sa.only_around_esp = parameters.only_around_esp;
  sa.has_within = parameters.within.has_value();
  sa.within = parameters.within.has_value()
                  ? LayerOf(parameters.within->slot, parameters.within->generation)
                  : 0;
  SetLife(parameters.lifetimes, sa);
  auto* words = reinterpret_cast<uint64_t*>(&sa + 1);
  sa.window.Use({words, window_bits_ / 64});
  sa.spi = parameters.spi;
  sa.slot = PlaceOf(worker_, slot);
  sa.generation = record.generation;
  sa.remote = parameters.remote_endpoint;
  sa.peer = parameters.peer;
  sa.plain_selectors = record.selectors->plain();
  sa.original_known = parameters.original_local && parameters.original_remote;
  if (sa.original_known) {
    Bytes addresses(parameters.original_remote->bytes().begin(),
                    parameters.original_remote->bytes().end());
    const ByteSpan to = parameters.original_local->bytes();
    addresses.insert(addresses.end(), to.begin(), to.end());
    sa.original_sum = OnesSum(addresses);
  }
  return absl::OkStatus();
}

void InboundSad::Unfill(const SaHandle& sa) {
  if (!CheckInstalled(sa).ok()) return;
  SlotRecord& record = records_[IndexOf(sa.slot)];
  Clear(record, sa.slot);
  record.state = SlotState::kReserved;
  if (record.typed) MakeFree(record, sa.slot);
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
  MakeFree(record, slot);
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
                    .sequence = slot.window.top()};
}

bool InboundSad::Activate(SlotId slot, uint32_t generation) {
  InboundSa& sa = *At(slot);
  if (IndexOf(slot) > mask_ || sa.generation != generation) return false;
  sa.active_spi = Be32::FromHost(sa.spi.value);
  if (sa.typed_spi) typed_.Add(sa.active_spi, slot);
  return true;
}

bool InboundSad::Deactivate(SlotId slot, uint32_t generation) {
  InboundSa& sa = *At(slot);
  if (IndexOf(slot) > mask_ || sa.generation != generation || sa.active_spi.raw() == 0) {
    return false;
  }
  if (sa.typed_spi) typed_.Remove(sa.active_spi, slot);
  sa.active_spi = Be32();
  sa.retiring_next = removed_head_;
  removed_head_ = static_cast<uint32_t>(slot) + 1;
  return true;
}

InboundSa* InboundSad::FindTyped(Be32 spi, IpsecProtocol protocol, ByteSpan destination) const {
  InboundSa* found = nullptr;
  typed_.ForEach(spi, [&](SlotId slot) {
    InboundSa* sa = At(slot);
    if (sa->protocol != protocol) return false;
    found = sa;
    return IpBytes(sa->layout.outer_family) == destination.size() &&
           std::memcmp(sa->local_address, destination.data(), destination.size()) == 0;
  });
  return found;
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
