// rte_cryptodev_sym_session_pool_create() has been there since 19.02 and is still marked so.
#define ALLOW_EXPERIMENTAL_API

#include "fastpath/cryptodev_backend.h"

#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace sekisho::fastpath {
namespace {

using Operation = decltype(PacketPrivate::crypto);
static_assert(offsetof(Operation, sym) == sizeof(rte_crypto_op),
              "a symmetric operation follows its rte_crypto_op");

constexpr uint16_t kIvOffset = offsetof(Operation, iv);

uint16_t AadBytes(const IpsecSuite& suite) { return suite.esn ? 12 : 8; }

// For CCM the device wants the nonce behind one byte of its own, and the additional data behind 18
// (rte_crypto_sym.h). The rest of Operation::iv and ::aad is padding, which is its own too.
constexpr uint8_t kCcmSession = 1;  // CryptoSession::detail
constexpr size_t kCcmNonceBytes = 11;
constexpr size_t kCcmNonceAt = 1;
constexpr size_t kCcmAadAt = 18;
constexpr size_t kCcmAadMax = 12;
static_assert(kCcmAadAt + kCcmAadMax <= sizeof(Operation::aad));

bool IsCcm(EncryptionId id) {
  return id == EncryptionId::kAesCcm8 || id == EncryptionId::kAesCcm12 ||
         id == EncryptionId::kAesCcm16;
}

// --- A suite in DPDK's words ---------------------------------------------------------------------

struct Cipher {
  rte_crypto_cipher_algorithm algorithm;
  uint16_t key_bytes, iv_bytes;
};
struct Auth {
  rte_crypto_auth_algorithm algorithm;
  uint16_t key_bytes, icv_bytes;
  uint16_t iv_bytes;  // GMAC
};
struct Aead {
  rte_crypto_aead_algorithm algorithm;
  uint16_t key_bytes, icv_bytes, nonce_bytes, aad_bytes;
};
// Either an AEAD, or a cipher and what authenticates, or only that.
struct Transforms {
  std::optional<Cipher> cipher;
  std::optional<Auth> auth;
  std::optional<Aead> aead;
};

Auth HmacOf(const IntegrityTraits& traits) {
  Auth auth = {RTE_CRYPTO_AUTH_SHA256_HMAC, traits.key_bytes, traits.icv_bytes, 0};
  switch (traits.id) {
    case IntegrityId::kNone:
    case IntegrityId::kHmacSha2_256_128:
      break;
    case IntegrityId::kHmacSha1_96:
      auth.algorithm = RTE_CRYPTO_AUTH_SHA1_HMAC;
      break;
    case IntegrityId::kHmacSha2_384_192:
      auth.algorithm = RTE_CRYPTO_AUTH_SHA384_HMAC;
      break;
    case IntegrityId::kHmacSha2_512_256:
      auth.algorithm = RTE_CRYPTO_AUTH_SHA512_HMAC;
      break;
    case IntegrityId::kAes128Gmac:
    case IntegrityId::kAes192Gmac:
    case IntegrityId::kAes256Gmac:
      auth = {RTE_CRYPTO_AUTH_AES_GMAC, static_cast<uint16_t>(traits.key_bytes - traits.salt_bytes),
              traits.icv_bytes, static_cast<uint16_t>(traits.salt_bytes + traits.iv_bytes)};
      break;
  }
  return auth;
}

Transforms TransformsOf(const IpsecSuite& suite) {
  const IpsecSuiteTraits traits = Find(suite);
  Transforms result;
  if (traits.integrity != nullptr) result.auth = HmacOf(*traits.integrity);
  if (traits.encryption == nullptr) return result;
  const EncryptionTraits& encryption = *traits.encryption;
  Aead aead = {.algorithm = RTE_CRYPTO_AEAD_AES_GCM,
               .key_bytes = encryption.key_bytes,
               .icv_bytes = encryption.icv_bytes,
               .nonce_bytes = static_cast<uint16_t>(encryption.salt_bytes + encryption.iv_bytes),
               .aad_bytes = AadBytes(suite)};
  switch (encryption.encryption.id) {
    case EncryptionId::kNone:
    case EncryptionId::kNull:
      break;
    case EncryptionId::kAesCbc:
      result.cipher = {RTE_CRYPTO_CIPHER_AES_CBC, encryption.key_bytes, encryption.iv_bytes};
      break;
    case EncryptionId::k3DesCbc:
      result.cipher = {RTE_CRYPTO_CIPHER_3DES_CBC, encryption.key_bytes, encryption.iv_bytes};
      break;
    case EncryptionId::kAesCtr:  // the whole counter block
      result.cipher = {RTE_CRYPTO_CIPHER_AES_CTR, encryption.key_bytes, 16};
      break;
    case EncryptionId::kNullAesGmac:
      result.auth = {RTE_CRYPTO_AUTH_AES_GMAC, aead.key_bytes, aead.icv_bytes, aead.nonce_bytes};
      break;
    case EncryptionId::kAesCcm8:
    case EncryptionId::kAesCcm12:
    case EncryptionId::kAesCcm16:
      aead.algorithm = RTE_CRYPTO_AEAD_AES_CCM;
      result.aead = aead;
      break;
    case EncryptionId::kChaCha20Poly1305:
      aead.algorithm = RTE_CRYPTO_AEAD_CHACHA20_POLY1305;
      result.aead = aead;
      break;
    case EncryptionId::kAesGcm8:
    case EncryptionId::kAesGcm12:
    case EncryptionId::kAesGcm16:
      result.aead = aead;
      break;
  }
  return result;
}

bool Runs(uint8_t device, const Aead& aead) {
  rte_cryptodev_sym_capability_idx index = {};
  index.type = RTE_CRYPTO_SYM_XFORM_AEAD;
  index.algo.aead = aead.algorithm;
  const auto* capability = rte_cryptodev_sym_capability_get(device, &index);
  return capability != nullptr &&
         rte_cryptodev_sym_capability_check_aead(capability, aead.key_bytes, aead.icv_bytes,
                                                 aead.aad_bytes, aead.nonce_bytes) == 0;
}

bool Runs(uint8_t device, const Cipher& cipher) {
  rte_cryptodev_sym_capability_idx index = {};
  index.type = RTE_CRYPTO_SYM_XFORM_CIPHER;
  index.algo.cipher = cipher.algorithm;
  const auto* capability = rte_cryptodev_sym_capability_get(device, &index);
  return capability != nullptr && rte_cryptodev_sym_capability_check_cipher(
                                      capability, cipher.key_bytes, cipher.iv_bytes) == 0;
}

bool Runs(uint8_t device, const Auth& auth) {
  rte_cryptodev_sym_capability_idx index = {};
  index.type = RTE_CRYPTO_SYM_XFORM_AUTH;
  index.algo.auth = auth.algorithm;
  const auto* capability = rte_cryptodev_sym_capability_get(device, &index);
  return capability != nullptr &&
         rte_cryptodev_sym_capability_check_auth(capability, auth.key_bytes, auth.icv_bytes,
                                                 auth.iv_bytes) == 0;
}

rte_crypto_sym_xform Transform(const Aead& aead, CryptoDirection direction, ByteSpan key) {
  rte_crypto_sym_xform transform = {};
  transform.type = RTE_CRYPTO_SYM_XFORM_AEAD;
  transform.aead.op = direction == CryptoDirection::kEncrypt ? RTE_CRYPTO_AEAD_OP_ENCRYPT
                                                             : RTE_CRYPTO_AEAD_OP_DECRYPT;
  transform.aead.algo = aead.algorithm;
  transform.aead.key = {key.data(), aead.key_bytes};
  transform.aead.iv = {kIvOffset, aead.nonce_bytes};
  transform.aead.digest_length = aead.icv_bytes;
  transform.aead.aad_length = aead.aad_bytes;
  return transform;
}

rte_crypto_sym_xform Transform(const Cipher& cipher, CryptoDirection direction, ByteSpan key) {
  rte_crypto_sym_xform transform = {};
  transform.type = RTE_CRYPTO_SYM_XFORM_CIPHER;
  transform.cipher.op = direction == CryptoDirection::kEncrypt ? RTE_CRYPTO_CIPHER_OP_ENCRYPT
                                                               : RTE_CRYPTO_CIPHER_OP_DECRYPT;
  transform.cipher.algo = cipher.algorithm;
  transform.cipher.key = {key.data(), cipher.key_bytes};
  transform.cipher.iv = {kIvOffset, cipher.iv_bytes};
  return transform;
}

rte_crypto_sym_xform Transform(const Auth& auth, CryptoDirection direction, ByteSpan key) {
  rte_crypto_sym_xform transform = {};
  transform.type = RTE_CRYPTO_SYM_XFORM_AUTH;
  transform.auth.op = direction == CryptoDirection::kEncrypt ? RTE_CRYPTO_AUTH_OP_GENERATE
                                                             : RTE_CRYPTO_AUTH_OP_VERIFY;
  transform.auth.algo = auth.algorithm;
  transform.auth.key = {key.data(), auth.key_bytes};
  transform.auth.digest_length = auth.icv_bytes;
  if (auth.iv_bytes != 0) transform.auth.iv = {kIvOffset, auth.iv_bytes};
  return transform;
}

// --- A packet in DPDK's words --------------------------------------------------------------------

// The private area stands before the data in one piece of memory.
rte_iova_t IovaOf(const rte_mbuf* mbuf, const void* at) {
  const auto* from = static_cast<const uint8_t*>(mbuf->buf_addr);
  return rte_mbuf_iova_get(mbuf) - static_cast<rte_iova_t>(from - static_cast<const uint8_t*>(at));
}

// Devices find an IV by its distance behind the operation.
void CopyIvAndAad(PacketPrivate& priv, bool ccm) {
  if (ccm) {
    std::memcpy(priv.crypto.iv + kCcmNonceAt, priv.iv, kCcmNonceBytes);
    std::memcpy(priv.crypto.aad + kCcmAadAt, priv.aad, kCcmAadMax);
  } else {
    std::memcpy(priv.crypto.iv, priv.iv, sizeof(priv.iv));
    std::memcpy(priv.crypto.aad, priv.aad, sizeof(priv.aad));
  }
}

// Writes the operation of a packet; what a device changed in it last time too.
void WriteOperation(const CryptoJob& job) {
  PacketPrivate& priv = PrivateOf(job.mbuf);
  rte_crypto_op& op = priv.crypto.op;
  op.type = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
  op.status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
  op.sess_type = RTE_CRYPTO_OP_WITH_SESSION;
  op.aux_flags = 0;
  op.private_data_offset = 0;
  op.mempool = nullptr;
  op.phys_addr = IovaOf(job.mbuf, &op);
  rte_crypto_sym_op& sym = priv.crypto.sym;
  sym.m_src = job.mbuf;
  sym.m_dst = nullptr;
  sym.session = job.session.handle;
  CopyIvAndAad(priv, job.session.detail == kCcmSession);
  if (job.kind == CryptoKind::kAead) {
    uint8_t* aad = priv.crypto.aad;
    sym.aead.data = {job.cipher_offset, job.cipher_bytes};
    sym.aead.digest = {job.icv, IovaOf(job.mbuf, job.icv)};
    sym.aead.aad = {aad, IovaOf(job.mbuf, aad)};
  } else {
    sym.cipher.data = {job.cipher_offset, job.cipher_bytes};
    sym.auth.data = {job.auth_offset, job.auth_bytes};
    sym.auth.digest = {job.icv, IovaOf(job.mbuf, job.icv)};
  }
}

// What the driver will read of a session, which no other packet may have touched for long, on the
// way into the second cache: those of a whole burst do not fit into the first. How its key schedule
// lies in there only the driver knows; small packets use little of one, and mostly of its start.
void PrefetchSession(const CryptoJob& job, size_t session_bytes) {
  constexpr uint32_t kSmall = 256;
  constexpr size_t kStartBytes = 320;
  const auto* from = static_cast<const uint8_t*>(job.session.handle);
  const size_t bytes =
      job.cipher_bytes < kSmall ? std::min(kStartBytes, session_bytes) : session_bytes;
  for (size_t at = 0; at < bytes; at += 64) rte_prefetch1(from + at);
}

// rte_crypto_op ends in an array of no length, which compilers do not let us look behind.
rte_mbuf* PacketOf(rte_crypto_op* op) { return reinterpret_cast<Operation*>(op)->sym.m_src; }

DropReason ReasonOf(const rte_crypto_op& op) {
  switch (op.status) {
    case RTE_CRYPTO_OP_STATUS_SUCCESS:
      return DropReason::kNone;
    case RTE_CRYPTO_OP_STATUS_AUTH_FAILED:
      return DropReason::kEspIntegrity;
    default:
      return DropReason::kCryptoFailed;
  }
}

absl::Status DeviceError(const std::string& name, absl::string_view what, int error) {
  return absl::InternalError(
      absl::StrCat("crypto: ", name, ": ", what, ": ", rte_strerror(std::abs(error))));
}

}  // namespace

