#include "slowpath/address_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/ip_prefix.h"
#include "common/status_macros.h"

namespace sekisho::slowpath {
namespace {

// The upper and lower half of an address as a number.
std::pair<uint64_t, uint64_t> Halves(const IpAddress& address) {
  if (address.is_v4()) return {0, address.v4()};
  const ByteSpan bytes = address.bytes();
  return {LoadBigEndian<uint64_t>(bytes.data()), LoadBigEndian<uint64_t>(bytes.data() + 8)};
}

// last - first, UINT64_MAX if it is that or more. Requires: first <= last, of one family.
uint64_t Distance(const IpAddress& first, const IpAddress& last) {
  const auto [first_high, first_low] = Halves(first);
  const auto [last_high, last_low] = Halves(last);
  const uint64_t borrow = last_low < first_low ? 1 : 0;
  if (last_high - first_high - borrow != 0) return UINT64_MAX;
  return last_low - first_low;
}

uint64_t SizeOf(const IpRange& range) {
  const uint64_t distance = Distance(range.first, range.last);
  return distance == UINT64_MAX ? distance : distance + 1;
}

}  // namespace

absl::StatusOr<IpRange> ParsePoolAddresses(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(IpRange range, IpRange::Parse(text));
  if (text.find('/') == absl::string_view::npos) return range;
  if (Distance(range.first, range.last) < 2) return range;
  range.first = range.first.Next();
  if (range.first.is_v4()) range.last = range.last.Previous();
  return range;
}

AddressPool::AddressPool(std::string name, const IpRange& addresses, std::vector<IpAddress> dns,
                         uint64_t remembered_max)
    : name_(std::move(name)),
      addresses_(addresses),
      dns_(std::move(dns)),
      size_(SizeOf(addresses)),
      slots_max_(std::min(size_, remembered_max)) {}

absl::StatusOr<IpAddress> AddressPool::Lease(const ike::Identity& peer) {
  const uint32_t index = PickSlot(peer);
  if (index == kNone) {
    return absl::ResourceExhaustedError(
        absl::StrCat("pool ", name_, ": all ", leased_, " addresses are leased"));
  }
  Slot& slot = slots_[index];
  if (slot.owner != peer) {
    const auto former = former_.find(slot.owner);
    if (former != former_.end() && former->second == index) former_.erase(former);
    slot.owner = peer;
  }
  slot.leased = true;
  ++leased_;
  return addresses_.first.Plus(index);
}

void AddressPool::Release(const IpAddress& address) {
  SEKISHO_CHECK(addresses_.Contains(address));
  const uint64_t index = Distance(addresses_.first, address);
  SEKISHO_CHECK(index < slots_.size() && slots_[index].leased);
  Slot& slot = slots_[index];
  slot.leased = false;
  --leased_;
  // Of several addresses of one peer the one given back last is the one it gets again.
  former_[slot.owner] = static_cast<uint32_t>(index);
  Append(static_cast<uint32_t>(index));
}

uint32_t AddressPool::PickSlot(const ike::Identity& peer) {
  const auto former = former_.find(peer);
  if (former != former_.end() && !slots_[former->second].leased) {
    Unlink(former->second);
    return former->second;
  }
  const bool room_to_remember = slots_.size() < slots_max_;
  if (!room_to_remember && free_first_ != kNone) {
    const uint32_t oldest = free_first_;
    Unlink(oldest);
    return oldest;
  }
  // With every remembered slot leased the table grows on, for the leases themselves need it.
  if (slots_.size() >= std::min<uint64_t>(size_, kNone)) return kNone;
  slots_.emplace_back();
  return static_cast<uint32_t>(slots_.size() - 1);
}

void AddressPool::Append(uint32_t index) {
  Slot& slot = slots_[index];
  slot.previous = free_last_;
  slot.next = kNone;
  (free_last_ == kNone ? free_first_ : slots_[free_last_].next) = index;
  free_last_ = index;
}

void AddressPool::Unlink(uint32_t index) {
  Slot& slot = slots_[index];
  (slot.previous == kNone ? free_first_ : slots_[slot.previous].next) = slot.next;
  (slot.next == kNone ? free_last_ : slots_[slot.next].previous) = slot.previous;
  slot.previous = slot.next = kNone;
}

PoolInfo AddressPool::info() const {
  return {.name = name_, .addresses = addresses_, .size = size_, .leased = leased_, .dns = dns_};
}

AddressPools::AddressPools(std::vector<AddressPool> pools) : pools_(std::move(pools)) {}

absl::StatusOr<ike::Lease> AddressPools::Lease(const ike::AskLease& ask,
                                               const std::vector<std::string>& pools) {
  const auto held = leases_.find(ask.ike_sa);
  if (held != leases_.end()) return held->second.lease;
  IkeSaLease lease{.peer = ask.peer};
  absl::Status status;
  if (ask.ipv4) status.Update(LeaseFamily(IpFamily::kIpv4, ask, pools, lease));
  if (status.ok() && ask.ipv6) status.Update(LeaseFamily(IpFamily::kIpv6, ask, pools, lease));
  if (status.ok() && lease.held.empty()) {
    status = absl::NotFoundError(absl::StrCat("connection ", ask.connection, ": no pool for ",
                                              ask.ipv4 && ask.ipv6 ? "virtual"
                                              : ask.ipv4           ? "virtual IPv4"
                                                                   : "virtual IPv6",
                                              " addresses"));
  }
  if (!status.ok()) {
    GiveBack(lease);
    return status;
  }
  return leases_.emplace(ask.ike_sa, std::move(lease)).first->second.lease;
}

absl::Status AddressPools::LeaseFamily(IpFamily family, const ike::AskLease& ask,
                                       const std::vector<std::string>& names, IkeSaLease& lease) {
  absl::Status exhausted;
  for (const std::string& name : names) {
    const auto pool = std::find_if(pools_.begin(), pools_.end(), [&](const AddressPool& candidate) {
      return candidate.name() == name && candidate.family() == family;
    });
    if (pool == pools_.end()) continue;
    const absl::StatusOr<IpAddress> address = pool->Lease(ask.peer);
    if (!address.ok()) {
      exhausted = address.status();
      continue;
    }
    lease.held.push_back({static_cast<size_t>(pool - pools_.begin()), *address});
    (family == IpFamily::kIpv4 ? lease.lease.ipv4 : lease.lease.ipv6) = *address;
    for (const IpAddress& server : pool->dns()) {
      std::vector<IpAddress>& dns = lease.lease.dns;
      if (std::find(dns.begin(), dns.end(), server) == dns.end()) dns.push_back(server);
    }
    return absl::OkStatus();
  }
  return exhausted;
}

void AddressPools::GiveBack(const IkeSaLease& lease) {
  for (const Held& held : lease.held) pools_[held.pool].Release(held.address);
}

void AddressPools::Release(ike::IkeSaId ike_sa) {
  const auto lease = leases_.find(ike_sa);
  if (lease == leases_.end()) return;
  GiveBack(lease->second);
  leases_.erase(lease);
}

std::vector<PoolInfo> AddressPools::List() const {
  std::vector<PoolInfo> list;
  for (const AddressPool& pool : pools_) list.push_back(pool.info());
  return list;
}

std::vector<LeaseInfo> AddressPools::Leases() const {
  std::vector<LeaseInfo> list;
  for (const auto& [ike_sa, lease] : leases_) {
    for (const Held& held : lease.held) {
      list.push_back({.pool = pools_[held.pool].name(),
                      .address = held.address,
                      .ike_sa = ike_sa,
                      .identity = lease.peer.ToString()});
    }
  }
  std::sort(list.begin(), list.end(), [](const LeaseInfo& a, const LeaseInfo& b) {
    return std::tie(a.ike_sa, a.address) < std::tie(b.ike_sa, b.address);
  });
  return list;
}

}  // namespace sekisho::slowpath
