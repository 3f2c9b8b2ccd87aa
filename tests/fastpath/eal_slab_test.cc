#include "fastpath/eal_slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>

#include "tests/fastpath/eal_environment.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kBytes = 448;

bool IsZero(const void* object) {
  const auto* bytes = static_cast<const uint8_t*>(object);
  return std::all_of(bytes, bytes + kBytes, [](uint8_t byte) { return byte == 0; });
}

TEST(EalSlab, GivesAlignedZerosThatDoNotOverlap) {
  EnsureEal();
  EalSlab slab(kBytes, 64);
  std::set<uintptr_t> taken;
  // More than one chunk.
  for (int i = 0; i < 1000; ++i) {
    void* object = slab.Take();
    ASSERT_NE(object, nullptr);
    EXPECT_TRUE(IsZero(object));
    std::memset(object, 0x5a, kBytes);
    taken.insert(reinterpret_cast<uintptr_t>(object));
  }
  uintptr_t end = 0;
  for (const uintptr_t at : taken) {
    EXPECT_EQ(at % 64, 0u);
    EXPECT_GE(at, end);
    end = at + kBytes;
  }
  EXPECT_EQ(taken.size(), 1000u);
  for (const uintptr_t at : taken) slab.Give(reinterpret_cast<void*>(at));
}

TEST(EalSlab, WipesWhatComesBackAndGivesItAgain) {
  EnsureEal();
  EalSlab slab(kBytes, 64);
  void* object = slab.Take();
  ASSERT_NE(object, nullptr);
  std::memset(object, 0x5a, kBytes);
  slab.Give(object);
  EXPECT_TRUE(IsZero(object));
  EXPECT_EQ(slab.Take(), object);
  slab.Give(object);
}

}  // namespace
}  // namespace sekisho::fastpath
