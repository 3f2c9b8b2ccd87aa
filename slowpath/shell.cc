#include "slowpath/shell.h"

#include <cmdline.h>
#include <cmdline_parse.h>
#include <cmdline_rdline.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <vector>

#include "absl/strings/str_cat.h"
#include "slowpath/shell_commands.h"

namespace sekisho::slowpath {
namespace {

constexpr size_t kLineMax = 512;  // of a pipe; rte_cmdline has the same for a terminal
constexpr size_t kArgumentMax = 128;

// rte_cmdline's token, with what our functions for it need. The header comes first: rte_cmdline
// hands back a pointer to it.
struct Token {
  cmdline_parse_token_hdr_t header;
  std::string word;  // a word of the command; empty: its argument
  ArgumentKind argument = ArgumentKind::kNone;
  const StatusView* view = nullptr;
  // The choices of the completion under way, looked up when it begins.
  std::vector<std::string> choices;
};

Token& TokenOf(cmdline_parse_token_hdr_t* header) { return *reinterpret_cast<Token*>(header); }

int ParseToken(cmdline_parse_token_hdr_t* header, const char* text, void* result,
               unsigned int result_size) {
  const Token& token = TokenOf(header);
  size_t size = 0;
  while (!cmdline_isendoftoken(text[size])) ++size;
  if (size == 0 || size >= kArgumentMax) return -1;
  if (!token.word.empty()) {
    return token.word.compare(0, std::string::npos, text, size) == 0 ? static_cast<int>(size) : -1;
  }
  if (result != nullptr) {
    if (result_size <= size) return -1;
    std::memcpy(result, text, size);
    static_cast<char*>(result)[size] = '\0';
  }
  return static_cast<int>(size);
}

int CountChoices(cmdline_parse_token_hdr_t* header) {
  Token& token = TokenOf(header);
  token.choices = token.word.empty() ? ArgumentChoices(token.argument, *token.view)
                                     : std::vector<std::string>{token.word};
  return static_cast<int>(token.choices.size());
}

int CopyOut(const std::string& text, char* to, unsigned int size) {
  if (text.size() >= size) return -1;
  std::memcpy(to, text.c_str(), text.size() + 1);
  return 0;
}

int GetChoice(cmdline_parse_token_hdr_t* header, int index, char* to, unsigned int size) {
  const Token& token = TokenOf(header);
  if (index < 0 || static_cast<size_t>(index) >= token.choices.size()) return -1;
  return CopyOut(token.choices[static_cast<size_t>(index)], to, size);
}

int GetHelp(cmdline_parse_token_hdr_t* header, char* to, unsigned int size) {
  const Token& token = TokenOf(header);
  return CopyOut(token.word.empty() ? ArgumentName(token.argument) : token.word, to, size);
}

cmdline_token_ops kTokenOps = {ParseToken, CountChoices, GetChoice, GetHelp};

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

}  // namespace

class ShellSession::Impl {
 public:
  Impl(StatusView& view, Input input, Quit quit) : view_(view), input_(input), quit_(quit) {}
  ~Impl() {
    if (cmdline_ != nullptr) cmdline_free(cmdline_);
    if (screen_ >= 0) close(screen_);
  }

  absl::Status Open() {
    if (input_ == Input::kLines) return absl::OkStatus();
    // rte_cmdline writes to a file descriptor: memory, so that it never waits for anybody.
    screen_ = memfd_create("sekisho-shell", MFD_CLOEXEC);
    if (screen_ < 0) {
      return absl::ResourceExhaustedError(absl::StrCat("shell: ", std::strerror(errno)));
    }
    for (const Command& command : Commands()) AddInstruction(command);
    context_.push_back(nullptr);
    cmdline_ = cmdline_new(context_.data(), "sekisho> ", -1, screen_);
    if (cmdline_ == nullptr) return absl::ResourceExhaustedError("shell: out of memory");
    return absl::OkStatus();
  }

  size_t Feed(absl::string_view bytes) {
    if (ended_) return bytes.size();
    return input_ == Input::kLines ? FeedLine(bytes) : FeedKeys(bytes);
  }

  std::string TakeOutput() {
    DrainScreen();
    return std::move(output_);
  }
  bool ended() const { return ended_; }

 private:
  struct Instruction {
    Impl* session;
    const Command* command;
  };

