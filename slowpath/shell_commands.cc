#include "slowpath/shell_commands.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "slowpath/config_reader.h"
#include "slowpath/show.h"
#include "slowpath/show_json.h"

namespace sekisho::slowpath {
namespace {

using Result = absl::StatusOr<std::string>;

template <auto text, auto json>
Result Show(CommandContext& context, const std::string&) {
  return context.format == OutputFormat::kJson ? json(context.view) : text(context.view);
}

template <bool all>
Result Drops(CommandContext& context, const std::string&) {
  return context.format == OutputFormat::kJson ? ShowDropsJson(context.view, all)
                                               : ShowDrops(context.view, all);
}

Result Say(const CommandContext& context, const std::string& sentence) {
  if (context.format == OutputFormat::kJson) return Dump({{"result", sentence}});
  return sentence + "\n";
}

absl::StatusOr<uint64_t> ParseId(const std::string& argument) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(argument, &id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", argument, "', want an ID as `show sas` prints it"));
  }
  return id;
}

// Runs one of the commands that take an id and set something in motion.
template <typename Id, absl::Status (StatusView::*method)(Id)>
Result OnSa(CommandContext& context, const std::string& argument) {
  SEKISHO_ASSIGN_OR_RETURN(const uint64_t id, ParseId(argument));
  SEKISHO_RETURN_IF_ERROR((context.view.*method)(Id{id}));
  return Say(context, "begun");
}

Result Initiate(CommandContext& context, const std::string& argument) {
  SEKISHO_ASSIGN_OR_RETURN(const ike::IkeSaId id, context.view.Initiate(argument));
  return Say(context, absl::StrCat("begun as IKE SA ", static_cast<uint64_t>(id)));
}

Result SetLogLevel(CommandContext& context, const std::string& argument) {
  const std::optional<LogLevel> level = ParseLogLevel(argument);
  if (!level.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", argument, "', want debug, info, warning or error"));
  }
  context.view.SetLogLevel(*level);
  return Say(context, absl::StrCat("log level is ", argument));
}

Result Help(CommandContext&, const std::string&) {
  std::string text;
  for (const Command& command : Commands()) {
    text += absl::StrFormat("%-24s %s\n", SyntaxOf(command), command.help);
  }
  return text;
}

Result Quit(CommandContext& context, const std::string&) {
  context.quit = true;
  return std::string();
}

Result Stop(CommandContext& context, const std::string&) {
  context.view.Stop();
  return Say(context, "stopping");
}

constexpr ArgumentKind kNone = ArgumentKind::kNone;

std::vector<std::string> WordsOf(absl::string_view line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
}

// How many of a command's words the line begins with.
size_t WordsInCommon(const Command& command, const std::vector<std::string>& words) {
  size_t count = 0;
  while (count < command.words.size() && count < words.size() &&
         command.words[count] == words[count]) {
    ++count;
  }
  return count;
}

// Says what could have followed where the line went wrong.
absl::Status UnknownCommand(const std::vector<std::string>& words) {
  size_t common = 0;
  for (const Command& command : Commands()) {
    common = std::max(common, WordsInCommon(command, words));
  }
  std::vector<std::string> choices;
  for (const Command& command : Commands()) {
    if (WordsInCommon(command, words) != common || command.words.size() <= common) continue;
    if (std::find(choices.begin(), choices.end(), command.words[common]) == choices.end()) {
      choices.push_back(command.words[common]);
    }
  }
  const std::string line = absl::StrJoin(words, " ");
  if (choices.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", line, "', want nothing after '",
                     absl::StrJoin(words.begin(), words.begin() + common, " "), "'"));
  }
  const std::string meant = common < words.size() ? DidYouMean(words[common], choices) : "";
  if (!meant.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown command '", line, "', did you mean '", meant, "'?"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      common == 0 ? "unknown" : "incomplete", " command '", line, "', want ",
      common == 0 ? "one of: "
                  : absl::StrCat(absl::StrJoin(words.begin(), words.begin() + common, " "), " "),
      absl::StrJoin(choices, " | ")));
}

}  // namespace

