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

// The packets that are larger than a frame: what reassembly makes, and IKE messages. All but the
// last hundreds of bytes of the largest that IP knows: the size of a buffer, with its room in
// front, is a number of 16 bits.
inline constexpr size_t kLargePacketBytes = 65'000;
inline constexpr unsigned kLargePackets = 128;

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
  absl::Status MakeRings();
  absl::Status OpenPorts();
  absl::Status MakeCrypto();
  absl::Status MakeWorkers();
  absl::Status MakeWorker(WorkerId id);
  void DealOutQueues();

  uint32_t worker_count() const { return static_cast<uint32_t>(config.worker_lcores.size()); }
  bool IsWorker(WorkerId worker) const { return static_cast<uint32_t>(worker) < worker_count(); }
  InboundSad& InboundOf(WorkerId worker) { return *inbound[static_cast<size_t>(worker)]; }
  bool HasRoom(WorkerId worker) const;
  static absl::Status RingFull(WorkerId worker);
  // ResourceExhausted where the ring is full.
  absl::Status Send(WorkerId worker, DownMessage message);
  // To every worker, or to none.
  absl::Status Broadcast(DownMessage message);
  // The worker that sends on the port when nothing else decides.
  WorkerId SenderOn(PortId port) const;
  WorkerId WorkerWithMostRoom() const;  // for inbound SAs
  WorkerId WorkerWithFewestOutbound() const;
  absl::Status Launch(size_t index);
  void Stop();
  // After the workers' last round: no job may be with a crypto device when sessions go.
  void DrainCrypto(WorkerId worker);
  void DrainHandOver();
  void ActOn(const UpMessage& message);
  void NoteTablesSwapped(WorkerId worker, uint32_t index);
  uint64_t Now() const;  // TSC
  // Of the SA that the message means, if it is one of ours.
  void SetPathMtu(const UpMessage::PathMtu& learned);

  const FastPathConfig config;
  std::string name;  // prefix of everything that DPDK wants a unique name for

  std::unique_ptr<rte_mempool, FreePool> packets, large_packets;
  using Ring = std::unique_ptr<rte_ring, FreeRing>;
  std::vector<Ring> down, up;   // by worker
  std::vector<Ring> hand_over;  // from * worker_count() + to
  std::vector<Port> ports;
  LocalAddresses local;
  SharedMac host_mac;  // the host port's own, as a tap's is, until a frame says otherwise
  std::unique_ptr<CryptoBackend> crypto;
  std::vector<std::unique_ptr<InboundSad>> inbound;  // by worker
  std::unique_ptr<OutboundSad> outbound;
  TablesSlots tables;
  // When each slot was filled, counted from 1; 0: free. The newest is in use, or soon will be.
  std::array<uint64_t, kTablesSlots> tables_age = {};
  uint64_t tables_set = 0;
  const Tables* newest = nullptr;
  std::vector<uint64_t> tables_seen;  // by worker: the newest that it said it uses
  std::vector<std::unique_ptr<Worker>> workers;
  size_t poll_next = 0;  // the worker whose up ring is emptied first
  uint16_t ipv4_id = 0;  // of the next packet that the slow path makes
  bool created = false;
  uint64_t given_tsc = 0;  // the time, where the caller of RunOnce() says what it is
  size_t running = 0;      // workers, the first ones
};

}  // namespace sekisho::fastpath
