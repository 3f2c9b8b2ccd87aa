// slowpath/shell.h: the commands people type, over DPDK's rte_cmdline: completion, help and history
// as in testpmd. Without input or output: bytes go in and come out, the console and the control
// socket carry them.
//
// Slow-path thread only. No EAL is needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "slowpath/status_view.h"

namespace sekisho::slowpath {

enum class OutputFormat : uint8_t { kText, kJson };

// Runs one command and returns what it prints, with a newline at its end unless empty. The error of
// a command that is unknown or failed is one sentence. kJson changes `show` only, other commands
// say {"result": "..."}.
absl::StatusOr<std::string> RunCommand(StatusView& view, absl::string_view line,
                                       OutputFormat format);

// A conversation with one person or script. The view must outlive it.
class ShellSession {
 public:
  enum class Input : uint8_t {
    kTerminal,  // keystrokes of a terminal in raw mode: echo, line editing, completion, history
    kLines,     // whole lines without an echo: a pipe or a file
  };
  enum class Quit : uint8_t {
    kEndsSession,   // `quit` ends the conversation
    kStopsGateway,  // and calls StatusView::Stop() besides: the console
  };
  // Fails if the machine is out of file descriptors or memory.
  static absl::StatusOr<std::unique_ptr<ShellSession>> Create(StatusView& view, Input input,
                                                              Quit quit);
  ~ShellSession();
  ShellSession(const ShellSession&) = delete;
  ShellSession& operator=(const ShellSession&) = delete;

  // Takes some of `bytes`, at most up to the end of the next command, and returns how many: so that
  // the caller may wait for its output to leave before it hands over the rest. Takes all, and does
  // nothing, once ended().
  size_t Feed(absl::string_view bytes);
  // What was printed since the last call, prompt and echo included.
  std::string TakeOutput();
  bool ended() const;

 private:
  class Impl;
  explicit ShellSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::slowpath
