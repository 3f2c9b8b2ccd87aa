#include "fastpath/ipsec_mb_session.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/secret.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kAadBytes = 8;  // SPI and sequence number
constexpr uint8_t kAadBytesEsn = 12;
constexpr uint8_t kCounterBlockBytes = 16;

// Which of the library's ciphers and hashes a suite is.
struct Kinds {
  IpsecMbCall call = IpsecMbCall::kJob;
  IMB_CIPHER_MODE cipher = IMB_CIPHER_NULL;
  IMB_HASH_ALG hash = IMB_AUTH_NULL;
};

IMB_HASH_ALG HmacOf(IntegrityId id) {
  switch (id) {
    case IntegrityId::kHmacSha1_96:
      return IMB_AUTH_HMAC_SHA_1;
    case IntegrityId::kHmacSha2_256_128:
      return IMB_AUTH_HMAC_SHA_256;
    case IntegrityId::kHmacSha2_384_192:
      return IMB_AUTH_HMAC_SHA_384;
    case IntegrityId::kHmacSha2_512_256:
      return IMB_AUTH_HMAC_SHA_512;
    case IntegrityId::kNone:
    case IntegrityId::kAes128Gmac:
    case IntegrityId::kAes192Gmac:
    case IntegrityId::kAes256Gmac:
      break;
  }
  return IMB_AUTH_NULL;
}

struct LongJobSession : IpsecMbJobSession {
  uint64_t schedule[3][IMB_DES_KEY_SCHED_SIZE / sizeof(uint64_t)];
  const void* schedules[3];
};

IpsecMbCall GcmCallOf(int key_bits) {
  if (key_bits == 128) return IpsecMbCall::kGcm128;
  return key_bits == 192 ? IpsecMbCall::kGcm192 : IpsecMbCall::kGcm256;
}
IpsecMbCall GmacCallOf(IntegrityId id) {
  if (id == IntegrityId::kAes128Gmac) return IpsecMbCall::kGmac128;
  return id == IntegrityId::kAes192Gmac ? IpsecMbCall::kGmac192 : IpsecMbCall::kGmac256;
}
IpsecMbCall GmacCallOf(int key_bits) {
  if (key_bits == 128) return IpsecMbCall::kGmac128;
  return key_bits == 192 ? IpsecMbCall::kGmac192 : IpsecMbCall::kGmac256;
}

Kinds KindsOf(const IpsecSuite& suite) {
  Kinds kinds;
  kinds.hash = HmacOf(suite.integrity);
  switch (suite.encryption.id) {
    case EncryptionId::kNone:  // AH
      if (kinds.hash == IMB_AUTH_NULL) kinds.call = GmacCallOf(suite.integrity);
      break;
    case EncryptionId::kNull:
      break;
    case EncryptionId::k3DesCbc:
      kinds.cipher = IMB_CIPHER_DES3;
      break;
    case EncryptionId::kAesCbc:
      kinds.cipher = IMB_CIPHER_CBC;
      break;
    case EncryptionId::kAesCtr:
      kinds.cipher = IMB_CIPHER_CNTR;
      break;
    case EncryptionId::kAesCcm8:
    case EncryptionId::kAesCcm12:
    case EncryptionId::kAesCcm16:
      kinds = {IpsecMbCall::kJob, IMB_CIPHER_CCM, IMB_AUTH_AES_CCM};
      break;
    case EncryptionId::kAesGcm8:
    case EncryptionId::kAesGcm12:
    case EncryptionId::kAesGcm16:
      kinds = {GcmCallOf(suite.encryption.key_bits), IMB_CIPHER_GCM, IMB_AUTH_AES_GMAC};
      break;
    case EncryptionId::kNullAesGmac:
      kinds = {GmacCallOf(suite.encryption.key_bits), IMB_CIPHER_NULL, IMB_AUTH_AES_GMAC};
      break;
    case EncryptionId::kChaCha20Poly1305:
      kinds = {IpsecMbCall::kJob, IMB_CIPHER_CHACHA20_POLY1305, IMB_AUTH_CHACHA20_POLY1305};
      break;
  }
  return kinds;
}

// Both directions, though one is wanted: the library has it so.
struct AesSchedules {
  alignas(16) uint8_t encrypt[16 * 15] = {}, decrypt[16 * 15] = {};
  ~AesSchedules() { WipeMemory(this, sizeof(*this)); }
};

