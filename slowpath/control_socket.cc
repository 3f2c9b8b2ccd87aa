#include "slowpath/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "slowpath/session_stream.h"
#include "slowpath/shell.h"

namespace sekisho::slowpath {
namespace {

std::string Answer(const absl::StatusOr<std::string>& result) {
  const std::string text =
      result.ok() ? *result : absl::StrCat(std::string(result.status().message()), "\n");
  return absl::StrCat(result.ok() ? "ok " : "error ", text.size(), "\n", text);
}

// The protocol of control_socket.h.
class ControlConversation final : public Conversation {
 public:
  ControlConversation(StatusView& view, bool refused) : view_(view) {
    if (refused) {
      output_ = Answer(absl::ResourceExhaustedError(
          absl::StrCat("already ", ControlSocket::kClientsMax, " sessions; end one first")));
      ended_ = true;
    }
  }

  size_t Feed(absl::string_view bytes) override {
    if (shell_ != nullptr) return shell_->Feed(bytes);
    const size_t end = bytes.find('\n');
    const bool whole = end != absl::string_view::npos;
    const size_t taken = whole ? end + 1 : bytes.size();
    absl::StrAppend(&request_, bytes.substr(0, taken));
    if (request_.size() > ControlSocket::kRequestMax) {
      Finish(absl::InvalidArgumentError("request too long"));
    } else if (whole) {
      HandleRequest(absl::StripSuffix(absl::StripSuffix(request_, "\n"), "\r"));
    }
    return taken;
  }
  std::string TakeOutput() override {
    return shell_ != nullptr ? shell_->TakeOutput() : std::exchange(output_, std::string());
  }
  bool ended() const override { return ended_ || (shell_ != nullptr && shell_->ended()); }

 private:
  void HandleRequest(absl::string_view request) {
    if (request == "shell") {
      auto shell = ShellSession::Create(view_, ShellSession::Input::kTerminal,
                                        ShellSession::Quit::kEndsSession);
      if (!shell.ok()) return Finish(shell.status());
      shell_ = *std::move(shell);
    } else if (absl::ConsumePrefix(&request, "text ")) {
      Finish(RunCommand(view_, request, OutputFormat::kText));
    } else if (absl::ConsumePrefix(&request, "json ")) {
      Finish(RunCommand(view_, request, OutputFormat::kJson));
    } else {
      Finish(absl::InvalidArgumentError("found another request than text, json or shell"));
    }
  }
  void Finish(const absl::StatusOr<std::string>& result) {
    output_ = Answer(result);
    ended_ = true;
  }

  StatusView& view_;
  std::string request_, output_;
  std::unique_ptr<ShellSession> shell_;
  bool ended_ = false;
};

absl::Status Failed(const std::string& path, const std::string& what) {
  return absl::UnavailableError(absl::StrCat("control socket ", path, ": ", what));
}

// Makes the directories that lead to `path`.
absl::Status MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
      return Failed(path, absl::StrCat("cannot make ", directory, ": ", std::strerror(errno),
                                       "; run as root or set control.socket"));
    }
  }
  return absl::OkStatus();
}

// Does somebody listen there? If not, what is left of him is removed.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return absl::OkStatus();
  if (!S_ISSOCK(status.st_mode)) {
    return Failed(path, "is there and no socket; remove it or set control.socket");
  }
  // Non-blocking: a listener that does not accept is alive all the same.
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return Failed(path, std::strerror(errno));
  const bool refused =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno == ECONNREFUSED;
  close(probe);
  if (!refused) {
    return Failed(path, "another sekisho is running; stop it or set control.socket");
  }
  if (unlink(path.c_str()) != 0) return Failed(path, std::strerror(errno));
  return absl::OkStatus();
}

absl::StatusOr<int> BindSocket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Failed(path, "path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (absl::Status status = MakeDirectories(path); !status.ok()) return status;
  if (absl::Status status = RemoveStale(path, address); !status.ok()) return status;
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (file < 0) return Failed(path, std::strerror(errno));
  // From its first moment on the socket is ours alone.
  const mode_t mask = umask(0177);
  const int result = bind(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(mask);
  if (result != 0) {
    close(file);
    return Failed(path, absl::StrCat(std::strerror(error), "; run as root or set control.socket"));
  }
  return file;
}

}  // namespace

class ControlSocket::Impl {
 public:
  Impl(uv_loop_t* loop, StatusView& view, std::string path)
      : loop_(loop), view_(view), path_(std::move(path)), listener_(new uv_pipe_t) {
    uv_pipe_init(loop_, listener_, 0);
    listener_->data = this;
  }
  ~Impl() {
    if (bound_) unlink(path_.c_str());
    uv_close(reinterpret_cast<uv_handle_t*>(listener_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_pipe_t*>(handle); });
    while (!clients_.empty()) (*clients_.begin())->Close();
  }

  absl::Status Listen() {
    const absl::StatusOr<int> file = BindSocket(path_);
    if (!file.ok()) return file.status();
    bound_ = true;
    int error = uv_pipe_open(listener_, *file);
    if (error != 0) {
      close(*file);
      return Failed(path_, uv_strerror(error));
    }
    error = uv_listen(reinterpret_cast<uv_stream_t*>(listener_), kClientsMax,
                      [](uv_stream_t* handle, int status) {
                        if (status == 0) static_cast<Impl*>(handle->data)->Accept();
                      });
    return error == 0 ? absl::OkStatus() : Failed(path_, uv_strerror(error));
  }

  size_t clients() const { return clients_.size(); }

 private:
  void Accept() {
    const bool refused = clients_.size() >= kClientsMax;
    auto* client = new SessionStream(loop_, std::make_unique<ControlConversation>(view_, refused),
                                     [this](SessionStream* closing) { clients_.erase(closing); });
    clients_.insert(client);
    const int error = uv_accept(reinterpret_cast<uv_stream_t*>(listener_),
                                reinterpret_cast<uv_stream_t*>(&client->input()));
    if (error != 0) return client->Close();
    client->Start();
  }

  uv_loop_t* loop_;
  StatusView& view_;
  const std::string path_;
  uv_pipe_t* listener_;  // deletes itself when closed
  bool bound_ = false;
  std::set<SessionStream*> clients_;
};

ControlSocket::ControlSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlSocket::~ControlSocket() = default;

absl::StatusOr<std::unique_ptr<ControlSocket>> ControlSocket::Listen(uv_loop_s* loop,
                                                                     StatusView& view,
                                                                     const std::string& path) {
  auto impl = std::make_unique<Impl>(loop, view, path);
  if (absl::Status status = impl->Listen(); !status.ok()) return status;
  return std::unique_ptr<ControlSocket>(new ControlSocket(std::move(impl)));
}

size_t ControlSocket::clients() const { return impl_->clients(); }

}  // namespace sekisho::slowpath
