#include "fastpath/transport_header.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/checksum_offload.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kProtocolDccp = 33;
constexpr uint8_t kProtocolUdpLite = 136;

size_t ExtensionBytes(uint8_t type, const uint8_t* header) {
  return type == IPPROTO_FRAGMENT ? 8 : (size_t{header[1]} + 1) * 8;
}

bool IsExtension(uint8_t type) {
  return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT ||
         type == IPPROTO_DSTOPTS;
}

ClearHeaders Ipv4Headers(ByteSpan packet) {
  return {.bytes = static_cast<uint16_t>((packet[0] & 0xf) * 4), .next_at = 9};
}

ByteSpan Addresses(const uint8_t* packet) {
  return packet[0] >> 4 == 4 ? ByteSpan(packet + 12, 8) : ByteSpan(packet + 8, 32);
}

// From the upper-layer header to its checksum; 0: has none that covers addresses.
size_t ChecksumOffset(uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return 16;
    case IPPROTO_UDP:
    case kProtocolUdpLite:
    case kProtocolDccp:
      return 6;
    case IPPROTO_ICMPV6:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

ClearHeaders ClearHeadersOf(ByteSpan packet) {
  if (packet[0] >> 4 == 4) return Ipv4Headers(packet);
  ClearHeaders headers = {.bytes = kIpv6HeaderBytes, .next_at = 6};
  uint8_t next = packet[6];
  size_t at = kIpv6HeaderBytes;
  size_t next_at = 6;
  while (IsExtension(next) && at + 8 <= packet.size()) {
    const uint8_t type = next;
    next_at = at;
    next = packet[at];
    at += ExtensionBytes(type, &packet[at]);
    // Destination options wait for what follows them: for the last destination only, they are
    // better encrypted.
    if (type != IPPROTO_DSTOPTS) {
      headers = {.bytes = static_cast<uint16_t>(at), .next_at = static_cast<uint16_t>(next_at)};
    }
  }
  return headers;
}

ClearHeaders HeadersBefore(ByteSpan packet, size_t end) {
  if (packet[0] >> 4 == 4) return Ipv4Headers(packet);
  ClearHeaders headers = {.bytes = static_cast<uint16_t>(end), .next_at = 6};
  uint8_t next = packet[6];
  for (size_t at = kIpv6HeaderBytes; at < end;) {
    headers.next_at = static_cast<uint16_t>(at);
    const uint8_t type = next;
    next = packet[at];
    at += ExtensionBytes(type, &packet[at]);
  }
  return headers;
}

void SetFollowing(uint8_t* packet, const ClearHeaders& headers, uint8_t protocol,
                  size_t total_bytes) {
  packet[headers.next_at] = protocol;
  if (packet[0] >> 4 == 6) {
    StoreBigEndian<uint16_t>(packet + 4, static_cast<uint16_t>(total_bytes - kIpv6HeaderBytes));
    return;
  }
  StoreBigEndian<uint16_t>(packet + 2, static_cast<uint16_t>(total_bytes));
  packet[10] = packet[11] = 0;
  const uint16_t checksum = ChecksumFrom(OnesSum({packet, headers.bytes}));
  std::memcpy(packet + 10, &checksum, sizeof checksum);
}

uint16_t SumOfAddresses(const uint8_t* packet) { return OnesSum(Addresses(packet)); }

uint8_t* TransportChecksum(rte_mbuf* mbuf, const PacketContext& context) {
  if (context.checksum_due) return nullptr;
  const size_t offset = ChecksumOffset(context.protocol);
  // ICMPv6 in IPv4 is no ICMP at all.
  if (offset == 0 || (context.protocol == IPPROTO_ICMPV6 && context.family == 4)) return nullptr;
  if (context.l4_offset + offset + 2 > mbuf->data_len) return nullptr;
  uint8_t* checksum = DataOf(mbuf) + context.l4_offset + offset;
  const bool none = context.protocol == IPPROTO_UDP && checksum[0] == 0 && checksum[1] == 0;
  return none ? nullptr : checksum;
}

void ExchangeInChecksum(uint8_t* checksum, uint8_t protocol, uint16_t before, uint16_t after) {
  uint16_t value;
  std::memcpy(&value, checksum, sizeof value);
  value = UpdatedChecksum(value, before, after);
  if (protocol == IPPROTO_UDP && value == 0) value = 0xffff;  // RFC 768: zero says none
  std::memcpy(checksum, &value, sizeof value);
}

void ReplaceAddressesInChecksum(rte_mbuf* mbuf, const PacketContext& context, uint16_t before) {
  uint8_t* checksum = TransportChecksum(mbuf, context);
  const uint16_t after = SumOfAddresses(DataOf(mbuf));
  if (checksum == nullptr || before == after) return;
  ExchangeInChecksum(checksum, context.protocol, before, after);
}

void RemakeChecksum(rte_mbuf* mbuf, PacketContext& context) {
  // Which part of their packets the others cover is their own affair.
  if (context.protocol != IPPROTO_TCP && context.protocol != IPPROTO_UDP &&
      context.protocol != IPPROTO_ICMPV6) {
    return;
  }
  uint8_t* checksum = TransportChecksum(mbuf, context);
  if (checksum == nullptr) return;
  const size_t rest = mbuf->data_len - size_t{context.l4_offset};
  const size_t bytes = context.protocol == IPPROTO_UDP
                           ? LoadBigEndian<uint16_t>(DataOf(mbuf) + context.l4_offset + 4)
                           : rest;
  if (bytes == rest && context.protocol != IPPROTO_ICMPV6) return PutOffChecksum(context);
  const ByteSpan addresses = Addresses(DataOf(mbuf));
  const size_t half = addresses.size() / 2;
  checksum[0] = checksum[1] = 0;
  const uint16_t sum =
      OnesSumWithPseudoHeader(addresses.first(half), addresses.subspan(half), context.protocol,
                              SpanOf(mbuf).subspan(context.l4_offset, bytes));
  const uint16_t value = context.protocol == IPPROTO_UDP ? UdpChecksumFrom(sum) : ChecksumFrom(sum);
  std::memcpy(checksum, &value, sizeof value);
}

}  // namespace sekisho::fastpath
