#include "fastpath/outbound_sad.h"

#include <rte_cycles.h>
#include <rte_malloc.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <new>

#include "absl/strings/str_cat.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/outer_header.h"
#include "fastpath/path_mtu_limits.h"
#include "fastpath/random_bytes.h"
#include "fastpath/sa_life.h"

namespace sekisho::fastpath {
namespace {

// Null where nothing was said: what then holds sa_life.cc knows.
std::unique_ptr<const OutboundLife> LifeFrom(const OutboundSa& sa, const SaLifetimes& lifetimes) {
  if ((lifetimes.soft_packets | lifetimes.hard_packets | lifetimes.soft_bytes |
       lifetimes.hard_bytes) == 0) {
    return nullptr;
  }
  OutboundLife life = LifeOf(sa);
  if (lifetimes.soft_packets != 0) {
    life.soft_sequence = std::min(life.soft_sequence, lifetimes.soft_packets);
  }
  if (lifetimes.hard_packets != 0) {
    life.sequence_last = std::min(life.sequence_last, lifetimes.hard_packets);
  }
  if (lifetimes.soft_bytes != 0) life.soft_bytes = lifetimes.soft_bytes;
  if (lifetimes.hard_bytes != 0) life.hard_bytes = lifetimes.hard_bytes;
  return std::make_unique<const OutboundLife>(life);
}

}  // namespace

void OutboundSad::FreeSas::operator()(OutboundSa* memory) const { rte_free(memory); }

absl::StatusOr<std::unique_ptr<OutboundSad>> OutboundSad::Create(uint32_t slots,
                                                                 CryptoBackend& crypto,
                                                                 uint32_t workers) {
  if (!std::has_single_bit(slots) || slots > kOutboundSlotsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: ", slots, " slots, want a power of two up to ", kOutboundSlotsMax));
  }
  SEKISHO_CHECK(workers >= 1 && workers <= kWorkersMax);
  std::unique_ptr<OutboundSad> sad(new OutboundSad(slots, crypto, workers));
  const size_t bytes = sizeof(OutboundSa) * slots;
  sad->sas_.reset(
      static_cast<OutboundSa*>(rte_zmalloc("outbound_sad", bytes, alignof(OutboundSa))));
  if (sad->sas_ == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("sad: no ", bytes, " bytes for ", slots,
                                                     " outbound SAs; give the EAL more memory"));
  }
  for (uint32_t i = 0; i < slots; ++i) new (&sad->sas_[i]) OutboundSa();
  return sad;
}

OutboundSad::OutboundSad(uint32_t slots, CryptoBackend& crypto, uint32_t workers)
    : mask_(slots - 1),
      crypto_(crypto),
      buckets_(size_t{slots} * 2),
      removed_(workers),
      quiescence_(workers),
      records_(slots),
      owned_(workers) {
  for (uint32_t i = 0; i < slots; ++i) free_.push_back(SlotId{i});
}

OutboundSad::~OutboundSad() {
  for (uint32_t i = 0; i < records_.size() && sas_ != nullptr; ++i) {
    if (records_[i].state != SlotState::kFree) Clear(SlotId{i});
  }
}

// --- Slow path -----------------------------------------------------------------------------------

absl::StatusOr<SaHandle> OutboundSad::Fill(const OutboundSaParameters& parameters) {
  SEKISHO_RETURN_IF_ERROR(CheckShape(ShapeOf(parameters)));
  if (parameters.spi.is_reserved()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: SPI ", parameters.spi.ToString(), " is reserved (RFC 4303, 2.1)"));
  }
  if (parameters.udp_encapsulation && parameters.remote_endpoint.port == 0) {
    return absl::InvalidArgumentError("sad: UDP encapsulation towards port 0");
  }
  const WorkerId owner = parameters.worker.value_or(WorkerId{0});
  if (static_cast<size_t>(owner) >= removed_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sad: found worker ", static_cast<unsigned>(owner), ", want 0 to ", removed_.size() - 1));
  }
  if (parameters.then.has_value()) SEKISHO_RETURN_IF_ERROR(CheckThen(*parameters.then, owner));
  if (free_.empty()) FreeReleased();
  if (free_.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sad: all ", records_.size(), " outbound SAs are in use"));
  }
  const SlotId slot = free_.front();
  SEKISHO_RETURN_IF_ERROR(Write(slot, parameters));
  free_.pop_front();
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  record.state = SlotState::kFilled;
  ++installed_;
  ++owned_[static_cast<size_t>(owner)];
  return SaHandle{UpMessage::Direction::kOutbound, slot, record.generation};
}

