// fastpath/ipsec_mb_session.h: a suite with its keys as Intel IPsec-MB wants them: what
// IpsecMbBackend keeps per SA and direction. Written once on the slow path, then read by a worker.
#pragma once

#include <intel-ipsec-mb.h>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"
#include "fastpath/crypto_backend.h"
#include "fastpath/eal_slab.h"

namespace sekisho::fastpath {

// CryptoSession::detail: what the session's handle points to, so that nobody has to look there to
// know it.
enum class IpsecMbCall : uint8_t {
  kGcm128,  // a gcm_key_data; a direct call
  kGcm192,
  kGcm256,
  kGmac128,  // the same; three direct calls
  kGmac192,
  kGmac256,
  kJob,  // an IpsecMbJobSession; a job among others in a burst
};
inline IpsecMbCall CallOf(const CryptoSession& session) {
  return static_cast<IpsecMbCall>(session.detail);
}

// The library's calls for keys of one length.
struct IpsecMbGcmCalls {
  aes_gcm_enc_dec_t encrypt, decrypt;
  aes_gcm_pre_t expand;
  aes_gmac_init_t gmac_init;
  aes_gmac_update_t gmac_update;
  aes_gmac_finalize_t gmac_finalize;
};
IpsecMbGcmCalls GcmCallsOf(const IMB_MGR& manager, IpsecMbCall call);

struct alignas(64) IpsecMbJobSession {
  const void* keys_of_job;  // in `keys`, or nullptr
  IMB_CIPHER_MODE cipher;
  IMB_HASH_ALG hash;
  IMB_CIPHER_DIRECTION direction;
  IMB_CHAIN_ORDER order;
  uint8_t icv_bytes;
  uint8_t iv_bytes;                    // of PacketPrivate::iv
  uint8_t aad_bytes;                   // AEAD
  uint8_t key_bytes;                   // of the cipher
  bool is_long;                        // 3DES: of the other slab
  alignas(64) uint8_t hmac_inner[64];  // state after the key's block, xor ipad and opad (RFC 2104)
  uint8_t hmac_outer[64];
  union {
    alignas(16) uint8_t aes[16 * 15];  // of the direction
    uint8_t chacha[32];
  } keys;
};
static_assert(sizeof(IpsecMbJobSession) == 7 * 64);

// What a session says of each of its jobs. `aad`: of the packet, for AEADs.
inline void FillFromSession(const IpsecMbJobSession& session, const uint8_t* aad, IMB_JOB& job) {
  job.enc_keys = session.keys_of_job;
  job.dec_keys = session.keys_of_job;
  job.key_len_in_bytes = session.key_bytes;
  job.iv_len_in_bytes = session.iv_bytes;
  job.auth_tag_output_len_in_bytes = session.icv_bytes;
  job.cipher_mode = session.cipher;
  job.cipher_direction = session.direction;
  job.hash_alg = session.hash;
  job.chain_order = session.order;
  if (session.cipher == IMB_CIPHER_CCM) {
    job.u.CCM.aad = aad;
    job.u.CCM.aad_len_in_bytes = session.aad_bytes;
  } else if (session.cipher == IMB_CIPHER_CHACHA20_POLY1305) {
    job.u.CHACHA20_POLY1305.aad = aad;
    job.u.CHACHA20_POLY1305.aad_len_in_bytes = session.aad_bytes;
  } else {
    job.u.HMAC._hashed_auth_key_xor_ipad = session.hmac_inner;
    job.u.HMAC._hashed_auth_key_xor_opad = session.hmac_outer;
  }
}

// Does the library have this suite?
bool IpsecMbHas(const IpsecSuite& suite);

// All sessions of a backend. Slow path; those that it made are read by workers.
class IpsecMbSessions {
 public:
  IpsecMbSessions();
  // In EAL memory. Requires: IpsecMbHas(suite). Errors: key sizes, no memory.
  absl::StatusOr<CryptoSession> Create(IMB_MGR& manager, const IpsecSuite& suite,
                                       CryptoDirection direction, ByteSpan encryption_key,
                                       ByteSpan integrity_key);
  // Wipes and frees.
  void Free(const CryptoSession& session);

 private:
  EalSlab gcm_, jobs_, long_jobs_;
};

}  // namespace sekisho::fastpath
