// How OutboundSad finds an SA by a packet: hash chains by prefix, and what changes them.
#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#include <array>
#include <bit>

#include "common/check.h"
#include "fastpath/outbound_sad.h"

namespace sekisho::fastpath {
namespace {

uint64_t HighBits(int bits) {
  return bits <= 0 ? 0 : bits >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - bits);
}

// The first `length` bits; IPv4 stands in the last 32 of the 128.
WideAddress Masked(const WideAddress& address, uint8_t family, uint8_t length) {
  const int bits = family == 4 ? 96 + length : length;
  return {address.high & HighBits(bits), address.low & HighBits(bits - 64)};
}

size_t FamilyIndex(uint8_t family) { return family == 4 ? 0 : 1; }

// The highest bit that is set below `limit` in an array of words; -1: none.
int HighestBelow(const std::array<std::atomic<uint64_t>, 3>& words, int limit) {
  for (int word = (limit - 1) / 64; limit > 0 && word >= 0; --word) {
    uint64_t bits = words[static_cast<size_t>(word)].load(std::memory_order_acquire);
    if (limit < (word + 1) * 64) bits &= (uint64_t{1} << (limit % 64)) - 1;
    if (bits != 0) return word * 64 + 63 - std::countl_zero(bits);
  }
  return -1;
}

}  // namespace

size_t OutboundSad::BucketOf(const Key& key) const {
  uint32_t hash = rte_hash_crc_8byte(key.address.high, key.length);
  hash = rte_hash_crc_8byte(key.address.low, hash);
  return hash & (buckets_.size() - 1);
}

// Slow path. Newest first: a rekeyed SA takes over at once.
void OutboundSad::LinkNode(Node& node) {
  Link& bucket = buckets_[BucketOf(node.key)];
  Node* const next = bucket.load(std::memory_order_relaxed);
  node.next.store(next, std::memory_order_relaxed);
  node.linked_by = &bucket;
  if (next != nullptr) next->linked_by = &node.next;
  CountLength(node.key, 1);
  bucket.store(&node, std::memory_order_release);
}

// Slow path. The node keeps its own link: who stands on it finds the way on.
void OutboundSad::UnlinkNode(Node& node) {
  Node* const next = node.next.load(std::memory_order_relaxed);
  node.linked_by->store(next, std::memory_order_release);
  if (next != nullptr) next->linked_by = node.linked_by;
  CountLength(node.key, -1);
}

// Slow path. What stands under the same prefix, or a shorter one that holds it, gives way to the
// new node where that takes the packet. Longer prefixes come before it as ever.
// Where very many stand there, one count for all is cheaper.
void OutboundSad::Supersede(const Node& newer) {
  int superseded = 0;
  const Lengths& lengths = lengths_[FamilyIndex(newer.key.family)];
  for (int length = newer.key.length; length >= 0; length = HighestBelow(lengths.in_use, length)) {
    const auto bits = static_cast<uint8_t>(length);
    const Key key{Masked(newer.key.address, newer.key.family, bits), newer.key.family, bits};
    for (const Node* node = buckets_[BucketOf(key)].load(std::memory_order_relaxed);
         node != nullptr; node = node->next.load(std::memory_order_relaxed)) {
      if (node->key != key || node->sa == newer.sa) continue;
      NextVersion(*node->sa);
      if (++superseded == kSupersededMax) {
        all_versions_.store(all_versions_.load(std::memory_order_relaxed) + 1,
                            std::memory_order_release);
        return;
      }
    }
  }
}

void OutboundSad::NextVersion(OutboundSa& sa) {
  sa.version.store(sa.version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void OutboundSad::CountLength(const Key& key, int change) {
  Lengths& lengths = lengths_[FamilyIndex(key.family)];
  uint32_t& count = lengths.count[key.length];
  count += static_cast<uint32_t>(change);
  std::atomic<uint64_t>& word = lengths.in_use[key.length / 64];
  const uint64_t bit = uint64_t{1} << key.length % 64;
  const uint64_t before = word.load(std::memory_order_relaxed);
  word.store(count > 0 ? before | bit : before & ~bit, std::memory_order_release);
}

template <typename Accept>
const OutboundSad::Node* OutboundSad::FindIf(const PacketSelectors& packet, Accept accept) const {
  const Lengths& lengths = lengths_[FamilyIndex(packet.family)];
  for (int limit = 129;;) {
    limit = HighestBelow(lengths.in_use, limit);
    if (limit < 0) return nullptr;
    const auto length = static_cast<uint8_t>(limit);
    const Key key{Masked(packet.remote, packet.family, length), packet.family, length};
    for (const Node* node = buckets_[BucketOf(key)].load(std::memory_order_acquire);
         node != nullptr; node = node->next.load(std::memory_order_acquire)) {
      if (node->key == key && accept(*node) && node->selectors->Contains(packet)) return node;
    }
  }
}

OutboundSa* OutboundSad::FindOfPeer(const PacketSelectors& packet, uint64_t peer) const {
  const Node* node = FindIf(packet, [peer](const Node& n) { return n.sa->peer == peer; });
  return node == nullptr ? nullptr : node->sa;
}

OutboundSa* OutboundSad::FindActive(SlotId slot, uint32_t generation) const {
  OutboundSa& sa = sas_[static_cast<uint32_t>(slot) & mask_];
  const uint32_t active = sa.active_generation.load(std::memory_order_acquire);
  return generation != 0 && active == generation && sa.slot == slot ? &sa : nullptr;
}

void OutboundSad::LookUp(Burst burst) const {
  std::array<PacketSelectors, kBurstMax> packets;
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  // The bucket of the longest length is where most packets end: a virtual address, /32 or /128.
  for (size_t i = 0; i < burst.size(); ++i) {
    packets[i] = OutboundSelectors(burst[i]);
    const int longest = HighestBelow(lengths_[FamilyIndex(packets[i].family)].in_use, 129);
    if (longest < 0) continue;
    const auto length = static_cast<uint8_t>(longest);
    const Key key{Masked(packets[i].remote, packets[i].family, length), packets[i].family, length};
    rte_prefetch0(&buckets_[BucketOf(key)]);
  }
  for (size_t i = 0; i < burst.size(); ++i) {
    const Node* node = FindIf(packets[i], [](const Node&) { return true; });
    PacketContext& context = ContextOf(burst[i]);
    context.outbound_sa = node == nullptr ? nullptr : node->sa;
    if (node == nullptr) continue;
    context.sa_owner = node->owner;
    context.sa_slot = node->slot;
    context.sa_generation = node->generation;
  }
}

}  // namespace sekisho::fastpath
