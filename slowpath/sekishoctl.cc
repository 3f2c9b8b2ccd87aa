// sekishoctl: the shell of a running gateway, from another terminal or a script.
//
// Exit status: 0, or 1 if the command failed, or 2 if no gateway can be reached or the
// command line is not understood.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int kCommandFailed = 1;
constexpr int kCannotConnect = 2;
constexpr int kUsageError = 2;

bool WriteAll(int file, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = write(file, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

int Connect(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
  } else {
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (file >= 0 &&
        connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return file;
    }
  }
  std::fprintf(stderr, "sekishoctl: cannot connect to %s: %s; is sekisho running?\n", path.c_str(),
               std::strerror(errno));
  return -1;
}

// "ok LENGTH\n" or "error LENGTH\n", then the text.
int RunOne(int gateway, const std::string& request) {
  if (!WriteAll(gateway, request.data(), request.size())) return kCannotConnect;
  std::string answer;
  char buffer[65536];
  ssize_t got = 0;
  while ((got = read(gateway, buffer, sizeof(buffer))) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) answer.append(buffer, static_cast<size_t>(got));
  }
  const size_t end = answer.find('\n');
  const size_t space = answer.find(' ');
  const std::string text = end == std::string::npos ? "" : answer.substr(end + 1);
  if (space > end || end == std::string::npos ||
      std::to_string(text.size()) != answer.substr(space + 1, end - space - 1)) {
    std::fprintf(stderr, "sekishoctl: the gateway went away before its answer was complete\n");
    return kCannotConnect;
  }
  const bool ok = answer.compare(0, space, "ok") == 0;
  if (!ok) std::fprintf(stderr, "sekishoctl: ");
  if (!WriteAll(ok ? STDOUT_FILENO : STDERR_FILENO, text.data(), text.size())) return 1;
  return ok ? 0 : kCommandFailed;
}

// Copies what `from` has to `to`. False at its end.
bool Copy(int from, int to) {
  char buffer[65536];
  const ssize_t got = read(from, buffer, sizeof(buffer));
  if (got < 0 && errno == EINTR) return true;
  return got > 0 && WriteAll(to, buffer, static_cast<size_t>(got));
}

int Converse(int gateway) {
  const std::string request = "shell\n";
  if (!WriteAll(gateway, request.data(), request.size())) return kCannotConnect;
  termios saved = {};
  const bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
  if (terminal) {
    // Ctrl-C too is a keystroke for the shell at the other end: it clears the line.
    termios raw = saved;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  pollfd files[2] = {{gateway, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (poll(files, 2, -1) >= 0 || errno == EINTR) {
    if (files[0].revents != 0 && !Copy(gateway, STDOUT_FILENO)) break;
    if (files[1].revents != 0 && !Copy(STDIN_FILENO, gateway)) {
      // The last answers still come.
      shutdown(gateway, SHUT_WR);
      files[1].fd = -1;
    }
  }
  if (terminal) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string socket_path = "/run/sekisho/sekisho.sock";
  bool json = false;
  std::vector<std::string> words;
  CLI::App app{"The shell of a running sekisho: a command, or a session without one."};
  app.add_option("--socket", socket_path, "the gateway's control socket")->capture_default_str();
  app.add_flag("--json", json, "show commands answer as JSON");
  app.add_option("command", words, "show sas, help, ...");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const int gateway = Connect(socket_path);
  if (gateway < 0) return kCannotConnect;
  if (words.empty()) return Converse(gateway);
  std::string request = json ? "json" : "text";
  for (const std::string& word : words) request += " " + word;
  return RunOne(gateway, request + "\n");
}
