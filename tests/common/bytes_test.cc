#include "common/bytes.h"

#include <gtest/gtest.h>

namespace sekisho {
namespace {

// Reads one byte more than there is, and expects a failure that stays.
TEST(ByteReaderTest, ShortReadFailsAndStaysFailed) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadU16(), 0x0102);
  EXPECT_EQ(reader.ReadU16(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.ReadU8(), 0);
  EXPECT_TRUE(reader.ReadBytes(1).empty());
  EXPECT_FALSE(reader.ok());
}

// A length that lies is refused before anything is made of it.
TEST(ByteReaderTest, HugeCountFails) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_TRUE(reader.ReadBytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

// What a writer wrote, a reader reads.
TEST(ByteWriterTest, RoundTrip) {
  ByteWriter writer;
  writer.WriteU8(0x01);
  writer.WriteU16(0x0203);
  writer.WriteU32(0x04050607);
  writer.WriteU64(0x08090a0b0c0d0e0f);
  writer.WriteZeros(2);
  writer.Patch<uint16_t>(1, 0xaabb);
  const Bytes bytes = std::move(writer).Take();
  EXPECT_EQ(bytes, (Bytes{0x01, 0xaa, 0xbb, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0, 0}));
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadU8(), 1);
  EXPECT_EQ(reader.ReadU16(), 0xaabb);
  EXPECT_EQ(reader.ReadU32(), 0x04050607u);
  EXPECT_EQ(reader.ReadU64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(reader.remaining(), 2u);
  EXPECT_EQ(reader.ReadRest().size(), 2u);
  EXPECT_TRUE(reader.ok() && reader.empty());
}

}  // namespace
}  // namespace sekisho
