// slowpath/address_pool.h: virtual addresses for peers (RFC 7296, 2.19).
//
// A peer that comes back gets the address it had, if nobody else has it by now: addresses never
// used are given out first, then those given back, the longest ago first. Leasing and releasing
// take constant time, whatever the size of the pool. Slow-path thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ip_address.h"
#include "common/ip_range.h"
#include "ike/actions.h"
#include "ike/engine.h"
#include "ike/identity.h"

namespace sekisho::slowpath {

// For `show pools`.
struct PoolInfo {
  std::string name;
  IpRange addresses;
  uint64_t size = 0;  // 2^64 and more count as UINT64_MAX
  uint64_t leased = 0;
  std::vector<IpAddress> dns;
};

// What of a prefix or range may be leased. `text` as in the configuration: of a prefix
// (10.99.0.0/24, 2001:db8::/112) the first address is left out, and the last one too with IPv4,
// where it is the broadcast address; of a prefix with one or two addresses (/31, /32, /127, /128)
// and of a range nothing is.
absl::StatusOr<IpRange> ParsePoolAddresses(absl::string_view text);

class AddressPool {
 public:
  // How many former owners a pool remembers: beyond, addresses given back are used again before
  // new ones, so that a huge IPv6 pool does not mean a huge table.
  static constexpr uint64_t kRememberedMax = uint64_t{1} << 20;

  AddressPool(std::string name, const IpRange& addresses, std::vector<IpAddress> dns,
              uint64_t remembered_max = kRememberedMax);

  // ResourceExhausted: "pool staff4: all 200 addresses are leased".
  absl::StatusOr<IpAddress> Lease(const ike::Identity& peer);
  // Requires: leased.
  void Release(const IpAddress& address);

  const std::string& name() const { return name_; }
  const IpRange& addresses() const { return addresses_; }
  const std::vector<IpAddress>& dns() const { return dns_; }
  IpFamily family() const { return addresses_.family(); }
  PoolInfo info() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // One address that was given out at least once. Index: distance from the first of the pool.
  struct Slot {
    ike::Identity owner;  // the last one
    bool leased = false;
    uint32_t previous = kNone, next = kNone;  // in the list of free slots
  };

  void Append(uint32_t index);  // to the list of free slots
  void Unlink(uint32_t index);
  uint32_t PickSlot(const ike::Identity& peer);  // kNone: exhausted

  std::string name_;
  IpRange addresses_;
  std::vector<IpAddress> dns_;
  uint64_t size_;       // UINT64_MAX: that or more
  uint64_t slots_max_;  // how far slots_ may grow
  uint64_t leased_ = 0;
  std::vector<Slot> slots_;
  uint32_t free_first_ = kNone, free_last_ = kNone;  // oldest first
  absl::flat_hash_map<ike::Identity, uint32_t> former_;
};

// One lease of `show leases`.
struct LeaseInfo {
  std::string pool;
  IpAddress address;
  ike::IkeSaId ike_sa;
  std::string identity;
};

// All pools, and which IKE SA leases what: the answers to ike::AskLease and ike::ReleaseLease.
class AddressPools {
 public:
  explicit AddressPools(std::vector<AddressPool> pools);

  // Tries the pools named in `pools` in order, per family asked for. A family of which no pool is
  // named is left out. Fails, and leases nothing, if a family asked for and named is exhausted, or
  // if nothing asked for is named. An IKE SA that has a lease already is given the same again.
  absl::StatusOr<ike::Lease> Lease(const ike::AskLease& ask, const std::vector<std::string>& pools);
  // No-op for an IKE SA without a lease.
  void Release(ike::IkeSaId ike_sa);

  std::vector<PoolInfo> List() const;     // in order of configuration
  std::vector<LeaseInfo> Leases() const;  // by IKE SA

 private:
  struct Held {
    size_t pool;
    IpAddress address;
  };
  struct IkeSaLease {
    ike::Lease lease;
    ike::Identity peer;
    std::vector<Held> held;
  };
  absl::Status LeaseFamily(IpFamily family, const ike::AskLease& ask,
                           const std::vector<std::string>& names, IkeSaLease& lease);
  void GiveBack(const IkeSaLease& lease);

  std::vector<AddressPool> pools_;
  absl::flat_hash_map<ike::IkeSaId, IkeSaLease> leases_;
};

}  // namespace sekisho::slowpath
