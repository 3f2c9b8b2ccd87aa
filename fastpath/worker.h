// fastpath/worker.h: one worker: everything that it owns, and its loop.
//
// A worker runs to completion on one lcore: RunOnce() takes a burst from each port through all
// stages. Stages are functions that are given the Worker; nothing is global or thread-local. What a
// worker owns is touched by its thread alone, except counters (anyone reads) and the rings.
#pragma once

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "common/messages.h"
#include "fastpath/counter.h"
#include "fastpath/decision_cache.h"
#include "fastpath/destination_cache.h"
#include "fastpath/esp_worker.h"
#include "fastpath/fast_path.h"
#include "fastpath/flow_table.h"
#include "fastpath/local_addresses.h"
#include "fastpath/neighbour_table.h"
#include "fastpath/packet_list.h"
#include "fastpath/reassembly_table.h"
#include "fastpath/tables.h"
#include "fastpath/token_bucket.h"

namespace sekisho::fastpath {

inline constexpr size_t kPortsMax = 16;
// In PacketContext::port_in: the packet came from no port.
inline constexpr PortId kNoPort{kPortsMax};
inline constexpr uint16_t kNoQueue = UINT16_MAX;
inline constexpr uint16_t kTransmitBufferMax = 64;
inline constexpr size_t kDisposedMax = 64;
inline constexpr unsigned kDownBurstMax = 64;  // messages obeyed in one round

// A port as its worker sees it.
struct WorkerPort {
  uint16_t device = 0;  // DPDK's number
  // Of both directions; kNoQueue: the device has fewer queues than there are workers, and `sender`
  // sends for this one.
  uint16_t queue = 0;
  WorkerId sender{};
  PortSide side = PortSide::kOutside;
  uint16_t mtu = 0;
  uint16_t vlan = 0;              // 0: untagged
  bool vlan_offload = false;      // the device writes the tag
  bool checksum_offload = false;  // the device makes TCP and UDP checksums
  bool offloaded = false;         // and one of `waiting` has some of that for it to do
  bool reverse_path = false;
  MacAddress mac = {};
  uint64_t mac_raw = 0;        // the same, as the first six bytes of a frame are loaded
  bool link_down = false;      // sampled with the housekeeping, not per packet
  uint16_t waiting_count = 0;  // frames collected for the next rte_eth_tx_burst
  std::array<rte_mbuf*, kTransmitBufferMax> waiting;
  Counter received_packets, received_bytes, sent_packets, sent_bytes;

  // For how many more frames is there room in `waiting`, that want no tag and go by our queue? The
  // last place is left to SendFrame(), which then makes room.
  uint16_t plain_room() const {
    if (queue == kNoQueue || vlan != 0) return 0;
    return static_cast<uint16_t>(kTransmitBufferMax - 1 - waiting_count);
  }
};

// A MAC address that any worker may learn and all use: the last to write is right.
class SharedMac {
 public:
  void Set(const MacAddress& mac) {
    uint64_t packed = 0;
    std::memcpy(&packed, mac.data(), mac.size());
    packed_.store(packed, std::memory_order_relaxed);
  }
  MacAddress Get() const {
    const uint64_t packed = packed_.load(std::memory_order_relaxed);
    MacAddress mac;
    std::memcpy(mac.data(), &packed, mac.size());
    return mac;
  }

