#include "bench/frame_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::bench {

absl::StatusOr<FrameStore> FrameStore::Create(size_t count, size_t bytes) {
  const size_t size = std::max<size_t>(bytes + count * kAlign, 1);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", count, " frames: want ", size >> 20, " MB"));
  }
  // A kernel without them gives ordinary pages.
  static_cast<void>(madvise(memory, size, MADV_HUGEPAGE));
  FrameStore store(static_cast<uint8_t*>(memory), size);
  store.frames_.reserve(count);
  return store;
}

FrameStore::FrameStore(FrameStore&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_),
      used_(other.used_),
      frames_(std::move(other.frames_)) {}

FrameStore::~FrameStore() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

uint8_t* FrameStore::Add(uint32_t bytes) {
  SEKISHO_CHECK(used_ + RoomFor(bytes) <= size_);
  uint8_t* at = memory_ + used_;
  used_ += RoomFor(bytes);
  frames_.push_back({at, bytes});
  return at;
}

}  // namespace sekisho::bench
