#include "fastpath/ah_mutable_fields.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/ip_header.h"

namespace sekisho::fastpath {
namespace {

using Bytes = std::span<uint8_t>;

void Zero(Bytes bytes) { std::memset(bytes.data(), 0, bytes.size()); }

// RFC 4302, A1. What is not in its table of immutable options is zeroed whole.
bool IsImmutableIpv4Option(uint8_t type) {
  switch (type) {
    case 130:  // Security
    case 133:  // Extended Security
    case 134:  // Commercial Security
    case 148:  // Router Alert
    case 149:  // Sender Directed Multi-Destination Delivery
      return true;
    default:
      return false;
  }
}

bool ZeroIpv4Options(Bytes options) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    const size_t length = options[1];
    if (!IsImmutableIpv4Option(options[0])) Zero(options.first(length));
    options = options.subspan(length);
  }
  return true;
}

bool ZeroIpv4(Bytes header) {
  header[1] = 0;                // DSCP, ECN
  Zero(header.subspan(6, 2));   // flags, fragment offset
  header[8] = 0;                // TTL
  Zero(header.subspan(10, 2));  // checksum
  return ZeroIpv4Options(header.subspan(kIpv4HeaderBytes));
}

// RFC 4302, 3.3.3.1.2.1: the third-highest bit of an option's type says that its data may change.
bool ZeroIpv6Options(Bytes options) {
  constexpr uint8_t kPad1 = 0, kMayChange = 0x20;
  while (!options.empty()) {
    if (options[0] == kPad1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || size_t{options[1]} + 2 > options.size()) return false;
    const size_t length = options[1];
    if ((options[0] & kMayChange) != 0) Zero(options.subspan(2, length));
    options = options.subspan(2 + length);
  }
  return true;
}

// RFC 4302, 3.3.3.1.2.3: a routing header is covered as the last destination sees it: nothing left
// to visit, the last address as destination, the others moved on by one place. `header` is the IPv6
// header. Of the types there are, 0 and 2 hold addresses that way.
bool ForetellRouting(Bytes header, Bytes routing) {
  constexpr size_t kFixedBytes = 8, kAddressBytes = 16;
  const size_t left = routing[3];
  if (left == 0) return true;
  const size_t count = (routing.size() - kFixedBytes) / kAddressBytes;
  if ((routing[2] != 0 && routing[2] != 2) || left > count) return false;
  uint8_t* destination = header.data() + 24;
  for (size_t i = count - left; i < count; ++i) {
    uint8_t* address = routing.data() + kFixedBytes + i * kAddressBytes;
    uint8_t next[kAddressBytes];
    std::memcpy(next, address, kAddressBytes);
    std::memcpy(address, destination, kAddressBytes);
    std::memcpy(destination, next, kAddressBytes);
  }
  routing[3] = 0;
  return true;
}

bool ZeroIpv6(Bytes headers) {
  headers[0] = 0x60;  // the version alone: traffic class and flow label
  Zero(headers.subspan(1, 3));
  headers[7] = 0;  // hop limit
  uint8_t type = headers[6];
  for (size_t at = kIpv6HeaderBytes; at < headers.size();) {
    if (headers.size() - at < 8) return false;
    const size_t length = (size_t{headers[at + 1]} + 1) * 8;
    if (type == IPPROTO_FRAGMENT || length > headers.size() - at) return false;
    const Bytes extension = headers.subspan(at, length);
    if (type == IPPROTO_HOPOPTS || type == IPPROTO_DSTOPTS) {
      if (!ZeroIpv6Options(extension.subspan(2))) return false;
    } else if (type == IPPROTO_ROUTING) {
      if (!ForetellRouting(headers.first(kIpv6HeaderBytes), extension)) return false;
    }
    type = headers[at];
    at += length;
  }
  return true;
}

}  // namespace

bool ZeroMutableFields(std::span<uint8_t> headers) {
  return headers[0] >> 4 == 4 ? ZeroIpv4(headers) : ZeroIpv6(headers);
}

}  // namespace sekisho::fastpath
