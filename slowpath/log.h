// slowpath/log.h: the log: one line per event, to be read with grep.
//
//   2026-11-21T11:52:32.123Z info ike-sa-up peer=198.51.100.77:4500 identity=client1.example.org
//
// Time in UTC, level, the event's name, then key=value in the order given. A value that is empty or
// holds a space, a quote, '=' or anything but printable ASCII is quoted, with \" \\ \n \xNN inside,
// so that no peer can forge a line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ike/actions.h"

namespace sekisho::slowpath {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
absl::string_view Name(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> ParseLogLevel(absl::string_view name);

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  std::string file = "-";  // "-": standard error
};

using LogFields = std::vector<std::pair<std::string, std::string>>;

// The line of one event, without its end.
std::string FormatLogLine(absl::Time time, LogLevel level, absl::string_view name,
                          const LogFields& fields);

// Lines of level info and above are in the file when Log() returns, debug lines at the latest with
// the next of those or with Flush(). A line that cannot be written (disk full) is lost and counted,
// never waited for. Used on the slow-path thread only.
class Logger {
 public:
  // The error names the file and why it cannot be opened for appending.
  static absl::StatusOr<std::unique_ptr<Logger>> Open(const LogConfig& config);
  ~Logger();  // flushes
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void Log(LogLevel level, absl::string_view name, const LogFields& fields = {});
  void Log(const ike::LogEvent& event);
  void Debug(absl::string_view name, const LogFields& fields = {}) {
    Log(LogLevel::kDebug, name, fields);
  }
  void Info(absl::string_view name, const LogFields& fields = {}) {
    Log(LogLevel::kInfo, name, fields);
  }
  void Warning(absl::string_view name, const LogFields& fields = {}) {
    Log(LogLevel::kWarning, name, fields);
  }
  void Error(absl::string_view name, const LogFields& fields = {}) {
    Log(LogLevel::kError, name, fields);
  }

  bool Wants(LogLevel level) const { return level >= level_; }
  LogLevel level() const { return level_; }
  void set_level(LogLevel level) { level_ = level; }
  void Flush();
  uint64_t lost() const;  // lines that could not be written

 private:
  struct Sink;
  Logger(LogLevel level, std::unique_ptr<Sink> sink);

  LogLevel level_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace sekisho::slowpath
