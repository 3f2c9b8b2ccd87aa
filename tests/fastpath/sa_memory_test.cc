// What a Child SA costs in memory, all together: slots, key schedules, selectors, look-up nodes,
// and the slow path's records of them.
#include <gtest/gtest.h>
#include <malloc.h>
#include <rte_malloc.h>

#include "common/sanitizer.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

size_t BytesInUse() {
  size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket) {
    rte_malloc_socket_stats stats;
    if (rte_malloc_get_socket_stats(socket, &stats) == 0) bytes += stats.heap_allocsz_bytes;
  }
  return bytes;
}

// The user of a virtual address, with the default replay window of 1,024 packets.
size_t BytesPerPair(const char* suite) {
  constexpr uint32_t kPairs = 4096;
  const size_t before = BytesInUse();
  EspHarness harness("ipsec-mb", 1024, kPairs);
  for (uint32_t i = 0; i < kPairs; ++i) {
    TestSa sa;
    sa.suite = SuiteOf(suite);
    sa.local = {*TrafficSelector::Parse("10.10.0.0/24")};
    sa.remote = {TrafficSelector::Parse("10." + std::to_string(100 + i / 65536) + "." +
                                        std::to_string(i / 256 % 256) + "." +
                                        std::to_string(i % 256))
                     .value()};
    sa.udp_encapsulation = true;
    harness.InstallInbound(sa, *harness.inbound->AllocateSpi());
    harness.InstallOutbound(sa, Spi{0x1000 + i});
  }
  return (BytesInUse() - before) / kPairs;
}

// ARCHITECTURE.md, "Numbers that limit"; a larger figure is to be stated there, too.
TEST(SaMemory, AChildSaHasItsPrice) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator cannot be asked";
  EXPECT_LE(BytesPerPair("aes128gcm16"), 3200u);
  EXPECT_LE(BytesPerPair("aes256gcm16"), 3200u);
  EXPECT_LE(BytesPerPair("aes256-sha256"), 2100u);
  EXPECT_LE(BytesPerPair("chacha20poly1305"), 2100u);
}

}  // namespace
}  // namespace sekisho::fastpath
