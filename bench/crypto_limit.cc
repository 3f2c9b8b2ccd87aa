#include "bench/crypto_limit.h"

#include <intel-ipsec-mb.h>
#include <rte_cycles.h>

#include <cstring>

#include "common/bytes.h"
#include "common/secret.h"
#include "common/status_macros.h"
#include "fastpath/ipsec_mb_session.h"

namespace sekisho::bench {
namespace {

using fastpath::CryptoDirection;
using fastpath::IpsecMbCall;
using fastpath::IpsecMbGcmSession;
using fastpath::IpsecMbJobSession;
using fastpath::IpsecMbSession;

constexpr uint32_t kEspHeaderBytes = 8;
constexpr uint32_t kBurst = 32;  // as the fast path's

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
struct FreeSession {
  void operator()(IpsecMbSession* session) const { fastpath::FreeIpsecMbSession(session); }
};
using ManagerPtr = std::unique_ptr<IMB_MGR, FreeManager>;
using SessionPtr = std::unique_ptr<IpsecMbSession, FreeSession>;

// A packet from its ESP header to the end of its ICV.
struct alignas(16) Packet {
  uint8_t nonce[16] = {};
  uint8_t aad[16] = {};
  uint32_t encrypted_bytes;
  uint32_t iv_bytes;
  std::vector<uint8_t> esp;
  uint8_t* payload() { return esp.data() + kEspHeaderBytes + iv_bytes; }
  uint8_t* icv() { return payload() + encrypted_bytes; }
  uint32_t authenticated_bytes() const { return kEspHeaderBytes + iv_bytes + encrypted_bytes; }
};

std::vector<Packet> MakePackets(const IpsecSuite& suite,
                                const std::vector<uint32_t>& encrypted_bytes) {
  constexpr size_t kIcvMax = 64;
  const uint32_t iv_bytes = Find(suite).encryption->iv_bytes;
  std::vector<Packet> packets(encrypted_bytes.size());
  for (size_t i = 0; i < packets.size(); ++i) {
    packets[i].encrypted_bytes = encrypted_bytes[i];
    packets[i].iv_bytes = iv_bytes;
    packets[i].esp.assign(kEspHeaderBytes + iv_bytes + encrypted_bytes[i] + kIcvMax, 0x5a);
  }
  return packets;
}

// GCM: one call for each packet.
class GcmLimit final : public CryptoLimit {
 public:
  GcmLimit(ManagerPtr manager, SessionPtr session, std::vector<Packet> packets)
      : CryptoLimit(packets.size()),
        manager_(std::move(manager)),
        session_(std::move(session)),
        packets_(std::move(packets)) {}
  void RunOnce() override {
    const auto& session = static_cast<const IpsecMbGcmSession&>(*session_);
    for (Packet& packet : packets_) {
      gcm_context_data context;
      session.crypt(&session.key, &context, packet.payload(), packet.payload(),
                    packet.encrypted_bytes, packet.nonce, packet.aad, session.aad_bytes,
                    packet.icv(), session.icv_bytes);
    }
  }

 private:
  const ManagerPtr manager_;
  const SessionPtr session_;
  std::vector<Packet> packets_;
};

// GMAC: three.
class GmacLimit final : public CryptoLimit {
 public:
  GmacLimit(ManagerPtr manager, SessionPtr session, std::vector<Packet> packets)
      : CryptoLimit(packets.size()),
        manager_(std::move(manager)),
        session_(std::move(session)),
        packets_(std::move(packets)) {}
  void RunOnce() override {
    const auto& session = static_cast<const IpsecMbGcmSession&>(*session_);
    for (Packet& packet : packets_) {
      gcm_context_data context;
      session.gmac_init(&session.key, &context, packet.nonce, IMB_GCM_IV_DATA_LEN);
      session.gmac_update(&session.key, &context, packet.esp.data(), packet.authenticated_bytes());
      session.gmac_finalize(&session.key, &context, packet.icv(), session.icv_bytes);
    }
  }

