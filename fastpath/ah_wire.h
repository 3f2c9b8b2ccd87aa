// fastpath/ah_wire.h: the shape of an AH header (RFC 4302, 2), and the place beside a packet where
// its headers are kept while the ICV is computed over what they look like to AH.
//
//     next header | payload length | reserved | SPI | sequence number | IV (GMAC), ICV, padding
#pragma once

#include <cstring>

#include "fastpath/crypto_backend.h"
#include "fastpath/mbuf.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

inline constexpr size_t kAhHeaderBytes = 12;  // up to the authentication data
inline constexpr size_t kAhEsnBytes = 4;      // high half, hashed after the packet (2.5.1)

// The headers of a packet, `bytes` long, are copied out of it and back: into the headroom in front
// of it, or where the headers of two nested SAs over IPv6 have used that up, to the end of its
// buffer. Requires, for the place to be the same both times: the packet begins and ends where it
// did.
inline bool HasRoomToKeep(const rte_mbuf* mbuf, size_t bytes, size_t added_in_front = 0) {
  const size_t headroom = rte_pktmbuf_headroom(mbuf);
  return headroom >= added_in_front + bytes ||
         (headroom >= added_in_front && rte_pktmbuf_tailroom(mbuf) >= bytes + kAhEsnBytes);
}
inline uint8_t* PlaceToKeep(rte_mbuf* mbuf, size_t bytes) {
  if (rte_pktmbuf_headroom(mbuf) >= bytes) return DataOf(mbuf) - bytes;
  return static_cast<uint8_t*>(mbuf->buf_addr) + mbuf->buf_len - bytes;
}
inline void KeepHeaders(rte_mbuf* mbuf, size_t bytes) {
  std::memcpy(PlaceToKeep(mbuf, bytes), DataOf(mbuf), bytes);
}
inline void PutBackHeaders(rte_mbuf* mbuf, size_t bytes) {
  std::memcpy(DataOf(mbuf), PlaceToKeep(mbuf, bytes), bytes);
}

// The job over a whole packet whose AH stands at `ah`, with zeros where the ICV goes; ICV and, with
// ESN, sequence number are in place. False: no room behind the packet for the number's high half.
inline bool AhJob(const EspLayout& layout, const CryptoSession& session, rte_mbuf* mbuf, size_t ah,
                  uint64_t sequence, uint8_t* icv, CryptoJob& job) {
  job = {.mbuf = mbuf,
         .session = session,
         .cipher_offset = 0,
         .cipher_bytes = 0,
         .auth_offset = 0,
         .auth_bytes = mbuf->data_len,
         .icv = icv,
         .kind = CryptoKind::kIntegrity,
         .icv_bytes = layout.icv_bytes,
         .aad_bytes = 0};
  if (layout.iv_bytes != 0) {  // GMAC's nonce: salt and IV (RFC 4543, 3.2)
    uint8_t* nonce = PrivateOf(mbuf).iv;
    std::memcpy(nonce, layout.salt, sizeof(layout.salt));
    std::memcpy(nonce + sizeof(layout.salt), DataOf(mbuf) + ah + kAhHeaderBytes, layout.iv_bytes);
  }
  if (!layout.esn) return true;
  if (rte_pktmbuf_tailroom(mbuf) < kAhEsnBytes) return false;
  StoreBigEndian<uint32_t>(DataOf(mbuf) + mbuf->data_len, static_cast<uint32_t>(sequence >> 32));
  job.auth_bytes += uint32_t{kAhEsnBytes};
  return true;
}

}  // namespace sekisho::fastpath
