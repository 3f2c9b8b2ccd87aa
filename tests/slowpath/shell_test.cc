#include "slowpath/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "slowpath/show_format.h"
#include "tests/slowpath/fake_status_view.h"

namespace sekisho::slowpath {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ShowFormatTest, UnitsAreForPeople) {
  EXPECT_EQ(CountText(0), "0");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(1234567), "1,234,567");
  EXPECT_EQ(BytesText(999), "999 B");
  EXPECT_EQ(BytesText(64000), "64.0 kB");
  EXPECT_EQ(BytesText(999999), "1.0 MB");
  EXPECT_EQ(AgeText(absl::Seconds(7)), "7s");
  EXPECT_EQ(AgeText(absl::Seconds(723)), "12m 3s");
  EXPECT_EQ(AgeText(absl::Minutes(182)), "3h 2m");
  EXPECT_EQ(AgeText(absl::Hours(124)), "5d 4h");
}

TEST(ShowFormatTest, ColumnsAlign) {
  Table table({"NAME", ">COUNT"});
  table.AddRow({"a", "12,345"});
  table.AddRow({"longer", "1"});
  EXPECT_EQ(table.ToString(),
            "NAME     COUNT\n"
            "a       12,345\n"
            "longer       1\n");
}

class RunCommandTest : public testing::Test {
 protected:
  std::string Text(const char* line) {
    return RunCommand(view_, line, OutputFormat::kText).value();
  }
  std::string Json(const char* line) {
    return RunCommand(view_, line, OutputFormat::kJson).value();
  }
  std::string Error(const char* line) {
    return std::string(RunCommand(view_, line, OutputFormat::kText).status().message());
  }
  FakeStatusView view_;
};

TEST_F(RunCommandTest, ShowsPortsWithEveryAddress) {
  EXPECT_EQ(Text("show ports"),
            "PORT  SIDE     LINK    ADDRESS              MTU  MAC                RX PACKETS  RX "
            "BYTES  TX PACKETS  TX BYTES  DEVICE\n"
            "wan   outside  up 10G  203.0.113.1/24      1500  02:00:00:00:00:01   1,234,567  987.7 "
            "MB          12     999 B  net_af_packet0 (net_af_packet)\n"
            "                       2001:db8:113::1/64\n");
  EXPECT_THAT(Json("show ports"), HasSubstr("\"received_packets\": 1234567"));
}

TEST_F(RunCommandTest, ShowsIkeSas) {
  const std::string text = Text("show ike-sas");
  EXPECT_THAT(text, HasSubstr("198.51.100.77:4500  client1.example.org  10.99.0.1"));
  EXPECT_THAT(text, HasSubstr("12m 3s"));
  EXPECT_THAT(Json("show ike-sas"), HasSubstr("\"remote_identity\": \"client1.example.org\""));
  EXPECT_THAT(Json("show ike-sas"), testing::Not(HasSubstr("manual_sas")));
}

TEST_F(RunCommandTest, ShowsChildSasWithTraffic) {
  const std::string text = Text("show child-sas");
  EXPECT_THAT(text, HasSubstr("c0001234  0badcafe"));
  EXPECT_THAT(text, HasSubstr("64.0 kB"));
  EXPECT_THAT(text, HasSubstr("10.10.0.0/24 === 10.99.0.1/32"));
  EXPECT_THAT(Json("show child-sas"), HasSubstr("\"outbound\": null"));
}

TEST_F(RunCommandTest, ShowsSasInFull) {
  const std::string text = Text("show sas");
  EXPECT_THAT(text, HasSubstr("IKE SA 3: staff, established, up 12m 3s, rekey in 3h 0m\n"));
  EXPECT_THAT(text, HasSubstr("198.51.100.77:4500  client1.example.org  behind NAT"));
  EXPECT_THAT(text, HasSubstr("    in   c0001234  1,000 packets, 64.0 kB, 2 dropped\n"));
}

