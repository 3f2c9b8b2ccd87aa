#include "common/endpoint.h"

#include "absl/strings/str_cat.h"

namespace sekisho {

std::string Endpoint::ToString() const {
  if (address.is_v6()) return absl::StrCat("[", address.ToString(), "]:", port);
  return absl::StrCat(address.ToString(), ":", port);
}

}  // namespace sekisho
