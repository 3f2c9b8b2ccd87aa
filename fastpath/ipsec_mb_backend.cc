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

constexpr size_t kTagRoom = 64;   // a whole hash
constexpr int kSessionLines = 6;  // on the way into the cache ahead of use

IpsecMbSession& SessionOf(const CryptoJob& job) {
  return *static_cast<IpsecMbSession*>(job.session.handle);
}

// The ICV was made; decrypting, is it the packet's? Not the library's or libc's comparison: how
// long it takes must not say how much of a forged ICV was right.
DropReason Verify(const IpsecMbSession& session, const CryptoJob& job, CryptoDirection direction,
                  const uint8_t* tag) {
  if (direction == CryptoDirection::kEncrypt) return DropReason::kNone;
  const size_t bytes = session.icv_bytes;
  return ConstantTimeEqual({tag, bytes}, {job.icv, bytes}) ? DropReason::kNone
                                                           : DropReason::kEspIntegrity;
}

// Where the ICV is made: encrypting in the packet, else aside, to be compared.
uint8_t* TagOf(const CryptoJob& job, CryptoDirection direction, uint8_t* aside) {
  return direction == CryptoDirection::kEncrypt ? job.icv : aside;
}

DropReason RunGcm(const CryptoJob& job, CryptoDirection direction) {
  const auto& session = static_cast<const IpsecMbGcmSession&>(SessionOf(job));
  const PacketPrivate& priv = PrivateOf(job.mbuf);
  uint8_t* data = DataOf(job.mbuf) + job.cipher_offset;
  uint8_t aside[kTagRoom];
  uint8_t* tag = TagOf(job, direction, aside);
  gcm_context_data context;
  session.crypt(&session.key, &context, data, data, job.cipher_bytes, priv.iv, priv.aad,
                session.aad_bytes, tag, session.icv_bytes);
  return Verify(session, job, direction, tag);
}

DropReason RunGmac(const CryptoJob& job, CryptoDirection direction) {
  const auto& session = static_cast<const IpsecMbGcmSession&>(SessionOf(job));
  uint8_t aside[kTagRoom];
  uint8_t* tag = TagOf(job, direction, aside);
  gcm_context_data context;
  session.gmac_init(&session.key, &context, PrivateOf(job.mbuf).iv, session.iv_bytes);
  session.gmac_update(&session.key, &context, DataOf(job.mbuf) + job.auth_offset, job.auth_bytes);
  session.gmac_finalize(&session.key, &context, tag, session.icv_bytes);
  return Verify(session, job, direction, tag);
}