absl::Status OutboundSad::CheckThen(const SaHandle& then, WorkerId owner) const {
  SEKISHO_RETURN_IF_ERROR(CheckInstalled(then));
  const OutboundSa& sa = sas_[static_cast<uint32_t>(then.slot)];
  if (sa.protocol != IpsecProtocol::kAh) {
    return absl::InvalidArgumentError("sad: packets of an SA can go into an SA of AH only");
  }
  if (sa.owner != owner) {
    return absl::InvalidArgumentError(
        "sad: an SA and the one that its packets go into want the "
        "same worker");
  }
  return absl::OkStatus();
}

void OutboundSad::Publish(const SaHandle& sa) {
  SEKISHO_CHECK(CheckInstalled(sa).ok());
  SlotRecord& record = records_[static_cast<uint32_t>(sa.slot)];
  // First the SA, then what leads to it.
  sas_[static_cast<uint32_t>(sa.slot)].active_generation.store(sa.generation,
                                                               std::memory_order_release);
  for (uint32_t i = 0; i < record.node_count; ++i) {
    LinkNode(record.nodes[i]);
    Supersede(record.nodes[i]);
  }
  if (HasFlows(sas_[static_cast<uint32_t>(sa.slot)])) with_flows_.fetch_add(1);
}

absl::Status OutboundSad::Write(SlotId slot, const OutboundSaParameters& parameters) {
  std::vector<IpPrefix> prefixes;
  for (const TrafficSelector& selector : parameters.remote) {
    for (const IpPrefix& prefix : IpPrefix::Cover(selector.addresses)) prefixes.push_back(prefix);
  }
  // Selectors that differ in protocol or ports only share their prefixes.
  std::sort(prefixes.begin(), prefixes.end());
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  if (prefixes.size() > kPrefixesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sad: remote selectors split into ", prefixes.size(), " prefixes, at most ", kPrefixesMax));
  }
  SEKISHO_ASSIGN_OR_RETURN(
      const CryptoSession session,
      crypto_.CreateSession(parameters.suite, CryptoDirection::kEncrypt,
                            parameters.encryption_key.span(), parameters.integrity_key.span()));
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  OutboundSa& sa = sas_[static_cast<uint32_t>(slot)];
  ++record.generation;
  if (record.generation == 0) ++record.generation;  // after a wrap: 0 says "not active"
  record.session = session;
  record.owner = parameters.worker.value_or(WorkerId{0});
  record.selectors = std::make_unique<SelectorSet>(parameters.local, parameters.remote);
  record.node_count = static_cast<uint32_t>(prefixes.size());
  record.nodes = std::make_unique<Node[]>(prefixes.size());
  for (size_t i = 0; i < prefixes.size(); ++i) {
    Node& node = record.nodes[i];
    node.key = {.address = WideAddress::From(prefixes[i].address()),
                .family = static_cast<uint8_t>(prefixes[i].family()),
                .length = static_cast<uint8_t>(prefixes[i].length())};
    node.sa = &sa;
    node.selectors = record.selectors.get();
    node.slot = slot;
    node.generation = record.generation;
    node.owner = record.owner;
  }
  sa.spi = Be32::FromHost(parameters.spi.value);
  sa.layout = LayoutOf(parameters.suite,
                       {parameters.encryption_key.span(), parameters.integrity_key.span()},
                       parameters.udp_encapsulation, parameters.local_endpoint.address.family());
  sa.layout.transport = parameters.mode == IpsecMode::kTransport;
  sa.protocol = parameters.protocol;
  sa.peer = parameters.peer;
  sa.session = session;
  sa.selectors = record.selectors.get();
  sa.iv_secret = RandomNumber<uint64_t>();
  WriteOuterHeader(sa, parameters.local_endpoint, parameters.remote_endpoint);
  sa.sequence_next.store(1, std::memory_order_relaxed);
  record.life = LifeFrom(sa, parameters.lifetimes);
  sa.life = record.life.get();
  SetChecks(sa);
  if (parameters.then.has_value()) {
    sa.then_slot_plus_one = static_cast<uint32_t>(parameters.then->slot) + 1;
    sa.then_generation = static_cast<uint16_t>(parameters.then->generation);
    sa.then_bytes =
        static_cast<uint8_t>(AhOverhead(sas_[static_cast<uint32_t>(parameters.then->slot)]));
  }
  sa.slot = slot;
  sa.owner = record.owner;
  sa.generation = record.generation;
  record.spi = parameters.spi;
  record.remote = parameters.remote_endpoint.address;
  record.path_mtu = 0;
  by_spi_.emplace(parameters.spi.value, slot);
  return absl::OkStatus();
}

