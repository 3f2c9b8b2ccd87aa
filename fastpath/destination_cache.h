// fastpath/destination_cache.h: the neighbours that inner packets of tunnels go to, by destination.
// One per worker, direct-mapped: a gateway's inside has few destinations compared to its users.
// fastpath/adjacency.h says what fills it, and how long an entry is right.
#pragma once

#include <rte_hash_crc.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "common/messages.h"

namespace sekisho::fastpath {

class DestinationCache {
 public:
  struct alignas(32) Entry {
    std::array<uint8_t, 16> address = {};  // network order; 4 bytes, then zeros, for IPv4
    uint32_t epoch = 0;                    // EspWorker::adjacency_epoch when it was noted; 0: never
    PortId port{};
    uint16_t neighbour = 0;  // NeighbourTable::At()
    uint8_t family = 0;
  };
  static_assert(sizeof(Entry) == 32);

  // The place of a destination; whether it is there the caller compares. `address`: 4 or 16 bytes.
  Entry& At(const uint8_t* address, uint8_t family) { return entries_[IndexOf(address, family)]; }

 private:
  static constexpr size_t kEntries = 4096;

  static size_t IndexOf(const uint8_t* address, uint8_t family) {
    uint32_t hash = family;
    for (size_t i = 0; i < (family == 4 ? 4u : 16u); i += 4) {
      uint32_t word;
      std::memcpy(&word, address + i, sizeof(word));
      hash = rte_hash_crc_4byte(word, hash);
    }
    return hash % kEntries;
  }

  std::array<Entry, kEntries> entries_;
};

}  // namespace sekisho::fastpath
