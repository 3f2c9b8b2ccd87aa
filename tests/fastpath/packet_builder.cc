#include "tests/fastpath/packet_builder.h"

#include <netinet/in.h>

#include <cctype>
#include <cstring>

#include "common/byte_order.h"
#include "common/check.h"
#include "fastpath/hand_over.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {
namespace {

uint32_t Sum(ByteSpan bytes, uint32_t sum = 0) {
  for (size_t i = 0; i < bytes.size(); ++i) sum += uint32_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  return sum;
}

uint16_t Fold(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Addresses, length and protocol of the pseudo-header (RFC 768; RFC 8200, 8.1).
uint32_t PseudoHeaderSum(ByteSpan ip, bool v4, uint8_t protocol, size_t length) {
  const ByteSpan addresses = v4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
  return Sum(addresses, protocol + static_cast<uint32_t>(length));
}

}  // namespace

PacketBuilder& PacketBuilder::Add(Layer::Kind kind, uint8_t protocol, size_t bytes) {
  layers_.push_back({kind, bytes_.size(), protocol});
  bytes_.resize(bytes_.size() + bytes);
  return *this;
}

PacketBuilder& PacketBuilder::Ethernet(const MacAddress& to, const MacAddress& from) {
  SEKISHO_CHECK(bytes_.empty());
  Add(Layer::Kind::kEthernet, 0, 14);
  std::memcpy(bytes_.data(), to.data(), 6);
  std::memcpy(bytes_.data() + 6, from.data(), 6);
  return *this;
}

PacketBuilder& PacketBuilder::Ip(const IpAddress& source, const IpAddress& destination) {
  if (source.is_v4()) {
    Add(Layer::Kind::kIpv4, IPPROTO_IPIP, 20);
    uint8_t* at = LastLayer();
    at[0] = 0x45;
    at[8] = 64;
    std::memcpy(at + 12, source.bytes().data(), 4);
    std::memcpy(at + 16, destination.bytes().data(), 4);
  } else {
    Add(Layer::Kind::kIpv6, IPPROTO_IPV6, 40);
    uint8_t* at = LastLayer();
    at[0] = 0x60;
    at[6] = IPPROTO_NONE;
    at[7] = 64;
    std::memcpy(at + 8, source.bytes().data(), 16);
    std::memcpy(at + 24, destination.bytes().data(), 16);
  }
  return *this;
}

uint8_t* PacketBuilder::LastIp() {
  for (size_t i = layers_.size(); i-- > 0;) {
    const auto kind = layers_[i].kind;
    if (kind == Layer::Kind::kIpv4 || kind == Layer::Kind::kIpv6) {
      return bytes_.data() + layers_[i].offset;
    }
  }
  SEKISHO_CHECK(false);
  return nullptr;
}

PacketBuilder& PacketBuilder::TrafficClass(uint8_t value) {
  uint8_t* ip = LastIp();
  if (ip[0] >> 4 == 4) {
    ip[1] = value;
  } else {
    ip[0] = static_cast<uint8_t>(0x60 | value >> 4);
    ip[1] = static_cast<uint8_t>((ip[1] & 0x0f) | value << 4);
  }
  return *this;
}

PacketBuilder& PacketBuilder::Ttl(uint8_t value) {
  uint8_t* ip = LastIp();
  ip[ip[0] >> 4 == 4 ? 8 : 7] = value;
  return *this;
}

PacketBuilder& PacketBuilder::DontFragment() {
  LastIp()[6] |= 0x40;
  return *this;
}

PacketBuilder& PacketBuilder::Id(uint16_t value) {
  StoreBigEndian<uint16_t>(LastIp() + 4, value);
  return *this;
}

PacketBuilder& PacketBuilder::Fragment(uint16_t offset, bool more) {
  const auto field = static_cast<uint16_t>(offset / 8 | (more ? 0x2000 : 0));
  StoreBigEndian<uint16_t>(LastIp() + 6, field);
  return *this;
}

PacketBuilder& PacketBuilder::Udp(uint16_t source, uint16_t destination) {
  Add(Layer::Kind::kUdp, IPPROTO_UDP, 8);
  StoreBigEndian<uint16_t>(LastLayer(), source);
  StoreBigEndian<uint16_t>(LastLayer() + 2, destination);
  return *this;
}

PacketBuilder& PacketBuilder::Tcp(uint16_t source, uint16_t destination) {
  Add(Layer::Kind::kTcp, IPPROTO_TCP, 20);
  StoreBigEndian<uint16_t>(LastLayer(), source);
  StoreBigEndian<uint16_t>(LastLayer() + 2, destination);
  LastLayer()[12] = 5 << 4;
  return *this;
}

PacketBuilder& PacketBuilder::IcmpEcho(uint16_t id, uint16_t sequence, bool reply) {
  const bool v4 = LastIp()[0] >> 4 == 4;
  if (v4) {
    Add(Layer::Kind::kIcmp, IPPROTO_ICMP, 8);
    LastLayer()[0] = reply ? 0 : 8;
  } else {
    Add(Layer::Kind::kIcmp6, IPPROTO_ICMPV6, 8);
    LastLayer()[0] = reply ? 129 : 128;
  }
  StoreBigEndian<uint16_t>(LastLayer() + 4, id);
  StoreBigEndian<uint16_t>(LastLayer() + 6, sequence);
  return *this;
}

PacketBuilder& PacketBuilder::Esp(uint32_t spi, uint32_t sequence) {
  Add(Layer::Kind::kOther, IPPROTO_ESP, 8);
  StoreBigEndian<uint32_t>(LastLayer(), spi);
  StoreBigEndian<uint32_t>(LastLayer() + 4, sequence);
  return *this;
}

PacketBuilder& PacketBuilder::Protocol(uint8_t number) {
  return Add(Layer::Kind::kOther, number, 0);
}

PacketBuilder& PacketBuilder::Payload(ByteSpan bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

PacketBuilder& PacketBuilder::Payload(size_t count, uint8_t first) {
  for (size_t i = 0; i < count; ++i) bytes_.push_back(static_cast<uint8_t>(first + i));
  return *this;
}

PacketBuilder& PacketBuilder::Patch(size_t at, Bytes bytes) {
  patches_.emplace_back(at, std::move(bytes));
  return *this;
}

Bytes PacketBuilder::Build() const {
  Bytes bytes = bytes_;
  // From the innermost out, so that a checksum covers finished bytes.
  for (size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    uint8_t* at = bytes.data() + layer.offset;
    const size_t length = bytes.size() - layer.offset;
    const uint8_t next = i + 1 < layers_.size() ? layers_[i + 1].protocol : uint8_t{IPPROTO_NONE};
    uint32_t pseudo = 0;
    if (i > 0 && layers_[i - 1].kind == Layer::Kind::kIpv4) {
      pseudo = PseudoHeaderSum(ByteSpan(bytes).subspan(layers_[i - 1].offset), true, layer.protocol,
                               length);
    } else if (i > 0 && layers_[i - 1].kind == Layer::Kind::kIpv6) {
      pseudo = PseudoHeaderSum(ByteSpan(bytes).subspan(layers_[i - 1].offset), false,
                               layer.protocol, length);
    }
    switch (layer.kind) {
      case Layer::Kind::kEthernet: {
        const bool v6 = i + 1 < layers_.size() && layers_[i + 1].kind == Layer::Kind::kIpv6;
        StoreBigEndian<uint16_t>(at + 12, v6 ? 0x86dd : 0x0800);
        break;
      }
      case Layer::Kind::kIpv4:
        StoreBigEndian<uint16_t>(at + 2, static_cast<uint16_t>(length));
        at[9] = next;
        StoreBigEndian<uint16_t>(at + 10, Fold(Sum({at, 20})));
        break;
      case Layer::Kind::kIpv6:
        StoreBigEndian<uint16_t>(at + 4, static_cast<uint16_t>(length - 40));
        at[6] = next;
        break;
      case Layer::Kind::kUdp: {
        StoreBigEndian<uint16_t>(at + 4, static_cast<uint16_t>(length));
        const bool esp = next == IPPROTO_ESP && layers_[i - 1].kind == Layer::Kind::kIpv4;
        const uint16_t checksum = Fold(Sum({at, length}, pseudo));
        // RFC 3948, 2.1: zero around ESP over IPv4.
        StoreBigEndian<uint16_t>(at + 6, esp ? 0 : checksum == 0 ? 0xffff : checksum);
        break;
      }
      case Layer::Kind::kTcp:
        StoreBigEndian<uint16_t>(at + 16, Fold(Sum({at, length}, pseudo)));
        break;
      case Layer::Kind::kIcmp:
        StoreBigEndian<uint16_t>(at + 2, Fold(Sum({at, length})));
        break;
      case Layer::Kind::kIcmp6:
        StoreBigEndian<uint16_t>(at + 2, Fold(Sum({at, length}, pseudo)));
        break;
      case Layer::Kind::kOther:
        break;
    }
  }
  for (const auto& [at, patch] : patches_) {
    SEKISHO_CHECK(at + patch.size() <= bytes.size());
    std::memcpy(bytes.data() + at, patch.data(), patch.size());
  }
  return bytes;
}

MbufPtr PacketBuilder::BuildMbuf() const { return MakeMbuf(Build()); }

PacketBuilder Ethernet(const MacAddress& to, const MacAddress& from) {
  return PacketBuilder().Ethernet(to, from);
}
PacketBuilder Ip(const IpAddress& source, const IpAddress& destination) {
  return PacketBuilder().Ip(source, destination);
}
PacketBuilder Ipv4(const char* source, const char* destination) {
  return Ip(Address(source), Address(destination));
}
PacketBuilder Ipv6(const char* source, const char* destination) {
  return Ip(Address(source), Address(destination));
}

IpAddress Address(const char* text) {
  const auto address = IpAddress::Parse(text);
  SEKISHO_CHECK(address.ok());
  return *address;
}

Bytes FromHex(const char* text) {
  Bytes bytes;
  bool high = true;
  for (const char* at = text; *at != '\0'; ++at) {
    if (std::isspace(static_cast<unsigned char>(*at)) != 0) continue;
    SEKISHO_CHECK(std::isxdigit(static_cast<unsigned char>(*at)) != 0);
    const int digit = std::isdigit(static_cast<unsigned char>(*at)) != 0
                          ? *at - '0'
                          : std::tolower(static_cast<unsigned char>(*at)) - 'a' + 10;
    if (high) {
      bytes.push_back(static_cast<uint8_t>(digit << 4));
    } else {
      bytes.back() = static_cast<uint8_t>(bytes.back() | digit);
    }
    high = !high;
  }
  SEKISHO_CHECK(high);
  return bytes;
}

MbufPtr MakeMbuf(ByteSpan bytes) {
  MbufPtr mbuf(rte_pktmbuf_alloc(TestPool()));
  SEKISHO_CHECK(mbuf != nullptr);
  TakeFromDpdk(mbuf.get());
  char* at = rte_pktmbuf_append(mbuf.get(), static_cast<uint16_t>(bytes.size()));
  SEKISHO_CHECK(at != nullptr);
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  ContextOf(mbuf.get()) = PacketContext{};
  return mbuf;
}

Bytes BytesOf(const rte_mbuf* mbuf) {
  SEKISHO_CHECK(mbuf->nb_segs == 1);
  const auto* at = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  return Bytes(at, at + mbuf->data_len);
}

}  // namespace sekisho::fastpath