CryptodevBackend::CryptodevBackend(const Config& config)
    : CryptoBackend(/*synchronous=*/false), config_(config), queues_(size_t{config.workers} * 2) {}

CryptodevBackend::~CryptodevBackend() {
  for (const Device& device : devices_) {
    rte_cryptodev_stop(device.id);
    rte_cryptodev_close(device.id);
    rte_mempool_free(device.sessions);
  }
}

absl::StatusOr<std::unique_ptr<CryptodevBackend>> CryptodevBackend::Create(const Config& config) {
  if (config.devices.empty() || config.devices.size() > kDevicesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("crypto: ", config.devices.size(), " devices, want 1 to ", kDevicesMax));
  }
  std::unique_ptr<CryptodevBackend> backend(new CryptodevBackend(config));
  for (const std::string& name : config.devices) {
    SEKISHO_RETURN_IF_ERROR(backend->StartDevice(name));
  }
  for (Queue& queue : backend->queues_) queue.in_flight.resize(config.devices.size());
  return backend;
}

absl::Status CryptodevBackend::StartDevice(const std::string& name) {
  const int id = rte_cryptodev_get_dev_id(name.c_str());
  if (id < 0) return absl::NotFoundError(absl::StrCat("crypto: no device ", name));
  Device device = {.name = name, .id = static_cast<uint8_t>(id)};
  rte_cryptodev_info info;
  rte_cryptodev_info_get(device.id, &info);
  const auto queue_pairs = static_cast<uint16_t>(config_.workers * 2);
  if (info.max_nb_queue_pairs != 0 && queue_pairs > info.max_nb_queue_pairs) {
    return absl::InvalidArgumentError(absl::StrCat("crypto: ", name, " has ",
                                                   info.max_nb_queue_pairs, " queue pairs, ",
                                                   config_.workers, " workers want ", queue_pairs));
  }
  const int socket = rte_cryptodev_socket_id(device.id);
  rte_cryptodev_config configuration = {};
  configuration.socket_id = socket;
  configuration.nb_queue_pairs = queue_pairs;
  configuration.ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SECURITY;
  if (const int error = rte_cryptodev_configure(device.id, &configuration); error != 0) {
    return DeviceError(name, "cannot be configured", error);
  }
  const std::string pool = absl::StrCat("sessions-", id);
  device.sessions = rte_cryptodev_sym_session_pool_create(
      pool.c_str(), std::max(config_.sessions_max, 1u),
      rte_cryptodev_sym_get_private_session_size(device.id), 0, 0, socket);
  if (device.sessions == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("crypto: ", name, ": no memory for ", config_.sessions_max,
                     " sessions; give the EAL more memory, or allow fewer SAs"));
  }
  // From here on the destructor undoes what was done.
  devices_.push_back(device);
  const rte_cryptodev_qp_conf queue = {.nb_descriptors = config_.queue_size,
                                       .mp_session = device.sessions};
  for (uint16_t i = 0; i < queue_pairs; ++i) {
    if (const int error = rte_cryptodev_queue_pair_setup(device.id, i, &queue, socket);
        error != 0) {
      return DeviceError(name, "queue pair cannot be set up", error);
    }
  }
  if (const int error = rte_cryptodev_start(device.id); error != 0) {
    return DeviceError(name, "cannot be started", error);
  }
  return absl::OkStatus();
}

