#include "fastpath/reassembly_table.h"

#include "common/check.h"

namespace sekisho::fastpath {

FragmentTable::FragmentTable(const std::array<uint64_t, 5>& secrets)
    : secrets_(secrets), packets_(kReassemblyPacketsMax), buckets_(1u << kBucketBits, kNone) {
  for (uint32_t i = 0; i < packets_.size(); ++i) packets_[i].next = i + 1;
  packets_.back().next = kNone;
}

// The top bits of a sum of products with secrets: keys that a stranger chooses meet by chance only.
size_t FragmentTable::BucketOf(const FragmentKey& key) const {
  uint64_t sum = 0;
  for (size_t i = 0; i < key.words.size(); ++i) {
    sum += (key.words[i] ^ key.words[i] >> 32) * (secrets_[i] | 1);
  }
  return sum >> (64 - kBucketBits);
}

FragmentedPacket* FragmentTable::Find(const FragmentKey& key) {
  for (uint32_t i = buckets_[BucketOf(key)]; i != kNone; i = packets_[i].next) {
    if (packets_[i].key == key) return &packets_[i];
  }
  return nullptr;
}

FragmentedPacket& FragmentTable::Add(const FragmentKey& key, uint64_t deadline_tsc) {
  SEKISHO_DCHECK(!full());
  const uint32_t index = free_;
  FragmentedPacket& packet = packets_[index];
  free_ = packet.next;
  packet = {};
  packet.key = key;
  packet.deadline_tsc = deadline_tsc;
  uint32_t& bucket = buckets_[BucketOf(key)];
  packet.next = bucket;
  bucket = index;
  packet.older = newest_;
  packet.newer = kNone;
  (newest_ == kNone ? oldest_ : packets_[newest_].newer) = index;
  newest_ = index;
  return packet;
}

void FragmentTable::Remove(FragmentedPacket& packet) {
  SEKISHO_DCHECK(packet.pieces == 0);
  const auto index = static_cast<uint32_t>(&packet - packets_.data());
  uint32_t* link = &buckets_[BucketOf(packet.key)];
  while (*link != index) link = &packets_[*link].next;
  *link = packet.next;
  (packet.older == kNone ? oldest_ : packets_[packet.older].newer) = packet.newer;
  (packet.newer == kNone ? newest_ : packets_[packet.newer].older) = packet.older;
  packet.next = free_;
  free_ = index;
}

}  // namespace sekisho::fastpath