TEST_F(RunCommandTest, ShowsPoliciesAndTheImplicitOne) {
  EXPECT_EQ(Text("show policies"),
            "NO  NAME            ACTION   LOCAL         REMOTE        PACKETS  DROPPED\n"
            " 1  users           protect  10.10.0.0/24  10.99.0.0/24       42        3\n"
            " -  (all the rest)  discard  any           any                 0        0\n");
}

TEST_F(RunCommandTest, ShowsDropsThatHappenedAndAllWhenAsked) {
  EXPECT_THAT(Text("show drops"), HasSubstr("esp-replayed"));
  EXPECT_THAT(Text("show drops"), Not(HasSubstr("no-route")));
  EXPECT_THAT(Text("show drops all"), HasSubstr("no-route"));
  EXPECT_THAT(Text("show drops detail"), HasSubstr("esp-replayed       0  wan         4"));
  EXPECT_THAT(Text("show drops detail"), HasSubstr("esp-replayed       1  -           1"));
  EXPECT_THAT(Json("show drops detail"), HasSubstr("\"port\": \"wan\""));
  EXPECT_THAT(Text("show workers"), HasSubstr("25.0%"));
  EXPECT_THAT(Json("show workers"), HasSubstr("\"handed_over\": 30"));
  EXPECT_EQ(Json("show drops"), "{\n  \"drops\": {\n    \"esp-replayed\": 5\n  }\n}\n");
}

TEST_F(RunCommandTest, AccountingSaysWhetherItFits) {
  EXPECT_THAT(Text("show accounting"), HasSubstr("in and out agree\n"));
  EXPECT_THAT(Json("show accounting"), HasSubstr("\"agrees\": true"));
  view_.accounting.dropped = 55;
  EXPECT_THAT(Text("show accounting"), HasSubstr("in and out differ by 5:"));
  EXPECT_THAT(Json("show accounting"), HasSubstr("\"agrees\": false"));
}

TEST_F(RunCommandTest, ShowsTheRest) {
  EXPECT_THAT(Text("show pools"), HasSubstr("staff4"));
  EXPECT_THAT(Text("show neighbours"), HasSubstr("wan   203.0.113.254  -    resolving"));
  EXPECT_THAT(Text("show ike-counters"), HasSubstr("authentication-failed"));
  EXPECT_EQ(Text("show log-level"), "info\n");
  // An identity that is not UTF-8 must not break JSON.
  EXPECT_THAT(Json("show leases"), HasSubstr("\"identity\": \"client1\xef\xbf\xbd\""));
}

TEST_F(RunCommandTest, CommandsReachTheGateway) {
  EXPECT_EQ(Text("rekey ike-sa 3"), "begun\n");
  EXPECT_EQ(Text("rekey child-sa 7"), "begun\n");
  EXPECT_EQ(Text("delete  ike-sa\t3 "), "begun\n");
  EXPECT_EQ(Text("initiate staff"), "begun as IKE SA 4\n");
  EXPECT_EQ(Text("set log-level debug"), "log level is debug\n");
  EXPECT_EQ(Text("stop"), "stopping\n");
  EXPECT_THAT(view_.calls, ElementsAre("rekey-ike-sa 3", "rekey-child-sa 7", "delete-ike-sa 3",
                                       "initiate staff", "stop"));
  EXPECT_EQ(view_.level, LogLevel::kDebug);
  EXPECT_EQ(Text(""), "");
  EXPECT_EQ(Text("# nothing"), "");
  EXPECT_THAT(Text("help"), HasSubstr("rekey ike-sa ID"));
}