void ExpandAes(IMB_MGR& manager, ByteSpan key, AesSchedules& to) {
  switch (key.size()) {
    case 16:
      IMB_AES_KEYEXP_128(&manager, key.data(), to.encrypt, to.decrypt);
      break;
    case 24:
      IMB_AES_KEYEXP_192(&manager, key.data(), to.encrypt, to.decrypt);
      break;
    default:
      SEKISHO_CHECK(key.size() == 32);
      IMB_AES_KEYEXP_256(&manager, key.data(), to.encrypt, to.decrypt);
      break;
  }
}

// The hash of one block, which the library goes on from per packet.
void HashBlock(IMB_MGR& manager, IMB_HASH_ALG hash, const uint8_t* block, uint8_t* state) {
  switch (hash) {
    case IMB_AUTH_HMAC_SHA_1:
      IMB_SHA1_ONE_BLOCK(&manager, block, state);
      break;
    case IMB_AUTH_HMAC_SHA_256:
      IMB_SHA256_ONE_BLOCK(&manager, block, state);
      break;
    case IMB_AUTH_HMAC_SHA_384:
      IMB_SHA384_ONE_BLOCK(&manager, block, state);
      break;
    default:
      IMB_SHA512_ONE_BLOCK(&manager, block, state);
      break;
  }
}

void ExpandHmac(IMB_MGR& manager, ByteSpan key, IpsecMbJobSession& session) {
  uint8_t block[IMB_SHA_512_BLOCK_SIZE] = {};
  SEKISHO_CHECK(key.size() <= IMB_SHA1_BLOCK_SIZE);  // no key of ours is longer than any block
  for (const bool inner : {true, false}) {
    std::memset(block, inner ? 0x36 : 0x5c, sizeof(block));
    for (size_t i = 0; i < key.size(); ++i) block[i] = static_cast<uint8_t>(block[i] ^ key[i]);
    HashBlock(manager, session.hash, block, inner ? session.hmac_inner : session.hmac_outer);
  }
  WipeMemory(block, sizeof(block));
}

void ExpandDes(IMB_MGR& manager, ByteSpan key, LongJobSession& session) {
  for (size_t i = 0; i < 3; ++i) {
    IMB_DES_KEYSCHED(&manager, session.schedule[i], key.data() + 8 * i);
    session.schedules[i] = session.schedule[i];
  }
  session.keys_of_job = session.schedules;
}

void ExpandCipher(IMB_MGR& manager, ByteSpan key, IpsecMbJobSession& session) {
  switch (session.cipher) {
    case IMB_CIPHER_NULL:
      return;
    case IMB_CIPHER_DES3:
      return ExpandDes(manager, key, static_cast<LongJobSession&>(session));
    case IMB_CIPHER_CHACHA20_POLY1305:
      std::copy(key.begin(), key.end(), session.keys.chacha);
      session.keys_of_job = session.keys.chacha;
      return;
    default: {
      AesSchedules schedules;
      ExpandAes(manager, key, schedules);
      // Counter modes only ever encrypt.
      const bool decrypts =
          session.cipher == IMB_CIPHER_CBC && session.direction == IMB_DIR_DECRYPT;
      std::memcpy(session.keys.aes, decrypts ? schedules.decrypt : schedules.encrypt,
                  sizeof(session.keys.aes));
      session.keys_of_job = session.keys.aes;
      return;
    }
  }
}

void ExpandJob(IMB_MGR& manager, const Kinds& kinds, CryptoDirection direction,
               ByteSpan encryption_key, ByteSpan integrity_key, IpsecMbJobSession& session) {
  const bool encrypt = direction == CryptoDirection::kEncrypt;
  session.cipher = kinds.cipher;
  session.hash = kinds.hash;
  session.direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
  // ESP's ICV is over what is sent (RFC 4303, 3.2); CCM's over what is meant (RFC 3610, 2).
  const bool cipher_first = encrypt != (kinds.cipher == IMB_CIPHER_CCM);
  session.order = cipher_first ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
  ExpandCipher(manager, encryption_key, session);
  if (!integrity_key.empty()) ExpandHmac(manager, integrity_key, session);
}

