// fastpath/typed_spis.h: the slots of inbound SAs whose SPI a person typed, which is therefore not
// an address in the SAD (common/spi.h).
//
// A hash table of lines: one look-up reads one cache line, and a line holds all SAs whose SPIs fall
// into it. There may be several of one SPI, for AH and ESP or for different addresses of ours (RFC
// 4301, 4.1). Written by the worker when an SA is installed or removed; the slow path asks for room
// first, of its own count (RoomFor), so that the worker's Add() cannot fail.
#pragma once

#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/byte_order.h"
#include "common/check.h"
#include "common/spi.h"

namespace sekisho::fastpath {

class TypedSpis {
 public:
  static constexpr size_t kLines = 512;
  static constexpr size_t kLineSlots = 8;
  static constexpr uint32_t kSpisMax = 1024;  // in all

  // --- Slow path ---------------------------------------------------------------------------------
  // Counts the SPI in, if there is room.
  bool Reserve(Spi spi) {
    uint8_t& count = reserved_[LineOf(Be32::FromHost(spi.value))];
    if (count == kLineSlots || reserved_total_ == kSpisMax) return false;
    ++count;
    ++reserved_total_;
    return true;
  }
  void Unreserve(Spi spi) {
    uint8_t& count = reserved_[LineOf(Be32::FromHost(spi.value))];
    SEKISHO_CHECK(count > 0);
    --count;
    --reserved_total_;
  }
  // False: certainly not reserved.
  bool MayHold(Spi spi) const { return reserved_[LineOf(Be32::FromHost(spi.value))] > 0; }
  uint32_t reserved() const { return reserved_total_; }

  // --- Worker ------------------------------------------------------------------------------------
  bool empty() const { return in_use_ == 0; }
  void Prefetch(Be32 spi) const { rte_prefetch0(&lines_[LineOf(spi)]); }
  // Requires: Reserve(spi) was true.
  void Add(Be32 spi, SlotId slot) {
    for (Entry& entry : lines_[LineOf(spi)].entries) {
      if (entry.slot_plus_one != 0) continue;
      entry = {spi, static_cast<uint32_t>(slot) + 1};
      ++in_use_;
      return;
    }
    SEKISHO_DCHECK(false);
  }
  void Remove(Be32 spi, SlotId slot) {
    for (Entry& entry : lines_[LineOf(spi)].entries) {
      if (entry.slot_plus_one != static_cast<uint32_t>(slot) + 1) continue;
      entry = {};
      --in_use_;
      return;
    }
  }
  // Calls visit(SlotId) for each slot of this SPI until it returns true.
  template <typename Visitor>
  void ForEach(Be32 spi, Visitor visit) const {
    for (const Entry& entry : lines_[LineOf(spi)].entries) {
      if (entry.slot_plus_one != 0 && entry.spi == spi && visit(SlotId{entry.slot_plus_one - 1})) {
        return;
      }
    }
  }

 private:
  struct Entry {
    Be32 spi;
    uint32_t slot_plus_one = 0;  // 0: free
  };
  struct alignas(64) Line {
    std::array<Entry, kLineSlots> entries;
  };
  static_assert(sizeof(Line) == 64);

  static size_t LineOf(Be32 spi) { return rte_hash_crc_4byte(spi.raw(), 0) & (kLines - 1); }

  std::vector<Line> lines_ = std::vector<Line>(kLines);  // worker
  uint32_t in_use_ = 0;                                  // worker
  std::array<uint8_t, kLines> reserved_ = {};            // slow path
  uint32_t reserved_total_ = 0;                          // slow path
};

}  // namespace sekisho::fastpath
