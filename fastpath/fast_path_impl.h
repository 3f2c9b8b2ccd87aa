// fastpath/fast_path_impl.h: what stands behind FastPath (fast_path.h); the slow-path thread's.
//
//     fast_path.cc            making, starting, stopping, the up ring
//     fast_path_tables.cc     SPD and routes
//     fast_path_sas.cc        SPIs and SAs
//     fast_path_send.cc       packets of our own
//     fast_path_show.cc       what show commands ask
#pragma once

#include <rte_mempool.h>
#include <rte_ring.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fastpath/crypto_backend.h"
#include "fastpath/fast_path.h"
#include "fastpath/inbound_sad.h"
#include "fastpath/outbound_sad.h"
#include "fastpath/port.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

// The packets that are larger than a frame: the largest that reassembly makes, and IKE messages.
inline constexpr size_t kLargePacketBytes = 12288;
inline constexpr unsigned kLargePackets = 512;

struct FreePool {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
struct FreeRing {
  void operator()(rte_ring* ring) const { rte_ring_free(ring); }
};

class FastPath::Impl {
 public:
  explicit Impl(const FastPathConfig& fast_path_config) : config(fast_path_config) {}
  ~Impl();

  // In this order; each undoes itself when the Impl goes.
  absl::Status CheckConfig() const;
  absl::Status MakePools();
  absl::Status OpenPorts();
  absl::Status MakeCrypto();
  absl::Status MakeWorker();

  absl::Status Send(DownMessage message);
  void Stop();
  // After the worker's last round: no job may be with a crypto device when sessions go.
  void DrainCrypto();
  void ActOn(const UpMessage& message);

  const FastPathConfig config;
  std::string name;  // prefix of everything that DPDK wants a unique name for

  std::unique_ptr<rte_mempool, FreePool> packets, large_packets;
  std::unique_ptr<rte_ring, FreeRing> down, up;
  std::vector<Port> ports;
  LocalAddresses local;
  std::unique_ptr<CryptoBackend> crypto;
  std::unique_ptr<InboundSad> inbound;
  std::unique_ptr<OutboundSad> outbound;
  TablesSlots tables;
  // When each slot was filled, counted from 1; 0: free. The newest is in use, or soon will be.
  std::array<uint64_t, kTablesSlots> tables_age = {};
  uint64_t tables_set = 0;
  const Tables* newest = nullptr;
  std::unique_ptr<Worker> worker;
  uint16_t ipv4_id = 0;  // of the next packet that the slow path makes
  bool created = false;
  bool running = false;
};

}  // namespace sekisho::fastpath
