// bench/generator.h: sends a gateway what its users and servers would, at a rate that is given, and
// counts and times what comes back. It knows every key, so it is both the users and the servers.
//
// One thread, on one core, for both directions: a second port for each port of the gateway, on this
// machine or another one.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/peer.h"
#include "bench/workload.h"

namespace sekisho::bench {

struct Trial {
  double rate = 0;  // packets per second to offer
  double seconds = 1;
};

struct TrialResult {
  uint64_t sent = 0, received = 0;
  double sent_rate = 0;              // packets per second
  std::vector<double> latencies_us;  // of the packets that were timed
  double loss() const {
    return sent == 0          ? 0
           : received >= sent ? 0
                              : static_cast<double>(sent - received) / static_cast<double>(sent);
  }
};

class Generator {
 public:
  // Of the gateway that it sends to.
  struct Target {
    MacAddress outside_mac = {}, inside_mac = {};
    std::vector<Spi> inbound_spis;  // by SA
  };
  struct Wiring {
    std::string outside, inside;  // its own ports, facing the gateway's of that side; DPDK's names
    // A port that takes no more leads to a ring that the gateway does not empty, not to a link that
    // is full: what it refuses is lost.
    bool rings = false;
  };
  // `peer` encrypts what comes in to the gateway; it goes on from row to row, as the gateway's
  // replay windows do. All of them outlive the generator.
  static absl::StatusOr<std::unique_ptr<Generator>> Create(const Workload& workload, const Row& row,
                                                           const Wiring& wiring,
                                                           const Target& target, Peer* peer,
                                                           uint64_t seed);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Sends for so long, then waits for what is still on its way.
  absl::StatusOr<TrialResult> Run(const Trial& trial);
  std::vector<int> PortNodes() const;  // NUMA

 private:
  Generator(const Workload& workload, const Row& row, const Target& target, Peer* peer,
            uint64_t seed);
  absl::Status OpenPort(const std::string& name, uint16_t& device);
  // A burst of the row's direction; how many were sent.
  absl::StatusOr<uint16_t> SendBurst(uint16_t count);
  void Receive(TrialResult& result);
  void NoteMark(uint8_t mark, uint64_t now, TrialResult& result);

  // Latency: now and then a packet is marked by its DSCP, which tunnels copy to the outer header
  // (RFC 2983) and nothing else in these rows uses.
  static constexpr int kMarks = 64;

  const Workload& workload_;
  const Direction direction_;
  const Target& target_;
  Peer* const peer_;
  const std::vector<PacketSpec> packets_;
  size_t next_ = 0;
  uint64_t next_mark_tsc_ = 0;
  uint8_t next_mark_ = 1;
  std::array<uint64_t, kMarks> marked_tsc_ = {};
  struct FreePool {
    void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
  };
  std::unique_ptr<rte_mempool, FreePool> pool_;
  bool rings_ = false;
  uint16_t outside_ = UINT16_MAX, inside_ = UINT16_MAX;
};

}  // namespace sekisho::bench