 private:
  const ManagerPtr manager_;
  const SessionPtr session_;
  std::vector<Packet> packets_;
};

// Everything else: jobs in bursts, which the library spreads over its lanes.
class JobLimit final : public CryptoLimit {
 public:
  JobLimit(ManagerPtr manager, SessionPtr session, std::vector<Packet> packets)
      : CryptoLimit(packets.size()),
        manager_(std::move(manager)),
        session_(std::move(session)),
        packets_(std::move(packets)) {}
  void RunOnce() override {
    IMB_MGR* const manager = manager_.get();
    for (size_t first = 0; first < packets_.size(); first += kBurst) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(kBurst, packets_.size() - first));
      IMB_JOB* jobs[kBurst];
      IMB_GET_NEXT_BURST(manager, count, jobs);
      for (uint32_t i = 0; i < count; ++i) Fill(packets_[first + i], *jobs[i]);
      uint32_t done = IMB_SUBMIT_BURST_NOCHECK(manager, count, jobs);
      while (done < count) done += IMB_FLUSH_BURST(manager, count - done, jobs);
    }
  }

 private:
  void Fill(Packet& packet, IMB_JOB& job) const {
    const auto& session = static_cast<const IpsecMbJobSession&>(*session_);
    job.enc_keys = session.encrypt_keys;
    job.dec_keys = session.decrypt_keys;
    job.key_len_in_bytes = session.key_bytes;
    job.src = packet.esp.data();
    job.dst = packet.payload();
    job.cipher_start_src_offset_in_bytes = kEspHeaderBytes + packet.iv_bytes;
    job.msg_len_to_cipher_in_bytes = packet.encrypted_bytes;
    job.iv = packet.nonce;
    job.iv_len_in_bytes = session.iv_bytes;
    job.auth_tag_output = packet.icv();
    job.auth_tag_output_len_in_bytes = session.icv_bytes;
    job.cipher_mode = session.cipher;
    job.cipher_direction = session.direction;
    job.hash_alg = session.hash;
    job.chain_order = session.order;
    job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_hash_in_bytes = packet.authenticated_bytes();
    if (session.cipher == IMB_CIPHER_CCM) {
      job.u.CCM.aad = packet.aad;
      job.u.CCM.aad_len_in_bytes = session.aad_bytes;
    } else if (session.cipher == IMB_CIPHER_CHACHA20_POLY1305) {
      job.u.CHACHA20_POLY1305.aad = packet.aad;
      job.u.CHACHA20_POLY1305.aad_len_in_bytes = session.aad_bytes;
    } else {
      job.u.HMAC._hashed_auth_key_xor_ipad = session.hmac_inner;
      job.u.HMAC._hashed_auth_key_xor_opad = session.hmac_outer;
      return;
    }
    job.hash_start_src_offset_in_bytes = job.cipher_start_src_offset_in_bytes;
    job.msg_len_to_hash_in_bytes = packet.encrypted_bytes;
  }

  const ManagerPtr manager_;
  const SessionPtr session_;
  std::vector<Packet> packets_;
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
  SEKISHO_ASSIGN_OR_RETURN(IpsecMbSession * made,
                           fastpath::CreateIpsecMbSession(*manager, suite, direction,
                                                          encryption.span(), integrity.span()));
  SessionPtr session(made);
  std::vector<Packet> packets = MakePackets(suite, encrypted_bytes);
  switch (made->call) {
    case IpsecMbCall::kGcm128:
    case IpsecMbCall::kGcm192:
    case IpsecMbCall::kGcm256:
      return std::make_unique<GcmLimit>(std::move(manager), std::move(session), std::move(packets));
    case IpsecMbCall::kGmac:
      return std::make_unique<GmacLimit>(std::move(manager), std::move(session),
                                         std::move(packets));
    case IpsecMbCall::kJob:
      break;
  }
  return std::make_unique<JobLimit>(std::move(manager), std::move(session), std::move(packets));
}

double CryptoLimit::Measure(size_t packets) {
  const size_t rounds = (packets + packets_ - 1) / packets_;
  const uint64_t start = rte_rdtsc_precise();
  for (size_t i = 0; i < rounds; ++i) RunOnce();
  const uint64_t cycles = rte_rdtsc_precise() - start;
  return static_cast<double>(cycles) / static_cast<double>(rounds * packets_);
}

}  // namespace sekisho::bench