bool CryptodevBackend::DeviceRuns(const Device& device, const IpsecSuite& suite) const {
  if (!Find(suite).exists()) return false;
  const Transforms transforms = TransformsOf(suite);
  return (!transforms.aead || Runs(device.id, *transforms.aead)) &&
         (!transforms.cipher || Runs(device.id, *transforms.cipher)) &&
         (!transforms.auth || Runs(device.id, *transforms.auth));
}

std::string CryptodevBackend::Describe() const {
  return absl::StrCat("cryptodev (", absl::StrJoin(config_.devices, " "), ")");
}

absl::Status CryptodevBackend::CheckSuite(const IpsecSuite& suite) const {
  const bool runs = std::any_of(devices_.begin(), devices_.end(),
                                [&](const Device& device) { return DeviceRuns(device, suite); });
  if (runs) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("crypto: no device runs ", suite.ToString(),
                                               " (devices: ", absl::StrJoin(config_.devices, " "),
                                               ")"));
}

absl::StatusOr<CryptoSession> CryptodevBackend::CreateSession(const IpsecSuite& suite,
                                                              CryptoDirection direction,
                                                              ByteSpan encryption_key,
                                                              ByteSpan integrity_key) {
  SEKISHO_RETURN_IF_ERROR(CheckSuite(suite));
  const Transforms transforms = TransformsOf(suite);
  const size_t encryption_bytes = Find(suite).encryption_key_bytes();
  if (encryption_key.size() < encryption_bytes ||
      integrity_key.size() != Find(suite).integrity_key_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("crypto: keys too short for ", suite.ToString()));
  }
  const auto device = std::find_if(devices_.begin(), devices_.end(),
                                   [&](const Device& d) { return DeviceRuns(d, suite); });
  rte_crypto_sym_xform first, second;
  if (transforms.aead) {
    first = Transform(*transforms.aead, direction, encryption_key);
  } else {
    // The GMAC of ESP has the encryption's key (RFC 4543, 5.4).
    const bool own_key = suite.integrity != IntegrityId::kNone;
    first = Transform(*transforms.auth, direction, own_key ? integrity_key : encryption_key);
  }
  if (transforms.cipher) {
    second = Transform(*transforms.cipher, direction, encryption_key);
    if (direction == CryptoDirection::kEncrypt) std::swap(first, second);
    first.next = &second;
  }
  void* handle = rte_cryptodev_sym_session_create(device->id, &first, device->sessions);
  if (handle == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("crypto: ", device->name, ": no session for ",
                                                     suite.ToString(), ": ",
                                                     rte_strerror(std::abs(rte_errno))));
  }
  return CryptoSession{.handle = handle,
                       .device = static_cast<uint8_t>(device - devices_.begin()),
                       .detail = IsCcm(suite.encryption.id) ? kCcmSession : uint8_t{0}};
}

