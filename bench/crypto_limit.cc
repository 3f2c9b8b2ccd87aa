#include "bench/crypto_limit.h"

#include <intel-ipsec-mb.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cstring>

#include "common/bytes.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/ipsec_mb_session.h"

namespace sekisho::bench {
namespace {

using fastpath::CryptoDirection;
using fastpath::IpsecMbCall;
using fastpath::IpsecMbGcmCalls;
using fastpath::IpsecMbJobSession;
using fastpath::IpsecMbSessions;

constexpr uint32_t kEspHeaderBytes = 8;
constexpr uint32_t kBurst = 32;  // as the fast path's

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using ManagerPtr = std::unique_ptr<IMB_MGR, FreeManager>;

// A buffer for packets from the ESP header to the end of the ICV.
struct alignas(16) Buffer {
  uint8_t nonce[16] = {};
  uint8_t aad[16] = {};
  uint32_t iv_bytes = 0;
  std::vector<uint8_t> esp;
  uint8_t* payload() { return esp.data() + kEspHeaderBytes + iv_bytes; }
};

// What all kinds of limits have. Buffers take turns, as many as a burst has packets, so that they
// are in the cache whatever the number of packets is.
class LimitOf : public CryptoLimit {
 public:
  struct Parts {
    ManagerPtr manager;
    std::unique_ptr<IpsecMbSessions> sessions;
    fastpath::CryptoSession session;
    CryptoDirection direction;
    uint32_t iv_bytes;
    uint8_t icv_bytes;
    std::vector<uint32_t> encrypted_bytes;  // of the packets, in turn
  };
  explicit LimitOf(Parts parts)
      : CryptoLimit(parts.encrypted_bytes.size()), parts_(std::move(parts)), buffers_(kBurst) {
    constexpr size_t kIcvMax = 64;
    const std::vector<uint32_t>& sizes = parts_.encrypted_bytes;
    const uint32_t largest = *std::max_element(sizes.begin(), sizes.end());
    for (Buffer& buffer : buffers_) {
      buffer.iv_bytes = parts_.iv_bytes;
      buffer.esp.assign(kEspHeaderBytes + parts_.iv_bytes + largest + kIcvMax, 0x5a);
    }
  }

  ~LimitOf() override { parts_.sessions->Free(parts_.session); }

 protected:
  IMB_MGR& manager() const { return *parts_.manager; }
  IpsecMbGcmCalls calls() const { return GcmCallsOf(manager(), CallOf(parts_.session)); }
  CryptoDirection direction() const { return parts_.direction; }
  uint8_t icv_bytes() const { return parts_.icv_bytes; }
  template <typename Session>
  const Session& session() const {
    return *static_cast<const Session*>(parts_.session.handle);
  }
  const std::vector<uint32_t>& encrypted_bytes() const { return parts_.encrypted_bytes; }
  Buffer& buffer(size_t i) { return buffers_[i % kBurst]; }

 private:
  const Parts parts_;
  std::vector<Buffer> buffers_;
};

// GCM: one call for each packet.
class GcmLimit final : public LimitOf {
 public:
  using LimitOf::LimitOf;
  void RunOnce() override {
    const auto& key = session<gcm_key_data>();
    const bool encrypt = direction() == CryptoDirection::kEncrypt;
    const aes_gcm_enc_dec_t crypt = encrypt ? calls().encrypt : calls().decrypt;
    for (size_t i = 0; i < packets(); ++i) {
      Buffer& to = buffer(i);
      const uint32_t bytes = encrypted_bytes()[i];
      gcm_context_data context;
      crypt(&key, &context, to.payload(), to.payload(), bytes, to.nonce, to.aad, kEspHeaderBytes,
            to.payload() + bytes, icv_bytes());
    }
  }
};

// GMAC: three.
class GmacLimit final : public LimitOf {
 public:
  using LimitOf::LimitOf;
  void RunOnce() override {
    const auto& key = session<gcm_key_data>();
    const IpsecMbGcmCalls gmac = calls();
    for (size_t i = 0; i < packets(); ++i) {
      Buffer& to = buffer(i);
      uint8_t* const icv = to.payload() + encrypted_bytes()[i];
      gcm_context_data context;
      gmac.gmac_init(&key, &context, to.nonce, IMB_GCM_IV_DATA_LEN);
      gmac.gmac_update(&key, &context, to.esp.data(), static_cast<uint64_t>(icv - to.esp.data()));
      gmac.gmac_finalize(&key, &context, icv, icv_bytes());
    }
  }
};

// Everything else: jobs in bursts, which the library spreads over its lanes.
class JobLimit final : public LimitOf {
 public:
  using LimitOf::LimitOf;
  void RunOnce() override {
    for (size_t first = 0; first < packets(); first += kBurst) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(kBurst, packets() - first));
      IMB_JOB* jobs[kBurst];
      IMB_GET_NEXT_BURST(&manager(), count, jobs);
      for (uint32_t i = 0; i < count; ++i) {
        Fill(buffer(first + i), encrypted_bytes()[first + i], *jobs[i]);
      }
      uint32_t done = IMB_SUBMIT_BURST_NOCHECK(&manager(), count, jobs);
      while (done < count) done += IMB_FLUSH_BURST(&manager(), count - done, jobs);
    }
  }

