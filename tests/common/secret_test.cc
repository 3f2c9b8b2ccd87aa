#include "common/secret.h"

#include <gtest/gtest.h>

namespace sekisho {
namespace {

// Looks at the memory that the secret still owns right after a wipe through WipeMemory.
TEST(SecretTest, WipeMemoryLeavesZeros) {
  uint8_t memory[4] = {1, 2, 3, 4};
  WipeMemory(memory, sizeof(memory));
  for (uint8_t byte : memory) EXPECT_EQ(byte, 0);
}

TEST(SecretTest, MovedFromIsEmpty) {
  SecretBytes from(Bytes{1, 2, 3});
  SecretBytes to = std::move(from);
  EXPECT_EQ(ToBytes(to.span()), (Bytes{1, 2, 3}));
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move)
  to.Wipe();
  EXPECT_TRUE(to.empty());
}

TEST(SecretTest, CopyIsItsOwn) {
  SecretBytes a(Bytes{1, 2});
  SecretBytes b = a;
  b.mutable_span()[0] = 9;
  EXPECT_EQ(a.span()[0], 1);
  a = b;
  EXPECT_EQ(a.span()[0], 9);
}

TEST(SecretTest, ConstantTimeEqualComparesAll) {
  EXPECT_TRUE(ConstantTimeEqual(Bytes{}, Bytes{}));
  EXPECT_TRUE(ConstantTimeEqual(Bytes{1, 2}, Bytes{1, 2}));
  EXPECT_FALSE(ConstantTimeEqual(Bytes{1, 2}, Bytes{1, 3}));
  EXPECT_FALSE(ConstantTimeEqual(Bytes{0, 2}, Bytes{1, 2}));
  EXPECT_FALSE(ConstantTimeEqual(Bytes{1, 2}, Bytes{1, 2, 0}));
}

}  // namespace
}  // namespace sekisho
