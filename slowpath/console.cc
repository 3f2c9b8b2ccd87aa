#include "slowpath/console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "slowpath/session_stream.h"
#include "slowpath/shell.h"

namespace sekisho::slowpath {
namespace {

// An open file description of our own, so that O_NONBLOCK does not reach whoever shares this one:
// standard error, the log, often goes the same way. Sockets cannot be opened again.
int Reopen(int file, int flags) {
  const std::string name = absl::StrCat("/proc/self/fd/", file);
  const int own = open(name.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  return own >= 0 ? own : fcntl(file, F_DUPFD_CLOEXEC, 0);
}

bool IsFile(int file) {
  struct stat status = {};
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

// Pipes, sockets and terminals can be waited for; files, /dev/null and the like cannot.
bool CanBePolled(int file) {
  struct stat status = {};
  if (fstat(file, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(file) != 0;
}

// The rest of a file in a pipe, which can be waited for. What a pipe does not hold is too much.
absl::StatusOr<int> IntoPipe(int file) {
  constexpr size_t kCommandsMax = 65536;  // what a pipe holds (pipe(7))
  std::string commands(kCommandsMax + 1, '\0');
  size_t size = 0;
  ssize_t got = 0;
  while (size < commands.size()) {
    got = read(file, &commands[size], commands.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  int ends[2];
  if (got < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return absl::UnavailableError(absl::StrCat("standard input: ", std::strerror(errno)));
  }
  const ssize_t written = write(ends[1], commands.data(), size);
  close(ends[1]);
  if (written == static_cast<ssize_t>(size)) return ends[0];
  close(ends[0]);
  return absl::InvalidArgumentError(
      absl::StrCat("standard input: a file of commands may have ", kCommandsMax, " bytes"));
}

}  // namespace

class Console::Impl {
 public:
  Impl(int input) : input_(input) {}
  ~Impl() {
    if (stream_ != nullptr) stream_->Close();
    Restore();
  }

  absl::Status Open(uv_loop_t* loop, StatusView& view, int output) {
    const bool terminal = isatty(input_) != 0;
    // /dev/null and the like have no person behind them: no console.
    if (!CanBePolled(input_) && !IsFile(input_)) return absl::OkStatus();
    auto shell = ShellSession::Create(
        view, terminal ? ShellSession::Input::kTerminal : ShellSession::Input::kLines,
        ShellSession::Quit::kStopsGateway);
    if (!shell.ok()) return shell.status();
    stream_ = new SessionStream(loop, std::make_unique<ShellConversation>(*std::move(shell)),
                                [this](SessionStream*) {
                                  stream_ = nullptr;
                                  Restore();
                                });
    absl::StatusOr<int> own_input = IsFile(input_) ? IntoPipe(input_) : Reopen(input_, O_RDONLY);
    if (!own_input.ok()) return Fail(std::string(own_input.status().message()));
    if (const int error = uv_pipe_open(&stream_->input(), *own_input); error != 0) {
      if (*own_input >= 0) close(*own_input);
      return Fail(absl::StrCat("standard input: ", uv_strerror(error)));
    }
    if (absl::Status status = stream_->OpenOutput(Reopen(output, O_WRONLY | O_APPEND));
        !status.ok()) {
      return Fail(std::string(status.message()));
    }
    if (terminal) MakeRaw();
    stream_->Start();
    return absl::OkStatus();
  }

 private:
  absl::Status Fail(const std::string& message) {
    if (stream_ != nullptr) stream_->Close();
    return absl::UnavailableError(message);
  }

  // Keystroke by keystroke and without an echo; signals and output processing stay.
  void MakeRaw() {
    if (tcgetattr(input_, &saved_) != 0) return;
    termios raw = saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    is_raw_ = tcsetattr(input_, TCSANOW, &raw) == 0;
  }
  void Restore() {
    if (is_raw_) tcsetattr(input_, TCSANOW, &saved_);
    is_raw_ = false;
  }

  const int input_;
  SessionStream* stream_ = nullptr;  // owns itself; nullptr once it closes
  termios saved_ = {};
  bool is_raw_ = false;
};

Console::Console(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Console::~Console() = default;

absl::StatusOr<std::unique_ptr<Console>> Console::Open(uv_loop_s* loop, StatusView& view, int input,
                                                       int output) {
  auto impl = std::make_unique<Impl>(input);
  if (absl::Status status = impl->Open(loop, view, output); !status.ok()) return status;
  return std::unique_ptr<Console>(new Console(std::move(impl)));
}

}  // namespace sekisho::slowpath