void OutboundSad::Clear(SlotId slot) {
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  crypto_.FreeSession(record.session);
  record.session = {};
  record.selectors.reset();
  record.life.reset();
  record.nodes.reset();
  record.node_count = 0;
  const auto [first, last] = by_spi_.equal_range(record.spi.value);
  for (auto at = first; at != last; ++at) {
    if (at->second != slot) continue;
    by_spi_.erase(at);
    break;
  }
  // Everything but active_generation, which workers read at any time and its owner has cleared, and
  // the version, which goes on counting.
  static_assert(offsetof(OutboundSa, active_generation) == 0 && offsetof(OutboundSa, version) == 4);
  constexpr size_t kKept = 8;
  WipeMemory(reinterpret_cast<std::byte*>(&sas_[static_cast<uint32_t>(slot)]) + kKept,
             sizeof(OutboundSa) - kKept);
}

const OutboundSad::SlotRecord* OutboundSad::Record(const SaHandle& sa) const {
  const auto slot = static_cast<uint32_t>(sa.slot);
  if (sa.direction != UpMessage::Direction::kOutbound || slot >= records_.size()) return nullptr;
  const SlotRecord& record = records_[slot];
  if (record.state == SlotState::kFree || record.state == SlotState::kReleased ||
      record.generation != sa.generation) {
    return nullptr;
  }
  return &record;
}

absl::Status OutboundSad::CheckInstalled(const SaHandle& sa) const {
  const SlotRecord* record = Record(sa);
  if (record != nullptr && record->state == SlotState::kFilled) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("sad: no outbound SA in slot ",
                                          static_cast<uint32_t>(sa.slot), " of generation ",
                                          sa.generation));
}

absl::Status OutboundSad::CheckMove(const SaHandle& sa, const Endpoint& local,
                                    const Endpoint& remote) const {
  SEKISHO_RETURN_IF_ERROR(CheckInstalled(sa));
  if (local.address.family() != remote.address.family()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: ends of two families: ", local.ToString(), " and ", remote.ToString()));
  }
  if (sas_[static_cast<uint32_t>(sa.slot)].layout.udp_encapsulation && remote.port == 0) {
    return absl::InvalidArgumentError("sad: UDP encapsulation towards port 0");
  }
  return absl::OkStatus();
}

void OutboundSad::NoteMoved(const SaHandle& sa, const IpAddress& remote) {
  if (CheckInstalled(sa).ok()) records_[static_cast<uint32_t>(sa.slot)].remote = remote;
}

std::optional<SaHandle> OutboundSad::FindBySpi(Spi spi, const IpAddress& remote) const {
  const auto [first, last] = by_spi_.equal_range(spi.value);
  for (auto at = first; at != last; ++at) {
    const SlotRecord& record = records_[static_cast<uint32_t>(at->second)];
    if (record.state != SlotState::kFilled || record.remote != remote) continue;
    return SaHandle{UpMessage::Direction::kOutbound, at->second, record.generation};
  }
  return std::nullopt;
}

void OutboundSad::NotePathMtu(const SaHandle& sa, uint16_t mtu, uint64_t now_tsc) {
  if (!CheckInstalled(sa).ok()) return;
  SlotRecord& record = records_[static_cast<uint32_t>(sa.slot)];
  record.path_mtu = mtu;
  record.path_mtu_until_tsc = now_tsc + rte_get_tsc_hz() * kPathMtuSeconds;
}

uint16_t OutboundSad::PathMtu(const SaHandle& sa, uint64_t now_tsc) const {
  const SlotRecord* record = Record(sa);
  return record != nullptr && now_tsc < record->path_mtu_until_tsc ? record->path_mtu : uint16_t{0};
}

