// slowpath/console.h: the shell on standard input and output.
//
// A terminal is put into raw mode and back again at the end (Ctrl-C still signals; Ctrl-D on an
// empty line is `quit`, which stops the gateway). From a pipe, or a file of up to 64 KiB, commands
// are read line by line without a prompt, and its end is the end of the console only: the gateway
// runs on.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "slowpath/status_view.h"

struct uv_loop_s;

namespace sekisho::slowpath {

// All on the loop's thread; nothing blocks. What standard output does not take is kept up to
// ControlSocket::kUnsentMax, then no more commands are read until it is gone.
class Console {
 public:
  // Loop and view must outlive it. The two files stay the caller's, open and in blocking mode.
  static absl::StatusOr<std::unique_ptr<Console>> Open(uv_loop_s* loop, StatusView& view,
                                                       int input = 0, int output = 1);
  // Restores the terminal; the loop must run on until its handles are closed.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

 private:
  class Impl;
  explicit Console(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::slowpath
