#include "fastpath/ipsec_mb_backend.h"

#include <rte_prefetch.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "fastpath/ipsec_mb_session.h"
#include "fastpath/mbuf.h"

namespace sekisho::fastpath {
namespace {

static_assert(IMB_VERSION_NUM >= IMB_VERSION(1, 3, 0), "bursts of jobs came with 1.3");
static_assert(kBurstMax <= IMB_MAX_BURST_SIZE);

constexpr size_t kTagRoom = 64;  // a whole hash
// Sessions on the way into the cache ahead of use: a few packets' time, and no more lines than a
// core can wait for at once.
constexpr size_t kPrefetchAhead = CryptoBackend::kPreparedMax;

uint64_t Load(const uint8_t* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// ConstantTimeEqual() for the lengths that ICVs of AEADs have: no byte decides anything before all
// are in `difference`.
bool SameTag(const uint8_t* a, const uint8_t* b, size_t bytes) {
  if (bytes > 16 || bytes < 8) return ConstantTimeEqual({a, bytes}, {b, bytes});
  const uint64_t difference = (Load(a) ^ Load(b)) | (Load(a + bytes - 8) ^ Load(b + bytes - 8));
  return difference == 0;
}

// The ICV was made; decrypting, is it the packet's? Not the library's or libc's comparison: how
// long it takes must not say how much of a forged ICV was right.
DropReason Verify(const CryptoJob& job, CryptoDirection direction, const uint8_t* tag) {
  if (direction == CryptoDirection::kEncrypt) return DropReason::kNone;
  return SameTag(tag, job.icv, job.icv_bytes) ? DropReason::kNone : DropReason::kEspIntegrity;
}

// Where the ICV is made: encrypting in the packet, else aside, to be compared.
uint8_t* TagOf(const CryptoJob& job, CryptoDirection direction, uint8_t* aside) {
  return direction == CryptoDirection::kEncrypt ? job.icv : aside;
}

DropReason RunGcm(aes_gcm_enc_dec_t crypt, const CryptoJob& job, CryptoDirection direction) {
  const PacketPrivate& priv = PrivateOf(job.mbuf);
  uint8_t* data = DataOf(job.mbuf) + job.cipher_offset;
  uint8_t aside[kTagRoom];
  uint8_t* tag = TagOf(job, direction, aside);
  gcm_context_data context;
  crypt(static_cast<const gcm_key_data*>(job.session.handle), &context, data, data,
        job.cipher_bytes, priv.iv, priv.aad, job.aad_bytes, tag, job.icv_bytes);
  return Verify(job, direction, tag);
}

DropReason RunGmac(const IpsecMbGcmCalls& calls, const CryptoJob& job, CryptoDirection direction) {
  const auto* key = static_cast<const gcm_key_data*>(job.session.handle);
  uint8_t aside[kTagRoom];
  uint8_t* tag = TagOf(job, direction, aside);
  gcm_context_data context;
  calls.gmac_init(key, &context, PrivateOf(job.mbuf).iv, IMB_GCM_IV_DATA_LEN);
  calls.gmac_update(key, &context, DataOf(job.mbuf) + job.auth_offset, job.auth_bytes);
  calls.gmac_finalize(key, &context, tag, job.icv_bytes);
  return Verify(job, direction, tag);
}

void FillJob(const CryptoJob& job, uint8_t* tag, IMB_JOB& out) {
  const auto& session = *static_cast<const IpsecMbJobSession*>(job.session.handle);
  PacketPrivate& priv = PrivateOf(job.mbuf);
  uint8_t* data = DataOf(job.mbuf);
  const bool ciphers = job.kind != CryptoKind::kIntegrity;
  FillFromSession(session, priv.aad, out);
  out.src = data;
  out.dst = data + job.cipher_offset;
  out.cipher_start_src_offset_in_bytes = job.cipher_offset;
  out.msg_len_to_cipher_in_bytes = ciphers ? job.cipher_bytes : 0;
  out.iv = priv.iv;
  out.auth_tag_output = tag;
  if (job.kind == CryptoKind::kAead) {
    out.hash_start_src_offset_in_bytes = job.cipher_offset;
    out.msg_len_to_hash_in_bytes = job.cipher_bytes;
  } else {
    out.hash_start_src_offset_in_bytes = job.auth_offset;
    out.msg_len_to_hash_in_bytes = job.auth_bytes;
  }
}

// All in one multi-buffer burst; each packet's context says how it went. At most kBurstMax.
void RunJobs(IMB_MGR& manager, CryptoDirection direction, std::span<const CryptoJob* const> jobs) {
  IMB_JOB* burst[kBurstMax];
  uint8_t aside[kBurstMax][kTagRoom];
  const auto count = static_cast<uint32_t>(jobs.size());
  // It is empty between calls, and holds more than a burst.
  SEKISHO_CHECK(IMB_GET_NEXT_BURST(&manager, count, burst) == count);
  for (uint32_t i = 0; i < count; ++i) {
    FillJob(*jobs[i], TagOf(*jobs[i], direction, aside[i]), *burst[i]);
    burst[i]->user_data = const_cast<CryptoJob*>(jobs[i]);
    // Whatever does not come back has failed.
    ContextOf(jobs[i]->mbuf).reason = DropReason::kCryptoFailed;
  }
  uint32_t done = 0;
  const auto finish = [&](uint32_t finished) {
    for (uint32_t i = 0; i < finished; ++i) {
      const auto& job = *static_cast<const CryptoJob*>(burst[i]->user_data);
      if (burst[i]->status != IMB_STATUS_COMPLETED) continue;
      ContextOf(job.mbuf).reason = Verify(job, direction, burst[i]->auth_tag_output);
    }
    done += finished;
  };
  finish(IMB_SUBMIT_BURST_NOCHECK(&manager, count, burst));
  while (done < count) {
    const uint32_t flushed = IMB_FLUSH_BURST(&manager, count - done, burst);
    if (flushed == 0) break;
    finish(flushed);
  }
}

void PrefetchLines(const uint8_t* from, const uint8_t* end) {
  for (const uint8_t* line = from; line < end; line += 64) rte_prefetch0(line);
}

// What a packet uses of its session, which no other may have touched for long. Of GCM that is the
// round keys and as many powers of the hash key as it has blocks; they end with the first.
void PrefetchSession(const CryptoJob& job) {
  constexpr size_t kRoundKeyBytes = 16;
  constexpr size_t kPowersEnd =
      offsetof(gcm_key_data, ghash_keys) + sizeof(gcm_key_data::ghash_keys);
  const auto* key = static_cast<const uint8_t*>(job.session.handle);
  if (CallOf(job.session) == IpsecMbCall::kJob) {
    return PrefetchLines(key, key + sizeof(IpsecMbJobSession));
  }
  const size_t rounds = CallOf(job.session) == IpsecMbCall::kGcm128 ? 11 : 15;
  PrefetchLines(key, key + rounds * kRoundKeyBytes);
  const size_t blocks = std::min<size_t>(job.cipher_bytes / 16 + 2, 48);
  PrefetchLines(key + (kPowersEnd - blocks * 16) / 64 * 64, key + kPowersEnd);
}

// GCM of the key's length and the direction.
aes_gcm_enc_dec_t GcmCall(const IMB_MGR& manager, IpsecMbCall call, CryptoDirection direction) {
  const bool encrypt = direction == CryptoDirection::kEncrypt;
  if (call == IpsecMbCall::kGcm128) return encrypt ? manager.gcm128_enc : manager.gcm128_dec;
  if (call == IpsecMbCall::kGcm192) return encrypt ? manager.gcm192_enc : manager.gcm192_dec;
  return encrypt ? manager.gcm256_enc : manager.gcm256_dec;
}

const char* ArchitectureOf(const IMB_MGR& manager) {
  switch (manager.used_arch) {
    case IMB_ARCH_NOAESNI:
      return "no AES-NI";
    case IMB_ARCH_SSE:
      return "SSE";
    case IMB_ARCH_AVX:
      return "AVX";
    case IMB_ARCH_AVX2:
      return "AVX2";
    case IMB_ARCH_AVX512:
      return "AVX-512";
    default:
      return "unknown";
  }
}

absl::StatusOr<IpsecMbManagerPtr> MakeManager(const IpsecMbLibrary& library) {
  IpsecMbManagerPtr manager(library.alloc(0), {&library});
  if (manager == nullptr) return absl::ResourceExhaustedError("crypto: ipsec-mb: no memory");
  library.init(manager.get(), nullptr);
  if (const int error = imb_get_errno(manager.get()); error != 0) {
    return absl::UnavailableError(
        absl::StrCat("crypto: ipsec-mb does not run here: ", imb_get_strerror(error)));
  }
  return manager;
}

}  // namespace

absl::StatusOr<std::unique_ptr<IpsecMbBackend>> IpsecMbBackend::Create(const Config& config) {
  static constexpr IpsecMbLibrary kShared;
  SEKISHO_ASSIGN_OR_RETURN(IpsecMbManagerPtr manager, MakeManager(kShared));
  std::unique_ptr<IpsecMbBackend> backend(new IpsecMbBackend(std::move(manager)));
  for (uint32_t i = 0; i < config.workers; ++i) {
    SEKISHO_ASSIGN_OR_RETURN(IpsecMbManagerPtr own, MakeManager(IpsecMbLibraryOf(i)));
    backend->workers_.push_back({std::move(own)});
  }
  return backend;
}

IpsecMbBackend::~IpsecMbBackend() = default;

std::string IpsecMbBackend::Describe() const {
  return absl::StrCat("ipsec-mb ", imb_get_version_str(), " (", ArchitectureOf(*manager_), ")");
}

absl::Status IpsecMbBackend::CheckSuite(const IpsecSuite& suite) const {
  if (IpsecMbHas(suite)) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("crypto: ipsec-mb does not run ", suite.ToString(),
                                               "; a device of cryptodev may"));
}

absl::StatusOr<CryptoSession> IpsecMbBackend::CreateSession(const IpsecSuite& suite,
                                                            CryptoDirection direction,
                                                            ByteSpan encryption_key,
                                                            ByteSpan integrity_key) {
  SEKISHO_RETURN_IF_ERROR(CheckSuite(suite));
  return sessions_.Create(*manager_, suite, direction, encryption_key, integrity_key);
}

void IpsecMbBackend::FreeSession(const CryptoSession& session) { sessions_.Free(session); }

void IpsecMbBackend::Prepare(std::span<const CryptoJob> jobs) const {
  for (const CryptoJob& job : jobs) PrefetchSession(job);
}

size_t IpsecMbBackend::Submit(WorkerId worker, CryptoDirection direction,
                              std::span<const CryptoJob> jobs) {
  IMB_MGR& manager = *workers_[static_cast<uint16_t>(worker)].manager;
  const size_t count = jobs.size();
  const CryptoJob* batch[kBurstMax];
  size_t batched = 0;
  for (size_t i = 0; i < count; ++i) {
    const CryptoJob& job = jobs[i];
    // Of packets that come together many are of one SA.
    if (const size_t ahead = i + kPrefetchAhead;
        ahead < count && jobs[ahead].session.handle != jobs[ahead - 1].session.handle) {
      PrefetchSession(jobs[ahead]);
    }
    switch (CallOf(job.session)) {
      case IpsecMbCall::kGcm128:
      case IpsecMbCall::kGcm192:
      case IpsecMbCall::kGcm256:
        ContextOf(job.mbuf).reason =
            RunGcm(GcmCall(manager, CallOf(job.session), direction), job, direction);
        break;
      case IpsecMbCall::kGmac128:
      case IpsecMbCall::kGmac192:
      case IpsecMbCall::kGmac256:
        ContextOf(job.mbuf).reason =
            RunGmac(GcmCallsOf(manager, CallOf(job.session)), job, direction);
        break;
      case IpsecMbCall::kJob:
        batch[batched++] = &job;
        if (batched == kBurstMax) {
          RunJobs(manager, direction, {batch, batched});
          batched = 0;
        }
        break;
    }
  }
  if (batched != 0) RunJobs(manager, direction, {batch, batched});
  return count;
}

}  // namespace sekisho::fastpath
