// slowpath/show_json.h: help for the JSON halves of show_*.cc.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sekisho::slowpath {

// Keys in the order they were written.
using Json = nlohmann::ordered_json;

// A peer chooses its identity: what is not UTF-8 is replaced, and never throws.
inline std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

template <typename Values>
Json Strings(const Values& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(value.ToString());
  return list;
}

inline Json TimeJson(absl::Time time) {
  return time == absl::InfiniteFuture() ? Json(nullptr) : Json(absl::ToUnixSeconds(time));
}

}  // namespace sekisho::slowpath
