// tests/fastpath/packet_builder.h: packets that read like packets:
//
//     Ipv4("10.0.0.1", "10.0.0.2").Udp(4500, 4500).Esp(spi, 1).Payload(bytes).Build()
//
// Each call adds a header behind the last; Build() fills in lengths, next protocols and checksums.
// What was set by hand with Patch() stays, checksums are then the caller's.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/ip_address.h"
#include "common/messages.h"
#include "tests/fastpath/eal_environment.h"

namespace sekisho::fastpath {

class PacketBuilder {
 public:
  PacketBuilder& Ethernet(const MacAddress& to, const MacAddress& from);  // must be the first
  PacketBuilder& Ip(const IpAddress& source, const IpAddress& destination);
  // Of the IP header added last.
  PacketBuilder& TrafficClass(uint8_t value);
  PacketBuilder& Ttl(uint8_t value);
  PacketBuilder& DontFragment();
  PacketBuilder& Id(uint16_t value);
  // Fragment offset in bytes; a multiple of 8.
  PacketBuilder& Fragment(uint16_t offset, bool more);

  PacketBuilder& Udp(uint16_t source, uint16_t destination);
  PacketBuilder& Tcp(uint16_t source, uint16_t destination);
  PacketBuilder& IcmpEcho(uint16_t id, uint16_t sequence, bool reply = false);  // either family
  PacketBuilder& Esp(uint32_t spi, uint32_t sequence);
  // Another upper-layer protocol, without a header of its own.
  PacketBuilder& Protocol(uint8_t number);
  PacketBuilder& Payload(ByteSpan bytes);
  PacketBuilder& Payload(size_t count, uint8_t first = 0);  // first, first + 1, ...
  // Overwrites bytes of the finished packet.
  PacketBuilder& Patch(size_t at, Bytes bytes);

  Bytes Build() const;
  // The same in a buffer of TestPool(), the data at the first header.
  MbufPtr BuildMbuf() const;

 private:
  struct Layer {
    enum class Kind : uint8_t { kEthernet, kIpv4, kIpv6, kUdp, kTcp, kIcmp, kIcmp6, kOther };
    Kind kind;
    size_t offset;
    uint8_t protocol;  // what an IP header before it says
  };
  PacketBuilder& Add(Layer::Kind kind, uint8_t protocol, size_t bytes);
  uint8_t* LastIp();
  uint8_t* LastLayer() { return bytes_.data() + layers_.back().offset; }

  Bytes bytes_;
  std::vector<Layer> layers_;
  std::vector<std::pair<size_t, Bytes>> patches_;
};

PacketBuilder Ethernet(const MacAddress& to, const MacAddress& from);
PacketBuilder Ip(const IpAddress& source, const IpAddress& destination);
PacketBuilder Ipv4(const char* source, const char* destination);
PacketBuilder Ipv6(const char* source, const char* destination);

// An address that must parse.
IpAddress Address(const char* text);
// Bytes from hexadecimal digits; spaces are skipped.
Bytes FromHex(const char* text);
// A buffer of TestPool() with these bytes and a fresh context.
MbufPtr MakeMbuf(ByteSpan bytes);
Bytes BytesOf(const rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
