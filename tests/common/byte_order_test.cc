#include "common/byte_order.h"

#include <gtest/gtest.h>

namespace sekisho {
namespace {

// Memory holds the most significant byte first, whatever the machine.
TEST(ByteOrderTest, BigEndianInMemory) {
  const Be32 value = Be32::FromHost(0x01020304);
  uint8_t bytes[4];
  std::memcpy(bytes, &value, 4);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[3], 4);
  EXPECT_EQ(value.host(), 0x01020304u);
  EXPECT_EQ(Be32::FromRaw(value.raw()), value);
}

TEST(ByteOrderTest, LoadAndStore) {
  const uint8_t bytes[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(LoadBigEndian<uint64_t>(bytes + 1), 0x0102030405060708u);
  uint8_t out[2];
  StoreBigEndian<uint16_t>(out, 0xabcd);
  EXPECT_EQ(out[0], 0xab);
  EXPECT_EQ(out[1], 0xcd);
}

}  // namespace
}  // namespace sekisho
