// fastpath/fast_path.h: the slow path's handle on the workers: ports, SAs, policies, routes,
// neighbours, punted packets, counters.
//
// Everything here is called on the slow-path thread only, unless it says otherwise. Nothing blocks;
// what a worker must do travels on its down ring, and a full ring is ResourceExhausted, to be tried
// again. Requires an initialised EAL (fastpath/eal.h).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/endpoint.h"
#include "common/ip_prefix.h"
#include "common/ipsec.h"
#include "common/messages.h"
#include "common/secret.h"
#include "common/spi.h"
#include "common/traffic_selector.h"
#include "fastpath/drop_reason.h"
#include "fastpath/policy.h"

namespace sekisho::fastpath {

// RFC 4301, 3.1: which side of the IPsec boundary a port is on.
enum class PortSide : uint8_t {
  kOutside,  // unprotected: SPD applies
  kInside,   // protected
  // This machine's own IP stack (net_tap, say), which has our addresses too: what is addressed to
  // us and no stage wants goes there, what comes from there is ours, and the outbound SPD's.
  kHost,
};

struct Worker;  // fastpath/worker.h

struct PortConfig {
  std::string name;    // ours: "wan"
  std::string device;  // DPDK's: "net_af_packet0", "0000:3b:00.0"; already probed
  PortSide side = PortSide::kOutside;
  std::vector<InterfaceAddress> addresses;
  uint16_t mtu = 1500;  // of IP packets
  uint16_t vlan = 0;    // IEEE 802.1Q: its frames have this tag, 1 to 4094; 0: none
  // Outside: nothing comes in in clear from an address to which we would send by an inside port
  // (RFC 2827).
  bool reverse_path = true;
};

struct Route {
  IpPrefix destination;
  PortId port;
  std::optional<IpAddress> gateway;  // none: on the link
};

// FastPathConfig::decisions_max with room for so many flows at once: a flow in a full bucket gives
// way to another.
constexpr uint32_t DecisionsFor(uint64_t flows) {
  constexpr uint64_t kLeast = 4096, kMost = 1 << 22;
  return static_cast<uint32_t>(std::clamp(std::bit_ceil(4 * flows), kLeast, kMost));
}

enum class CryptoBackendKind : uint8_t {
  kCryptodev,  // DPDK crypto devices
  kIpsecMb,    // Intel IPsec-MB, called directly; fastest where there is no hardware
};

struct FastPathConfig {
  std::vector<PortConfig> ports;        // PortId is the index in this list
  std::vector<unsigned> worker_lcores;  // a worker each; WorkerId is the index in this list
  CryptoBackendKind crypto_backend = CryptoBackendKind::kCryptodev;
  std::vector<std::string> crypto_devices;  // kCryptodev: DPDK's names, already probed; in order
  uint32_t inbound_sas_max = 16384;         // per worker; a power of two up to kSlotsMax
  uint32_t outbound_sas_max = 16384;        // of all workers together; a power of two
  uint32_t mbufs = 16384;
  uint32_t replay_window = 1024;  // packets; 64 to 4096, a power of two
  uint32_t flows_max = 65536;  // per worker (fastpath/flow_table.h), at most FlowTable::kFlowsMax
  // IPv4 flows per worker, and a quarter as many of IPv6, for which it is kept what was decided
  // (fastpath/decision_cache.h); a power of two from 64, or 0: every packet is decided anew.
  uint32_t decisions_max = 65536;
};

struct SaLifetimes {          // 0: none
  uint64_t soft_bytes = 0;    // of inner packets: kSoftExpiry, once
  uint64_t soft_packets = 0;  // likewise; besides, always well before sequence numbers run out
  uint64_t hard_bytes = 0;    // kHardExpiry, and the SA takes no packet more
  uint64_t hard_packets = 0;
};

// Names one installed SA; stale handles are refused with NotFound.
struct SaHandle {
  UpMessage::Direction direction = UpMessage::Direction::kInbound;
  SlotId slot{};
  uint32_t generation = 0;
  friend auto operator<=>(const SaHandle&, const SaHandle&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SaHandle& sa) {
    return H::combine(std::move(h), sa.direction, sa.slot, sa.generation);
  }
};

struct InboundSaParameters {
  Spi spi;                 // from AllocateSpi()
  bool typed_spi = false;  // chosen by a person: anything but 0 to 255; the SA takes a free slot
  IpsecProtocol protocol = IpsecProtocol::kEsp;
  IpsecMode mode = IpsecMode::kTunnel;
  IpsecSuite suite;            // AH: integrity only
  SecretBytes encryption_key;  // with its salt
  SecretBytes integrity_key;
  TrafficSelectors local,
      remote;  // what may come out of it: source in remote, destination in local
  Endpoint local_endpoint, remote_endpoint;  // outer addresses; ports: only with encapsulation
  bool udp_encapsulation = false;
  bool anti_replay = true;  // RFC 4303, 3.4.3: not with keys that a person typed
  // Transport mode with NAT between: the addresses as the peer knows them (RFC 7296, 2.23.1), which
  // its checksums cover; both or none.
  std::optional<IpAddress> original_local, original_remote;
  // The same number in every SA of one peer, whatever its rekeys: tells apart those behind one NAT
  // (fastpath/flow_table.h). 0: not told.
  uint64_t peer = 0;
  SaLifetimes lifetimes;
  // Nested SAs (RFC 4301, 4.3): packets of this one must have come through that SA of AH; AH that
  // carries nothing but ESP.
  std::optional<SaHandle> within;
  bool only_around_esp = false;
};
struct OutboundSaParameters {
  Spi spi;  // the peer's
  IpsecProtocol protocol = IpsecProtocol::kEsp;
  IpsecMode mode = IpsecMode::kTunnel;
  IpsecSuite suite;
  SecretBytes encryption_key;
  SecretBytes integrity_key;
  TrafficSelectors local, remote;
  Endpoint local_endpoint, remote_endpoint;
  bool udp_encapsulation = false;
  uint64_t peer = 0;  // as the inbound SA's
  SaLifetimes lifetimes;
  // Nested SAs: its packets go into that outbound SA of AH before they leave. The other is given
  // remote selectors only where it protects packets of its own.
  std::optional<SaHandle> then;
  // To own it; none: the owner of `then`, or the worker that owns the fewest.
  std::optional<WorkerId> worker;
};

struct SaCounters {
  uint64_t packets = 0, bytes = 0;  // bytes of inner IP packets
  uint64_t dropped = 0;             // known to be this SA's, and dropped
  uint64_t sequence = 0;            // outbound: last sent; inbound: highest seen
  uint16_t path_mtu = 0;            // outbound: as last learned; 0: nothing was
};

struct PortCounters {
  uint64_t received_packets = 0, received_bytes = 0;
  uint64_t sent_packets = 0, sent_bytes = 0;
};

struct PortInfo {
  std::string name, device, driver;
  PortSide side;
  MacAddress mac;
  std::vector<InterfaceAddress> addresses;
  uint16_t mtu;
  bool link_up;
  uint32_t link_mbps;  // 0: unknown
  PortCounters counters;
};

// What one worker did since the start. Packets, but for the rounds.
struct WorkerInfo {
  unsigned lcore = 0;
  uint64_t rounds = 0, busy_rounds = 0;
  uint64_t received = 0, sent = 0;
  uint64_t handed_over = 0, taken_over = 0;  // to other workers, from other workers
  uint64_t recalled = 0;                     // packets of flows that were decided before
  uint64_t dropped = 0, held = 0;
  uint32_t inbound_sas = 0, outbound_sas = 0;
  uint16_t queues = 0;  // of ports, that it serves
};

// Drops that one worker counted.
struct DropCount {
  WorkerId worker{};
  std::optional<PortId> port;  // that the packets came in on; none: made here
  DropReason reason = DropReason::kNone;
  uint64_t packets = 0;
};

// received + made_here = sent + delivered + punted + consumed + dropped + held, once workers are
// idle.
struct Accounting {
  uint64_t received = 0;   // frames taken from all ports
  uint64_t made_here = 0;  // packets that the slow path or a worker made (IKE, ARP, ND, ICMP)
  uint64_t sent = 0;       // frames given to all ports but the host's
  uint64_t delivered = 0;  // frames given to the host port: delivered up
  uint64_t punted = 0;     // handed to the slow path on the up ring
  uint64_t consumed = 0;   // answered, learned from, keepalives: done with, by intention
  uint64_t dropped = 0;    // sum over all DropReasons
  uint64_t held = 0;  // waiting in a neighbour's queue, for reassembly, for another worker, or in a
                      // crypto device
};

class FastPath {
 public:
  // Makes pools, rings, tables; configures ports and crypto devices. On failure nothing is left
  // behind, and the error names the port or device and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<FastPath>> Create(const FastPathConfig& config);
  ~FastPath();  // Stop()s first; closes the ports
  FastPath(const FastPath&) = delete;
  FastPath& operator=(const FastPath&) = delete;

