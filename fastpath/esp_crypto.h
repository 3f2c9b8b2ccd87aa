// fastpath/esp_crypto.h: what a suite's cipher and integrity algorithm want to know of an ESP
// packet: IV, nonce, additional data, and the places in it. The one file that knows how algorithms
// differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/byte_order.h"
#include "fastpath/crypto_backend.h"
#include "fastpath/esp_trailer.h"
#include "fastpath/mbuf.h"
#include "fastpath/packet_context.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

inline constexpr size_t kSaltedIvBytes = 8;

// AEADs with four bytes of salt, without ESN: what nearly every SA has.
inline bool IsSimpleAead(const EspLayout& layout) {
  return layout.kind == CryptoKind::kAead && layout.nonce == NonceForm::kSaltAndIv && !layout.esn;
}
// Both directions: nonce (RFC 4106, 4; RFC 7634, 2), additional data (RFC 4106, 5) and places. The
// IV is in the packet.
inline void SimpleAeadJob(const EspLayout& layout, const CryptoSession& session, rte_mbuf* mbuf,
                          size_t esp, size_t encrypted, CryptoJob& job) {
  PacketPrivate& priv = PrivateOf(mbuf);
  uint8_t* header = DataOf(mbuf) + esp;
  const size_t cipher = esp + kEspHeaderBytes + kSaltedIvBytes;
  std::memcpy(priv.iv, layout.salt, sizeof(layout.salt));
  std::memcpy(priv.iv + sizeof(layout.salt), header + kEspHeaderBytes, kSaltedIvBytes);
  std::memcpy(priv.aad, header, kEspHeaderBytes);
  job.mbuf = mbuf;
  job.session = session;
  job.cipher_offset = static_cast<uint32_t>(cipher);
  job.cipher_bytes = static_cast<uint32_t>(encrypted);
  job.icv = header + kEspHeaderBytes + kSaltedIvBytes + encrypted;
  job.kind = CryptoKind::kAead;
  job.icv_bytes = layout.icv_bytes;
  job.aad_bytes = kEspHeaderBytes;
}

// Outbound. The ESP header, behind an IP header, stands `esp` bytes into the packet, complete;
// behind it comes room for the IV, which is written here, then `encrypted` bytes and room for the
// ICV.
void EncryptJobOf(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                  uint64_t sequence, CryptoJob& job);
inline void EncryptJob(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                       uint64_t sequence, CryptoJob& job) {
  if (!IsSimpleAead(sa.layout)) return EncryptJobOf(sa, mbuf, esp, encrypted, sequence, job);
  // Unique is enough for the IV (RFC 4106, 3.1): the sequence number never repeats under a key.
  StoreBigEndian<uint64_t>(DataOf(mbuf) + esp + kEspHeaderBytes, sequence);
  SimpleAeadJob(sa.layout, sa.session, mbuf, esp, encrypted, job);
}

// Inbound. The same places, of a packet as it came; where ESN without an AEAD the ICV moves back by
// four bytes, and false is returned when there is no room for that.
bool DecryptJobOf(const InboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                  uint64_t sequence, CryptoJob& job);
inline bool DecryptJob(const InboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                       uint64_t sequence, CryptoJob& job) {
  if (!IsSimpleAead(sa.layout)) return DecryptJobOf(sa, mbuf, esp, encrypted, sequence, job);
  SimpleAeadJob(sa.layout, sa.session, mbuf, esp, encrypted, job);
  return true;
}

// Both directions, of every packet that comes back from the backend, before anything looks at its
// headers: puts back what a job of this layout had to move in them.
void PutBackSpi(rte_mbuf* mbuf);
inline bool DisplacesSpi(const EspLayout& layout) {
  return layout.esn && layout.kind == CryptoKind::kIntegrity &&
         layout.nonce == NonceForm::kSaltAndIv;
}
inline void RestoreHeaders(const EspLayout& layout, rte_mbuf* mbuf) {
  if (DisplacesSpi(layout)) [[unlikely]]
    PutBackSpi(mbuf);
}

}  // namespace sekisho::fastpath
