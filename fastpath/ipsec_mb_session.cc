#include "fastpath/ipsec_mb_session.h"

#include <rte_malloc.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

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

IpsecMbCall GcmCallOf(int key_bits) {
  if (key_bits == 128) return IpsecMbCall::kGcm128;
  return key_bits == 192 ? IpsecMbCall::kGcm192 : IpsecMbCall::kGcm256;
}

Kinds KindsOf(const IpsecSuite& suite) {
  Kinds kinds;
  kinds.hash = HmacOf(suite.integrity);
  switch (suite.encryption.id) {
    case EncryptionId::kNone:  // AH
      if (kinds.hash == IMB_AUTH_NULL) kinds.call = IpsecMbCall::kGmac;
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
      kinds = {IpsecMbCall::kGmac, IMB_CIPHER_NULL, IMB_AUTH_AES_GMAC};
      break;
    case EncryptionId::kChaCha20Poly1305:
      kinds = {IpsecMbCall::kJob, IMB_CIPHER_CHACHA20_POLY1305, IMB_AUTH_CHACHA20_POLY1305};
      break;
  }
  return kinds;
}

template <typename Session>
Session* Allocate() {
  static_assert(std::is_trivially_destructible_v<Session>);
  void* memory = rte_zmalloc("ipsec_mb_session", sizeof(Session), alignof(Session));
  if (memory == nullptr) return nullptr;
  auto* session = new (memory) Session();
  session->size = sizeof(Session);
  return session;
}

void ExpandAes(IMB_MGR& manager, ByteSpan key, void* encrypt, void* decrypt) {
  switch (key.size()) {
    case 16:
      IMB_AES_KEYEXP_128(&manager, key.data(), encrypt, decrypt);
      break;
    case 24:
      IMB_AES_KEYEXP_192(&manager, key.data(), encrypt, decrypt);
      break;
    default:
      SEKISHO_CHECK(key.size() == 32);
      IMB_AES_KEYEXP_256(&manager, key.data(), encrypt, decrypt);
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

void ExpandCipher(IMB_MGR& manager, ByteSpan key, IpsecMbJobSession& session) {
  IpsecMbJobSession::Keys& keys = session.keys;
  switch (session.cipher) {
    case IMB_CIPHER_NULL:
      return;
    case IMB_CIPHER_CHACHA20_POLY1305:
      std::copy(key.begin(), key.end(), keys.chacha);
      session.encrypt_keys = session.decrypt_keys = keys.chacha;
      return;
    case IMB_CIPHER_DES3:
      for (size_t i = 0; i < 3; ++i) {
        IMB_DES_KEYSCHED(&manager, keys.des.schedule[i], key.data() + 8 * i);
        keys.des.schedules[i] = keys.des.schedule[i];
      }
      session.encrypt_keys = session.decrypt_keys = keys.des.schedules;
      return;
    default:
      ExpandAes(manager, key, keys.aes.encrypt, keys.aes.decrypt);
      session.encrypt_keys = keys.aes.encrypt;
      // Counter modes only ever encrypt.
      session.decrypt_keys = session.cipher == IMB_CIPHER_CBC ? keys.aes.decrypt : keys.aes.encrypt;
      return;
  }
}

IpsecMbSession* MakeGcmSession(IMB_MGR& manager, CryptoDirection direction, ByteSpan key) {
  auto* session = Allocate<IpsecMbGcmSession>();
  if (session == nullptr) return nullptr;
  const bool encrypt = direction == CryptoDirection::kEncrypt;
  switch (key.size()) {
    case 16:
      IMB_AES128_GCM_PRE(&manager, key.data(), &session->key);
      session->crypt = encrypt ? manager.gcm128_enc : manager.gcm128_dec;
      session->gmac_init = manager.gmac128_init;
      session->gmac_update = manager.gmac128_update;
      session->gmac_finalize = manager.gmac128_finalize;
      break;
    case 24:
      IMB_AES192_GCM_PRE(&manager, key.data(), &session->key);
      session->crypt = encrypt ? manager.gcm192_enc : manager.gcm192_dec;
      session->gmac_init = manager.gmac192_init;
      session->gmac_update = manager.gmac192_update;
      session->gmac_finalize = manager.gmac192_finalize;
      break;
    default:
      SEKISHO_CHECK(key.size() == 32);
      IMB_AES256_GCM_PRE(&manager, key.data(), &session->key);
      session->crypt = encrypt ? manager.gcm256_enc : manager.gcm256_dec;
      session->gmac_init = manager.gmac256_init;
      session->gmac_update = manager.gmac256_update;
      session->gmac_finalize = manager.gmac256_finalize;
      break;
  }
  return session;
}

IpsecMbSession* MakeJobSession(IMB_MGR& manager, const Kinds& kinds, CryptoDirection direction,
                               ByteSpan encryption_key, ByteSpan integrity_key) {
  auto* session = Allocate<IpsecMbJobSession>();
  if (session == nullptr) return nullptr;
  const bool encrypt = direction == CryptoDirection::kEncrypt;
  session->cipher = kinds.cipher;
  session->hash = kinds.hash;
  session->direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
  // ESP's ICV is over what is sent (RFC 4303, 3.2); CCM's over what is meant (RFC 3610, 2).
  const bool cipher_first = encrypt != (kinds.cipher == IMB_CIPHER_CCM);
  session->order = cipher_first ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
  ExpandCipher(manager, encryption_key, *session);
  if (!integrity_key.empty()) ExpandHmac(manager, integrity_key, *session);
  return session;
}

}  // namespace

bool IpsecMbHas(const IpsecSuite& suite) {
  if (!Find(suite).exists()) return false;
  // The library has no CCM of this key length.
  return KindsOf(suite).cipher != IMB_CIPHER_CCM || suite.encryption.key_bits != 192;
}

absl::StatusOr<IpsecMbSession*> CreateIpsecMbSession(IMB_MGR& manager, const IpsecSuite& suite,
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
  IpsecMbSession* session;
  if (kinds.call == IpsecMbCall::kJob) {
    session = MakeJobSession(manager, kinds, direction, cipher_key, integrity_key);
  } else {
    // AH's GMAC has the integrity algorithm's key, behind which its salt stands.
    session = MakeGcmSession(
        manager, direction,
        encryption != nullptr
            ? cipher_key
            : integrity_key.first(integrity_key.size() - traits.integrity->salt_bytes));
  }
  if (session == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("crypto: no memory for a session of ", suite.ToString(),
                     "; give the EAL more memory, or allow fewer SAs"));
  }
  session->call = kinds.call;
  session->aad_bytes = suite.esn ? kAadBytesEsn : kAadBytes;
  session->key_bytes = static_cast<uint8_t>(cipher_key.size());
  if (encryption == nullptr || encryption->encryption.id == EncryptionId::kNull) {
    session->icv_bytes = traits.integrity->icv_bytes;
    session->iv_bytes =
        static_cast<uint8_t>(traits.integrity->salt_bytes + traits.integrity->iv_bytes);
    return session;
  }
  session->icv_bytes = encryption->aead ? encryption->icv_bytes : traits.integrity->icv_bytes;
  session->iv_bytes = kinds.cipher == IMB_CIPHER_CNTR
                          ? kCounterBlockBytes
                          : static_cast<uint8_t>(encryption->salt_bytes + encryption->iv_bytes);
  return session;
}

void FreeIpsecMbSession(IpsecMbSession* session) {
  if (session == nullptr) return;
  WipeMemory(session, session->size);
  rte_free(session);
}

}  // namespace sekisho::fastpath
