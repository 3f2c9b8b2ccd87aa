#include "slowpath/neighbour_resolver.h"

#include <algorithm>

#include "common/check.h"

namespace sekisho::slowpath {
namespace {

bool IsUnicastMac(const MacAddress& mac) { return (mac[0] & 1) == 0 && mac != MacAddress{}; }

const char* NameOf(int state) {
  static constexpr const char* kNames[] = {"resolving", "reachable", "probing"};
  return kNames[state];
}

}  // namespace

NeighbourResolver::NeighbourResolver(std::vector<NeighbourInterface> interfaces,
                                     size_t neighbours_max)
    : interfaces_(std::move(interfaces)), neighbours_max_(neighbours_max) {
  SEKISHO_CHECK(neighbours_max_ > 0);
}

void NeighbourResolver::HandleResolve(PortId port, const IpAddress& address, absl::Time now,
                                      Actions& actions) {
  if (static_cast<size_t>(port) >= interfaces_.size()) return;
  const Key key{port, address};
  const auto known = entries_.find(key);
  if (known != entries_.end()) {
    if (known->second.state != State::kResolving) {
      actions.push_back(SetNeighbour{port, address, known->second.mac});
    }
    return;
  }
  if (SourceFor(port, address) == nullptr || IsOurs(port, address)) {
    actions.push_back(ForgetNeighbour{port, address});
    return;
  }
  if (entries_.size() >= neighbours_max_) EvictOne(actions);
  Entry& entry = entries_[key];
  Enter(key, entry, State::kResolving, now);
  Ask(key, entry, now, actions);
}

void NeighbourResolver::HandleSeen(PortId port, const IpAddress& address, const MacAddress& mac,
                                   absl::Time now, Actions& actions) {
  if (static_cast<size_t>(port) >= interfaces_.size() || !IsUnicastMac(mac)) return;
  const Key key{port, address};
  auto known = entries_.find(key);
  if (known == entries_.end()) {
    // Strangers on the link may fill what room is left, but push nobody out.
    if (!IsOnLink(port, address) || IsOurs(port, address)) return;
    if (entries_.size() >= neighbours_max_) return;
    known = entries_.try_emplace(key).first;
  }
  // Whoever is on the link can claim another's address. While the one we know answers, it stays.
  if (known->second.state != State::kResolving && known->second.mac != mac &&
      known->second.mac != MacAddress{}) {
    if (known->second.state == State::kProbing) return;
    Enter(key, known->second, State::kProbing, now);
    return Ask(key, known->second, now, actions);
  }
  known->second.mac = mac;
  Enter(key, known->second, State::kReachable, now);
  SetDeadline(key, known->second, now + kReachableTime);
  actions.push_back(SetNeighbour{port, address, mac});
}

void NeighbourResolver::HandleTimers(absl::Time now, Actions& actions) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const Key key = deadlines_.begin()->second;
    Entry& entry = entries_.at(key);
    if (entry.state == State::kReachable) {
      Enter(key, entry, State::kProbing, now);
    } else if (entry.tries >= kTries) {
      Erase(key, actions);
      continue;
    }
    Ask(key, entry, now, actions);
  }
}

absl::Time NeighbourResolver::next_deadline() const {
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.begin()->first;
}

std::vector<NeighbourInfo> NeighbourResolver::List() const {
  std::vector<NeighbourInfo> list;
  list.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    list.push_back({.port = key.first,
                    .address = key.second,
                    .state = NameOf(static_cast<int>(entry.state)),
                    .mac = entry.mac,
                    .since = entry.since});
  }
  std::sort(list.begin(), list.end(), [](const NeighbourInfo& a, const NeighbourInfo& b) {
    return std::tie(a.port, a.address) < std::tie(b.port, b.address);
  });
  return list;
}

// The address to ask from: one on the target's network, else any of its family.
const InterfaceAddress* NeighbourResolver::SourceFor(PortId port, const IpAddress& target) const {
  const InterfaceAddress* other = nullptr;
  for (const InterfaceAddress& ours : interfaces_[static_cast<size_t>(port)].addresses) {
    if (ours.address.family() != target.family()) continue;
    if (ours.network().Contains(target)) return &ours;
    if (other == nullptr) other = &ours;
  }
  return other;
}

bool NeighbourResolver::IsOurs(PortId port, const IpAddress& address) const {
  const auto& addresses = interfaces_[static_cast<size_t>(port)].addresses;
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const InterfaceAddress& ours) { return ours.address == address; });
}

bool NeighbourResolver::IsOnLink(PortId port, const IpAddress& address) const {
  if (address.is_any() || address.is_multicast() || address.is_broadcast()) return false;
  if (address.is_v6() && address.is_link_local()) return true;
  const auto& addresses = interfaces_[static_cast<size_t>(port)].addresses;
  return std::any_of(addresses.begin(), addresses.end(), [&](const InterfaceAddress& ours) {
    return ours.network().Contains(address);
  });
}

// Gives up the entry whose loss costs least: the oldest that has no answer yet, else the one
// confirmed the longest ago.
void NeighbourResolver::EvictOne(Actions& actions) {
  const Ordered& from = resolving_.empty() ? resolved_ : resolving_;
  Erase(Key(from.begin()->second), actions);
}

void NeighbourResolver::Erase(const Key& key, Actions& actions) {
  Entry& entry = entries_.at(key);
  (entry.state == State::kResolving ? resolving_ : resolved_).erase({entry.since, key});
  deadlines_.erase({entry.deadline, key});
  actions.push_back(ForgetNeighbour{key.first, key.second});
  entries_.erase(key);
}

void NeighbourResolver::Enter(const Key& key, Entry& entry, State state, absl::Time now) {
  resolving_.erase({entry.since, key});
  resolved_.erase({entry.since, key});
  entry.state = state;
  entry.since = now;
  entry.tries = 0;
  (state == State::kResolving ? resolving_ : resolved_).insert({now, key});
}

void NeighbourResolver::SetDeadline(const Key& key, Entry& entry, absl::Time deadline) {
  deadlines_.erase({entry.deadline, key});
  entry.deadline = deadline;
  deadlines_.insert({deadline, key});
}

void NeighbourResolver::Ask(const Key& key, Entry& entry, absl::Time now, Actions& actions) {
  const auto& [port, target] = key;
  const InterfaceAddress* source = SourceFor(port, target);
  SEKISHO_DCHECK(source != nullptr);
  const MacAddress& mac = interfaces_[static_cast<size_t>(port)].mac;
  std::optional<MacAddress> to;
  if (entry.state == State::kProbing) to = entry.mac;
  if (source != nullptr) {
    actions.push_back(SendFrame{
        port, target.is_v4() ? BuildArpRequest(mac, source->address, target, to)
                             : BuildNeighbourSolicitation(mac, source->address, target, to)});
  }
  ++entry.tries;
  SetDeadline(key, entry, now + kTryInterval);
}

}  // namespace sekisho::slowpath
