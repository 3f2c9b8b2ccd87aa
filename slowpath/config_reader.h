// slowpath/config_reader.h: walks a YamlNode, knows where it is, and collects what is wrong.
//
// Section readers take the keys that they know from a ConfigMap and call Finish(); every error goes
// to one ConfigErrors and reading goes on, so that a person sees all errors of a file at once.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "slowpath/yaml.h"

namespace sekisho::slowpath {

class ConfigErrors {
 public:
  explicit ConfigErrors(std::string path) : path_(std::move(path)) {}

  void Add(int line, absl::string_view where, absl::string_view message);
  void Warn(int line, absl::string_view where, absl::string_view message);
  bool empty() const { return errors_.empty(); }
  // By line; at most kConfigErrorsMax.
  absl::Status ToStatus() const;
  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }
  const std::string& path() const { return path_; }

 private:
  std::string Format(int line, absl::string_view where, absl::string_view message) const;

  std::string path_;
  std::vector<std::pair<int, std::string>> errors_;
  std::vector<std::string> warnings_;
};

// One value with its place: "pools.staff4.addresses". Node and errors outlive it.
class ConfigNode {
 public:
  ConfigNode(const YamlNode& node, std::string where, ConfigErrors& errors)
      : node_(&node), where_(std::move(where)), errors_(&errors) {}

  const YamlNode& yaml() const { return *node_; }
  const std::string& where() const { return where_; }
  ConfigErrors& errors() const { return *errors_; }
  void Fail(absl::string_view message) const { errors_->Add(node_->line, where_, message); }
  void Warn(absl::string_view message) const { errors_->Warn(node_->line, where_, message); }

  // The scalar's text; nullopt, with an error that says what is wanted, for anything else.
  std::optional<std::string> Text(absl::string_view wanted) const;
  // The items of a sequence; a scalar counts as a sequence of one.
  std::vector<ConfigNode> Items() const;
  // Name and value of each entry of a map, in the file's order; names are checked.
  std::vector<std::pair<std::string, ConfigNode>> Named() const;
  ConfigNode Child(const YamlNode& node, absl::string_view key) const;

  // parse(text) -> absl::StatusOr<Value>, whose error becomes ours. False: `value` is as before.
  template <typename Parser, typename Value>
  bool Parse(Parser parse, Value& value) const {
    const std::optional<std::string> text = Text("a value");
    if (!text.has_value()) return false;
    auto parsed = parse(*text);
    if (!parsed.ok()) {
      Fail(parsed.status().message());
      return false;
    }
    value = *std::move(parsed);
    return true;
  }
  template <typename Parser, typename Value>
  void ParseList(Parser parse, std::vector<Value>& values) const {
    values.clear();
    for (const ConfigNode& item : Items()) {
      Value value{};
      if (item.Parse(parse, value)) values.push_back(std::move(value));
    }
  }

 private:
  const YamlNode* node_;
  std::string where_;
  ConfigErrors* errors_;
};

// A map with keys that are known beforehand.
class ConfigMap {
 public:
  // An error, and as good as empty, if the node is not a map.
  explicit ConfigMap(const ConfigNode& node);

  const ConfigNode& node() const { return node_; }
  // The value of a key, if it is there and not empty. From here on the key is a known one.
  std::optional<ConfigNode> Take(absl::string_view key);
  // Likewise, with an error "missing, want ..." where it is not there.
  std::optional<ConfigNode> Require(absl::string_view key, absl::string_view wanted);
  // `value` keeps its default where the key is not there.
  template <typename Parser, typename Value>
  bool Read(absl::string_view key, Parser parse, Value& value) {
    const auto node = Take(key);
    return node.has_value() && node->Parse(parse, value);
  }
  template <typename Parser, typename Value>
  void ReadList(absl::string_view key, Parser parse, std::vector<Value>& values) {
    if (const auto node = Take(key)) node->ParseList(parse, values);
  }
  // Every key that was never asked for is an error.
  void Finish() const;

 private:
  ConfigNode node_;
  std::vector<std::string> known_;
};

// The one of `names` that `name` was probably meant to be; empty where none is near.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& names);

}  // namespace sekisho::slowpath