void CryptodevBackend::FreeSession(const CryptoSession& session) {
  if (session.handle == nullptr) return;
  const Device& device = devices_[session.device];
  SEKISHO_CHECK(rte_cryptodev_sym_session_free(device.id, session.handle) == 0);
  // Not every driver wipes its key schedule. The object is back in its pool, and only this thread
  // takes from there.
  WipeMemory(session.handle, device.sessions->elt_size);
}

size_t CryptodevBackend::Submit(WorkerId worker, CryptoDirection direction,
                                std::span<const CryptoJob> jobs) {
  // Sorted by device, in order; with one device, the usual case, that is a copy.
  size_t taken = 0;
  for (size_t device = 0; device < devices_.size(); ++device) {
    rte_crypto_op* operations[kBurstMax];
    uint16_t count = 0;
    const void* last = nullptr;
    for (const CryptoJob& job : jobs) {
      if (job.session.device != device) continue;
      // Of packets that come together many are of one SA.
      if (job.session.handle != last) PrefetchSession(job, devices_[device].sessions->elt_size);
      last = job.session.handle;
      WriteOperation(job);
      operations[count++] = &PrivateOf(job.mbuf).crypto.op;
    }
    if (count != 0) taken += SubmitTo(device, worker, direction, {operations, count});
  }
  return taken;
}

