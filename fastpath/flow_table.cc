#include "fastpath/flow_table.h"

#include <netinet/in.h>
#include <rte_hash_crc.h>
#include <rte_jhash.h>

#include <algorithm>
#include <array>
#include <bit>

namespace sekisho::fastpath {
namespace {

// Without padding, so that equal keys are equal bytes.
std::array<uint32_t, 10> WordsOf(const FlowKey& key) {
  return {
      static_cast<uint32_t>(key.local.high >> 32),      static_cast<uint32_t>(key.local.high),
      static_cast<uint32_t>(key.local.low >> 32),       static_cast<uint32_t>(key.local.low),
      static_cast<uint32_t>(key.remote.high >> 32),     static_cast<uint32_t>(key.remote.high),
      static_cast<uint32_t>(key.remote.low >> 32),      static_cast<uint32_t>(key.remote.low),
      uint32_t{key.local_port} << 16 | key.remote_port, uint32_t{key.family} << 8 | key.protocol};
}

}  // namespace

FlowTable::FlowTable(size_t flows_max, uint64_t tsc_hz, uint32_t seed)
    : entries_(flows_max),
      seen_(std::bit_ceil(flows_max), kNone),
      sent_(seen_.size(), kNone),
      seed_(seed),
      tsc_hz_(tsc_hz) {
  for (size_t i = entries_.size(); i > 0; --i) {
    entries_[i - 1].next_seen = free_;
    free_ = static_cast<uint32_t>(i - 1);
  }
}

// Strangers choose what is hashed: the seed keeps them from choosing the bucket.
uint32_t FlowTable::HashSeen(const FlowKey& key) const {
  const auto words = WordsOf(key);
  return rte_jhash_32b(words.data(), words.size(), seed_) & static_cast<uint32_t>(seen_.size() - 1);
}

uint32_t FlowTable::HashSent(const FlowKey& key, const FlowOwner& owner) const {
  const auto words = WordsOf(key);
  const uint32_t of_owner = rte_jhash_3words(static_cast<uint32_t>(owner.peer >> 32),
                                             static_cast<uint32_t>(owner.peer), owner.clear, seed_);
  return rte_jhash_32b(words.data(), words.size(), of_owner) &
         static_cast<uint32_t>(sent_.size() - 1);
}

Flow* FlowTable::FindSeen(const FlowKey& key) {
  if (size_ == 0) return nullptr;
  for (uint32_t i = seen_[HashSeen(key)]; i != kNone; i = entries_[i].next_seen) {
    if (entries_[i].flow.seen == key) return &entries_[i].flow;
  }
  return nullptr;
}

Flow* FlowTable::FindSent(const FlowKey& key, const FlowOwner& owner) {
  if (size_ == 0) return nullptr;
  for (uint32_t i = sent_[HashSent(key, owner)]; i != kNone; i = entries_[i].next_sent) {
    Flow& flow = entries_[i].flow;
    if (flow.owner == owner && flow.sent() == key) return &flow;
  }
  return nullptr;
}

size_t FlowTable::ChainLength(const std::vector<uint32_t>& buckets, uint32_t bucket,
                              uint32_t Entry::*next) const {
  size_t length = 0;
  for (uint32_t i = buckets[bucket]; i != kNone; i = entries_[i].*next) ++length;
  return length;
}

bool FlowTable::FindFreePort(FlowKey& key) {
  // Spread, and never the same for two tries.
  const uint32_t start =
      rte_jhash_3words(HashSeen(key), key.remote_port, static_cast<uint32_t>(size_), seed_);
  constexpr uint32_t kPorts = 0x10000u - kPortLeast;
  for (uint32_t i = 0; i < kPortTries; ++i) {
    key.remote_port = static_cast<uint16_t>(kPortLeast + (start + i) % kPorts);
    if (FindSeen(key) == nullptr) return true;
  }
  return false;
}

FlowTable::Added FlowTable::Add(const FlowKey& sent, const FlowOwner& owner, bool may_translate,
                                uint64_t now_tsc) {
  if (free_ == kNone || (owner.clear && clear_size_ >= entries_.size() / 2)) {
    return {nullptr, DropReason::kFlowTableFull};
  }
  FlowKey seen = sent;
  if (FindSeen(seen) != nullptr && (!may_translate || !FindFreePort(seen))) {
    return {nullptr, DropReason::kFlowConflict};
  }
  const uint32_t seen_bucket = HashSeen(seen);
  const uint32_t sent_bucket = HashSent(sent, owner);
  if (ChainLength(seen_, seen_bucket, &Entry::next_seen) >= kChainMax ||
      ChainLength(sent_, sent_bucket, &Entry::next_sent) >= kChainMax) {
    return {nullptr, DropReason::kFlowTableFull};
  }
  const uint32_t index = free_;
  Entry& entry = entries_[index];
  free_ = entry.next_seen;
  entry = {};
  entry.used = true;
  entry.flow.seen = seen;
  entry.flow.port = sent.remote_port;
  entry.flow.owner = owner;
  entry.flow.last_tsc = now_tsc;
  entry.next_seen = seen_[seen_bucket];
  seen_[seen_bucket] = index;
  entry.next_sent = sent_[sent_bucket];
  sent_[sent_bucket] = index;
  ++size_;
  if (owner.clear) ++clear_size_;
  return {&entry.flow, DropReason::kNone};
}

void FlowTable::Unlink(std::vector<uint32_t>& buckets, uint32_t bucket, uint32_t Entry::*next,
                       uint32_t index) {
  for (uint32_t* link = &buckets[bucket]; *link != kNone; link = &(entries_[*link].*next)) {
    if (*link == index) {
      *link = entries_[index].*next;
      return;
    }
  }
}

void FlowTable::Remove(Flow& flow) {
  // The flow is the first member of its entry.
  static_assert(offsetof(Entry, flow) == 0);
  const auto index = static_cast<uint32_t>(reinterpret_cast<const Entry*>(&flow) - entries_.data());
  Entry& entry = entries_[index];
  Unlink(seen_, HashSeen(flow.seen), &Entry::next_seen, index);
  Unlink(sent_, HashSent(flow.sent(), flow.owner), &Entry::next_sent, index);
  --size_;
  if (flow.owner.clear) --clear_size_;
  entry.used = false;
  entry.next_seen = free_;
  free_ = index;
}

bool FlowTable::IsOver(const Flow& flow, uint64_t now_tsc) const {
  uint64_t seconds = kIdleSeconds;
  if (flow.seen.protocol == IPPROTO_TCP) {
    seconds = flow.reset || (flow.fin_in && flow.fin_out) ? kTcpClosedSeconds : kTcpIdleSeconds;
  }
  return now_tsc > flow.last_tsc && now_tsc - flow.last_tsc > seconds * tsc_hz_;
}

void FlowTable::Expire(uint64_t now_tsc) {
  if (entries_.empty()) return;
  const size_t count = (entries_.size() + kExpireParts - 1) / kExpireParts;
  for (size_t i = 0; i < count; ++i) {
    Entry& entry = entries_[expire_at_];
    if (++expire_at_ == entries_.size()) expire_at_ = 0;
    if (entry.used && IsOver(entry.flow, now_tsc)) Remove(entry.flow);
  }
}

}  // namespace sekisho::fastpath
