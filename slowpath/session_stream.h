// slowpath/session_stream.h: carries one conversation over libuv: a client of the control socket,
// or the console. Never blocks: while kUnsentMax bytes or more wait for the other side to read,
// nothing more is read from it.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "slowpath/shell.h"

namespace sekisho::slowpath {

// Bytes in, bytes out; as ShellSession.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual size_t Feed(absl::string_view bytes) = 0;
  virtual std::string TakeOutput() = 0;
  virtual bool ended() const = 0;
};

class ShellConversation final : public Conversation {
 public:
  explicit ShellConversation(std::unique_ptr<ShellSession> shell) : shell_(std::move(shell)) {}
  size_t Feed(absl::string_view bytes) override { return shell_->Feed(bytes); }
  std::string TakeOutput() override { return shell_->TakeOutput(); }
  bool ended() const override { return shell_->ended(); }

 private:
  std::unique_ptr<ShellSession> shell_;
};

// Owns itself from Start() on, until Close() and the loop have closed its handles.
class SessionStream {
 public:
  static constexpr size_t kUnsentMax = size_t{1} << 16;

  // `closing` is called once, when the stream begins to close, whoever closes it. From here on the
  // process ignores SIGPIPE.
  SessionStream(uv_loop_t* loop, std::unique_ptr<Conversation> conversation,
                std::function<void(SessionStream*)> closing);
  // Both directions on one handle, to be accepted or opened by the caller.
  uv_pipe_t& input() { return input_; }
  // Output elsewhere. Without this call it goes to input().
  absl::Status OpenOutput(int file);
  // Reads from now on.
  void Start();
  // Sends what is printed so far; what does not leave at once is lost only if the peer is gone.
  void Pump();
  void Close();

 private:
  struct WriteRequest;
  ~SessionStream() = default;

  uv_stream_t* output() {
    return reinterpret_cast<uv_stream_t*>(separate_output_ ? &output_ : &input_);
  }
  void Read();
  void OnBytes(ssize_t size, const char* bytes);
  void Send(std::string bytes);
  void CloseHandle(uv_pipe_t& handle);

  uv_loop_t* loop_;
  std::unique_ptr<Conversation> conversation_;
  std::function<void(SessionStream*)> closing_;
  uv_pipe_t input_, output_;
  bool separate_output_ = false;
  bool reading_ = false;
  bool input_ended_ = false;
  bool close_called_ = false;
  int open_handles_ = 0;
  size_t unsent_ = 0;
  std::string pending_;  // read, and not yet fed
  char buffer_[4096];
};

}  // namespace sekisho::slowpath
