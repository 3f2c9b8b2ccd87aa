// What comes off the wire, through parse: frames first, then the same bytes as they would come out
// of a tunnel; and the short cuts' looks against it. Needs no EAL: the packet buffer stands on the
// stack.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "common/check.h"
#include "fastpath/local_addresses.h"
#include "fastpath/packet_context.h"
#include "fastpath/parse.h"
#include "fastpath/plain_frame.h"
#include "fastpath/plain_ip.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kPacketBytesMax = 2048;
constexpr MacAddress kOwnMac = {2, 0, 0, 0, 0, 1};

struct Buffer {
  rte_mbuf mbuf;
  alignas(16) uint8_t private_area[sizeof(PacketPrivate)];
};

LocalAddresses OwnAddresses() {
  const std::array<InterfaceAddress, 2> own = {*InterfaceAddress::Parse("203.0.113.1/24"),
                                               *InterfaceAddress::Parse("2001:db8::1/64")};
  LocalAddresses local;
  local.AddPort(PortId{0}, PortSide::kOutside, kOwnMac, own);
  return local;
}

// Exactly as large as its bytes, so that a sanitizer sees a read behind their end.
class Packet {
 public:
  Packet(const uint8_t* bytes, size_t size) : data_(new uint8_t[size]) {
    std::copy_n(bytes, size, data_.get());
    rte_mbuf& mbuf = buffer_.mbuf;
    mbuf.buf_addr = data_.get();
    mbuf.buf_len = mbuf.data_len = static_cast<uint16_t>(size);
    mbuf.pkt_len = static_cast<uint32_t>(size);
    mbuf.nb_segs = 1;
  }
  rte_mbuf* mbuf() { return &buffer_.mbuf; }

 private:
  const std::unique_ptr<uint8_t[]> data_;
  alignas(64) Buffer buffer_ = {};
};

void Parse(const uint8_t* bytes, size_t size, bool frame) {
  static const LocalAddresses local = OwnAddresses();
  Packet packet(bytes, size);
  PacketContext context = {};
  context.decapsulated = !frame;
  const bool parsed = frame ? ParseFrame(packet.mbuf(), kOwnMac, /*vlan=*/0, context)
                            : ParseIp(packet.mbuf(), context);
  if (parsed && context.kind != PacketKind::kArp) ClassifyLocal(packet.mbuf(), local, context);
}

// What the short look takes for plain, the long one takes for the same packet.
void Compare(const uint8_t* bytes, size_t size) {
  Packet one(bytes, size), other(bytes, size);
  PacketContext plain = {}, parsed = {};
  const size_t plain_bytes = PlainIpv4Bytes(DataOf(one.mbuf()), one.mbuf()->data_len);
  if (plain_bytes == 0) return;
  DescribePlainIpv4(DataOf(one.mbuf()), plain);
  SEKISHO_CHECK(ParseIp(other.mbuf(), parsed));
  SEKISHO_CHECK(plain_bytes == other.mbuf()->data_len);
  SEKISHO_CHECK(std::memcmp(&plain, &parsed, sizeof plain) == 0);
}

// The same of frames: what is plain goes on as IP, whatever stands behind its header.
void CompareFrames(const uint8_t* bytes, size_t size) {
  WorkerPort port;
  port.mac = kOwnMac;
  std::memcpy(&port.mac_raw, kOwnMac.data(), kOwnMac.size());
  Packet one(bytes, size), other(bytes, size);
  const IpFamilyOrNone family = PlainFrame(one.mbuf(), port);
  if (family == IpFamilyOrNone::kNone) return;
  PacketContext context = {};
  if (ParseFrame(other.mbuf(), kOwnMac, /*vlan=*/0, context)) {
    SEKISHO_CHECK(context.family == static_cast<uint8_t>(family) && !context.fragment);
  } else {
    SEKISHO_CHECK(context.reason != DropReason::kIpv4Checksum &&
                  context.reason != DropReason::kEthernetNotForUs);
  }
}

}  // namespace
}  // namespace sekisho::fastpath

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > sekisho::fastpath::kPacketBytesMax) return 0;
  sekisho::fastpath::Parse(bytes, size, /*frame=*/true);
  sekisho::fastpath::Parse(bytes, size, /*frame=*/false);
  sekisho::fastpath::Compare(bytes, size);
  sekisho::fastpath::CompareFrames(bytes, size);
  return 0;
}