void OutboundSad::MarkRemoved(const SaHandle& sa) {
  SEKISHO_CHECK(CheckInstalled(sa).ok());
  SlotRecord& record = records_[static_cast<uint32_t>(sa.slot)];
  for (uint32_t i = 0; i < record.node_count; ++i) UnlinkNode(record.nodes[i]);
  NextVersion(sas_[static_cast<uint32_t>(sa.slot)]);
  if (HasFlows(sas_[static_cast<uint32_t>(sa.slot)])) with_flows_.fetch_sub(1);
  record.unlinked_at = quiescence_.Advance();
  record.state = SlotState::kRemoved;
  --installed_;
  --owned_[static_cast<size_t>(record.owner)];
}

WorkerId OutboundSad::OwnerOf(const SaHandle& sa) const {
  SEKISHO_CHECK(CheckInstalled(sa).ok());
  return records_[static_cast<uint32_t>(sa.slot)].owner;
}

void OutboundSad::Release(SlotId slot, uint32_t generation) {
  const auto index = static_cast<uint32_t>(slot);
  if (index >= records_.size()) return;
  SlotRecord& record = records_[index];
  if (record.state != SlotState::kRemoved || record.generation != generation) return;
  record.state = SlotState::kReleased;
  released_.push_back(slot);
  FreeReleased();
}

void OutboundSad::FreeReleased() {
  // Nearly in the order of unlinking, so that the first to wait for is a good one to wait for.
  while (!released_.empty()) {
    const SlotId slot = released_.front();
    SlotRecord& record = records_[static_cast<uint32_t>(slot)];
    if (!quiescence_.Passed(record.unlinked_at)) return;
    released_.pop_front();
    Clear(slot);
    record.state = SlotState::kFree;
    free_.push_back(slot);
  }
}

absl::StatusOr<SaCounters> OutboundSad::Counters(const SaHandle& sa) const {
  const SlotRecord* record = Record(sa);
  if (record == nullptr) return absl::NotFoundError("sad: no such outbound SA");
  const OutboundSa& slot = sas_[static_cast<uint32_t>(sa.slot)];
  return SaCounters{.packets = slot.packets(),
                    .bytes = slot.bytes.Get(),
                    .dropped = slot.dropped.Get(),
                    .sequence = slot.packets()};
}

// --- Worker --------------------------------------------------------------------------------------

OutboundSa* OutboundSad::Owned(WorkerId worker, SlotId slot, uint32_t generation) const {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ || generation == 0) return nullptr;
  OutboundSa& sa = sas_[index];
  if (sa.active_generation.load(std::memory_order_acquire) != generation) return nullptr;
  return sa.owner == worker ? &sa : nullptr;
}

bool OutboundSad::Deactivate(SlotId slot, uint32_t generation) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_) return false;
  OutboundSa& sa = sas_[index];
  if (sa.active_generation.load(std::memory_order_acquire) != generation) return false;
  sa.active_generation.store(0, std::memory_order_relaxed);
  uint32_t& head = removed_[static_cast<size_t>(sa.owner)].head;
  sa.retiring_next = head;
  head = index + 1;
  return true;
}

bool OutboundSad::Move(SlotId slot, uint32_t generation, const Endpoint& local,
                       const Endpoint& remote) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ ||
      sas_[index].active_generation.load(std::memory_order_acquire) != generation) {
    return false;
  }
  WriteOuterHeader(sas_[index], local, remote);
  return true;
}

bool OutboundSad::SetPathMtu(SlotId slot, uint32_t generation, uint16_t mtu, uint64_t until_tsc) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ ||
      sas_[index].active_generation.load(std::memory_order_acquire) != generation) {
    return false;
  }
  sas_[index].path_mtu = mtu;
  sas_[index].adjacency = {};
  sas_[index].path_mtu_until = static_cast<uint32_t>(until_tsc >> kPathMtuShift);
  return true;
}

OutboundSa* OutboundSad::Then(const OutboundSa& sa) const {
  OutboundSa& then = sas_[sa.then_slot_plus_one - 1];
  const uint32_t active = then.active_generation.load(std::memory_order_acquire);
  return active != 0 && static_cast<uint16_t>(active) == sa.then_generation ? &then : nullptr;
}

OutboundSa* OutboundSad::TakeIdleRemoved(WorkerId worker) {
  for (uint32_t* link = &removed_[static_cast<size_t>(worker)].head; *link != 0;) {
    OutboundSa& sa = sas_[*link - 1];
    if (sa.in_flight == 0) {
      *link = sa.retiring_next;
      return &sa;
    }
    link = &sa.retiring_next;
  }
  return nullptr;
}

}  // namespace sekisho::fastpath
