// bench/frame_store.h: prepared Ethernet frames, one behind the other in one piece of memory, in
// huge pages where the kernel gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/bytes.h"

namespace sekisho::bench {

struct Frame {
  const uint8_t* data = nullptr;
  uint32_t bytes = 0;
  ByteSpan span() const { return {data, bytes}; }
};

class FrameStore {
 public:
  static constexpr size_t kAlign = 64;
  // Room for `count` frames of `bytes` altogether.
  static absl::StatusOr<FrameStore> Create(size_t count, size_t bytes);
  FrameStore(FrameStore&& other) noexcept;
  FrameStore& operator=(FrameStore&&) = delete;
  ~FrameStore();

  // Where the next frame of `bytes` goes; the caller writes it. Requires: room.
  uint8_t* Add(uint32_t bytes);
  std::span<const Frame> frames() const { return frames_; }
  static size_t RoomFor(size_t bytes) { return (bytes + kAlign - 1) & ~(kAlign - 1); }

 private:
  FrameStore(uint8_t* memory, size_t size) : memory_(memory), size_(size) {}

  uint8_t* memory_;
  size_t size_;
  size_t used_ = 0;
  std::vector<Frame> frames_;
};

}  // namespace sekisho::bench
