#include "common/ip_prefix.h"

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace sekisho {
namespace {

// `address` with the bits after the first `length` set to `bit`.
IpAddress FillHostBits(const IpAddress& address, int length, bool bit) {
  std::array<uint8_t, 16> bytes = {};
  const ByteSpan from = address.bytes();
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    const int kept_bits = std::min(8, std::max(0, length - 8 * i));
    const uint8_t keep = static_cast<uint8_t>(0xff00 >> kept_bits);
    bytes[i] = static_cast<uint8_t>((from[i] & keep) | (bit ? ~keep : 0));
  }
  return IpAddress::FromBytes(address.family(), ByteSpan(bytes).first(from.size()));
}

int TrailingZeroBits(const IpAddress& address) {
  const ByteSpan bytes = address.bytes();
  int count = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    if (bytes[i] != 0) return count + std::countr_zero(bytes[i]);
    count += 8;
  }
  return count;
}

}  // namespace

IpPrefix::IpPrefix(const IpAddress& address, int length)
    : address_(FillHostBits(address, length, false)), length_(static_cast<uint8_t>(length)) {
  SEKISHO_CHECK(length >= 0 && length <= AddressBits(address.family()));
}

absl::StatusOr<IpPrefix> IpPrefix::Parse(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(const InterfaceAddress parsed, InterfaceAddress::Parse(text));
  const IpPrefix prefix = parsed.network();
  if (prefix.address() != parsed.address) {
    return absl::InvalidArgumentError(absl::StrCat("found '", text, "', which has bits set after /",
                                                   parsed.length, ", want '", prefix.ToString(),
                                                   "'"));
  }
  return prefix;
}

std::optional<IpPrefix> IpPrefix::FromRange(const IpRange& range) {
  const int bits = AddressBits(range.family());
  for (int length = bits; length >= 0; --length) {
    const IpPrefix prefix(range.first, length);
    if (prefix.address() != range.first) return std::nullopt;
    if (prefix.ToRange().last == range.last) return prefix;
  }
  return std::nullopt;
}

std::vector<IpPrefix> IpPrefix::Cover(const IpRange& range) {
  std::vector<IpPrefix> prefixes;
  const int bits = AddressBits(range.family());
  IpAddress next = range.first;
  while (true) {
    // The largest aligned block at `next` that does not pass the end.
    int length = bits - TrailingZeroBits(next);
    while (IpPrefix(next, length).ToRange().last > range.last) ++length;
    prefixes.emplace_back(next, length);
    const IpAddress last = prefixes.back().ToRange().last;
    if (last == range.last) return prefixes;
    next = last.Next();
  }
}

bool IpPrefix::Contains(const IpAddress& address) const { return ToRange().Contains(address); }

IpRange IpPrefix::ToRange() const { return {address_, FillHostBits(address_, length_, true)}; }

std::string IpPrefix::ToString() const { return absl::StrCat(address_.ToString(), "/", length_); }

absl::StatusOr<InterfaceAddress> InterfaceAddress::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  SEKISHO_ASSIGN_OR_RETURN(const IpAddress address, IpAddress::Parse(text.substr(0, slash)));
  int length = AddressBits(address.family());
  if (slash != absl::string_view::npos) {
    const absl::string_view digits = text.substr(slash + 1);
    const int most = length;
    if (!absl::SimpleAtoi(digits, &length) || length < 0 || length > most) {
      return absl::InvalidArgumentError(absl::StrCat(
          "found '", text, "', want a prefix length of 0 to ", most, " after the slash"));
    }
  }
  return InterfaceAddress{address, length};
}

std::string InterfaceAddress::ToString() const {
  return absl::StrCat(address.ToString(), "/", length);
}

}  // namespace sekisho
