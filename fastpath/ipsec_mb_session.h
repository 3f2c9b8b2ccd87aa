// fastpath/ipsec_mb_session.h: a suite with its keys as Intel IPsec-MB wants them: what
// IpsecMbBackend keeps per SA and direction. Written once on the slow path, then read by a worker.
#pragma once

#include <intel-ipsec-mb.h>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"
#include "fastpath/crypto_backend.h"

namespace sekisho::fastpath {

// Also CryptoSession::detail, so that nobody has to look into a session to know what it is.
enum class IpsecMbCall : uint8_t {
  kGcm128,  // a direct call
  kGcm192,
  kGcm256,
  kGmac,  // three direct calls
  kJob,   // a job among others in a burst
};

struct alignas(64) IpsecMbSession {
  IpsecMbCall call;
  uint8_t icv_bytes;
  uint8_t iv_bytes;   // of PacketPrivate::iv
  uint8_t aad_bytes;  // AEAD
  uint8_t key_bytes;  // of the cipher
  uint32_t size;      // of the whole session
  // kJob:
  IMB_CIPHER_MODE cipher;
  IMB_HASH_ALG hash;
  IMB_CIPHER_DIRECTION direction;
  IMB_CHAIN_ORDER order;
};

// kGcm, kGmac. The calls are those of the key's length.
struct IpsecMbGcmSession : IpsecMbSession {
  aes_gcm_enc_dec_t crypt;
  aes_gmac_init_t gmac_init;
  aes_gmac_update_t gmac_update;
  aes_gmac_finalize_t gmac_finalize;
  gcm_key_data key;
};

// kJob.
struct IpsecMbJobSession : IpsecMbSession {
  const void* encrypt_keys;  // into `keys`, or nullptr
  const void* decrypt_keys;
  alignas(64) uint8_t hmac_inner[64];  // state after the key's block, xor ipad and opad (RFC 2104)
  uint8_t hmac_outer[64];
  union Keys {
    struct {
      alignas(16) uint8_t encrypt[16 * 15], decrypt[16 * 15];
    } aes;
    struct {
      uint64_t schedule[3][IMB_DES_KEY_SCHED_SIZE / sizeof(uint64_t)];
      const void* schedules[3];
    } des;
    uint8_t chacha[32];
  };
  alignas(64) Keys keys;
};

// Does the library have this suite?
bool IpsecMbHas(const IpsecSuite& suite);

// In EAL memory. Requires: IpsecMbHas(suite). Errors: key sizes, no memory.
absl::StatusOr<IpsecMbSession*> CreateIpsecMbSession(IMB_MGR& manager, const IpsecSuite& suite,
                                                     CryptoDirection direction,
                                                     ByteSpan encryption_key,
                                                     ByteSpan integrity_key);
// Wipes and frees.
void FreeIpsecMbSession(IpsecMbSession* session);

}  // namespace sekisho::fastpath
