// common/ip_range.h: an inclusive range of addresses of one family.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ip_address.h"

namespace sekisho {

struct IpRange {
  IpAddress first;
  IpAddress last;  // inclusive; same family as first, and not before it

  static IpRange All(IpFamily family) { return {IpAddress::Any(family), IpAddress::Last(family)}; }
  static IpRange Single(const IpAddress& address) { return {address, address}; }
  // "192.0.2.1", "192.0.2.0/24" or "192.0.2.1-192.0.2.9", and the same for IPv6.
  static absl::StatusOr<IpRange> Parse(absl::string_view text);

  IpFamily family() const { return first.family(); }
  bool Contains(const IpAddress& address) const {
    return address.family() == family() && first <= address && address <= last;
  }
  bool Contains(const IpRange& other) const {
    return Contains(other.first) && Contains(other.last);
  }
  bool is_single() const { return first == last; }
  std::optional<IpRange> Intersect(const IpRange& other) const;
  // A prefix where it is one, else "first-last".
  std::string ToString() const;

  friend auto operator<=>(const IpRange&, const IpRange&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpRange& range) {
    return H::combine(std::move(h), range.first, range.last);
  }
};

}  // namespace sekisho