TEST_F(RunCommandTest, ErrorsSayWhatIsWanted) {
  EXPECT_EQ(Error("show prots"), "unknown command 'show prots', did you mean 'ports'?");
  EXPECT_EQ(Error("rekey"), "incomplete command 'rekey', want rekey ike-sa | child-sa");
  EXPECT_EQ(Error("rekey ike-sa"), "found 'rekey ike-sa', want rekey ike-sa ID");
  EXPECT_EQ(Error("rekey ike-sa x"), "found 'x', want an ID as `show sas` prints it");
  EXPECT_EQ(Error("delete ike-sa 99"), "no such SA: 99");
  EXPECT_EQ(Error("show ports now"), "found 'show ports now', want nothing after 'show ports'");
  EXPECT_THAT(Error("xyzzyplugh"), HasSubstr("unknown command 'xyzzyplugh', want one of: show"));
}

class ShellSessionTest : public testing::Test {
 protected:
  std::unique_ptr<ShellSession> Open(ShellSession::Input input, ShellSession::Quit quit) {
    return ShellSession::Create(view_, input, quit).value();
  }
  static std::string Type(ShellSession& session, absl::string_view keys) {
    while (!keys.empty()) keys.remove_prefix(session.Feed(keys));
    return session.TakeOutput();
  }
  FakeStatusView view_;
};

TEST_F(ShellSessionTest, ATerminalSeesPromptEchoAndOutput) {
  const auto session = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kEndsSession);
  EXPECT_EQ(session->TakeOutput(), "sekisho> ");
  const std::string output = Type(*session, "show log-level\r");
  EXPECT_THAT(output, HasSubstr("show log-level\r\n"));
  EXPECT_THAT(output, HasSubstr("info\n"));
  EXPECT_TRUE(output.ends_with("sekisho> "));
}

TEST_F(ShellSessionTest, TabCompletesWordsAndArguments) {
  const auto session = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kEndsSession);
  Type(*session, "init\tst\t\r");
  Type(*session, "rekey i\t3\r");
  EXPECT_THAT(view_.calls, ElementsAre("initiate staff", "rekey-ike-sa 3"));
}

TEST_F(ShellSessionTest, ABadCommandIsSaidAndTheSessionGoesOn) {
  const auto session = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kEndsSession);
  EXPECT_THAT(Type(*session, "nonsense\r"), HasSubstr("Command not found"));
  EXPECT_THAT(Type(*session, "delete ike-sa 99\r"), HasSubstr("error: no such SA: 99\n"));
  EXPECT_FALSE(session->ended());
}

TEST_F(ShellSessionTest, QuitEndsTheSessionAndOnTheConsoleTheGateway) {
  const auto remote = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kEndsSession);
  Type(*remote, "quit\rstop\r");
  EXPECT_TRUE(remote->ended());
  EXPECT_TRUE(view_.calls.empty());
  const auto console = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kStopsGateway);
  Type(*console, "\x04");  // Ctrl-D
  EXPECT_TRUE(console->ended());
  EXPECT_THAT(view_.calls, ElementsAre("stop"));
}

TEST_F(ShellSessionTest, LinesHaveNoPromptAndNoEcho) {
  const auto session = Open(ShellSession::Input::kLines, ShellSession::Quit::kEndsSession);
  EXPECT_EQ(Type(*session, "show log-"), "");
  EXPECT_EQ(Type(*session, "level\nshow log-level\n"), "info\ninfo\n");
  EXPECT_THAT(Type(*session, std::string(5000, 'x') + "\n"), HasSubstr("error: line of more than"));
  EXPECT_EQ(Type(*session, "show log-level\n"), "info\n");
}

TEST_F(ShellSessionTest, FeedStopsAfterACommand) {
  const auto session = Open(ShellSession::Input::kLines, ShellSession::Quit::kEndsSession);
  EXPECT_EQ(session->Feed("help\nhelp\n"), 5u);
}

// Keystrokes that mean nothing, and lines longer than any buffer.
TEST_F(ShellSessionTest, SurvivesAnyBytes) {
  const auto session = Open(ShellSession::Input::kTerminal, ShellSession::Quit::kEndsSession);
  std::string keys(3000, 'a');
  for (int i = 0; i < 5000; ++i) keys += static_cast<char>(i * 7919 >> 3);
  Type(*session, keys);
}

}  // namespace
}  // namespace sekisho::slowpath
