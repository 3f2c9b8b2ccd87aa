#include "common/ip_range.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/ip_prefix.h"
#include "common/status_macros.h"

namespace sekisho {

absl::StatusOr<IpRange> IpRange::Parse(absl::string_view text) {
  const size_t dash = text.find('-');
  if (dash == absl::string_view::npos) {
    SEKISHO_ASSIGN_OR_RETURN(const IpPrefix prefix, IpPrefix::Parse(text));
    return prefix.ToRange();
  }
  SEKISHO_ASSIGN_OR_RETURN(const IpAddress first, IpAddress::Parse(text.substr(0, dash)));
  SEKISHO_ASSIGN_OR_RETURN(const IpAddress last, IpAddress::Parse(text.substr(dash + 1)));
  if (first.family() != last.family() || last < first) {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "', want two addresses of one family, the lower one first"));
  }
  return IpRange{first, last};
}

std::optional<IpRange> IpRange::Intersect(const IpRange& other) const {
  if (family() != other.family()) return std::nullopt;
  const IpRange result{std::max(first, other.first), std::min(last, other.last)};
  if (result.last < result.first) return std::nullopt;
  return result;
}

std::string IpRange::ToString() const {
  if (const auto prefix = IpPrefix::FromRange(*this)) return prefix->ToString();
  return absl::StrCat(first.ToString(), "-", last.ToString());
}

}  // namespace sekisho
