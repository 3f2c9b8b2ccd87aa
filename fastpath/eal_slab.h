// fastpath/eal_slab.h: many objects of one size in EAL memory, without the 128 bytes and more that
// rte_malloc() puts around each. One thread.
#pragma once

#include <cstddef>
#include <vector>

namespace sekisho::fastpath {

class EalSlab {
 public:
  // Requires: object_bytes is a multiple of 64. Objects start at a multiple of `alignment`, a power
  // of two that divides object_bytes.
  EalSlab(size_t object_bytes, size_t alignment)
      : object_bytes_(object_bytes), alignment_(alignment) {}
  // Requires: every object was given back.
  ~EalSlab();
  EalSlab(const EalSlab&) = delete;
  EalSlab& operator=(const EalSlab&) = delete;

  // Zeros; nullptr without EAL memory.
  void* Take();
  // Wipes it, and keeps its memory for the next.
  void Give(void* object);

 private:
  size_t objects_per_chunk() const;

  const size_t object_bytes_, alignment_;
  std::vector<void*> chunks_;
  std::vector<void*> free_;
};

}  // namespace sekisho::fastpath
