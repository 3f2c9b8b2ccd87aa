// What is wrong with a configuration is found before DPDK is touched, and said in one sentence.
#include "fastpath/eal.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

namespace sekisho::fastpath {
namespace {

TEST(EalTest, WorkerOnTheSlowPathsCore) {
  EXPECT_EQ(InitializeEal({.worker_lcores = {0}, .main_lcore = 0}).message(),
            "workers: core 0 is the slow path's; choose another");
}

TEST(EalTest, CoreThatIsNotThere) {
  // The test program's EAL has bound this thread to a core of its own.
  cpu_set_t before, all;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&all);
  for (int cpu = 0; cpu < 127; ++cpu) CPU_SET(cpu, &all);
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  const absl::Status status = InitializeEal({.worker_lcores = {127}});
  const int cores = CPU_COUNT(&all);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  if (cores < 2) GTEST_SKIP() << "with a single core all lcores share it";
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message().substr(0, 63),
            "workers: core 127 is not available to this process; choose from");
}

TEST(EalTest, MoreMemoryThanThereIs) {
  const absl::Status status = InitializeEal({.worker_lcores = {1}, .memory_mb = 1u << 30});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST(EalTest, NetworkInterfaceThatIsNotThere) {
  const absl::Status status =
      InitializeEal({.worker_lcores = {1}, .vdevs = {"net_af_packet0,iface=nowhere"}});
  if (geteuid() == 0) {
    EXPECT_EQ(status.message(),
              "device net_af_packet0,iface=nowhere: there is no network interface nowhere; create "
              "it or name another");
  } else {
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  }
}

TEST(EalTest, DriverThatDoesNotExist) {
  const absl::Status status = ProbeDevice("net_bogus0,iface=x");
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(status.message().substr(0, 58),
            "device net_bogus0: no DPDK driver has this name; want a vd");
}

TEST(EalTest, DriverThatRefusesItsArguments) {
  const absl::Status status = ProbeDevice("net_null8,what=ever");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

}  // namespace
}  // namespace sekisho::fastpath
