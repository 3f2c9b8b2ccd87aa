// fastpath/ipsec_mb_backend.h: the crypto seam over Intel IPsec-MB, called directly.
//
// Submit() does the work on the calling worker, so that nothing is ever out of sight. GCM and GMAC
// are calls that finish one packet each; what the library runs faster across packets (CBC, CTR,
// CCM, ChaCha20-Poly1305, all HMACs) goes into one multi-buffer burst per Submit(), which is
// flushed before it returns.
//
// Each worker has a manager of the library, which holds its lanes, and the library for itself
// (ipsec_mb_library.h). Sessions are the library's
// expanded keys, in EAL memory (huge pages where there are any), wiped when freed.
#pragma once

#include <memory>
#include <vector>

#include "fastpath/crypto_backend.h"
#include "fastpath/ipsec_mb_library.h"
#include "fastpath/ipsec_mb_session.h"

namespace sekisho::fastpath {

class alignas(64) IpsecMbBackend final : public CryptoBackend {
 public:
  struct Config {
    uint32_t workers = 1;
  };
  // Fails where the CPU lacks what the library needs.
  static absl::StatusOr<std::unique_ptr<IpsecMbBackend>> Create(const Config& config);
  // Requires: no session and no job left.
  ~IpsecMbBackend() override;
  IpsecMbBackend(const IpsecMbBackend&) = delete;
  IpsecMbBackend& operator=(const IpsecMbBackend&) = delete;

  std::string Describe() const override;
  absl::Status CheckSuite(const IpsecSuite& suite) const override;
  absl::StatusOr<CryptoSession> CreateSession(const IpsecSuite& suite, CryptoDirection direction,
                                              ByteSpan encryption_key,
                                              ByteSpan integrity_key) override;
  void FreeSession(const CryptoSession& session) override;
  void Prepare(std::span<const CryptoJob> jobs) const override;
  size_t Submit(WorkerId worker, CryptoDirection direction,
                std::span<const CryptoJob> jobs) override;
  size_t Collect(WorkerId, CryptoDirection, std::span<rte_mbuf*>) override { return 0; }
  uint64_t InFlight(WorkerId) const override { return 0; }

 private:
  explicit IpsecMbBackend(IpsecMbManagerPtr manager)
      : CryptoBackend(/*synchronous=*/true), manager_(std::move(manager)) {}

  const IpsecMbManagerPtr manager_;  // slow path: expands keys
  IpsecMbSessions sessions_;         // slow path
  struct alignas(64) Worker {        // in a cache line that nobody writes
    IpsecMbManagerPtr manager;
  };
  std::vector<Worker> workers_;
};

}  // namespace sekisho::fastpath
