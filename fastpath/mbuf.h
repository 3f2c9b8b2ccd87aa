// fastpath/mbuf.h: typed access to the bytes of a packet buffer.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>

#include "common/bytes.h"
#include "common/check.h"

namespace sekisho::fastpath {

inline uint8_t* DataOf(rte_mbuf* mbuf) {
  return static_cast<uint8_t*>(mbuf->buf_addr) + mbuf->data_off;
}

// The header that stands `offset` bytes after the start of the data. Requires: a packed or byte
// header type, and a length that the caller has checked.
template <typename T>
T* HeaderAt(rte_mbuf* mbuf, size_t offset = 0) {
  static_assert(alignof(T) <= 4);
  SEKISHO_DCHECK(offset + sizeof(T) <= mbuf->data_len);
  return reinterpret_cast<T*>(DataOf(mbuf) + offset);
}

// The bytes of a single-segment packet; they live as long as the packet is not changed.
inline ByteSpan SpanOf(rte_mbuf* mbuf) { return {DataOf(mbuf), mbuf->data_len}; }

// Cuts a single-segment packet to its first `length` bytes. Requires: length <= data_len.
inline void TrimTo(rte_mbuf* mbuf, size_t length) {
  SEKISHO_DCHECK(length <= mbuf->data_len && mbuf->nb_segs == 1);
  mbuf->data_len = static_cast<uint16_t>(length);
  mbuf->pkt_len = static_cast<uint32_t>(length);
}

// Moves the start of the data forward, over `bytes` that are done with. Requires: bytes <=
// data_len.
inline void StripFront(rte_mbuf* mbuf, size_t bytes) {
  SEKISHO_DCHECK(bytes <= mbuf->data_len);
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + bytes);
  mbuf->data_len = static_cast<uint16_t>(mbuf->data_len - bytes);
  mbuf->pkt_len -= static_cast<uint32_t>(bytes);
}

}  // namespace sekisho::fastpath
