#include "common/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho {

IpAddress IpAddress::FromBytes(IpFamily family, ByteSpan bytes) {
  SEKISHO_CHECK(bytes.size() == AddressBytes(family));
  IpAddress address = Any(family);
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::V4(ByteSpan bytes) { return FromBytes(IpFamily::kIpv4, bytes); }
IpAddress IpAddress::V6(ByteSpan bytes) { return FromBytes(IpFamily::kIpv6, bytes); }

IpAddress IpAddress::Last(IpFamily family) {
  IpAddress address = Any(family);
  std::fill_n(address.bytes_.begin(), AddressBytes(family), uint8_t{0xff});
  return address;
}

absl::StatusOr<IpAddress> IpAddress::Parse(absl::string_view text) {
  const std::string terminated(text);
  std::array<uint8_t, 16> bytes;
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1)
    return V4(ByteSpan(bytes).first(4));
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return V6(bytes);
  return absl::InvalidArgumentError(
      absl::StrCat("found '", text, "', want an IPv4 or IPv6 address"));
}

uint32_t IpAddress::v4() const {
  SEKISHO_DCHECK(is_v4());
  return LoadBigEndian<uint32_t>(bytes_.data());
}

bool IpAddress::is_any() const { return *this == Any(family_); }

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_broadcast() const { return is_v4() && *this == Last(family_); }

IpAddress IpAddress::Next() const { return Plus(1); }

IpAddress IpAddress::Previous() const {
  IpAddress result = *this;
  for (size_t i = AddressBytes(family_); i-- > 0;) {
    if (result.bytes_[i]-- != 0) break;
  }
  return result;
}

IpAddress IpAddress::Plus(uint64_t offset) const {
  IpAddress result = *this;
  uint64_t carry = offset;
  for (size_t i = AddressBytes(family_); i-- > 0 && carry != 0;) {
    const uint64_t sum = result.bytes_[i] + (carry & 0xff);
    result.bytes_[i] = static_cast<uint8_t>(sum);
    carry = (carry >> 8) + (sum >> 8);
  }
  return result;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  const char* result = inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  SEKISHO_CHECK(result != nullptr);
  return text;
}

}  // namespace sekisho
