// The frames that ask where a neighbour is.
#include "common/check.h"
#include "slowpath/neighbour_resolver.h"

namespace sekisho::slowpath {
namespace {

constexpr size_t kFrameMin = 60;  // Ethernet's 64 without the checksum
constexpr uint16_t kEtherTypeArp = 0x0806;
constexpr uint16_t kEtherTypeIpv4 = 0x0800;
constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// The Internet checksum (RFC 1071) over whole 16-bit words.
uint32_t SumWords(ByteSpan bytes, uint32_t sum) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += LoadBigEndian<uint16_t>(&bytes[i]);
  return sum;
}
uint16_t FoldSum(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Bytes Padded(ByteWriter frame) {
  if (frame.size() < kFrameMin) frame.WriteZeros(kFrameMin - frame.size());
  return std::move(frame).Take();
}

// RFC 4291, 2.7.1: ff02::1:ffXX:XXXX, from the last 24 bits.
IpAddress SolicitedNode(const IpAddress& target) {
  Bytes bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0};
  std::copy(target.bytes().end() - 3, target.bytes().end(), bytes.end() - 3);
  return IpAddress::V6(bytes);
}

// RFC 2464, 7: 33:33 and the last four bytes.
MacAddress MulticastMac(const IpAddress& group) {
  MacAddress mac = {0x33, 0x33};
  std::copy(group.bytes().end() - 4, group.bytes().end(), mac.begin() + 2);
  return mac;
}

}  // namespace

Bytes BuildArpRequest(const MacAddress& our_mac, const IpAddress& our_address,
                      const IpAddress& target, const std::optional<MacAddress>& target_mac) {
  SEKISHO_CHECK(our_address.is_v4() && target.is_v4());
  ByteWriter frame;
  frame.WriteBytes(target_mac.value_or(kBroadcastMac));
  frame.WriteBytes(our_mac);
  frame.WriteU16(kEtherTypeArp);
  frame.WriteU16(1);  // hardware: Ethernet
  frame.WriteU16(kEtherTypeIpv4);
  frame.WriteU8(6);   // length of a hardware address
  frame.WriteU8(4);   // length of a protocol address
  frame.WriteU16(1);  // request
  frame.WriteBytes(our_mac);
  frame.WriteBytes(our_address.bytes());
  frame.WriteZeros(6);  // what is asked for
  frame.WriteBytes(target.bytes());
  return Padded(std::move(frame));
}

Bytes BuildNeighbourSolicitation(const MacAddress& our_mac, const IpAddress& our_address,
                                 const IpAddress& target,
                                 const std::optional<MacAddress>& target_mac) {
  SEKISHO_CHECK(our_address.is_v6() && target.is_v6());
  const IpAddress destination = target_mac.has_value() ? target : SolicitedNode(target);

  ByteWriter message;  // RFC 4861, 4.3
  message.WriteU8(135);
  message.WriteU8(0);
  message.WriteU16(0);  // checksum, below
  message.WriteU32(0);
  message.WriteBytes(target.bytes());
  message.WriteU8(1);  // option: source link-layer address
  message.WriteU8(1);  // of 8 bytes
  message.WriteBytes(our_mac);

  constexpr uint8_t kIcmpv6 = 58;
  uint32_t sum = kIcmpv6 + static_cast<uint32_t>(message.size());  // RFC 8200, 8.1
  sum = SumWords(our_address.bytes(), sum);
  sum = SumWords(destination.bytes(), sum);
  sum = SumWords(message.span(), sum);
  message.Patch<uint16_t>(2, FoldSum(sum));

  ByteWriter frame;
  frame.WriteBytes(target_mac.value_or(MulticastMac(destination)));
  frame.WriteBytes(our_mac);
  frame.WriteU16(kEtherTypeIpv6);
  frame.WriteU32(6u << 28);
  frame.WriteU16(static_cast<uint16_t>(message.size()));
  frame.WriteU8(kIcmpv6);
  frame.WriteU8(255);  // RFC 4861, 7.1.1: proves that it was not routed
  frame.WriteBytes(our_address.bytes());
  frame.WriteBytes(destination.bytes());
  frame.WriteBytes(message.span());
  return Padded(std::move(frame));
}

}  // namespace sekisho::slowpath
