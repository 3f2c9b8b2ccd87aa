// For compilers without libFuzzer: runs each file of the folders given as arguments through a fuzz
// target, and then `--mutations N` inputs made from them. The same N and `--seed S` make the same
// inputs, so that what fails in one place fails in all. While an input runs it is in the file
// LAST-INPUT of --keep LAST-INPUT, whatever kills the program; give that file as an argument to run
// it alone.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

constexpr size_t kInputBytesMax = 4096;

// std::uniform_int_distribution differs between libraries; this does not.
class Choice {
 public:
  explicit Choice(uint64_t seed) : random_(seed) {}
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  uint8_t Byte() { return static_cast<uint8_t>(random_()); }

 private:
  std::mt19937_64 random_;
};

void SetByte(Input& input, Choice& choice) {
  constexpr uint8_t kEdges[] = {0, 1, 4, 7, 8, 16, 20, 40, 0x7f, 0x80, 0xfe, 0xff};
  if (input.empty()) return;
  input[choice.Below(input.size())] =
      choice.Below(2) == 0 ? kEdges[choice.Below(std::size(kEdges))] : choice.Byte();
}

void FlipBit(Input& input, Choice& choice) {
  if (input.empty()) return;
  input[choice.Below(input.size())] ^= static_cast<uint8_t>(1u << choice.Below(8));
}

void Cut(Input& input, Choice& choice) { input.resize(choice.Below(input.size() + 1)); }

void Remove(Input& input, Choice& choice) {
  const size_t from = choice.Below(input.size() + 1);
  const size_t count = std::min(input.size() - from, choice.Below(16) + 1);
  input.erase(input.begin() + static_cast<std::ptrdiff_t>(from),
              input.begin() + static_cast<std::ptrdiff_t>(from + count));
}

void Insert(Input& input, Choice& choice) {
  Input bytes(choice.Below(8) + 1);
  for (uint8_t& byte : bytes) byte = choice.Byte();
  input.insert(input.begin() + static_cast<std::ptrdiff_t>(choice.Below(input.size() + 1)),
               bytes.begin(), bytes.end());
}

// The beginning of one and the end of the other.
void Splice(Input& input, const Input& other, Choice& choice) {
  input.resize(choice.Below(input.size() + 1));
  const size_t from = choice.Below(other.size() + 1);
  input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
}

Input Mutated(const std::vector<Input>& corpus, Choice& choice) {
  Input input = corpus[choice.Below(corpus.size())];
  for (size_t changes = choice.Below(6) + 1; changes > 0; --changes) {
    switch (choice.Below(8)) {
      case 0:
        Cut(input, choice);
        break;
      case 1:
        Remove(input, choice);
        break;
      case 2:
        Insert(input, choice);
        break;
      case 3:
        Splice(input, corpus[choice.Below(corpus.size())], choice);
        break;
      case 4:
      case 5:
        FlipBit(input, choice);
        break;
      default:
        SetByte(input, choice);
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
  return input;
}

// A file that holds the input under test even if the program dies, and is gone if it does not.
class LastInput {
 public:
  explicit LastInput(const std::string& path) : path_(path) {
    if (path.empty()) return;
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  }
  ~LastInput() {
    if (file_ < 0) return;
    close(file_);
    unlink(path_.c_str());
  }
  void Set(const Input& input) {
    if (file_ < 0) return;
    if (ftruncate(file_, 0) != 0 || pwrite(file_, input.data(), input.size(), 0) < 0) {
      std::perror(path_.c_str());
    }
  }

 private:
  std::string path_;
  int file_ = -1;
};

// Exactly as large as the input, so that a sanitizer sees a read behind its end.
void Run(const Input& input) {
  const Input exact(input);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

Input ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Input{std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& argument) {
  if (!std::filesystem::is_directory(argument)) return {argument};
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argument)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t mutations = 0, seed = 1;
  std::string keep;
  std::vector<Input> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--", 0) == 0 && i + 1 < argc) {
      const char* value = argv[++i];
      if (argument == "--mutations") mutations = std::strtoull(value, nullptr, 10);
      if (argument == "--seed") seed = std::strtoull(value, nullptr, 10);
      if (argument == "--keep") keep = value;
      continue;
    }
    for (const auto& path : FilesOf(argument)) {
      // The name first: if the target dies, it is the last line.
      std::fprintf(stderr, "%s\n", path.c_str());
      corpus.push_back(ReadFile(path));
      Run(corpus.back());
    }
  }
  if (corpus.empty()) return 1;
  if (mutations > 0) {
    std::fprintf(stderr, "%llu mutations with seed %llu%s%s\n",
                 static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed),
                 keep.empty() ? "" : "; what fails is in ", keep.c_str());
    LastInput last(keep);
    Choice choice(seed);
    for (uint64_t i = 0; i < mutations; ++i) {
      const Input input = Mutated(corpus, choice);
      last.Set(input);
      Run(input);
    }
  }
  std::printf("%zu inputs, %llu mutations\n", corpus.size(),
              static_cast<unsigned long long>(mutations));
  return 0;
}
