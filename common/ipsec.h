// common/ipsec.h: the words of RFC 4301 for what an SA does to a packet.
#pragma once

#include <cstdint>

namespace sekisho {

// By their IP protocol numbers.
enum class IpsecProtocol : uint8_t {
  kEsp = 50,  // RFC 4303
  kAh = 51,   // RFC 4302
};

enum class IpsecMode : uint8_t {
  kTunnel,     // around a whole IP packet
  kTransport,  // between the IP header and what it carries
};

constexpr const char* Name(IpsecProtocol protocol) {  // "esp"
  return protocol == IpsecProtocol::kEsp ? "esp" : "ah";
}
constexpr const char* Name(IpsecMode mode) {  // "tunnel"
  return mode == IpsecMode::kTunnel ? "tunnel" : "transport";
}

}  // namespace sekisho
