#include "fastpath/eal_slab.h"

#include <rte_malloc.h>

#include <algorithm>

#include "common/check.h"
#include "common/secret.h"

namespace sekisho::fastpath {
namespace {

// What is around a chunk is little beside it, and few SAs do not take much.
constexpr size_t kChunkBytes = size_t{128} * 1024;

}  // namespace

size_t EalSlab::objects_per_chunk() const {
  return std::max<size_t>(1, kChunkBytes / object_bytes_);
}

EalSlab::~EalSlab() {
  SEKISHO_CHECK(free_.size() == chunks_.size() * objects_per_chunk());
  for (void* chunk : chunks_) rte_free(chunk);
}

void* EalSlab::Take() {
  if (free_.empty()) {
    const size_t each = objects_per_chunk();
    void* chunk = rte_zmalloc("slab", each * object_bytes_, static_cast<unsigned>(alignment_));
    if (chunk == nullptr) return nullptr;
    chunks_.push_back(chunk);
    // The first object is the first to be taken.
    for (size_t i = each; i-- > 0;) {
      free_.push_back(static_cast<std::byte*>(chunk) + i * object_bytes_);
    }
  }
  void* object = free_.back();
  free_.pop_back();
  return object;
}

void EalSlab::Give(void* object) {
  WipeMemory(object, object_bytes_);
  free_.push_back(object);
}

}  // namespace sekisho::fastpath