  // Launches the workers on their lcores. Until SetTables() succeeded, transit is dropped.
  absl::Status Start();
  // Ends the workers and waits for them. No-op when stopped.
  void Stop();
  // One round of every worker on the calling thread, for a program that brings its own loop: a
  // test, a benchmark, a simulation. True if there was anything to do. Requires: not started.
  bool RunOnce();
  // The same at a time of the caller's (TSC), by which everything ages from then on, until the next
  // is given. Requires: no earlier than before.
  bool RunOnce(uint64_t now_tsc);
  // A worker itself, for a program that looks into it between its rounds: the throughput bench.
  // Requires: not started, or nothing for the worker to do.
  Worker& worker(WorkerId id);

  // SPD (outside ports) and routes, compiled aside and swapped in whole (RFC 4301, 4.4.1).
  // Ordered: the first policy that matches decides; none: DISCARD.
  absl::Status SetTables(std::vector<Policy> policies, std::vector<Route> routes);
  const std::vector<Policy>& policies() const;  // as last set
  std::vector<uint64_t> PolicyHits() const;     // packets, same order
  std::vector<uint64_t> PolicyDrops() const;    // of these, dropped by the policy or after it

  // Algorithms: does the crypto backend run this suite? The error names suite and backend.
  absl::Status CheckSuite(const IpsecSuite& suite) const;
  std::string DescribeCrypto() const;  // "ipsec-mb 1.3.0 (AVX-512)"

