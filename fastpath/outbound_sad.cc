#include "fastpath/outbound_sad.h"

#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <new>

#include "absl/strings/str_cat.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/outer_header.h"
#include "fastpath/random_bytes.h"

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kSequenceMax32 = UINT32_MAX;

uint64_t HighBits(int bits) {
  return bits <= 0 ? 0 : bits >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - bits);
}

// The first `length` bits; IPv4 stands in the last 32 of the 128.
WideAddress Masked(const WideAddress& address, uint8_t family, uint8_t length) {
  const int bits = family == 4 ? 96 + length : length;
  return {address.high & HighBits(bits), address.low & HighBits(bits - 64)};
}

size_t FamilyIndex(uint8_t family) { return family == 4 ? 0 : 1; }

}  // namespace

void OutboundSad::FreeSas::operator()(OutboundSa* memory) const { rte_free(memory); }

absl::StatusOr<std::unique_ptr<OutboundSad>> OutboundSad::Create(uint32_t slots,
                                                                 CryptoBackend& crypto) {
  if (!std::has_single_bit(slots) || slots > kSlotsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sad: ", slots, " slots, want a power of two up to ", kSlotsMax));
  }
  std::unique_ptr<OutboundSad> sad(new OutboundSad(slots, crypto));
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

OutboundSad::OutboundSad(uint32_t slots, CryptoBackend& crypto)
    : mask_(slots - 1), crypto_(crypto), buckets_(size_t{slots} * 2), records_(slots) {
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
  return SaHandle{UpMessage::Direction::kOutbound, slot, record.generation};
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
  record.session = session;
  record.selectors = std::make_unique<SelectorSet>(parameters.local, parameters.remote);
  record.nodes.clear();
  for (const IpPrefix& prefix : prefixes) {
    Node node;
    node.key = {.address = WideAddress::From(prefix.address()),
                .family = static_cast<uint8_t>(prefix.family()),
                .length = static_cast<uint8_t>(prefix.length())};
    node.sa = &sa;
    record.nodes.push_back(node);
  }
  sa.spi = Be32::FromHost(parameters.spi.value);
  sa.layout = LayoutOf(parameters.suite,
                       {parameters.encryption_key.span(), parameters.integrity_key.span()},
                       parameters.udp_encapsulation, parameters.local_endpoint.address.family());
  sa.layout.transport = parameters.mode == IpsecMode::kTransport;
  sa.peer = parameters.peer;
  sa.session = session;
  sa.selectors = record.selectors.get();
  sa.iv_secret = RandomNumber<uint64_t>();
  WriteOuterHeader(sa, parameters.local_endpoint, parameters.remote_endpoint);
  // RFC 4303, 3.3.3: the counter never cycles. Rekeying starts at three quarters of it.
  sa.sequence_last = parameters.suite.esn ? UINT64_MAX - 1 : kSequenceMax32;
  sa.sequence_next = 1;
  sa.soft_sequence = sa.sequence_last / 4 * 3;
  const SaLifetimes& lifetimes = parameters.lifetimes;
  if (lifetimes.soft_packets != 0) {
    sa.soft_sequence = std::min(sa.soft_sequence, lifetimes.soft_packets);
  }
  sa.soft_bytes = lifetimes.soft_bytes == 0 ? UINT64_MAX : lifetimes.soft_bytes;
  sa.slot = slot;
  sa.generation = record.generation;
  return absl::OkStatus();
}

void OutboundSad::Unfill(const SaHandle& sa) {
  if (!CheckInstalled(sa).ok()) return;
  Clear(sa.slot);
  records_[static_cast<uint32_t>(sa.slot)].state = SlotState::kFree;
  free_.push_back(sa.slot);
  --installed_;
}

void OutboundSad::Clear(SlotId slot) {
  SlotRecord& record = records_[static_cast<uint32_t>(slot)];
  crypto_.FreeSession(record.session);
  record.session = {};
  record.selectors.reset();
  record.nodes = {};
  WipeMemory(&sas_[static_cast<uint32_t>(slot)], sizeof(OutboundSa));
}

const OutboundSad::SlotRecord* OutboundSad::Record(const SaHandle& sa) const {
  const auto slot = static_cast<uint32_t>(sa.slot);
  if (sa.direction != UpMessage::Direction::kOutbound || slot >= records_.size()) return nullptr;
  const SlotRecord& record = records_[slot];
  if (record.state == SlotState::kFree || record.generation != sa.generation) return nullptr;
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

void OutboundSad::MarkRemoved(const SaHandle& sa) {
  SEKISHO_CHECK(CheckInstalled(sa).ok());
  records_[static_cast<uint32_t>(sa.slot)].state = SlotState::kRemoved;
  --installed_;
}

void OutboundSad::Release(SlotId slot, uint32_t generation) {
  const auto index = static_cast<uint32_t>(slot);
  if (index >= records_.size()) return;
  SlotRecord& record = records_[index];
  if (record.state != SlotState::kRemoved || record.generation != generation) return;
  Clear(slot);
  record.state = SlotState::kFree;
  free_.push_back(slot);
}

absl::StatusOr<SaCounters> OutboundSad::Counters(const SaHandle& sa) const {
  if (Record(sa) == nullptr) return absl::NotFoundError("sad: no such outbound SA");
  const OutboundSa& slot = sas_[static_cast<uint32_t>(sa.slot)];
  return SaCounters{.packets = slot.packets.Get(),
                    .bytes = slot.bytes.Get(),
                    .dropped = slot.dropped.Get(),
                    .sequence = slot.sent.Get()};
}

// --- Worker --------------------------------------------------------------------------------------

bool OutboundSad::Activate(SlotId slot, uint32_t generation) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ || sas_[index].generation != generation || sas_[index].active) return false;
  for (Node& node : records_[index].nodes) Link(node);
  sas_[index].active = true;
  return true;
}

