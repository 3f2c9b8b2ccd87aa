// fastpath/crypto_backend.h: the one seam between ESP and AH and what computes their cryptography
// (a DPDK crypto device; a library called directly). Everything goes in bursts.
//
// Sessions are made and freed on the slow path; jobs are given and collected by the worker that is
// named in the call, each worker on its own queues, so nothing here is locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/secret.h"
#include "common/spi.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

enum class CryptoDirection : uint8_t {
  kDecrypt,  // inbound: verify, then decrypt
  kEncrypt,  // outbound: encrypt, then make the ICV
};

// A key schedule on one device; the backend that made it knows what the handle is.
struct CryptoSession {
  void* handle;
  uint8_t device;
  uint8_t detail;
};

// What a suite makes of one packet.
enum class CryptoKind : uint8_t {
  kAead,       // the cipher range is crypted; it and PacketPrivate::aad are authenticated
  kChain,      // a cipher, and an HMAC over the auth range: after encryption, before decryption
  kIntegrity,  // nothing is crypted; an HMAC or GMAC over the auth range
};

// What to do to one packet. Offsets count from the start of the mbuf's data. PacketPrivate::iv
// holds the cipher's IV, the counter block (AES-CTR) or the nonce (AEADs, GMAC); for an AEAD
// PacketPrivate::aad the additional data, 8 bytes or with ESN 12.
//
// AH is kIntegrity over the whole packet, with a session of a suite without encryption: the caller
// zeroes the mutable fields and the ICV in the packet first, and puts the mutable ones back after
// Collect(). Outbound `icv` points to where the zeros stand: it is written when the range was read.
// Inbound it points to a copy of the ICV that came, for which PacketPrivate::icv has room. With
// GMAC PacketPrivate::iv is the nonce, salt and the packet's IV (RFC 4543, 3.2); the IV in the
// packet is inside the range and not zeroed.
struct CryptoJob {
  rte_mbuf* mbuf;
  CryptoSession session;
  uint32_t cipher_offset, cipher_bytes;  // not with kIntegrity
  uint32_t auth_offset, auth_bytes;      // not with kAead
  uint8_t* icv;                          // made there, or compared with what is there
  CryptoKind kind;
  uint8_t icv_bytes;
  uint8_t aad_bytes;  // of PacketPrivate::aad; 0 unless kAead
};

class CryptoBackend {
 public:
  virtual ~CryptoBackend() = default;

  // Any thread. Does Submit() do the work itself? Then every packet is its caller's again when it
  // returns, the context's reason says how its job went, and nothing is ever to be collected.
  bool is_synchronous() const { return synchronous_; }

  // Any thread. What runs here, for people: "cryptodev (crypto_aesni_mb)".
  virtual std::string Describe() const = 0;

  // Slow path. Does anything here run this suite? The error names the suite and the devices.
  virtual absl::Status CheckSuite(const IpsecSuite& suite) const = 0;
  // Slow path. Keys end with their salt, which is not the session's concern. The keys may be wiped
  // after the call.
  virtual absl::StatusOr<CryptoSession> CreateSession(const IpsecSuite& suite,
                                                      CryptoDirection direction,
                                                      ByteSpan encryption_key,
                                                      ByteSpan integrity_key) = 0;
  // Slow path. Requires: no job of this session is with the backend.
  virtual void FreeSession(const CryptoSession& session) = 0;

  // Worker. What Submit() will touch first of these jobs' sessions, on the way into the cache: the
  // first kPreparedMax of those that it is about to be given, while others are still made ready.
  static constexpr size_t kPreparedMax = 8;
  virtual void Prepare(std::span<const CryptoJob>) const {}
  // Worker. Takes the jobs; every job's packet is the backend's until Collect() returns it, except
  // where ContextOf(job.mbuf).reason is kCryptoQueueFull afterwards: those stay the caller's.
  // Returns how many were taken.
  virtual size_t Submit(WorkerId worker, CryptoDirection direction,
                        std::span<const CryptoJob> jobs) = 0;
  // Worker. Finished packets, in the order submitted per device, up to mbufs.size(). The context's
  // reason is kEspIntegrity or kCryptoFailed where the job failed. 0 with jobs in flight means:
  // later.
  virtual size_t Collect(WorkerId worker, CryptoDirection direction,
                         std::span<rte_mbuf*> mbufs) = 0;
  // Any thread. Packets of this worker that are with the backend.
  virtual uint64_t InFlight(WorkerId worker) const = 0;

 protected:
  explicit CryptoBackend(bool synchronous) : synchronous_(synchronous) {}

 private:
  const bool synchronous_;
};

}  // namespace sekisho::fastpath
