// fastpath/neighbour_table.h: link-layer addresses of the hosts next to us, and the packets that
// wait for one.
//
// Each worker has its own; only it reads and writes. The slow path resolves and ages: an entry is
// made by the first packet that needs it, filled by SetNeighbour, and goes by ForgetNeighbour.
#pragma once

#include <rte_hash.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ip_address.h"
#include "common/messages.h"

namespace sekisho::fastpath {

// More than the slow path keeps, so that none of its own finds no room here.
inline constexpr uint32_t kNeighboursMax = 16384;
inline constexpr uint8_t kNeighbourPendingMax = 8;

struct Neighbour {
  MacAddress mac;
  bool resolved;
  bool asked;  // the slow path was told to resolve it
  uint8_t pending_count;
  std::array<rte_mbuf*, kNeighbourPendingMax> pending;  // oldest first; data at the IP header
};

class NeighbourTable {
 public:
  // Requires an initialised EAL; `name` is unique in the process.
  static absl::StatusOr<NeighbourTable> Create(const std::string& name);
  NeighbourTable() = default;

  // nullptr: not there.
  Neighbour* Find(PortId port, const IpAddress& address);
  // Makes an unresolved entry if there is none; nullptr when the table is full.
  Neighbour* FindOrAdd(PortId port, const IpAddress& address);
  // Entries have numbers, which stay theirs until they are removed.
  uint16_t IndexOf(const Neighbour& neighbour) const {
    return static_cast<uint16_t>(&neighbour - entries_.data());
  }
  const Neighbour& At(uint16_t index) const { return entries_[index]; }
  // Requires: nothing is pending there.
  void Remove(PortId port, const IpAddress& address);

  // Every entry, for the end of a worker.
  std::vector<Neighbour>& entries() { return entries_; }

 private:
  struct Key {
    PortId port;
    IpAddress address;
    uint8_t zero = 0;  // keys are compared as bytes
  };
  static_assert(sizeof(Key) == 20);
  struct FreeHash {
    void operator()(rte_hash* hash) const { rte_hash_free(hash); }
  };
  std::unique_ptr<rte_hash, FreeHash> hash_;  // Key to index in entries_
  std::vector<Neighbour> entries_;
};

}  // namespace sekisho::fastpath
