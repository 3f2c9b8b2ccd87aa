#include "bench/stage_run.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::bench {
namespace {

constexpr const char* kSamples = "5";  // the shares of the stages vary little

absl::Status RunAndWait(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::InternalError(absl::StrCat("cannot start ", words[0]));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return absl::InternalError("cannot wait for throughput_stages");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError("throughput_stages failed; --no-stages does without it");
}

absl::StatusOr<std::vector<StageArray>> ReadJson(const std::string& path) {
  std::ifstream file(path);
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.contains("rows")) {
    return absl::InternalError("throughput_stages wrote no rows");
  }
  std::vector<StageArray> rows;
  for (const nlohmann::json& row : json["rows"]) {
    rows.push_back({});
    for (size_t i = 0; i < fastpath::kStages; ++i) {
      rows.back()[i] = row["stages"].value(fastpath::kStageNames[i], 0.0);
    }
  }
  return rows;
}

}  // namespace

std::string StagesProgram() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.parent_path() / "throughput_stages";
  return !error && std::filesystem::exists(beside, error) ? beside.string() : std::string();
}

absl::StatusOr<std::vector<StageArray>> RunStages(const std::string& program, int argc,
                                                  const char* const* argv) {
  const char* directory = std::getenv("TMPDIR");
  std::string path =
      absl::StrCat(directory != nullptr ? directory : "/tmp", "/sekisho-stages-XXXXXX");
  const int file = mkstemp(path.data());
  if (file < 0) return absl::InternalError(absl::StrCat("cannot make ", path));
  close(file);
  const absl::Cleanup remove = [&path] { unlink(path.c_str()); };
  std::vector<std::string> words(argv, argv + argc);
  words[0] = program;
  // The last of each counts.
  for (const char* word : {"--no-stages", "--samples", kSamples, "--json", path.c_str()}) {
    words.emplace_back(word);
  }
  SEKISHO_RETURN_IF_ERROR(RunAndWait(std::move(words)));
  return ReadJson(path);
}

}  // namespace sekisho::bench