 private:
  std::atomic<uint64_t> packed_ = 0;
};

// How often per second strangers can make a worker do something that costs others.
struct Budgets {
  TokenBucket ike, resolve, neighbour, acquire, icmp_error, path_mtu;
};

// The rings between this worker and each other, and what waits to be put on them. One producer and
// one consumer each, so that the packets of a flow stay in order.
struct HandOver {
  struct Outgoing {
    rte_ring* ring = nullptr;
    uint16_t count = 0;
    std::array<rte_mbuf*, kBurstMax> waiting;  // until there are many, or the round ends
  };
  std::array<Outgoing, kWorkersMax> to;  // by worker; nullptr for itself
  std::array<rte_ring*, kWorkersMax> from = {};
};

struct WorkerCounters {
  Counter received, made_here, sent, delivered, punted, consumed, held;  // see Accounting
  Counter handed_over, taken_over;                                       // packets; see HandOver
  Counter recalled;                                                      // packets; recall.h
  Counter rounds, busy_rounds;
  std::array<std::array<Counter, kDropReasons>, kPortsMax + 1> drops;  // by port in, then reason
};

// Aligned, as what the slow path allocates beside it would else share its first cache line.
struct alignas(64) Worker {
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Set by the FastPath before the worker runs; constant from then on.
  WorkerId id{};
  uint32_t worker_count = 1;
  size_t port_count = 0;
  const LocalAddresses* local = nullptr;
  const TablesSlots* tables_slots = nullptr;
  rte_mempool* packets = nullptr;        // ordinary buffers
  rte_mempool* large_packets = nullptr;  // for packets larger than a frame
  uint16_t outside_mtu = UINT16_MAX;     // the smallest of the outside ports'
  SharedMac* host_mac = nullptr;         // of the host's own stack; shared by all workers
  rte_ring* down = nullptr;              // DownMessage; slow path -> worker
  rte_ring* up = nullptr;                // UpMessage; worker -> slow path
  std::atomic<bool> stop = false;        // slow path: relaxed; worker: relaxed, once per round
  // What the worker did is seen by who stops it. Worker: release, at its end; slow path: acquire.
  std::atomic<uint32_t> runs_ended = 0;

  // The worker's own.
  std::array<WorkerPort, kPortsMax> ports;
  const Tables* tables = nullptr;  // null until the first kSwapTables
  uint32_t tables_index = 0;
  bool tables_unsaid = false;  // kTablesSwapped is still to be said
  EspWorker esp;
  FlowTable flows;
  // The way to this machine's own stack; port kNoPort without a host port.
  NextHop host = {kNoPort, {}};
  NeighbourTable neighbours;
  std::unique_ptr<DestinationCache> destinations;
  DecisionCache<FlowId4> known4;  // recall.h
  DecisionCache<FlowId6> known6;
  uint32_t known_versions = 0;  // OutboundSad::all_versions() when they were last forgotten for it
  ReassemblyTable reassembly;
  HandOver hand_over;
  Budgets budgets;
  PacketList made;               // ICMP errors of this round, forwarded at the start of the next
  uint64_t now_tsc = 0;          // the same for a whole round
  uint64_t pending_packets = 0;  // in neighbours' queues
  uint16_t ipv4_id = 0;          // of the next IPv4 packet made here
  uint32_t ipv6_fragment_id = 0;
  uint64_t next_housekeeping_tsc = 0;
  size_t disposed_count = 0;
  std::array<rte_mbuf*, kDisposedMax> disposed;  // to be freed in bulk
  WorkerCounters counters;
};

// One round over all ports, messages and crypto queues. True if there was anything to do.
bool RunOnce(Worker& worker, uint64_t now_tsc);
// Rounds until worker.stop; a busy worker talks to the slow path every 20 us only. For
// rte_eal_remote_launch.
void RunUntilStopped(Worker& worker);

// The port a packet came in on; null for a packet made here.
inline const WorkerPort* PortIn(const Worker& worker, const PacketContext& context) {
  const auto index = static_cast<size_t>(context.port_in);
  return index < worker.port_count ? &worker.ports[index] : nullptr;
}
// From outside, and not through a tunnel: anybody may have sent it, and read it.
inline bool CameInClear(const Worker& worker, const PacketContext& context) {
  const WorkerPort* port = PortIn(worker, context);
  return !context.ours && !context.decapsulated && port != nullptr &&
         port->side == PortSide::kOutside;
}
inline bool CameFromHost(const Worker& worker, const PacketContext& context) {
  return !context.ours && context.port_in == worker.host.port && worker.host.port != kNoPort;
}
inline WorkerPort& PortAt(Worker& worker, PortId port) {
  SEKISHO_DCHECK(static_cast<size_t>(port) < worker.port_count);
  return worker.ports[static_cast<size_t>(port)];
}

}  // namespace sekisho::fastpath
