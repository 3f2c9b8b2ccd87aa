// common/ip_prefix.h: a network, as address and prefix length.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ip_address.h"
#include "common/ip_range.h"

namespace sekisho {

class IpPrefix {
 public:
  IpPrefix() = default;  // 0.0.0.0/0
  // Clears the host bits. Requires: 0 <= length <= AddressBits(address.family()).
  IpPrefix(const IpAddress& address, int length);
  // "192.0.2.0/24", "2001:db8::/32", or an address alone (/32, /128). Host bits must be zero.
  static absl::StatusOr<IpPrefix> Parse(absl::string_view text);
  // The prefix that covers exactly this range, if one does.
  static std::optional<IpPrefix> FromRange(const IpRange& range);
  // The shortest list of prefixes that together are the range, in ascending order.
  static std::vector<IpPrefix> Cover(const IpRange& range);

  const IpAddress& address() const { return address_; }
  int length() const { return length_; }
  IpFamily family() const { return address_.family(); }
  bool Contains(const IpAddress& address) const;
  IpRange ToRange() const;
  // "192.0.2.0/24"; always with its length.
  std::string ToString() const;

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpAddress address_;
  uint8_t length_ = 0;
};

// An interface's address with the length of its network: "192.0.2.1/24". Host bits are kept.
struct InterfaceAddress {
  IpAddress address;
  int length = 0;

  static absl::StatusOr<InterfaceAddress> Parse(absl::string_view text);
  IpPrefix network() const { return IpPrefix(address, length); }
  std::string ToString() const;
  friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

}  // namespace sekisho
