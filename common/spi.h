// common/spi.h: the Security Parameters Index of ESP and AH, and what is in ours.
//
// We choose our inbound SPIs, so an SPI is an address: an array index, then a check.
//
//     31      26 25      20 19                    0
//    | generation |  worker |         slot         |
//
// The generation is random, never 0, and never the slot's previous one: a stale or guessed SPI
// meets an entry that holds another SPI and is counted as unknown, and no SPI falls into 0 to 255,
// which RFC 4303, 2.1 reserves.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sekisho {

enum class WorkerId : uint8_t {};
enum class SlotId : uint32_t {};

inline constexpr int kSpiSlotBits = 20;
inline constexpr int kSpiWorkerBits = 6;
inline constexpr int kSpiGenerationBits = 32 - kSpiSlotBits - kSpiWorkerBits;
inline constexpr uint32_t kSlotsMax = 1u << kSpiSlotBits;
inline constexpr uint32_t kWorkersMax = 1u << kSpiWorkerBits;
inline constexpr uint32_t kSpiGenerations = 1u << kSpiGenerationBits;

struct Spi {
  uint32_t value = 0;  // host order; 0: none

  static constexpr Spi Make(uint32_t generation, WorkerId worker, SlotId slot) {
    return {generation << (kSpiSlotBits + kSpiWorkerBits) |
            static_cast<uint32_t>(worker) << kSpiSlotBits | static_cast<uint32_t>(slot)};
  }
  constexpr SlotId slot() const { return SlotId{value & (kSlotsMax - 1)}; }
  constexpr WorkerId worker() const {
    return WorkerId{static_cast<uint8_t>(value >> kSpiSlotBits & (kWorkersMax - 1))};
  }
  // Worker and slot: names an inbound SA among those of all workers. WorkerOf() takes it apart.
  constexpr SlotId place() const {
    return SlotId{value & ((1u << (kSpiSlotBits + kSpiWorkerBits)) - 1)};
  }
  constexpr uint32_t generation() const { return value >> (kSpiSlotBits + kSpiWorkerBits); }
  constexpr bool is_reserved() const { return value < 256; }
  std::string ToString() const;  // "c0001234", 8 hex digits

  friend constexpr auto operator<=>(const Spi&, const Spi&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Spi& spi) {
    return H::combine(std::move(h), spi.value);
  }
};

constexpr SlotId PlaceOf(WorkerId worker, SlotId slot) {
  return Spi::Make(0, worker, slot).place();
}
constexpr WorkerId WorkerOf(SlotId place) { return Spi{static_cast<uint32_t>(place)}.worker(); }

}  // namespace sekisho
