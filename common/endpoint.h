// common/endpoint.h: an address and a UDP port.
#pragma once

#include <cstdint>
#include <string>

#include "common/ip_address.h"

namespace sekisho {

inline constexpr uint16_t kIkePort = 500;       // RFC 7296, 2
inline constexpr uint16_t kIkeNatTPort = 4500;  // RFC 7296, 2.23; RFC 3948

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host order

  // "192.0.2.1:500", "[2001:db8::1]:500"
  std::string ToString() const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Endpoint& endpoint) {
    return H::combine(std::move(h), endpoint.address, endpoint.port);
  }
};

}  // namespace sekisho
