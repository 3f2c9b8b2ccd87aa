#include "fastpath/ip_header.h"

#include <cstring>

#include "common/byte_order.h"
#include "fastpath/checksum.h"

namespace sekisho::fastpath {

void WriteIpHeader(uint8_t* to, const IpHeaderFields& fields) {
  const size_t header_bytes = IpHeaderBytes(fields.source.family());
  const size_t address_bytes = AddressBytes(fields.source.family());
  std::memset(to, 0, header_bytes);
  if (fields.source.is_v4()) {
    to[0] = 0x45;
    StoreBigEndian<uint16_t>(to + 2, static_cast<uint16_t>(header_bytes + fields.payload_bytes));
    StoreBigEndian<uint16_t>(to + 4, fields.ipv4_id);
    to[8] = fields.ttl;
    to[9] = fields.protocol;
  } else {
    to[0] = 0x60;
    StoreBigEndian<uint16_t>(to + 4, fields.payload_bytes);
    to[6] = fields.protocol;
    to[7] = fields.ttl;
  }
  uint8_t* addresses = to + header_bytes - 2 * address_bytes;
  std::memcpy(addresses, fields.source.bytes().data(), address_bytes);
  std::memcpy(addresses + address_bytes, fields.destination.bytes().data(), address_bytes);
  if (fields.source.is_v4()) {
    const uint16_t checksum = ChecksumFrom(OnesSum({to, header_bytes}));
    std::memcpy(to + 10, &checksum, sizeof checksum);
  }
}

}  // namespace sekisho::fastpath