  void AddInstruction(const Command& command) {
    const size_t arguments = command.argument == ArgumentKind::kNone ? 0 : 1;
    const size_t count = command.words.size() + arguments;
    void* memory = std::calloc(
        1, sizeof(cmdline_parse_inst_t) + (count + 1) * sizeof(cmdline_parse_token_hdr_t*));
    auto* instruction = static_cast<cmdline_parse_inst_t*>(memory);
    instructions_.emplace_back(instruction);
    bindings_.push_back({this, &command});
    instruction->f = &Impl::Run;
    instruction->data = &bindings_.back();
    help_.push_back(absl::StrCat(SyntaxOf(command), ": ", command.help));
    instruction->help_str = help_.back().c_str();
    for (size_t i = 0; i < count; ++i) {
      Token& token = tokens_.emplace_back();
      token.header = {&kTokenOps, 0};
      if (i < command.words.size()) {
        token.word = command.words[i];
      } else {
        token.argument = command.argument;
        token.view = &view_;
      }
      instruction->tokens[i] = &token.header;
    }
    context_.push_back(instruction);
  }

  // Called by rte_cmdline, through which nothing may be thrown.
  static void Run(void* result, cmdline*, void* data) {
    const auto* binding = static_cast<const Instruction*>(data);
    Impl& session = *binding->session;
    const std::string argument = binding->command->argument == ArgumentKind::kNone
                                     ? std::string()
                                     : static_cast<const char*>(result);
    CommandContext context{.view = session.view_};
    try {
      session.Print(binding->command->run(context, argument));
    } catch (const std::exception& exception) {
      session.Print(absl::InternalError(exception.what()));
    }
    if (context.quit) session.End();
  }

  void Print(const absl::StatusOr<std::string>& result) {
    DrainScreen();
    if (result.ok()) {
      output_ += *result;
    } else {
      absl::StrAppend(&output_, "error: ", result.status().message(), "\n");
    }
  }

  void End() {
    ended_ = true;
    if (cmdline_ != nullptr) cmdline_quit(cmdline_);
    if (quit_ == Quit::kStopsGateway) view_.Stop();
  }

  size_t FeedKeys(absl::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      // Less than the one byte taken: Ctrl-D on an empty line, or `quit`.
      if (cmdline_in(cmdline_, &bytes[i], 1) < 0 && !ended_) End();
      if (ended_) return bytes.size();
      if (bytes[i] == '\r' || bytes[i] == '\n') return i + 1;
    }
    return bytes.size();
  }

  size_t FeedLine(absl::string_view bytes) {
    const size_t end = bytes.find('\n');
    const bool whole = end != absl::string_view::npos;
    const size_t taken = whole ? end + 1 : bytes.size();
    // Of a line that is too long the rest is not kept, only that it was too long.
    if (line_.size() <= kLineMax) absl::StrAppend(&line_, bytes.substr(0, taken));
    if (!whole) return taken;
    const std::string line = std::move(line_);
    line_.clear();
    if (line.size() > kLineMax) {
      Print(
          absl::InvalidArgumentError(absl::StrCat("line of more than ", kLineMax, " characters")));
      return taken;
    }
    CommandContext context{.view = view_};
    Print(RunLine(context, line));
    if (context.quit) End();
    return taken;
  }

  // Moves what rte_cmdline wrote to output_, so that it stands before what we print next.
  void DrainScreen() {
    if (screen_ < 0) return;
    const off_t size = lseek(screen_, 0, SEEK_CUR);
    if (size <= 0) return;
    const size_t at = output_.size();
    output_.resize(at + static_cast<size_t>(size));
    const ssize_t got = pread(screen_, &output_[at], static_cast<size_t>(size), 0);
    output_.resize(at + (got > 0 ? static_cast<size_t>(got) : 0));
    if (lseek(screen_, 0, SEEK_SET) != 0 || ftruncate(screen_, 0) != 0) ended_ = true;
  }

  StatusView& view_;
  const Input input_;
  const Quit quit_;
  cmdline* cmdline_ = nullptr;
  int screen_ = -1;
  std::string output_, line_;
  bool ended_ = false;
  // The grammar; deques, for rte_cmdline keeps pointers into them.
  std::deque<Token> tokens_;
  std::deque<Instruction> bindings_;
  std::deque<std::string> help_;
  std::vector<std::unique_ptr<cmdline_parse_inst_t, FreeMemory>> instructions_;
  std::vector<cmdline_parse_inst_t*> context_;
};

ShellSession::ShellSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ShellSession::~ShellSession() = default;

absl::StatusOr<std::unique_ptr<ShellSession>> ShellSession::Create(StatusView& view, Input input,
                                                                   Quit quit) {
  auto impl = std::make_unique<Impl>(view, input, quit);
  if (absl::Status status = impl->Open(); !status.ok()) return status;
  return std::unique_ptr<ShellSession>(new ShellSession(std::move(impl)));
}

size_t ShellSession::Feed(absl::string_view bytes) { return impl_->Feed(bytes); }
std::string ShellSession::TakeOutput() { return impl_->TakeOutput(); }
bool ShellSession::ended() const { return impl_->ended(); }

}  // namespace sekisho::slowpath