void FillJob(const CryptoJob& job, uint8_t* tag, IMB_JOB& out) {
  const auto& session = static_cast<const IpsecMbJobSession&>(SessionOf(job));
  PacketPrivate& priv = PrivateOf(job.mbuf);
  uint8_t* data = DataOf(job.mbuf);
  const bool ciphers = job.kind != CryptoKind::kIntegrity;
  out.enc_keys = session.encrypt_keys;
  out.dec_keys = session.decrypt_keys;
  out.key_len_in_bytes = session.key_bytes;
  out.src = data;
  out.dst = data + job.cipher_offset;
  out.cipher_start_src_offset_in_bytes = job.cipher_offset;
  out.msg_len_to_cipher_in_bytes = ciphers ? job.cipher_bytes : 0;
  out.iv = priv.iv;
  out.iv_len_in_bytes = session.iv_bytes;
  out.auth_tag_output = tag;
  out.auth_tag_output_len_in_bytes = session.icv_bytes;
  out.cipher_mode = session.cipher;
  out.cipher_direction = session.direction;
  out.hash_alg = session.hash;
  out.chain_order = session.order;
  if (job.kind == CryptoKind::kAead) {
    out.hash_start_src_offset_in_bytes = job.cipher_offset;
    out.msg_len_to_hash_in_bytes = job.cipher_bytes;
    if (session.cipher == IMB_CIPHER_CCM) {
      out.u.CCM.aad = priv.aad;
      out.u.CCM.aad_len_in_bytes = session.aad_bytes;
    } else {
      out.u.CHACHA20_POLY1305.aad = priv.aad;
      out.u.CHACHA20_POLY1305.aad_len_in_bytes = session.aad_bytes;
    }
  } else {
    out.hash_start_src_offset_in_bytes = job.auth_offset;
    out.msg_len_to_hash_in_bytes = job.auth_bytes;
    out.u.HMAC._hashed_auth_key_xor_ipad = session.hmac_inner;
    out.u.HMAC._hashed_auth_key_xor_opad = session.hmac_outer;
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
      ContextOf(job.mbuf).reason =
          Verify(SessionOf(job), job, direction, burst[i]->auth_tag_output);
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

// A session is several lines that no packet may have touched for long.
void PrefetchSessions(std::span<const CryptoJob> jobs) {
  for (const CryptoJob& job : jobs) {
    const auto* line = static_cast<const uint8_t*>(job.session.handle);
    for (int i = 0; i < kSessionLines; ++i, line += 64) rte_prefetch0(line);
  }
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

}  // namespace

void IpsecMbBackend::FreeManager::operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }

void IpsecMbBackend::Queue::Add(rte_mbuf* mbuf) {
  const uint64_t waiting = count.Get();
  packets[(first + waiting) & (packets.size() - 1)] = mbuf;
  count.Set(waiting + 1);
}

absl::StatusOr<IpsecMbBackend::ManagerPtr> IpsecMbBackend::MakeManager() {
  ManagerPtr manager(alloc_mb_mgr(0));
  if (manager == nullptr) return absl::ResourceExhaustedError("crypto: ipsec-mb: no memory");
  init_mb_mgr_auto(manager.get(), nullptr);
  if (const int error = imb_get_errno(manager.get()); error != 0) {
    return absl::UnavailableError(
        absl::StrCat("crypto: ipsec-mb does not run here: ", imb_get_strerror(error)));
  }
  return manager;
}

absl::StatusOr<std::unique_ptr<IpsecMbBackend>> IpsecMbBackend::Create(const Config& config) {
  if (config.queue_size == 0 || (config.queue_size & (config.queue_size - 1)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("crypto: a queue of ", config.queue_size, ", want a power of two"));
  }
  SEKISHO_ASSIGN_OR_RETURN(ManagerPtr manager, MakeManager());
  std::unique_ptr<IpsecMbBackend> backend(new IpsecMbBackend(std::move(manager), config.workers));
  for (Worker& worker : backend->workers_) {
    SEKISHO_ASSIGN_OR_RETURN(worker.manager, MakeManager());
    for (Queue& queue : worker.queues) queue.packets.resize(config.queue_size);
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
  SEKISHO_ASSIGN_OR_RETURN(
      IpsecMbSession * session,
      CreateIpsecMbSession(*manager_, suite, direction, encryption_key, integrity_key));
  return CryptoSession{.handle = session};
}

void IpsecMbBackend::FreeSession(const CryptoSession& session) {
  FreeIpsecMbSession(static_cast<IpsecMbSession*>(session.handle));
}

size_t IpsecMbBackend::Submit(WorkerId worker, CryptoDirection direction,
                              std::span<const CryptoJob> jobs) {
  Worker& own = workers_[static_cast<uint16_t>(worker)];
  Queue& queue = own.queues[static_cast<size_t>(direction)];
  const size_t taken = std::min<size_t>(jobs.size(), queue.packets.size() - queue.count.Get());
  for (const CryptoJob& refused : jobs.subspan(taken)) {
    ContextOf(refused.mbuf).reason = DropReason::kCryptoQueueFull;
  }
  jobs = jobs.first(taken);
  PrefetchSessions(jobs);
  const CryptoJob* batch[kBurstMax];
  size_t batched = 0;
  for (const CryptoJob& job : jobs) {
    switch (SessionOf(job).call) {
      case IpsecMbCall::kGcm:
        ContextOf(job.mbuf).reason = RunGcm(job, direction);
        break;
      case IpsecMbCall::kGmac:
        ContextOf(job.mbuf).reason = RunGmac(job, direction);
        break;
      case IpsecMbCall::kJob:
        batch[batched++] = &job;
        if (batched == kBurstMax) {
          RunJobs(*own.manager, direction, {batch, batched});
          batched = 0;
        }
        break;
    }
    queue.Add(job.mbuf);
  }
  if (batched != 0) RunJobs(*own.manager, direction, {batch, batched});
  return taken;
}

size_t IpsecMbBackend::Collect(WorkerId worker, CryptoDirection direction,
                               std::span<rte_mbuf*> mbufs) {
  Queue& queue = workers_[static_cast<uint16_t>(worker)].queues[static_cast<size_t>(direction)];
  const uint64_t waiting = queue.count.Get();
  const size_t count = std::min<size_t>(mbufs.size(), waiting);
  for (size_t i = 0; i < count; ++i) {
    mbufs[i] = queue.packets[queue.first];
    queue.first = (queue.first + 1) & (queue.packets.size() - 1);
  }
  queue.count.Set(waiting - count);
  return count;
}

uint64_t IpsecMbBackend::InFlight(WorkerId worker) const {
  const Worker& own = workers_[static_cast<uint16_t>(worker)];
  return own.queues[0].count.Get() + own.queues[1].count.Get();
}

}  // namespace sekisho::fastpath
