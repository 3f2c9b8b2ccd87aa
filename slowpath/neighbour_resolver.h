// slowpath/neighbour_resolver.h: ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861, 7.2) for the
// next hops of the workers, without input or output.
//
// What workers say (kResolveNeighbour, kNeighbourSeen) and the time go in; frames to send and
// entries to set or forget in the fast path come out. Slow-path thread only.
//
//   asked --> resolving: broadcast or multicast, 3 tries 1 s apart --> forgotten
//                 | seen
//                 v
//             reachable: for 60 s, then 3 unicast probes 1 s apart --> forgotten
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/bytes.h"
#include "common/ip_address.h"
#include "common/ip_prefix.h"
#include "common/messages.h"

namespace sekisho::slowpath {

// The workers' side of one port: PortId is the index in the list given to NeighbourResolver.
struct NeighbourInterface {
  MacAddress mac;
  std::vector<InterfaceAddress> addresses;
};

// Whole Ethernet frames, padded to the least length of 60 bytes. `target_mac` given: a unicast
// probe; otherwise to the broadcast, or to the solicited-node multicast address.
Bytes BuildArpRequest(const MacAddress& our_mac, const IpAddress& our_address,
                      const IpAddress& target, const std::optional<MacAddress>& target_mac);
Bytes BuildNeighbourSolicitation(const MacAddress& our_mac, const IpAddress& our_address,
                                 const IpAddress& target,
                                 const std::optional<MacAddress>& target_mac);

// For `show neighbours`.
struct NeighbourInfo {
  PortId port;
  IpAddress address;
  std::string state;  // "resolving", "reachable", "probing"
  MacAddress mac;     // all zeros while resolving
  absl::Time since;   // of the state
};

class NeighbourResolver {
 public:
  static constexpr size_t kNeighboursMax = 8192;  // half of what a worker holds
  static constexpr int kTries = 3;
  static constexpr absl::Duration kTryInterval = absl::Seconds(1);
  static constexpr absl::Duration kReachableTime = absl::Seconds(60);

  struct SendFrame {  // FastPath::SendFrame()
    PortId port;
    Bytes frame;
  };
  struct SetNeighbour {  // FastPath::SetNeighbour()
    PortId port;
    IpAddress address;
    MacAddress mac;
  };
  struct ForgetNeighbour {  // FastPath::ForgetNeighbour()
    PortId port;
    IpAddress address;
  };
  using Action = std::variant<SendFrame, SetNeighbour, ForgetNeighbour>;
  using Actions = std::vector<Action>;

  explicit NeighbourResolver(std::vector<NeighbourInterface> interfaces,
                             size_t neighbours_max = kNeighboursMax);

  // A packet waits. Known already: said once more, for the worker may have missed it. On a port
  // with no address of that family to ask from: forgotten at once. A full table gives up the oldest
  // entry that is being resolved; where there is none, the one confirmed the longest ago.
  void HandleResolve(PortId port, const IpAddress& address, absl::Time now, Actions& actions);

  // A neighbour said where it is, in an answer or in a request to us. Learned if it was asked for,
  // or if it is on a network of the port and there is room; never for an address of our own, and
  // never a MAC address that is zero or a group. Another MAC address than the known one is not
  // taken but has the known one probed: a host that moved is found again when that goes unanswered,
  // and one that is only impersonated keeps its place.
  void HandleSeen(PortId port, const IpAddress& address, const MacAddress& mac, absl::Time now,
                  Actions& actions);

  void HandleTimers(absl::Time now, Actions& actions);
  absl::Time next_deadline() const;  // absl::InfiniteFuture(): nothing is pending

  std::vector<NeighbourInfo> List() const;  // by port, then address
  size_t size() const { return entries_.size(); }

 private:
  using Key = std::pair<PortId, IpAddress>;
  enum class State : uint8_t { kResolving, kReachable, kProbing };
  struct Entry {
    State state = State::kResolving;
    MacAddress mac = {};
    int tries = 0;  // in this state
    absl::Time since, deadline;
  };
  using Ordered = std::set<std::pair<absl::Time, Key>>;

  const InterfaceAddress* SourceFor(PortId port, const IpAddress& target) const;
  bool IsOurs(PortId port, const IpAddress& address) const;
  bool IsOnLink(PortId port, const IpAddress& address) const;
  void Erase(const Key& key, Actions& actions);
  void EvictOne(Actions& actions);
  void Enter(const Key& key, Entry& entry, State state, absl::Time now);
  void SetDeadline(const Key& key, Entry& entry, absl::Time deadline);
  void Ask(const Key& key, Entry& entry, absl::Time now, Actions& actions);

  std::vector<NeighbourInterface> interfaces_;
  size_t neighbours_max_;
  absl::flat_hash_map<Key, Entry> entries_;
  Ordered deadlines_;
  Ordered resolving_, resolved_;  // by Entry::since: who is evicted first
};

}  // namespace sekisho::slowpath
