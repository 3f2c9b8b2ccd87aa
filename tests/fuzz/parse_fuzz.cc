// What comes off the wire, through parse: frames first, then the same bytes as they would come out
// of a tunnel. Needs no EAL: the packet buffer stands on the stack.
#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "fastpath/local_addresses.h"
#include "fastpath/packet_context.h"
#include "fastpath/parse.h"

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

void Parse(const uint8_t* bytes, size_t size, bool frame) {
  static const LocalAddresses local = OwnAddresses();
  // Exactly as large as the packet, so that a sanitizer sees a read behind its end.
  const std::unique_ptr<uint8_t[]> data(new uint8_t[size]);
  std::memcpy(data.get(), bytes, size);
  alignas(64) Buffer buffer = {};
  buffer.mbuf.buf_addr = data.get();
  buffer.mbuf.buf_len = static_cast<uint16_t>(size);
  buffer.mbuf.data_len = static_cast<uint16_t>(size);
  buffer.mbuf.pkt_len = static_cast<uint32_t>(size);
  buffer.mbuf.nb_segs = 1;
  PacketContext context = {};
  context.decapsulated = !frame;
  const bool parsed = frame ? ParseFrame(&buffer.mbuf, kOwnMac, /*vlan=*/0, context)
                            : ParseIp(&buffer.mbuf, context);
  if (parsed && context.kind != PacketKind::kArp) ClassifyLocal(&buffer.mbuf, local, context);
}

}  // namespace
}  // namespace sekisho::fastpath

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > sekisho::fastpath::kPacketBytesMax) return 0;
  sekisho::fastpath::Parse(bytes, size, /*frame=*/true);
  sekisho::fastpath::Parse(bytes, size, /*frame=*/false);
  return 0;
}