bool OutboundSad::Deactivate(SlotId slot, uint32_t generation) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ || sas_[index].generation != generation || !sas_[index].active) return false;
  for (Node& node : records_[index].nodes) Unlink(node);
  sas_[index].active = false;
  sas_[index].retiring_next = removed_head_;
  removed_head_ = index + 1;
  return true;
}

bool OutboundSad::Move(SlotId slot, uint32_t generation, const Endpoint& local,
                       const Endpoint& remote) {
  const auto index = static_cast<uint32_t>(slot);
  if (index > mask_ || sas_[index].generation != generation || !sas_[index].active) return false;
  WriteOuterHeader(sas_[index], local, remote);
  return true;
}

OutboundSa* OutboundSad::TakeIdleRemoved() {
  for (uint32_t* link = &removed_head_; *link != 0;) {
    OutboundSa& sa = sas_[*link - 1];
    if (sa.in_flight == 0) {
      *link = sa.retiring_next;
      return &sa;
    }
    link = &sa.retiring_next;
  }
  return nullptr;
}

size_t OutboundSad::BucketOf(const Key& key) const {
  uint32_t hash = rte_hash_crc_8byte(key.address.high, key.length);
  hash = rte_hash_crc_8byte(key.address.low, hash);
  return hash & (buckets_.size() - 1);
}

void OutboundSad::Link(Node& node) {
  Node*& head = buckets_[BucketOf(node.key)];
  node.next = head;
  head = &node;
  CountLength(node.key, 1);
}

void OutboundSad::Unlink(Node& node) {
  for (Node** link = &buckets_[BucketOf(node.key)]; *link != nullptr; link = &(*link)->next) {
    if (*link == &node) {
      *link = node.next;
      CountLength(node.key, -1);
      return;
    }
  }
}

void OutboundSad::CountLength(const Key& key, int change) {
  Lengths& lengths = lengths_[FamilyIndex(key.family)];
  lengths.count[key.length] += static_cast<uint32_t>(change);
  if (lengths.count[key.length] > 1) return;
  lengths.in_use_count = 0;
  for (int length = 128; length >= 0; --length) {
    if (lengths.count[static_cast<size_t>(length)] == 0) continue;
    lengths.in_use[lengths.in_use_count++] = static_cast<uint8_t>(length);
  }
}

template <typename Accept>
OutboundSa* OutboundSad::FindIf(const PacketSelectors& packet, Accept accept) const {
  const Lengths& lengths = lengths_[FamilyIndex(packet.family)];
  for (uint8_t i = 0; i < lengths.in_use_count; ++i) {
    const uint8_t length = lengths.in_use[i];
    const Key key{Masked(packet.remote, packet.family, length), packet.family, length};
    for (const Node* node = buckets_[BucketOf(key)]; node != nullptr; node = node->next) {
      if (node->key == key && accept(*node->sa) && node->sa->selectors->Contains(packet)) {
        return node->sa;
      }
    }
  }
  return nullptr;
}

OutboundSa* OutboundSad::FindOfPeer(const PacketSelectors& packet, uint64_t peer) const {
  return FindIf(packet, [peer](const OutboundSa& sa) { return sa.peer == peer; });
}

OutboundSa* OutboundSad::FindActive(SlotId slot, uint32_t generation) const {
  OutboundSa& sa = sas_[static_cast<uint32_t>(slot) & mask_];
  return sa.active && sa.slot == slot && sa.generation == generation ? &sa : nullptr;
}

void OutboundSad::LookUp(Burst burst) const {
  std::array<PacketSelectors, kBurstMax> packets;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  // The bucket of the longest length is where most packets end: a virtual address, /32 or /128.
  for (size_t i = 0; i < burst.size(); ++i) {
    packets[i] = OutboundSelectors(burst[i]);
    const Lengths& lengths = lengths_[FamilyIndex(packets[i].family)];
    if (lengths.in_use_count == 0) continue;
    const uint8_t length = lengths.in_use[0];
    const Key key{Masked(packets[i].remote, packets[i].family, length), packets[i].family, length};
    rte_prefetch0(&buckets_[BucketOf(key)]);
  }
  for (size_t i = 0; i < burst.size(); ++i) {
    OutboundSa* sa = FindIf(packets[i], [](const OutboundSa&) { return true; });
    ContextOf(burst[i]).outbound_sa = sa;
    if (sa != nullptr) {
      rte_prefetch0(sa);
      rte_prefetch0(&sa->outer_header);
      rte_prefetch0(&sa->sequence_next);
    }
  }
}

}  // namespace sekisho::fastpath