 private:
  void Fill(Buffer& from, uint32_t bytes, IMB_JOB& out) const {
    const auto& job = session<IpsecMbJobSession>();
    uint8_t* const icv = from.payload() + bytes;
    FillFromSession(job, from.aad, out);
    out.src = from.esp.data();
    out.dst = from.payload();
    out.cipher_start_src_offset_in_bytes = kEspHeaderBytes + from.iv_bytes;
    out.msg_len_to_cipher_in_bytes = bytes;
    out.iv = from.nonce;
    out.auth_tag_output = icv;
    out.hash_start_src_offset_in_bytes = 0;
    out.msg_len_to_hash_in_bytes = static_cast<uint64_t>(icv - from.esp.data());
    const bool aead = job.cipher == IMB_CIPHER_CCM || job.cipher == IMB_CIPHER_CHACHA20_POLY1305;
    if (!aead) return;
    out.hash_start_src_offset_in_bytes = out.cipher_start_src_offset_in_bytes;
    out.msg_len_to_hash_in_bytes = bytes;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<CryptoLimit>> CryptoLimit::Create(
    const IpsecSuite& suite, CryptoDirection direction,
    const std::vector<uint32_t>& encrypted_bytes) {
  ManagerPtr manager(alloc_mb_mgr(0));
  if (manager == nullptr) return absl::ResourceExhaustedError("crypto limit: no memory");
  init_mb_mgr_auto(manager.get(), nullptr);
  const IpsecSuiteTraits traits = Find(suite);
  const SecretBytes encryption(traits.encryption_key_bytes());
  const SecretBytes integrity(traits.integrity_key_bytes());
  auto sessions = std::make_unique<IpsecMbSessions>();
  SEKISHO_ASSIGN_OR_RETURN(
      const fastpath::CryptoSession session,
      sessions->Create(*manager, suite, direction, encryption.span(), integrity.span()));
  const EncryptionTraits& cipher = *traits.encryption;
  LimitOf::Parts parts = {
      .manager = std::move(manager),
      .sessions = std::move(sessions),
      .session = session,
      .direction = direction,
      .iv_bytes = cipher.iv_bytes,
      .icv_bytes = cipher.aead ? cipher.icv_bytes : traits.integrity->icv_bytes,
      .encrypted_bytes = encrypted_bytes,
  };
  switch (CallOf(session)) {
    case IpsecMbCall::kGcm128:
    case IpsecMbCall::kGcm192:
    case IpsecMbCall::kGcm256:
      return std::make_unique<GcmLimit>(std::move(parts));
    case IpsecMbCall::kGmac128:
    case IpsecMbCall::kGmac192:
    case IpsecMbCall::kGmac256:
      return std::make_unique<GmacLimit>(std::move(parts));
    case IpsecMbCall::kJob:
      break;
  }
  return std::make_unique<JobLimit>(std::move(parts));
}

double CryptoLimit::Measure(size_t packets) {
  const size_t rounds = (packets + packets_ - 1) / packets_;
  const uint64_t start = rte_rdtsc_precise();
  for (size_t i = 0; i < rounds; ++i) RunOnce();
  const uint64_t cycles = rte_rdtsc_precise() - start;
  return static_cast<double>(cycles) / static_cast<double>(rounds * packets_);
}

}  // namespace sekisho::bench
