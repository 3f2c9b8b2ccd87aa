// common/ip_address.h: one IPv4 or IPv6 address.
//
// Trivially copyable, so that it may travel on a ring. Bytes are in network order. Addresses order
// first by family, then as the numbers they are.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"

namespace sekisho {

enum class IpFamily : uint8_t { kIpv4 = 4, kIpv6 = 6 };

constexpr int AddressBits(IpFamily family) { return family == IpFamily::kIpv4 ? 32 : 128; }
constexpr size_t AddressBytes(IpFamily family) { return family == IpFamily::kIpv4 ? 4 : 16; }

class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static constexpr IpAddress V4(uint32_t host_order) {
    IpAddress address;
    for (int i = 0; i < 4; ++i) {
      address.bytes_[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
    }
    return address;
  }
  // Requires: 4 bytes for IPv4 (V4), 16 for IPv6 (V6), in network order.
  static IpAddress V4(ByteSpan bytes);
  static IpAddress V6(ByteSpan bytes);
  static IpAddress FromBytes(IpFamily family, ByteSpan bytes);
  static constexpr IpAddress Any(IpFamily family) {
    IpAddress address;
    address.family_ = family;
    return address;
  }
  // All bits set: 255.255.255.255 or its IPv6 likeness.
  static IpAddress Last(IpFamily family);
  // "192.0.2.1", "2001:db8::1". No zone, no port, no prefix length.
  static absl::StatusOr<IpAddress> Parse(absl::string_view text);

  IpFamily family() const { return family_; }
  bool is_v4() const { return family_ == IpFamily::kIpv4; }
  bool is_v6() const { return family_ == IpFamily::kIpv6; }
  // 4 or 16 bytes, network order; lives as long as this address.
  ByteSpan bytes() const { return {bytes_.data(), AddressBytes(family_)}; }
  // Host order. Requires: is_v4().
  uint32_t v4() const;
  bool is_any() const;
  bool is_multicast() const;
  bool is_link_local() const;
  bool is_broadcast() const;  // 255.255.255.255
  // The next and the previous number; wraps.
  IpAddress Next() const;
  IpAddress Previous() const;
  // This address plus `offset`, as a number of its width; wraps.
  IpAddress Plus(uint64_t offset) const;

  std::string ToString() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& address) {
    return H::combine(std::move(h), address.family_, address.bytes_);
  }

 private:
  IpFamily family_ = IpFamily::kIpv4;
  std::array<uint8_t, 16> bytes_ = {};  // the last 12 are zero for IPv4
};
static_assert(std::is_trivially_copyable_v<IpAddress> && sizeof(IpAddress) == 17);

}  // namespace sekisho
