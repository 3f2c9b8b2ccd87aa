#include "slowpath/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sekisho::slowpath {
namespace {

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void AppendValue(std::string& line, absl::string_view value) {
  if (!NeedsQuotes(value)) {
    absl::StrAppend(&line, value);
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (c < ' ' || c > '~') {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  line += '"';
}

// Appends to a file. spdlog's own file sinks report a full disk by throwing; this one counts.
class FileSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  FileSink(std::FILE* file, bool owned) : file_(file), owned_(owned) {}
  ~FileSink() override {
    if (owned_) std::fclose(file_);
  }
  uint64_t lost() const { return lost_; }

 protected:
  // Lines arrive finished: spdlog's formatters know neither our time format nor our fields.
  void sink_it_(const spdlog::details::log_msg& message) override {
    const size_t size = message.payload.size();
    if (std::fwrite(message.payload.data(), 1, size, file_) != size) Lose();
  }
  void flush_() override {
    if (std::fflush(file_) != 0) Lose();
  }

 private:
  void Lose() {
    ++lost_;
    std::clearerr(file_);
  }

  std::FILE* file_;
  bool owned_;
  uint64_t lost_ = 0;
};

struct LevelName {
  LogLevel level;
  const char* name;
  spdlog::level::level_enum spdlog_level;
};
constexpr LevelName kLevels[] = {
    {LogLevel::kDebug, "debug", spdlog::level::debug},
    {LogLevel::kInfo, "info", spdlog::level::info},
    {LogLevel::kWarning, "warning", spdlog::level::warn},
    {LogLevel::kError, "error", spdlog::level::err},
};

}  // namespace

struct Logger::Sink {
  std::shared_ptr<FileSink> file;
  std::unique_ptr<spdlog::logger> logger;
};

absl::string_view Name(LogLevel level) { return kLevels[static_cast<size_t>(level)].name; }

std::optional<LogLevel> ParseLogLevel(absl::string_view name) {
  for (const LevelName& entry : kLevels) {
    if (name == entry.name) return entry.level;
  }
  return std::nullopt;
}

std::string FormatLogLine(absl::Time time, LogLevel level, absl::string_view name,
                          const LogFields& fields) {
  std::string line = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  absl::StrAppend(&line, " ", Name(level), " ", name);
  for (const auto& [key, value] : fields) {
    absl::StrAppend(&line, " ", key, "=");
    AppendValue(line, value);
  }
  return line;
}

absl::StatusOr<std::unique_ptr<Logger>> Logger::Open(const LogConfig& config) {
  const bool to_file = config.file != "-";
  std::FILE* file = to_file ? std::fopen(config.file.c_str(), "ae") : stderr;
  if (file == nullptr) {
    return absl::UnavailableError(absl::StrCat("log file ", config.file, ": ", std::strerror(errno),
                                               "; set log.file to one that can be written"));
  }
  try {
    auto sink = std::make_unique<Sink>();
    sink->file = std::make_shared<FileSink>(file, to_file);
    sink->logger = std::make_unique<spdlog::logger>("sekisho", sink->file);
    // Logger::level_ decides what is logged.
    sink->logger->set_level(spdlog::level::trace);
    sink->logger->flush_on(spdlog::level::info);
    return std::unique_ptr<Logger>(new Logger(config.level, std::move(sink)));
  } catch (const std::exception& exception) {
    return absl::InternalError(absl::StrCat("log file ", config.file, ": ", exception.what()));
  }
}

Logger::Logger(LogLevel level, std::unique_ptr<Sink> sink)
    : level_(level), sink_(std::move(sink)) {}

Logger::~Logger() { Flush(); }

void Logger::Log(LogLevel level, absl::string_view name, const LogFields& fields) {
  if (!Wants(level)) return;
  const std::string line = FormatLogLine(absl::Now(), level, name, fields) + "\n";
  // Neither call throws: what a sink throws, spdlog catches.
  sink_->logger->log(kLevels[static_cast<size_t>(level)].spdlog_level,
                     spdlog::string_view_t(line.data(), line.size()));
}

void Logger::Log(const ike::LogEvent& event) {
  LogLevel level = LogLevel::kInfo;
  switch (event.level) {
    case ike::LogEvent::Level::kDebug:
      level = LogLevel::kDebug;
      break;
    case ike::LogEvent::Level::kInfo:
      level = LogLevel::kInfo;
      break;
    case ike::LogEvent::Level::kWarning:
      level = LogLevel::kWarning;
      break;
  }
  Log(level, event.name, event.fields);
}

void Logger::Flush() { sink_->logger->flush(); }

uint64_t Logger::lost() const { return sink_->file->lost(); }

}  // namespace sekisho::slowpath
