// bench/peer.h: the far end of all tunnels: makes the ESP packets that the gateway receives, by
// the fast path's own encapsulation, whose output the outbound rows check against OpenSSL.
#pragma once

#include <rte_mempool.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/workload.h"
#include "fastpath/crypto_backend.h"
#include "fastpath/esp_worker.h"
#include "fastpath/outbound_sad.h"

namespace sekisho::bench {

class Peer {
 public:
  // `inbound_spis` by SA: the gateway's. The workload outlives the peer.
  static absl::StatusOr<std::unique_ptr<Peer>> Create(const Workload& workload,
                                                      std::span<const Spi> inbound_spis);
  ~Peer();

  // One ESP packet for each, in their order; sequence numbers of every SA begin at 1.
  absl::Status Encrypt(std::span<const PacketSpec> packets,
                       const std::function<void(ByteSpan packet)>& take);

  // Makes ESP packets of the inner packets in these buffers, in place; sequence numbers go on. The
  // buffers have a private area as the fast path's. Requires: at most fastpath::kBurstMax.
  absl::Status EncryptBurst(std::span<const PacketSpec> packets, rte_mbuf* const* mbufs);
  void ResetSequences();

 private:
  explicit Peer(const Workload& workload) : workload_(workload) {}

  const Workload& workload_;
  struct FreePool {
    void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
  };
  std::unique_ptr<rte_mempool, FreePool> pool_;
  std::unique_ptr<fastpath::CryptoBackend> crypto_;
  std::unique_ptr<fastpath::OutboundSad> outbound_;
  fastpath::EspWorker worker_;
  std::vector<fastpath::OutboundSa*> sas_;
};

}  // namespace sekisho::bench
