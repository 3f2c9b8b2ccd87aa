#include "slowpath/event_loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

namespace sekisho::slowpath {
namespace {

// Two alarms, the later one set first: they ring by time, and the loop ends at Stop().
TEST(EventLoopTest, AlarmsRingInOrderOfTime) {
  EventLoop loop;
  std::vector<int> rung;
  EventLoop::Alarm& second = loop.MakeAlarm([&] {
    rung.push_back(2);
    loop.Stop();
  });
  EventLoop::Alarm& first = loop.MakeAlarm([&] { rung.push_back(1); });
  second.Set(absl::Milliseconds(20));
  first.Set(absl::Milliseconds(1));
  loop.Run();
  EXPECT_EQ(rung, (std::vector<int>{1, 2}));
}

// A cleared alarm stays silent while a later one ends the loop.
TEST(EventLoopTest, AClearedAlarmStaysSilent) {
  EventLoop loop;
  bool rung = false;
  EventLoop::Alarm& cleared = loop.MakeAlarm([&] { rung = true; });
  cleared.Set(absl::ZeroDuration());
  cleared.Clear();
  loop.MakeAlarm([&] { loop.Stop(); }).Set(absl::Milliseconds(5));
  loop.Run();
  EXPECT_FALSE(rung);
}

// The two halves of a piece of work say on which thread they ran.
TEST(EventLoopTest, WorkRunsElsewhereAndIsDoneHere) {
  EventLoop loop;
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id worked, done;
  loop.QueueWork([&] { worked = std::this_thread::get_id(); },
                 [&] {
                   done = std::this_thread::get_id();
                   loop.Stop();
                 });
  loop.Run();
  EXPECT_NE(worked, here);
  EXPECT_EQ(done, here);
}

// The loop is destroyed with work under way: the work ends, and nobody is told, for who would be
// told may be gone.
TEST(EventLoopTest, NothingIsDoneAfterTheEnd) {
  bool worked = false, done = false;
  {
    EventLoop loop;
    loop.QueueWork([&] { worked = true; }, [&] { done = true; });
  }
  EXPECT_TRUE(worked);
  EXPECT_FALSE(done);
}

TEST(EventLoopTest, ASignalIsACallback) {
  EventLoop loop;
  loop.OnSignal(SIGUSR1, [&] { loop.Stop(); });
  loop.MakeAlarm([] { raise(SIGUSR1); }).Set(absl::ZeroDuration());
  loop.Run();  // would not return, or the process would end
}

}  // namespace
}  // namespace sekisho::slowpath
