#include "slowpath/yaml.h"

#include <yaml-cpp/yaml.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::slowpath {
namespace {

// Copies yaml-cpp's tree. Aliases are copied out, which is why nodes are counted: nine lines of
// nested aliases would otherwise fill the memory.
class Converter {
 public:
  explicit Converter(const std::string& path) : path_(path) {}

  absl::StatusOr<YamlNode> Convert(const YAML::Node& from) {
    YamlNode node;
    node.line = from.Mark().line + 1;
    if (++nodes_ > kYamlNodesMax)
      return Error(node.line, "too large, with its aliases written out");
    switch (from.Type()) {
      case YAML::NodeType::Scalar:
        node.kind = YamlNode::Kind::kScalar;
        node.text = from.Scalar();
        break;
      case YAML::NodeType::Sequence:
        node.kind = YamlNode::Kind::kSequence;
        for (const auto& item : from) {
          SEKISHO_ASSIGN_OR_RETURN(YamlNode converted, Convert(item));
          node.items.push_back(std::move(converted));
        }
        break;
      case YAML::NodeType::Map:
        SEKISHO_RETURN_IF_ERROR(ConvertMap(from, node));
        break;
      default:
        break;
    }
    return node;
  }

 private:
  absl::Status ConvertMap(const YAML::Node& from, YamlNode& node) {
    node.kind = YamlNode::Kind::kMap;
    std::set<std::string> seen;
    for (const auto& entry : from) {
      SEKISHO_ASSIGN_OR_RETURN(YamlNode key, Convert(entry.first));
      SEKISHO_ASSIGN_OR_RETURN(YamlNode value, Convert(entry.second));
      if (key.kind != YamlNode::Kind::kScalar) {
        return Error(key.line, "found a key that is not plain text, want 'key: value'");
      }
      if (!seen.insert(key.text).second) {
        return Error(key.line, absl::StrCat("found key '", key.text, "' a second time"));
      }
      node.entries.push_back({std::move(key), std::move(value)});
    }
    return absl::OkStatus();
  }

  absl::Status Error(int line, absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", line, ": ", message));
  }

  const std::string& path_;
  size_t nodes_ = 0;
};

}  // namespace

absl::StatusOr<YamlNode> ParseYaml(const std::string& path, const std::string& text) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty()) return YamlNode{};
    if (documents.size() > 1) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", documents[1].Mark().line + 1,
                                                     ": found a second document, want one"));
    }
    return Converter(path).Convert(documents[0]);
  } catch (const YAML::Exception& exception) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", exception.mark.line + 1, ": not YAML: ", exception.msg));
  } catch (const std::exception& exception) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":1: not YAML: ", exception.what()));
  }
}

}  // namespace sekisho::slowpath
