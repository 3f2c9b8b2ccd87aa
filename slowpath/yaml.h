// slowpath/yaml.h: a YAML document as plain values. The only file that knows yaml-cpp is yaml.cc;
// what it throws becomes a Status there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sekisho::slowpath {

struct YamlEntry;

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  int line = 1;                    // from 1
  std::string text;                // kScalar; as written, without quotes
  std::vector<YamlNode> items;     // kSequence
  std::vector<YamlEntry> entries;  // kMap; keys are scalars, no key twice
};

struct YamlEntry {
  YamlNode key, value;
};

// A document may have this many nodes once its aliases are written out.
inline constexpr size_t kYamlNodesMax = 2'000'000;

// One document. Errors: "gw.yaml:3: not YAML: ...", "gw.yaml:9: found key 'pools' a second time".
absl::StatusOr<YamlNode> ParseYaml(const std::string& path, const std::string& text);

}  // namespace sekisho::slowpath