void SetLengths(const IpsecSuite& suite, const IpsecSuiteTraits& traits, const Kinds& kinds,
                IpsecMbJobSession& session) {
  const EncryptionTraits* encryption = traits.encryption;
  session.aad_bytes = suite.esn ? kAadBytesEsn : kAadBytes;
  session.key_bytes = encryption == nullptr ? uint8_t{0} : encryption->key_bytes;
  if (encryption == nullptr || encryption->encryption.id == EncryptionId::kNull) {
    session.icv_bytes = traits.integrity->icv_bytes;
    session.iv_bytes =
        static_cast<uint8_t>(traits.integrity->salt_bytes + traits.integrity->iv_bytes);
    return;
  }
  session.icv_bytes = encryption->aead ? encryption->icv_bytes : traits.integrity->icv_bytes;
  session.iv_bytes = kinds.cipher == IMB_CIPHER_CNTR
                         ? kCounterBlockBytes
                         : static_cast<uint8_t>(encryption->salt_bytes + encryption->iv_bytes);
}

}  // namespace

bool IpsecMbHas(const IpsecSuite& suite) {
  if (!Find(suite).exists()) return false;
  // The library has no CCM of this key length.
  return KindsOf(suite).cipher != IMB_CIPHER_CCM || suite.encryption.key_bits != 192;
}

IpsecMbGcmCalls GcmCallsOf(const IMB_MGR& manager, IpsecMbCall call) {
  switch (call) {
    case IpsecMbCall::kGcm128:
    case IpsecMbCall::kGmac128:
      return {manager.gcm128_enc,   manager.gcm128_dec,     manager.gcm128_pre,
              manager.gmac128_init, manager.gmac128_update, manager.gmac128_finalize};
    case IpsecMbCall::kGcm192:
    case IpsecMbCall::kGmac192:
      return {manager.gcm192_enc,   manager.gcm192_dec,     manager.gcm192_pre,
              manager.gmac192_init, manager.gmac192_update, manager.gmac192_finalize};
    default:
      return {manager.gcm256_enc,   manager.gcm256_dec,     manager.gcm256_pre,
              manager.gmac256_init, manager.gmac256_update, manager.gmac256_finalize};
  }
}

IpsecMbSessions::IpsecMbSessions()
    : gcm_(sizeof(gcm_key_data), alignof(gcm_key_data)),
      jobs_(sizeof(IpsecMbJobSession), alignof(IpsecMbJobSession)),
      long_jobs_(sizeof(LongJobSession), alignof(LongJobSession)) {}

absl::StatusOr<CryptoSession> IpsecMbSessions::Create(IMB_MGR& manager, const IpsecSuite& suite,
                                                      CryptoDirection direction,
                                                      ByteSpan encryption_key,
                                                      ByteSpan integrity_key) {
  const IpsecSuiteTraits traits = Find(suite);
  SEKISHO_CHECK(IpsecMbHas(suite));
  if (encryption_key.size() < traits.encryption_key_bytes() ||
      integrity_key.size() != traits.integrity_key_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("crypto: keys too short for ", suite.ToString()));
  }
  const EncryptionTraits* encryption = traits.encryption;
  const ByteSpan cipher_key =
      encryption == nullptr ? ByteSpan() : encryption_key.first(encryption->key_bytes);
  const Kinds kinds = KindsOf(suite);
  const bool is_job = kinds.call == IpsecMbCall::kJob;
  const bool is_long = is_job && kinds.cipher == IMB_CIPHER_DES3;
  EalSlab& slab = !is_job ? gcm_ : is_long ? long_jobs_ : jobs_;
  void* memory = slab.Take();
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("crypto: no memory for a session of ", suite.ToString(),
                     "; give the EAL more memory, or allow fewer SAs"));
  }
  if (is_job) {
    auto& session = *static_cast<IpsecMbJobSession*>(memory);
    session.is_long = is_long;
    SetLengths(suite, traits, kinds, session);
    ExpandJob(manager, kinds, direction, cipher_key, integrity_key, session);
  } else {
    // AH's GMAC has the integrity algorithm's key, behind which its salt stands.
    const ByteSpan key =
        encryption != nullptr
            ? cipher_key
            : integrity_key.first(integrity_key.size() - traits.integrity->salt_bytes);
    GcmCallsOf(manager, kinds.call).expand(key.data(), static_cast<gcm_key_data*>(memory));
  }
  return CryptoSession{.handle = memory, .device = 0, .detail = static_cast<uint8_t>(kinds.call)};
}

void IpsecMbSessions::Free(const CryptoSession& session) {
  if (session.handle == nullptr) return;
  if (CallOf(session) != IpsecMbCall::kJob) return gcm_.Give(session.handle);
  const bool is_long = static_cast<const IpsecMbJobSession*>(session.handle)->is_long;
  (is_long ? long_jobs_ : jobs_).Give(session.handle);
}

}  // namespace sekisho::fastpath
