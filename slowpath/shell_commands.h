// slowpath/shell_commands.h: the table of commands. Parsing, help and completion all come from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "slowpath/shell.h"
#include "slowpath/status_view.h"

namespace sekisho::slowpath {

struct CommandContext {
  StatusView& view;
  OutputFormat format = OutputFormat::kText;
  bool quit = false;  // set by `quit`
};

enum class ArgumentKind : uint8_t { kNone, kIkeSa, kChildSa, kConnection, kLogLevel };

struct Command {
  std::vector<std::string> words;  // "rekey", "ike-sa"
  ArgumentKind argument;           // after the words
  std::string help;
  absl::StatusOr<std::string> (*run)(CommandContext& context, const std::string& argument);
};

const std::vector<Command>& Commands();

// "rekey ike-sa ID"
std::string SyntaxOf(const Command& command);
// "ID", "CONNECTION"; empty for kNone
std::string ArgumentName(ArgumentKind kind);
// What may stand there now: for completion.
std::vector<std::string> ArgumentChoices(ArgumentKind kind, const StatusView& view);

// Runs the command on one line; an empty line, or one that begins with '#', does nothing.
absl::StatusOr<std::string> RunLine(CommandContext& context, absl::string_view line);

}  // namespace sekisho::slowpath
