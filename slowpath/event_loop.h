// slowpath/event_loop.h: the slow-path thread's event loop: libuv behind what we use of it.
//
// Everything runs on the thread that calls Run(), except Computations, which run on libuv's pool of
// crypto threads. Callbacks may call anything here, Stop() included.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"

namespace sekisho::slowpath {

class EventLoop {
 public:
  // Threads of the pool. Before the first QueueWork() of the process.
  static void SetPoolThreads(int threads);

  EventLoop();
  ~EventLoop();  // closes all that is still open
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  uv_loop_t* uv() { return &loop_; }

  // Calls `callback` every `period` until the loop ends. Periods are whole milliseconds.
  void Every(absl::Duration period, std::function<void()> callback);
  // One-shot timer, moved by each call; InfiniteFuture disarms it.
  class Alarm {
   public:
    void Set(absl::Duration from_now);
    void Clear();

   private:
    friend class EventLoop;
    uv_timer_t timer_;
    std::function<void()> callback_;
  };
  // The alarm belongs to the loop.
  Alarm& MakeAlarm(std::function<void()> callback);
  void OnSignal(int signal_number, std::function<void()> callback);
  // `work` on a pool thread, then `done` on the loop's. `done` does not run once the loop ended.
  void QueueWork(std::function<void()> work, std::function<void()> done);

  // Until Stop().
  void Run();
  void Stop();

 private:
  struct Ticker;
  struct Signal;

  uv_loop_t loop_;
  bool ended_ = false;
  std::vector<std::unique_ptr<Ticker>> tickers_;
  std::vector<std::unique_ptr<Alarm>> alarms_;
  std::vector<std::unique_ptr<Signal>> signals_;
};

}  // namespace sekisho::slowpath
