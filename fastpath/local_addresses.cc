#include "fastpath/local_addresses.h"

#include <algorithm>
#include <array>

namespace sekisho::fastpath {

IpAddress LinkLocalAddress(const MacAddress& mac) {
  const std::array<uint8_t, 16> bytes = {
      0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<uint8_t>(mac[0] ^ 2),
      mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
  return IpAddress::V6(bytes);
}

IpAddress SolicitedNodeAddress(const IpAddress& address) {
  const ByteSpan from = address.bytes();
  const std::array<uint8_t, 16> bytes = {0xff, 0x02, 0, 0,    0,    0,        0,        0,
                                         0,    0,    0, 0x01, 0xff, from[13], from[14], from[15]};
  return IpAddress::V6(bytes);
}

void LocalAddresses::AddPort(PortId port, PortSide side, const MacAddress& mac,
                             std::span<const InterfaceAddress> addresses) {
  for (const InterfaceAddress& own : addresses) {
    AddEntry({own.address, port, side});
    Network network = {own.network(), port, IpAddress::Any(own.address.family())};
    // RFC 3021: a /31 has no broadcast address.
    if (own.address.is_v4() && own.length <= 30) network.broadcast = network.prefix.ToRange().last;
    networks_.push_back(network);
  }
  AddEntry({LinkLocalAddress(mac), port, side});
}

void LocalAddresses::AddEntry(const Entry& entry) {
  entries_.push_back(entry);
  present_ |= uint64_t{1} << BitOf(entry.address.bytes().data(), entry.address.is_v4() ? 4 : 6);
}

const LocalAddresses::Entry* LocalAddresses::Find(const IpAddress& address) const {
  for (const Entry& entry : entries_) {
    if (entry.address == address) return &entry;
  }
  return nullptr;
}

bool LocalAddresses::IsOnPort(PortId port, const IpAddress& address) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.port == port && entry.address == address;
  });
}

bool LocalAddresses::IsOnLink(PortId port, const IpAddress& address) const {
  if (address.is_v6() && address.is_link_local()) return true;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return network.port == port && network.prefix.Contains(address);
  });
}

bool LocalAddresses::IsDirectedBroadcast(const IpAddress& address) const {
  if (!address.is_v4()) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return !network.broadcast.is_any() && network.broadcast == address;
  });
}

const IpAddress* LocalAddresses::SourceOn(PortId port, IpFamily family) const {
  for (const Entry& entry : entries_) {
    if (entry.port == port && entry.address.family() == family) return &entry.address;
  }
  return nullptr;
}

}  // namespace sekisho::fastpath
