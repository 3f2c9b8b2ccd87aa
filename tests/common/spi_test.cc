#include "common/spi.h"

#include <gtest/gtest.h>

namespace sekisho {
namespace {

// Takes an SPI apart again, at the limits of each field.
TEST(SpiTest, FieldsRoundTrip) {
  for (uint32_t generation : {1u, kSpiGenerations - 1}) {
    for (uint8_t worker : {uint8_t{0}, static_cast<uint8_t>(kWorkersMax - 1)}) {
      for (uint32_t slot : {0u, kSlotsMax - 1}) {
        const Spi spi = Spi::Make(generation, WorkerId{worker}, SlotId{slot});
        EXPECT_EQ(spi.generation(), generation);
        EXPECT_EQ(spi.worker(), WorkerId{worker});
        EXPECT_EQ(spi.slot(), SlotId{slot});
        EXPECT_FALSE(spi.is_reserved());
      }
    }
  }
}

TEST(SpiTest, PrintsEightHexDigits) { EXPECT_EQ(Spi{0xbeef}.ToString(), "0000beef"); }

}  // namespace
}  // namespace sekisho
