#include "fastpath/esp_crypto.h"

#include <cstring>

namespace sekisho::fastpath {
namespace {

constexpr size_t kCcmSaltBytes = 3;

// SPI and sequence number, with its high half between them where ESN (RFC 4106, 5; RFC 4309, 5;
// RFC 7634, 2.1).
void WriteAad(const EspLayout& layout, const uint8_t* esp, uint64_t sequence, PacketPrivate& priv) {
  std::memcpy(priv.aad, esp, 4);
  if (layout.esn) {
    StoreBigEndian<uint64_t>(priv.aad + 4, sequence);
  } else {
    std::memcpy(priv.aad + 4, esp + 4, 4);
  }
}

uint8_t AadBytes(const EspLayout& layout) {
  if (layout.kind != CryptoKind::kAead) return 0;
  return static_cast<uint8_t>(kEspHeaderBytes + (layout.esn ? kEsnBytes : 0));
}

// Salt and explicit IV: a nonce (RFC 4106, 4; RFC 4309, 4; RFC 4543, 3.2; RFC 7634, 2), and with
// CTR the counter behind them (RFC 3686, 4).
void WriteNonce(const EspLayout& layout, const uint8_t* iv, PacketPrivate& priv) {
  const size_t salt = layout.nonce == NonceForm::kCcm ? kCcmSaltBytes : sizeof(layout.salt);
  std::memcpy(priv.iv, layout.salt, sizeof(layout.salt));
  std::memcpy(priv.iv + salt, iv, kSaltedIvBytes);
  if (layout.nonce == NonceForm::kCounter) {
    StoreBigEndian<uint32_t>(priv.iv + salt + kSaltedIvBytes, 1);
  }
}

// The IV in an outbound packet.
void WriteIv(const OutboundSa& sa, uint8_t* iv, uint64_t sequence) {
  if (sa.layout.iv_bytes == 0) return;
  if (sa.layout.nonce != NonceForm::kRandom) {
    // Unique is enough (RFC 4106, 3.1): the sequence number never repeats under a key.
    StoreBigEndian<uint64_t>(iv, sequence);
    return;
  }
  // CBC's IV must be unpredictable (RFC 3602, 3): it is a nonce encrypted under the same key (NIST
  // SP 800-38A, appendix C). The nonce is put where the IV goes and encrypted in place, with an IV
  // of zeros, as the block before the plaintext: what comes out is the IV and the packet under it.
  if (sa.layout.iv_bytes == sizeof(sequence)) {  // 3DES
    StoreBigEndian<uint64_t>(iv, sequence ^ sa.iv_secret);
    return;
  }
  std::memcpy(iv, &sa.iv_secret, sizeof(sa.iv_secret));
  StoreBigEndian<uint64_t>(iv + sizeof(sa.iv_secret), sequence);
}

// The high half of the sequence number is hashed after the packet and not sent (RFC 4303, 2.2.1).
void AppendEsn(uint64_t sequence, CryptoJob& job, uint8_t* at) {
  StoreBigEndian<uint32_t>(at, static_cast<uint32_t>(sequence >> 32));
  job.auth_bytes += uint32_t{kEsnBytes};
}

// GMAC wants the high half between SPI and low half (RFC 4543, 3.3), in one piece with the rest:
// the SPI gives way to the left, over the end of the outer header, until RestoreHeaders().
struct Displaced {
  uint8_t bytes[4];
  uint16_t esp;
};
static_assert(sizeof(Displaced) <= sizeof(PacketPrivate::aad));

void InsertEsn(uint64_t sequence, size_t esp, PacketPrivate& priv, CryptoJob& job) {
  uint8_t* header = DataOf(job.mbuf) + esp;
  Displaced displaced = {.bytes = {}, .esp = static_cast<uint16_t>(esp)};
  std::memcpy(displaced.bytes, header - kEsnBytes, kEsnBytes);
  std::memcpy(priv.aad, &displaced, sizeof(displaced));
  std::memcpy(header - kEsnBytes, header, 4);
  StoreBigEndian<uint32_t>(header, static_cast<uint32_t>(sequence >> 32));
  job.auth_offset -= uint32_t{kEsnBytes};
  job.auth_bytes += uint32_t{kEsnBytes};
}

}  // namespace

void EncryptJobOf(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                  uint64_t sequence, CryptoJob& job) {
  const EspLayout& layout = sa.layout;
  PacketPrivate& priv = PrivateOf(mbuf);
  uint8_t* header = DataOf(mbuf) + esp;
  uint8_t* iv = header + kEspHeaderBytes;
  WriteIv(sa, iv, sequence);
  const bool iv_is_encrypted = layout.nonce == NonceForm::kRandom;
  const size_t cipher = esp + kEspHeaderBytes + (iv_is_encrypted ? 0 : layout.iv_bytes);
  const size_t icv = esp + kEspHeaderBytes + layout.iv_bytes + encrypted;
  job = {.mbuf = mbuf,
         .session = sa.session,
         .cipher_offset = static_cast<uint32_t>(cipher),
         .cipher_bytes = static_cast<uint32_t>(icv - cipher),
         .auth_offset = static_cast<uint32_t>(esp),
         .auth_bytes = static_cast<uint32_t>(icv - esp),
         .icv = DataOf(mbuf) + icv,
         .kind = layout.kind,
         .icv_bytes = layout.icv_bytes,
         .aad_bytes = AadBytes(layout)};
  if (iv_is_encrypted) {
    std::memset(priv.iv, 0, sizeof(priv.iv));
  } else if (layout.iv_bytes != 0) {
    WriteNonce(layout, iv, priv);
  }
  if (layout.kind == CryptoKind::kAead) {
    WriteAad(layout, header, sequence, priv);
  } else if (DisplacesSpi(layout)) {
    InsertEsn(sequence, esp, priv, job);
  } else if (layout.esn) {
    // It stands where the ICV goes, which is written only when all of it was read, and is no
    // shorter.
    AppendEsn(sequence, job, job.icv);
  }
}

bool DecryptJobOf(const InboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
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
         .kind = layout.kind,
         .icv_bytes = layout.icv_bytes,
         .aad_bytes = AadBytes(layout)};
  if (layout.nonce == NonceForm::kRandom) {
    std::memcpy(priv.iv, iv, layout.iv_bytes);
  } else if (layout.iv_bytes != 0) {
    WriteNonce(layout, iv, priv);
  }
  if (layout.kind == CryptoKind::kAead) {
    WriteAad(layout, header, sequence, priv);
    return true;
  }
  if (!layout.esn) return true;
  if (DisplacesSpi(layout)) {
    InsertEsn(sequence, esp, priv, job);
    return true;
  }
  // It takes the place of the ICV, which moves back by as much.
  if (rte_pktmbuf_tailroom(mbuf) < kEsnBytes) return false;
  std::memmove(job.icv + kEsnBytes, job.icv, layout.icv_bytes);
  AppendEsn(sequence, job, job.icv);
  job.icv += kEsnBytes;
  return true;
}

void PutBackSpi(rte_mbuf* mbuf) {
  Displaced displaced;
  std::memcpy(&displaced, PrivateOf(mbuf).aad, sizeof(displaced));
  uint8_t* header = DataOf(mbuf) + displaced.esp;
  std::memcpy(header, header - kEsnBytes, 4);
  std::memcpy(header - kEsnBytes, displaced.bytes, kEsnBytes);
}

}  // namespace sekisho::fastpath
