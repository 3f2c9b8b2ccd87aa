#include "fastpath/esp_crypto.h"

#include <cstring>

#include "fastpath/esp_trailer.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kAeadIvBytes = 8;

// SPI and sequence number, with its high half between them where ESN (RFC 4106, 5).
void WriteAad(const EspLayout& layout, const uint8_t* esp, uint64_t sequence, PacketPrivate& priv) {
  std::memcpy(priv.aad, esp, 4);
  if (layout.esn) {
    StoreBigEndian<uint64_t>(priv.aad + 4, sequence);
  } else {
    std::memcpy(priv.aad + 4, esp + 4, 4);
  }
}

// Salt and explicit IV (RFC 4106, 4; RFC 7634, 2).
void WriteNonce(const EspLayout& layout, const uint8_t* iv, PacketPrivate& priv) {
  std::memcpy(priv.iv, layout.salt, sizeof(layout.salt));
  std::memcpy(priv.iv + sizeof(layout.salt), iv, kAeadIvBytes);
}

// The IV in an outbound packet.
void WriteIv(const OutboundSa& sa, uint8_t* iv, uint64_t sequence) {
  if (sa.layout.aead) {
    // Unique is enough (RFC 4106, 3.1): the sequence number never repeats under a key.
    StoreBigEndian<uint64_t>(iv, sequence);
    return;
  }
  // CBC's IV must be unpredictable (RFC 3602, 3): it is a nonce encrypted under the same key (NIST
  // SP 800-38A, appendix C). The nonce is put where the IV goes and encrypted in place, with an IV
  // of zeros, as the block before the plaintext: what comes out is the IV and the packet under it.
  std::memcpy(iv, &sa.iv_secret, sizeof(sa.iv_secret));
  StoreBigEndian<uint64_t>(iv + sizeof(sa.iv_secret), sequence);
}

// The high half of the sequence number is hashed after the packet and not sent (RFC 4303, 2.2.1).
void AppendEsn(uint64_t sequence, CryptoJob& job, uint8_t* at) {
  StoreBigEndian<uint32_t>(at, static_cast<uint32_t>(sequence >> 32));
  job.auth_bytes += kEsnBytes;
}

}  // namespace

CryptoJob EncryptJob(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                     uint64_t sequence) {
  PacketPrivate& priv = PrivateOf(mbuf);
  uint8_t* header = DataOf(mbuf) + esp;
  uint8_t* iv = header + kEspHeaderBytes;
  WriteIv(sa, iv, sequence);
  const size_t iv_bytes = sa.layout.iv_bytes;
  const size_t cipher = esp + kEspHeaderBytes + (sa.layout.aead ? iv_bytes : 0);
  const size_t icv = esp + kEspHeaderBytes + iv_bytes + encrypted;
  CryptoJob job = {.mbuf = mbuf,
                   .session = sa.session,
                   .cipher_offset = static_cast<uint32_t>(cipher),
                   .cipher_bytes = static_cast<uint32_t>(icv - cipher),
                   .auth_offset = static_cast<uint32_t>(esp),
                   .auth_bytes = static_cast<uint32_t>(icv - esp),
                   .icv = DataOf(mbuf) + icv,
                   .aead = sa.layout.aead};
  if (sa.layout.aead) {
    WriteNonce(sa.layout, iv, priv);
    WriteAad(sa.layout, header, sequence, priv);
    return job;
  }
  std::memset(priv.iv, 0, sizeof(priv.iv));
  // It stands where the ICV goes, which is written only when all of it was read, and is no shorter.
  if (sa.layout.esn) AppendEsn(sequence, job, job.icv);
  return job;
}

bool DecryptJob(const InboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                uint64_t sequence, CryptoJob& job) {
  const EspLayout& layout = sa.layout;
  PacketPrivate& priv = PrivateOf(mbuf);
  const uint8_t* header = DataOf(mbuf) + esp;
  const uint8_t* iv = header + kEspHeaderBytes;
  const size_t cipher = esp + kEspHeaderBytes + layout.iv_bytes;
  job = {.mbuf = mbuf,
         .session = sa.session,
         .cipher_offset = static_cast<uint32_t>(cipher),
         .cipher_bytes = static_cast<uint32_t>(encrypted),
         .auth_offset = static_cast<uint32_t>(esp),
         .auth_bytes = static_cast<uint32_t>(cipher - esp + encrypted),
         .icv = DataOf(mbuf) + cipher + encrypted,
         .aead = layout.aead};
  if (layout.aead) {
    WriteNonce(layout, iv, priv);
    WriteAad(layout, header, sequence, priv);
    return true;
  }
  std::memcpy(priv.iv, iv, sizeof(priv.iv));
  if (!layout.esn) return true;
  // It takes the place of the ICV, which moves back by as much.
  if (rte_pktmbuf_tailroom(mbuf) < kEsnBytes) return false;
  std::memmove(job.icv + kEsnBytes, job.icv, layout.icv_bytes);
  AppendEsn(sequence, job, job.icv);
  job.icv += kEsnBytes;
  return true;
}

}  // namespace sekisho::fastpath
