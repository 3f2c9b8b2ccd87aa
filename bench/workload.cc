#include "bench/workload.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/byte_order.h"
#include "common/ip_prefix.h"

namespace sekisho::bench {
namespace {

constexpr uint32_t kUsers = 0xac10'0000;    // 172.16.0.0/12
constexpr uint32_t kPeers = 0x6440'0000;    // 100.64.0.0/10
constexpr uint32_t kServers = 0x0a00'0000;  // 10.0.0.0/8
constexpr uint32_t kServerNetworks = 250;   // /16 each
constexpr uint32_t kBlockMin = 16;
constexpr uint16_t kServerPort = 5201, kUserPort = 10'000;
constexpr size_t kPayloadAt = 28;

// In every ten policies one lets a service pass in clear and one forbids a service.
bool IsBypass(uint32_t policy) { return policy % 10 == 3; }
bool IsDiscard(uint32_t policy) { return policy % 10 == 7; }
bool IsProtect(uint32_t policy) { return !IsBypass(policy) && !IsDiscard(policy); }

uint32_t ServerNetwork(uint32_t protect) { return kServers | (protect % kServerNetworks) << 16; }

IpRange Network(uint32_t address, int length) {
  return IpPrefix(IpAddress::V4(address), length).ToRange();
}

// splitmix64 (Steele, Lea, Flood 2014): a well-mixed number for each number.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

SecretBytes Key(size_t bytes, uint64_t name) {
  SecretBytes key(bytes);
  for (size_t i = 0; i < bytes; ++i) {
    key.mutable_span()[i] = static_cast<uint8_t>(Mix(name * 256 + i));
  }
  return key;
}

// Both kinds of parameters have these.
template <typename Parameters>
void SetCommon(const Workload& workload, uint32_t sa, bool inbound, Parameters& parameters) {
  Workload::Keys keys = workload.KeysOf(sa, inbound);
  parameters.suite = workload.setup().suite;
  parameters.mode =
      workload.setup().mode == Mode::kTransport ? IpsecMode::kTransport : IpsecMode::kTunnel;
  parameters.encryption_key = std::move(keys.encryption);
  parameters.integrity_key = std::move(keys.integrity);
  parameters.local_endpoint = workload.Local();
  parameters.remote_endpoint = workload.Peer(sa);
  parameters.udp_encapsulation = workload.setup().mode == Mode::kNatT;
  parameters.peer = uint64_t{sa} + 1;
}

// The sizes of packets, in the order in which they are sent: of IMIX each dozen has its mixture, in
// an order of its own.
class Sizes {
 public:
  Sizes(Size size, std::mt19937_64& random) : size_(size), random_(random) {}
  uint16_t Next() {
    if (!size_.is_imix()) return size_.bytes;
    if (next_ == dozen_.size()) {
      std::shuffle(dozen_.begin(), dozen_.end(), random_);
      next_ = 0;
    }
    return dozen_[next_++];
  }

 private:
  const Size size_;
  std::mt19937_64& random_;
  std::array<uint16_t, 12> dozen_ = {64, 64, 64, 64, 64, 64, 64, 570, 570, 570, 570, 1400};
  size_t next_ = dozen_.size();
};

}  // namespace

Workload::Workload(const Setup& setup) : setup_(setup) {
  protects_ = 0;
  for (uint32_t i = 0; i < setup.policies; ++i) protects_ += IsProtect(i) ? 1 : 0;
  block_ = std::bit_ceil(std::max(kBlockMin, (setup.sas + protects_ - 1) / protects_));
}

std::vector<PacketSpec> Workload::Packets(const Row& row, size_t count, uint64_t seed,
                                          bool in_turns) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> turn(in_turns ? row.setup.sas : 0);
  std::iota(turn.begin(), turn.end(), 0);
  size_t taken = turn.size();
  const auto next_sa = [&] {
    if (!in_turns) return static_cast<uint32_t>(random() % row.setup.sas);
    if (taken == turn.size()) {
      std::shuffle(turn.begin(), turn.end(), random);
      taken = 0;
    }
    return turn[taken++];
  };
  Sizes sizes(row.size, random);
  std::vector<PacketSpec> packets(count);
  for (PacketSpec& packet : packets) {
    packet.sa = next_sa();
    packet.flow = static_cast<uint16_t>(random() % row.flows_per_sa);
    packet.bytes = sizes.Next();
  }
  return packets;
}

IpAddress Workload::User(uint32_t sa) const {
  if (setup_.mode == Mode::kTransport) return Peer(sa).address;
  return IpAddress::V4(kUsers + PlaceOf(sa));
}

IpAddress Workload::Server(uint32_t sa) const {
  if (setup_.mode == Mode::kTransport) return kGatewayAddress;
  return IpAddress::V4(ServerNetwork(ProtectOf(sa)) | 10);
}

