#include "fastpath/tcp_mss.h"

#include <netinet/in.h>

#include <algorithm>

#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kTcpHeaderBytes = 20;
constexpr uint8_t kOptionEnd = 0, kOptionNone = 1, kOptionMss = 2;
constexpr size_t kOptionMssBytes = 4;

uint16_t SwapBytes(uint16_t value) { return static_cast<uint16_t>(value << 8 | value >> 8); }

// Replaces the two bytes at `at`, and the checksum accordingly (RFC 1624, 3). Options need not be
// aligned: across two words of the sum the bytes count the other way about.
void Replace(uint8_t* tcp, size_t at, uint16_t value) {
  uint16_t before = LoadBigEndian<uint16_t>(tcp + at);
  uint16_t after = value;
  if (at % 2 != 0) {
    before = SwapBytes(before);
    after = SwapBytes(after);
  }
  uint32_t sum = static_cast<uint16_t>(~LoadBigEndian<uint16_t>(tcp + 16));
  sum += static_cast<uint16_t>(~before);
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  StoreBigEndian<uint16_t>(tcp + 16, static_cast<uint16_t>(~sum));
  StoreBigEndian<uint16_t>(tcp + at, value);
}

}  // namespace

bool IsTcpSyn(rte_mbuf* mbuf, const PacketContext& context) {
  return context.protocol == IPPROTO_TCP && !context.fragment &&
         mbuf->data_len >= context.l4_offset + kTcpHeaderBytes &&
         HasSyn(DataOf(mbuf) + context.l4_offset);
}

void ClampMss(rte_mbuf* mbuf, const PacketContext& context, uint16_t mss_max) {
  uint8_t* tcp = DataOf(mbuf) + context.l4_offset;
  const size_t header = size_t{static_cast<uint8_t>(tcp[12] >> 4)} * 4;
  const size_t end = std::min<size_t>(header, mbuf->data_len - context.l4_offset);
  for (size_t at = kTcpHeaderBytes; at < end && tcp[at] != kOptionEnd;) {
    const size_t length = tcp[at] == kOptionNone ? 1 : at + 1 < end ? tcp[at + 1] : 0;
    if (length < (tcp[at] == kOptionNone ? 1u : 2u) || at + length > end) return;
    if (tcp[at] == kOptionMss && length == kOptionMssBytes &&
        LoadBigEndian<uint16_t>(tcp + at + 2) > mss_max) {
      Replace(tcp, at + 2, mss_max);
    }
    at += length;
  }
}

}  // namespace sekisho::fastpath
