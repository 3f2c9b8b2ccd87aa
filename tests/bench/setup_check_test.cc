// Machines that there are not: /sys and /proc under a directory of the test's own.
#include "bench/setup_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sekisho::bench {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SetupCheckTest : public testing::Test {
 protected:
  SetupCheckTest() { AddCore(0, 0, "0"), AddCore(1, 0, "1"), AddCore(2, 1, "2"); }
  ~SetupCheckTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << '\n';
  }
  void AddCore(int core, int node, const std::string& siblings) {
    const std::string cpu = "/sys/devices/system/cpu/cpu" + std::to_string(core);
    Write(cpu + "/topology/thread_siblings_list", siblings);
    Write(cpu + "/node" + std::to_string(node) + "/there", "");
    Write(cpu + "/cpufreq/scaling_governor", "performance");
  }

  const std::string root_ = testing::TempDir() + "setup-check-" +
                            testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(SetupCheckTest, AMachineAsItShouldBeHasNothingAgainstIt) {
  EXPECT_THAT(FindLies({{0, {0, -1}}, {1, {0}}}, root_, [] {}), IsEmpty());
}

TEST_F(SetupCheckTest, APortOnAnotherNodeIsFound) {
  EXPECT_EQ(NodeOfCore(2, root_), 1);
  EXPECT_THAT(FindLies({{2, {1, 0}}}, root_, [] {}),
              ElementsAre(AllOf(HasSubstr("core 2"), HasSubstr("node 1"), HasSubstr("node 0"))));
}

TEST_F(SetupCheckTest, AClockThatSavesPowerIsFound) {
  Write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave");
  EXPECT_THAT(FindLies({{1, {}}}, root_, [] {}), ElementsAre(HasSubstr("powersave")));
  EXPECT_THAT(FindLies({{0, {}}}, root_, [] {}), IsEmpty());
}

TEST_F(SetupCheckTest, TwoHyperThreadsOfOneCoreAreFound) {
  AddCore(0, 0, "0-1"), AddCore(1, 0, "0-1");
  EXPECT_THAT(FindLies({{0, {}}, {1, {}}}, root_, [] {}),
              ElementsAre(HasSubstr("cores 0 and 1 are hyper-threads")));
}

// A sibling that nobody of us uses is only bad while it is busy.
TEST_F(SetupCheckTest, ASiblingIsBadWhileItIsBusy) {
  AddCore(0, 0, "0,3");
  Write("/proc/stat", "cpu3 900 0 0 100 0 0 0 0");
  EXPECT_THAT(FindLies({{0, {}}}, root_, [&] { Write("/proc/stat", "cpu3 901 0 0 199 0 0 0 0"); }),
              IsEmpty());
  Write("/proc/stat", "cpu3 900 0 0 100 0 0 0 0");
  EXPECT_THAT(FindLies({{0, {}}}, root_, [&] { Write("/proc/stat", "cpu3 950 0 0 150 0 0 0 0"); }),
              ElementsAre(HasSubstr("core 3, the hyper-thread sibling of core 0, is busy")));
}

}  // namespace
}  // namespace sekisho::bench