const std::vector<Command>& Commands() {
  using ike::ChildSaId;
  using ike::IkeSaId;
  static const auto* const kCommands = new std::vector<Command>{
      {{"show", "ports"},
       kNone,
       "ports with their links and counters",
       Show<ShowPorts, ShowPortsJson>},
      {{"show", "sas"},
       kNone,
       "IKE SAs in full, each with its Child SAs; manual SAs",
       Show<ShowSas, ShowSasJson>},
      {{"show", "ike-sas"}, kNone, "IKE SAs, one a line", Show<ShowIkeSas, ShowIkeSasJson>},
      {{"show", "child-sas"},
       kNone,
       "Child SAs with their traffic, one a line",
       Show<ShowChildSas, ShowChildSasJson>},
      {{"show", "policies"},
       kNone,
       "the SPD in order, with hits",
       Show<ShowPolicies, ShowPoliciesJson>},
      {{"show", "drops"}, kNone, "why packets were dropped", Drops<false>},
      {{"show", "drops", "all"}, kNone, "every reason, with its meaning", Drops<true>},
      {{"show", "drops", "detail"},
       kNone,
       "why packets were dropped, by worker and port",
       Show<ShowDropsInDetail, ShowDropsInDetailJson>},
      {{"show", "workers"},
       kNone,
       "what each worker does, and how busy it is",
       Show<ShowWorkers, ShowWorkersJson>},
      {{"show", "accounting"},
       kNone,
       "do the counters add up to the packets?",
       Show<ShowAccounting, ShowAccountingJson>},
      {{"show", "neighbours"},
       kNone,
       "link-layer addresses of next hops",
       Show<ShowNeighbours, ShowNeighboursJson>},
      {{"show", "pools"},
       kNone,
       "virtual addresses: how many are leased",
       Show<ShowPools, ShowPoolsJson>},
      {{"show", "leases"},
       kNone,
       "virtual addresses: who has which",
       Show<ShowLeases, ShowLeasesJson>},
      {{"show", "ike-counters"},
       kNone,
       "what the IKE engine counted",
       Show<ShowIkeCounters, ShowIkeCountersJson>},
      {{"show", "log-level"}, kNone, "what the log holds", Show<ShowLogLevel, ShowLogLevelJson>},
      {{"rekey", "ike-sa"},
       ArgumentKind::kIkeSa,
       "new keys for an IKE SA",
       OnSa<IkeSaId, &StatusView::RekeyIkeSa>},
      {{"rekey", "child-sa"},
       ArgumentKind::kChildSa,
       "new keys for a Child SA",
       OnSa<ChildSaId, &StatusView::RekeyChildSa>},
      {{"delete", "ike-sa"},
       ArgumentKind::kIkeSa,
       "end an IKE SA and its Child SAs",
       OnSa<IkeSaId, &StatusView::DeleteIkeSa>},
      {{"delete", "child-sa"},
       ArgumentKind::kChildSa,
       "end a Child SA",
       OnSa<ChildSaId, &StatusView::DeleteChildSa>},
      {{"initiate"}, ArgumentKind::kConnection, "call the peer of a connection", Initiate},
      {{"set", "log-level"}, ArgumentKind::kLogLevel, "debug, info, warning or error", SetLogLevel},
      {{"help"}, kNone, "this list", Help},
      {{"quit"}, kNone, "end this session; on the console, stop the gateway", Quit},
      {{"stop"}, kNone, "stop the gateway", Stop},
  };
  return *kCommands;
}

std::string ArgumentName(ArgumentKind kind) {
  switch (kind) {
    case ArgumentKind::kNone:
      return "";
    case ArgumentKind::kIkeSa:
    case ArgumentKind::kChildSa:
      return "ID";
    case ArgumentKind::kConnection:
      return "CONNECTION";
    case ArgumentKind::kLogLevel:
      return "LEVEL";
  }
  return "";
}

std::string SyntaxOf(const Command& command) {
  const std::string argument = ArgumentName(command.argument);
  return absl::StrCat(absl::StrJoin(command.words, " "), argument.empty() ? "" : " ", argument);
}

std::vector<std::string> ArgumentChoices(ArgumentKind kind, const StatusView& view) {
  std::vector<std::string> choices;
  if (kind == ArgumentKind::kConnection) return view.ConnectionNames();
  if (kind == ArgumentKind::kLogLevel) return {"debug", "info", "warning", "error"};
  if (kind == ArgumentKind::kNone) return choices;
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    if (kind == ArgumentKind::kIkeSa) {
      choices.push_back(absl::StrCat(static_cast<uint64_t>(sa.id)));
      continue;
    }
    for (const ike::ChildSaInfo& child : sa.children) {
      choices.push_back(absl::StrCat(static_cast<uint64_t>(child.id)));
    }
  }
  return choices;
}

absl::StatusOr<std::string> RunLine(CommandContext& context, absl::string_view line) {
  const std::vector<std::string> words = WordsOf(line);
  if (words.empty() || words[0][0] == '#') return std::string();
  for (const Command& command : Commands()) {
    const size_t arguments = command.argument == kNone ? 0 : 1;
    if (WordsInCommon(command, words) != command.words.size()) continue;
    if (words.size() == command.words.size() + arguments) {
      return command.run(context, arguments == 0 ? "" : words.back());
    }
    if (arguments == 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("found '", absl::StrJoin(words, " "), "', want ", SyntaxOf(command)));
    }
  }
  return UnknownCommand(words);
}

absl::StatusOr<std::string> RunCommand(StatusView& view, absl::string_view line,
                                       OutputFormat format) {
  CommandContext context{.view = view, .format = format};
  return RunLine(context, line);
}

}  // namespace sekisho::slowpath