Endpoint Workload::Peer(uint32_t sa) const {
  const IpAddress address = IpAddress::V4(kPeers + PlaceOf(sa));
  const bool udp = setup_.mode == Mode::kNatT;
  return {address, udp ? static_cast<uint16_t>(1024 + sa % 60'000) : uint16_t{0}};
}

Endpoint Workload::Local() const {
  return {kGatewayAddress, setup_.mode == Mode::kNatT ? kIkeNatTPort : uint16_t{0}};
}

Workload::Keys Workload::KeysOf(uint32_t sa, bool inbound) const {
  const IpsecSuiteTraits traits = Find(setup_.suite);
  const uint64_t name = (uint64_t{sa} * 2 + (inbound ? 1 : 0)) * 2;
  return {Key(traits.encryption_key_bytes(), name), Key(traits.integrity_key_bytes(), name + 1)};
}

TrafficSelectors Workload::ServerSelectors(uint32_t sa) const {
  if (setup_.mode == Mode::kTransport) return {{.addresses = IpRange::Single(kGatewayAddress)}};
  return {{.addresses = Network(ServerNetwork(ProtectOf(sa)), 16)}};
}

TrafficSelectors Workload::UserSelectors(uint32_t sa) const {
  return {{.addresses = IpRange::Single(User(sa))}};
}

fastpath::InboundSaParameters Workload::Inbound(uint32_t sa) const {
  fastpath::InboundSaParameters parameters;
  SetCommon(*this, sa, /*inbound=*/true, parameters);
  parameters.local = ServerSelectors(sa);
  parameters.remote = UserSelectors(sa);
  return parameters;
}

fastpath::OutboundSaParameters Workload::Outbound(uint32_t sa) const {
  fastpath::OutboundSaParameters parameters;
  SetCommon(*this, sa, /*inbound=*/false, parameters);
  parameters.spi = OutboundSpi(sa);
  parameters.local = ServerSelectors(sa);
  parameters.remote = UserSelectors(sa);
  return parameters;
}

fastpath::OutboundSaParameters Workload::PeerOutbound(uint32_t sa, Spi spi) const {
  fastpath::OutboundSaParameters parameters;
  SetCommon(*this, sa, /*inbound=*/true, parameters);
  parameters.spi = spi;
  parameters.local = UserSelectors(sa);
  parameters.remote = ServerSelectors(sa);
  std::swap(parameters.local_endpoint, parameters.remote_endpoint);
  return parameters;
}

std::vector<fastpath::Policy> Workload::Policies() const {
  const bool transport = setup_.mode == Mode::kTransport;
  const int block_length = 32 - std::countr_zero(block_);
  const TrafficSelector everywhere = TrafficSelector::All(IpFamily::kIpv4);
  std::vector<fastpath::Policy> policies;
  uint32_t protect = 0;
  for (uint32_t i = 0; i < setup_.policies; ++i) {
    fastpath::Policy policy;
    policy.name = absl::StrCat("policy-", i);
    const uint32_t servers = ServerNetwork(i);
    if (IsProtect(i)) {
      policy.action = fastpath::PolicyAction::kProtect;
      policy.local = {{.addresses = transport ? IpRange::Single(kGatewayAddress)
                                              : Network(ServerNetwork(protect), 16)}};
      policy.remote = {
          {.addresses = Network((transport ? kPeers : kUsers) + protect * block_, block_length)}};
      ++protect;
    } else if (IsBypass(i)) {
      policy.action = fastpath::PolicyAction::kBypass;
      policy.local = {{.addresses = Network(servers | 80, 32),
                       .protocol = IPPROTO_TCP,
                       .ports = PortRange::Single(static_cast<uint16_t>(443 + i / 10))}};
      policy.remote = {everywhere};
    } else {
      policy.action = fastpath::PolicyAction::kDiscard;
      policy.local = {{.addresses = Network(servers | 53, 32),
                       .protocol = IPPROTO_UDP,
                       .ports = PortRange::Single(static_cast<uint16_t>(53 + i / 10))}};
      policy.remote = {everywhere};
    }
    policies.push_back(std::move(policy));
  }
  return policies;
}

void Workload::WritePacket(const PacketSpec& spec, bool from_user, uint32_t number,
                           uint8_t* to) const {
  auto* ip = reinterpret_cast<rte_ipv4_hdr*>(to);
  auto* udp = reinterpret_cast<rte_udp_hdr*>(to + sizeof(rte_ipv4_hdr));
  std::memset(to, 0, kPayloadAt);
  const IpAddress user = User(spec.sa), server = Server(spec.sa);
  const uint16_t user_port = static_cast<uint16_t>(kUserPort + spec.flow);
  ip->version_ihl = 0x45;
  ip->total_length = Be16::FromHost(spec.bytes).raw();
  ip->time_to_live = kTtl;
  ip->next_proto_id = IPPROTO_UDP;
  std::memcpy(&ip->src_addr, (from_user ? user : server).bytes().data(), 4);
  std::memcpy(&ip->dst_addr, (from_user ? server : user).bytes().data(), 4);
  ip->hdr_checksum = rte_ipv4_cksum(ip);
  udp->src_port = Be16::FromHost(from_user ? user_port : kServerPort).raw();
  udp->dst_port = Be16::FromHost(from_user ? kServerPort : user_port).raw();
  udp->dgram_len = Be16::FromHost(static_cast<uint16_t>(spec.bytes - sizeof(rte_ipv4_hdr))).raw();
  StoreBigEndian<uint32_t>(to + kPayloadAt, number);
  for (size_t at = kPayloadAt + 4, word = 0; at < spec.bytes; at += 8, ++word) {
    const uint64_t value = Mix(uint64_t{number} << 16 | word);
    std::memcpy(to + at, &value, std::min<size_t>(8, spec.bytes - at));
  }
}

uint32_t Workload::NumberOf(const uint8_t* packet) {
  return LoadBigEndian<uint32_t>(packet + kPayloadAt);
}

}  // namespace sekisho::bench