size_t CryptodevBackend::SubmitTo(size_t device, WorkerId worker, CryptoDirection direction,
                                  std::span<rte_crypto_op*> operations) {
  const uint16_t pair = QueuePair(worker, direction);
  const auto count = static_cast<uint16_t>(operations.size());
  const uint16_t taken =
      rte_cryptodev_enqueue_burst(devices_[device].id, pair, operations.data(), count);
  for (rte_crypto_op* refused : operations.subspan(taken)) {
    ContextOf(PacketOf(refused)).reason = DropReason::kCryptoQueueFull;
  }
  queues_[pair].in_flight[device] += taken;
  queues_[pair].in_flight_total.Add(taken);
  return taken;
}

size_t CryptodevBackend::Collect(WorkerId worker, CryptoDirection direction,
                                 std::span<rte_mbuf*> mbufs) {
  const uint16_t pair = QueuePair(worker, direction);
  Queue& queue = queues_[pair];
  size_t total = 0;
  for (size_t device = 0; device < devices_.size() && total < mbufs.size(); ++device) {
    if (queue.in_flight[device] == 0) continue;
    rte_crypto_op* operations[kBurstMax];
    const auto room = static_cast<uint16_t>(std::min<size_t>(kBurstMax, mbufs.size() - total));
    const uint16_t count = rte_cryptodev_dequeue_burst(devices_[device].id, pair, operations, room);
    for (uint16_t i = 0; i < count; ++i) {
      rte_mbuf* mbuf = PacketOf(operations[i]);
      ContextOf(mbuf).reason = ReasonOf(*operations[i]);
      mbufs[total++] = mbuf;
    }
    queue.in_flight[device] -= count;
    queue.in_flight_total.Set(queue.in_flight_total.Get() - count);
  }
  return total;
}

uint64_t CryptodevBackend::InFlight(WorkerId worker) const {
  return queues_[QueuePair(worker, CryptoDirection::kDecrypt)].in_flight_total.Get() +
         queues_[QueuePair(worker, CryptoDirection::kEncrypt)].in_flight_total.Get();
}

}  // namespace sekisho::fastpath
