#include "fastpath/decision_cache.h"

#include <rte_malloc.h>

#include <bit>
#include <new>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::fastpath {

template <typename Flow>
void DecisionCache<Flow>::FreeBuckets::operator()(Bucket* memory) const {
  rte_free(memory);
}

template <typename Flow>
absl::StatusOr<DecisionCache<Flow>> DecisionCache<Flow>::Create(size_t entries) {
  constexpr size_t kPerBucket = kBucketBytes / kEntryBytes;
  SEKISHO_CHECK(std::has_single_bit(entries) && entries >= kPerBucket);
  const size_t buckets = entries / kPerBucket;
  DecisionCache cache;
  void* memory = rte_zmalloc("decision_cache", buckets * sizeof(Bucket), alignof(Bucket));
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("decision cache: no ",
                                                     buckets * sizeof(Bucket), " bytes for ",
                                                     entries, " flows; give the EAL more memory"));
  }
  cache.buckets_.reset(new (memory) Bucket[buckets]());
  cache.mask_ = static_cast<uint32_t>(buckets - 1);
  return cache;
}

template <typename Flow>
void DecisionCache<Flow>::Put(const Flow& flow, const Decision& decision) {
  Bucket& bucket = BucketOf(flow.Hash());
  Entry* place = nullptr;
  for (Entry& entry : bucket.entries) {
    if (entry.flow == flow) {
      place = &entry;
      break;
    }
    // The first, where a look-up begins.
    if (entry.epoch != epoch_ && place == nullptr) place = &entry;
  }
  if (place == nullptr) place = &bucket.entries[next_victim_++ % bucket.entries.size()];
  place->flow = flow;
  place->epoch = epoch_;
  place->decision = decision;
}

template <typename Flow>
void DecisionCache<Flow>::Forget() {
  if (++epoch_ != 0) return;
  // The numbers begin anew, and what has an old one must not come alive again.
  for (size_t i = 0; i <= mask_ && buckets_ != nullptr; ++i) buckets_.get()[i] = {};
  epoch_ = 1;
}

template class DecisionCache<FlowId4>;
template class DecisionCache<FlowId6>;

}  // namespace sekisho::fastpath
