// slowpath/control_socket.h: the shell on a Unix socket, for sekishoctl and scripts.
//
// Protocol. The client's first line, of at most kRequestMax bytes, says what it wants:
//
//   text COMMAND\n     one command, answered for people
//   json COMMAND\n     one command, answered as JSON
//   shell\n            a conversation: from here on keystrokes go in, and what the terminal shows
//                      comes out, until one side closes
//
// One command is answered with "ok LENGTH\n" or "error LENGTH\n", LENGTH bytes, and the end of the
// connection. Only root, or who runs the gateway, may connect (mode 0600).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "slowpath/status_view.h"

struct uv_loop_s;

namespace sekisho::slowpath {

// All on the loop's thread; nothing blocks. A client that does not read is not read from either
// once kUnsentMax bytes wait for it, so it costs at most one command's output more than that.
class ControlSocket {
 public:
  static constexpr size_t kRequestMax = 1024;
  static constexpr size_t kUnsentMax = size_t{1} << 16;
  static constexpr size_t kClientsMax = 16;  // one more is told so and closed

  // Makes the directory (mode 0755) and the socket; replaces one that nobody listens on. Loop and
  // view must outlive the ControlSocket. Errors:
  //   control socket /run/...: another sekisho is running; stop it or set control.socket
  //   control socket /run/...: Permission denied; ...
  static absl::StatusOr<std::unique_ptr<ControlSocket>> Listen(uv_loop_s* loop, StatusView& view,
                                                               const std::string& path);
  // Removes the socket and closes every client; the loop must run on (or be run once more) until
  // its handles are closed.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  size_t clients() const;

 private:
  class Impl;
  explicit ControlSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::slowpath
