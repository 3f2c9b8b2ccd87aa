// fastpath/decision_cache.h: what was decided for a flow, so that its next packet need not be
// looked up again (RFC 4301, 4.4.2: "the SPD cache").
//
// An exact match of addresses, protocol, ports and the port that the packet came in by, in front of
// routes, SPD and SAD. Only one decision is kept here, the common one: PROTECT, by an SA of this
// worker that the packet's selectors lead to. It is filled by the stages that decide (forward.cc,
// protect.cc) and read by recall.cc; nothing is decided here.
//
// A decision is right as long as nothing that it was made from has changed:
//   - policies and routes: Entry::epoch is the worker's count of table swaps;
//   - SAs: OutboundSa::version changes when the SA goes, and when a newer or narrower one is
//     published that could take packets from it (outbound_sad.h);
//   - learned flows come before SAs, so that nothing is remembered or recalled while there are SAs
//     that have any (OutboundSad::has_flows).
// What is stale is never looked for: it is found not to fit when its flow's next packet comes.
//
// One per worker, which alone touches it. A bucket is two cache lines; in a full one the new entry
// takes a place by turns.
#pragma once

#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "common/messages.h"

namespace sekisho::fastpath {

// What makes packets one flow. Bytes as they stand in the packet; ports are the four bytes behind
// the IP header.
template <size_t kAddressBytes>
struct FlowId {
  uint8_t addresses[2 * kAddressBytes];  // source, destination
  uint32_t ports;
  uint8_t protocol;
  uint8_t port_in;

  bool operator==(const FlowId& other) const {
    return ports == other.ports && protocol == other.protocol && port_in == other.port_in &&
           std::memcmp(addresses, other.addresses, sizeof(addresses)) == 0;
  }
  uint32_t Hash() const {
    uint32_t hash = uint32_t{protocol} << 8 | port_in;
    for (size_t i = 0; i < sizeof(addresses); i += 8) {
      uint64_t word;
      std::memcpy(&word, addresses + i, sizeof(word));
      hash = rte_hash_crc_8byte(word, hash);
    }
    return rte_hash_crc_4byte(ports, hash);
  }
};
using FlowId4 = FlowId<4>;
using FlowId6 = FlowId<16>;

struct Decision {
  uint32_t policy = 0;   // in the SPD of the worker's tables
  uint32_t sa_slot = 0;  // of the outbound SAD
  uint32_t version = 0;  // OutboundSa::version when it was decided
};

template <typename Flow>
class DecisionCache {
 public:
  // `entries` is a power of two. ResourceExhausted without EAL memory for them.
  static absl::StatusOr<DecisionCache> Create(size_t entries);
  DecisionCache() = default;

  bool exists() const { return buckets_ != nullptr; }
  // Of the others, requires: exists().
  void Prefetch(uint32_t hash) const {
    const Bucket& bucket = BucketOf(hash);
    rte_prefetch0(&bucket);
    rte_prefetch0(reinterpret_cast<const std::byte*>(&bucket) + 64);
  }
  // nullptr: nothing is known, or what was is of other tables.
  const Decision* Find(const Flow& flow, uint32_t hash) const {
    for (const Entry& entry : BucketOf(hash).entries) {
      if (entry.flow == flow) return entry.epoch == epoch_ ? &entry.decision : nullptr;
    }
    return nullptr;
  }
  void Put(const Flow& flow, const Decision& decision);
  // Every decision so far was made from tables that are gone.
  void Forget();

 private:
  struct Entry {
    Flow flow;
    uint16_t epoch = 0;  // 0: never used
    Decision decision;
  };
  static constexpr size_t kBucketBytes = 128;
  static constexpr size_t kEntryBytes = sizeof(Flow) <= 16 ? 32 : 64;
  static_assert(sizeof(Entry) <= kEntryBytes);
  struct alignas(kEntryBytes) PaddedEntry : Entry {};
  struct alignas(kBucketBytes) Bucket {
    std::array<PaddedEntry, kBucketBytes / kEntryBytes> entries;
  };
  static_assert(sizeof(Bucket) == kBucketBytes);
  struct FreeBuckets {
    void operator()(Bucket* memory) const;
  };

  Bucket& BucketOf(uint32_t hash) const { return buckets_.get()[hash & mask_]; }

  std::unique_ptr<Bucket, FreeBuckets> buckets_;
  uint32_t mask_ = 0;
  uint16_t epoch_ = 1;
  uint8_t next_victim_ = 0;
};

extern template class DecisionCache<FlowId4>;
extern template class DecisionCache<FlowId6>;

}  // namespace sekisho::fastpath
