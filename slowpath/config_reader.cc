#include "slowpath/config_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "slowpath/config.h"

namespace sekisho::slowpath {
namespace {

constexpr size_t kNameMax = 63;

const char* Describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "keys with values";
  }
  return "nothing";
}

// Names end up in commands and in the log.
bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                  c == '.';
         });
}

// Levenshtein's distance: characters inserted, left out or exchanged.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string DidYouMean(absl::string_view name, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : names) {
    const size_t distance = EditDistance(name, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string ConfigErrors::Format(int line, absl::string_view where,
                                 absl::string_view message) const {
  return absl::StrCat(path_, ":", line, ": ", where, where.empty() ? "" : ": ", message);
}

void ConfigErrors::Add(int line, absl::string_view where, absl::string_view message) {
  errors_.emplace_back(line, Format(line, where, message));
}

void ConfigErrors::Warn(int line, absl::string_view where, absl::string_view message) {
  warnings_.push_back(Format(line, where, message));
}

absl::Status ConfigErrors::ToStatus() const {
  if (errors_.empty()) return absl::OkStatus();
  auto errors = errors_;
  std::stable_sort(errors.begin(), errors.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (size_t i = 0; i < errors.size() && i < kConfigErrorsMax; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "\n", errors[i].second);
  }
  return absl::InvalidArgumentError(text);
}

std::optional<std::string> ConfigNode::Text(absl::string_view wanted) const {
  if (node_->kind == YamlNode::Kind::kScalar) return node_->text;
  Fail(absl::StrCat("found ", Describe(*node_), ", want ", wanted));
  return std::nullopt;
}

std::vector<ConfigNode> ConfigNode::Items() const {
  std::vector<ConfigNode> items;
  if (node_->kind == YamlNode::Kind::kScalar) {
    items.push_back(*this);
  } else if (node_->kind == YamlNode::Kind::kSequence) {
    for (size_t i = 0; i < node_->items.size(); ++i) {
      items.emplace_back(node_->items[i], absl::StrCat(where_, "[", i, "]"), *errors_);
    }
  } else if (node_->kind == YamlNode::Kind::kMap) {
    Fail(absl::StrCat("found ", Describe(*node_), ", want a list"));
  }
  return items;
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::Named() const {
  std::vector<std::pair<std::string, ConfigNode>> named;
  if (node_->kind == YamlNode::Kind::kScalar || node_->kind == YamlNode::Kind::kSequence) {
    Fail(absl::StrCat("found ", Describe(*node_), ", want names, each with its keys below it"));
  }
  for (const auto& [key, value] : node_->entries) {
    if (!IsName(key.text)) {
      errors_->Add(key.line, where_,
                   absl::StrCat("found name '", key.text, "', want up to ", kNameMax,
                                " letters, digits, '-', '_' and '.'"));
      continue;
    }
    named.emplace_back(key.text, Child(value, key.text));
  }
  return named;
}

ConfigNode ConfigNode::Child(const YamlNode& node, absl::string_view key) const {
  return ConfigNode(node, absl::StrCat(where_, where_.empty() ? "" : ".", key), *errors_);
}

ConfigMap::ConfigMap(const ConfigNode& node) : node_(node) {
  const YamlNode::Kind kind = node.yaml().kind;
  if (kind != YamlNode::Kind::kMap && kind != YamlNode::Kind::kNull) {
    node.Fail(absl::StrCat("found ", Describe(node.yaml()), ", want keys with values"));
  }
}

std::optional<ConfigNode> ConfigMap::Take(absl::string_view key) {
  known_.emplace_back(key);
  for (const auto& [name, value] : node_.yaml().entries) {
    if (name.text == key && value.kind != YamlNode::Kind::kNull) return node_.Child(value, key);
  }
  return std::nullopt;
}

std::optional<ConfigNode> ConfigMap::Require(absl::string_view key, absl::string_view wanted) {
  auto node = Take(key);
  if (!node.has_value()) {
    node_.Child(node_.yaml(), key).Fail(absl::StrCat("missing, want ", wanted));
  }
  return node;
}

void ConfigMap::Finish() const {
  for (const auto& [key, value] : node_.yaml().entries) {
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    if (key.text.find('=') != std::string::npos) {
      // "{device: net_tap0,iface=x}" is two entries to YAML.
      node_.Child(key, key.text)
          .Fail("unknown key; a value with a comma in it needs quotes, or a line of its own");
      continue;
    }
    const std::string meant = DidYouMean(key.text, known_);
    node_.Child(key, key.text)
        .Fail(meant.empty()
                  ? absl::StrCat("unknown key, want one of: ", absl::StrJoin(known_, ", "))
                  : absl::StrCat("unknown key, did you mean '", meant, "'?"));
  }
}

}  // namespace sekisho::slowpath