  // SAD. An SPI names the worker and slot that will hold the inbound SA: the worker with the most
  // room, or, so that what is learned about a remote host is in one place, that host's home.
  absl::StatusOr<Spi> AllocateSpi();
  absl::StatusOr<Spi> AllocateSpiAtHomeOf(const IpAddress& remote);
  uint32_t worker_count() const;
  void ReleaseSpi(Spi spi);  // allocated and never installed
  absl::StatusOr<SaHandle> InstallInbound(const InboundSaParameters& parameters);
  absl::StatusOr<SaHandle> InstallOutbound(const OutboundSaParameters& parameters);
  // The SA does nothing more once the worker has seen it; its slot is reused after kSaRetired,
  // which PollUp() handles by itself. Counters stay readable until then.
  absl::Status Remove(const SaHandle& sa);
  absl::Status MovePeer(const SaHandle& outbound, const Endpoint& local, const Endpoint& remote);
  absl::StatusOr<SaCounters> Counters(const SaHandle& sa) const;
  uint32_t inbound_sas() const;
  uint32_t outbound_sas() const;

  // Neighbours (the slow path resolves and ages them).
  absl::Status SetNeighbour(PortId port, const IpAddress& address, const MacAddress& mac);
  absl::Status ForgetNeighbour(PortId port, const IpAddress& address);

  // What the workers said; up to messages.size() of them. kSaRetired, kTablesSwapped and
  // kPathMtu were already acted on. The caller owns the mbuf of each kPacket.
  size_t PollUp(std::span<UpMessage> messages);

  // An IP/UDP packet of our own: checksums, fragments where larger than the way out, routed by the
  // worker. UDP 4500 gets the non-ESP marker if `non_esp_marker`.
  absl::Status SendUdp(const Endpoint& local, const Endpoint& remote, bool non_esp_marker,
                       ByteSpan payload);
  // A whole Ethernet frame out of one port (ARP requests, neighbour solicitations).
  absl::Status SendFrame(PortId port, ByteSpan frame);

  // State for show commands. Counters are sums over workers; never reset.
  std::vector<PortInfo> Ports() const;
  std::vector<std::pair<DropReason, uint64_t>> Drops() const;  // every reason, in enum order
  Accounting GetAccounting() const;
  std::vector<WorkerInfo> Workers() const;       // by WorkerId
  std::vector<DropCount> DropsInDetail() const;  // those that are not zero, by reason first
  // The local address to use towards `remote`, by route; NotFound without one.
  absl::StatusOr<IpAddress> SourceFor(const IpAddress& remote) const;

 private:
  class Impl;
  explicit FastPath(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::fastpath
