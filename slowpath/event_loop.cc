#include "slowpath/event_loop.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "common/check.h"

namespace sekisho::slowpath {

struct EventLoop::Ticker {
  uv_timer_t timer;
  std::function<void()> callback;
};

struct EventLoop::Signal {
  uv_signal_t handle;
  std::function<void()> callback;
};

namespace {

struct Work {
  uv_work_t request;
  std::function<void()> work, done;
};

template <typename Handle>
uv_handle_t* AsHandle(Handle* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

}  // namespace

void EventLoop::SetPoolThreads(int threads) {
  // The only door libuv has for this.
  setenv("UV_THREADPOOL_SIZE", std::to_string(threads).c_str(), 1);
}

EventLoop::EventLoop() {
  SEKISHO_CHECK(uv_loop_init(&loop_) == 0);
  loop_.data = this;
}

EventLoop::~EventLoop() {
  ended_ = true;
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (!uv_is_closing(handle)) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);  // lets closings and running work end
  uv_loop_close(&loop_);
}

void EventLoop::Every(absl::Duration period, std::function<void()> callback) {
  auto& ticker = tickers_.emplace_back(std::make_unique<Ticker>());
  ticker->callback = std::move(callback);
  uv_timer_init(&loop_, &ticker->timer);
  ticker->timer.data = ticker.get();
  const auto milliseconds = static_cast<uint64_t>(absl::ToInt64Milliseconds(period));
  uv_timer_start(
      &ticker->timer, [](uv_timer_t* timer) { static_cast<Ticker*>(timer->data)->callback(); },
      milliseconds, milliseconds);
}

EventLoop::Alarm& EventLoop::MakeAlarm(std::function<void()> callback) {
  Alarm& alarm = *alarms_.emplace_back(std::make_unique<Alarm>());
  alarm.callback_ = std::move(callback);
  uv_timer_init(&loop_, &alarm.timer_);
  alarm.timer_.data = &alarm;
  return alarm;
}

void EventLoop::Alarm::Set(absl::Duration from_now) {
  // Rounded up: an alarm that rings early would find nothing due and spin.
  const int64_t milliseconds = absl::ToInt64Milliseconds(
      absl::Ceil(std::max(from_now, absl::ZeroDuration()), absl::Milliseconds(1)));
  uv_update_time(timer_.loop);
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<Alarm*>(timer->data)->callback_(); },
      static_cast<uint64_t>(milliseconds), 0);
}

void EventLoop::Alarm::Clear() { uv_timer_stop(&timer_); }

void EventLoop::OnSignal(int signal_number, std::function<void()> callback) {
  auto& signal = signals_.emplace_back(std::make_unique<Signal>());
  signal->callback = std::move(callback);
  uv_signal_init(&loop_, &signal->handle);
  signal->handle.data = signal.get();
  uv_signal_start(
      &signal->handle,
      [](uv_signal_t* handle, int) { static_cast<Signal*>(handle->data)->callback(); },
      signal_number);
}

void EventLoop::QueueWork(std::function<void()> work, std::function<void()> done) {
  auto* item = new Work{.request = {}, .work = std::move(work), .done = std::move(done)};
  item->request.data = item;
  const int result = uv_queue_work(
      &loop_, &item->request, [](uv_work_t* request) { static_cast<Work*>(request->data)->work(); },
      [](uv_work_t* request, int status) {
        const std::unique_ptr<Work> ended(static_cast<Work*>(request->data));
        if (status == 0 && !static_cast<EventLoop*>(request->loop->data)->ended_) ended->done();
      });
  SEKISHO_CHECK(result == 0);
}

void EventLoop::Run() { uv_run(&loop_, UV_RUN_DEFAULT); }
void EventLoop::Stop() { uv_stop(&loop_); }

}  // namespace sekisho::slowpath
