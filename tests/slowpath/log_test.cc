#include "slowpath/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace sekisho::slowpath {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1795261952123);

std::string Line(const LogFields& fields) {
  return FormatLogLine(kTime, LogLevel::kInfo, "ike-sa-up", fields);
}
std::string Value(const std::string& value) {
  const std::string line = Line({{"key", value}});
  return line.substr(line.find("key=") + 4);
}

TEST(FormatLogLineTest, IsTimeLevelNameAndFieldsInOrder) {
  EXPECT_EQ(Line({{"peer", "198.51.100.77:4500"}, {"identity", "client1.example.org"}}),
            "2026-11-21T11:52:32.123Z info ike-sa-up peer=198.51.100.77:4500 "
            "identity=client1.example.org");
  EXPECT_EQ(FormatLogLine(kTime, LogLevel::kError, "stop", {}),
            "2026-11-21T11:52:32.123Z error stop");
}

TEST(FormatLogLineTest, QuotesWhatWouldNotReadBack) {
  EXPECT_EQ(Value("two words"), "\"two words\"");
  EXPECT_EQ(Value(""), "\"\"");
  EXPECT_EQ(Value("CN=client"), "\"CN=client\"");
  EXPECT_EQ(Value("a\"b\\c"), R"("a\"b\\c")");
}

// A line feed in a field would begin a line of its own, an escape sequence would reach a terminal.
TEST(FormatLogLineTest, EscapesWhatCouldForgeALine) {
  EXPECT_EQ(Value("a\nb\r\x1b[2J"), R"("a\nb\x0d\x1b[2J")");
  EXPECT_EQ(Value("\xc2\x9b"), R"("\xc2\x9b")");
}

TEST(LogLevelTest, NamesReadBack) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(ParseLogLevel(Name(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("verbose"), std::nullopt);
}

class LoggerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-log-test-XXXXXX";
    const int file = mkstemp(name);
    ASSERT_GE(file, 0);
    close(file);
    file_ = name;
  }
  void TearDown() override { unlink(file_.c_str()); }
  // The lines in the file without their time.
  std::string Content() const {
    std::ifstream stream(file_);
    std::string all, line;
    while (std::getline(stream, line)) all += line.substr(line.find(' ') + 1) + "\n";
    return all;
  }
  std::unique_ptr<Logger> Open(LogLevel level) {
    return Logger::Open({.level = level, .file = file_}).value();
  }

  std::string file_;
};

TEST_F(LoggerTest, AnEventIsInTheFileAtOnce) {
  const auto logger = Open(LogLevel::kInfo);
  logger->Info("one", {{"a", "1"}});
  EXPECT_EQ(Content(), "info one a=1\n");
  logger->Warning("two");
  logger->Error("three");
  EXPECT_EQ(Content(), "info one a=1\nwarning two\nerror three\n");
}

TEST_F(LoggerTest, DebugIsInTheFileAfterFlush) {
  const auto logger = Open(LogLevel::kDebug);
  logger->Debug("one");
  logger->Flush();
  EXPECT_EQ(Content(), "debug one\n");
}

TEST_F(LoggerTest, LevelLeavesOutWhatIsBelow) {
  const auto logger = Open(LogLevel::kWarning);
  logger->Info("no");
  logger->set_level(LogLevel::kInfo);
  logger->Info("yes");
  EXPECT_EQ(Content(), "info yes\n");
  EXPECT_FALSE(logger->Wants(LogLevel::kDebug));
}

TEST_F(LoggerTest, TakesEventsOfTheEngine) {
  const auto logger = Open(LogLevel::kInfo);
  logger->Log(ike::LogEvent{.level = ike::LogEvent::Level::kWarning,
                            .name = "ike-sa-failed",
                            .fields = {{"reason", "no proposal chosen"}}});
  logger->Log(
      ike::LogEvent{.level = ike::LogEvent::Level::kDebug, .name = "message", .fields = {}});
  EXPECT_EQ(Content(), "warning ike-sa-failed reason=\"no proposal chosen\"\n");
}

TEST_F(LoggerTest, AppendsToWhatIsThere) {
  Open(LogLevel::kInfo)->Info("first");
  Open(LogLevel::kInfo)->Info("second");
  EXPECT_EQ(Content(), "info first\ninfo second\n");
}

// Braces mean something to the formatter inside spdlog, and nothing to us.
TEST_F(LoggerTest, BracesAreOrdinary) {
  Open(LogLevel::kInfo)->Info("one", {{"a", "{}{0}"}});
  EXPECT_EQ(Content(), "info one a={}{0}\n");
}

TEST(LoggerOpenTest, NamesTheFileThatCannotBeOpened) {
  const auto logger = Logger::Open({.file = "/nonexistent/sekisho.log"});
  EXPECT_EQ(logger.status().message(),
            "log file /nonexistent/sekisho.log: No such file or directory; set log.file to one "
            "that can be written");
}

// /dev/full is a disk without room.
TEST(LoggerOpenTest, AFullDiskLosesAndCountsLines) {
  const auto logger = Logger::Open({.file = "/dev/full"});
  ASSERT_TRUE(logger.ok());
  (*logger)->Info("one");
  (*logger)->Info("two");
  EXPECT_GE((*logger)->lost(), 1u);
}

}  // namespace
}  // namespace sekisho::slowpath
