#include "bench/traffic.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "bench/openssl_esp.h"
#include "common/byte_order.h"
#include "common/status_macros.h"
#include "fastpath/packet_context.h"

namespace sekisho::bench {
namespace {

constexpr size_t kEthernetBytes = 14;
constexpr size_t kIpv4Bytes = sizeof(rte_ipv4_hdr);
constexpr size_t kUdpBytes = sizeof(rte_udp_hdr);
constexpr size_t kFramesMin = 4096;
constexpr size_t kLongPassFrames = 16'384, kLongPassBytes = size_t{6} << 20;  // for each worker
constexpr size_t kFlowsMax = size_t{1} << 18;
constexpr size_t kFrameBytesMax = size_t{1} << 30;  // of all frames of a direction
constexpr size_t kEspRoom = 128;                    // more than any suite and mode adds

void WriteEthernet(const MacAddress& to, uint8_t* frame) {
  std::memcpy(frame, to.data(), 6);
  std::memcpy(frame + 6, kRouterMac.data(), 6);
  StoreBigEndian<uint16_t>(frame + 12, 0x0800);
}

bool ChecksumIsRight(const uint8_t* packet) {
  rte_ipv4_hdr header;
  std::memcpy(&header, packet, sizeof(header));
  const uint16_t checksum = header.hdr_checksum;
  header.hdr_checksum = 0;
  return rte_ipv4_cksum(&header) == checksum;
}

absl::Status Wrong(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("a packet that was sent is wrong: ", what));
}

}  // namespace

size_t FramesFor(const Row& row, PortKind port) {
  const size_t each = port == PortKind::kPcap ? 1 : 2;
  // Of many flows enough that no cache of decisions holds them all.
  const size_t flows = std::min(size_t{row.setup.sas} * row.flows_per_sa, kFlowsMax);
  // Not so many that they do not stay in the cache that all cores share.
  const size_t least = row.long_pass ? std::clamp(kLongPassBytes / (row.size.largest() + kEspRoom),
                                                  kFramesMin, kLongPassFrames) *
                                           row.setup.workers
                                     : kFramesMin;
  const size_t wanted = std::max({least, each * row.setup.sas + fastpath::kBurstMax - 1,
                                  port == PortKind::kPcap ? size_t{0} : flows});
  const size_t room = kFrameBytesMax / (row.size.largest() + kEspRoom);
  return std::min(wanted, room) / fastpath::kBurstMax * fastpath::kBurstMax;
}

Traffic::Traffic(const Wants& wants, const Workload& workload, Gateway& gateway)
    : workload_(&workload),
      direction_(wants.direction),
      size_(wants.row.size),
      from_(wants.direction == Direction::kOut ? &gateway.inside() : &gateway.outside()),
      to_(wants.direction == Direction::kOut ? &gateway.outside() : &gateway.inside()),
      packets_(Workload::Packets(wants.row, FramesFor(wants.row, wants.port), wants.seed,
                                 wants.port == PortKind::kPcap)) {}

absl::StatusOr<Traffic> Traffic::Create(const Wants& wants, const Workload& workload,
                                        Gateway& gateway, Peer* peer) {
  Traffic traffic(wants, workload, gateway);
  size_t bytes = 0;
  for (const PacketSpec& packet : traffic.packets_) {
    traffic.inner_bytes_ += packet.bytes;
    bytes += FrameStore::RoomFor(packet.bytes + kEspRoom);
  }
  traffic.inner_bytes_ /= static_cast<double>(traffic.packets_.size());
  for (uint32_t queue = 0; queue < workload.setup().workers; ++queue) {
    SEKISHO_ASSIGN_OR_RETURN(FrameStore store, FrameStore::Create(traffic.packets_.size(), bytes));
    traffic.stores_.push_back(std::move(store));
  }
  SEKISHO_RETURN_IF_ERROR(traffic.MakeFrames(gateway, peer));
  for (uint16_t queue = 0; queue < traffic.queues(); ++queue) {
    if (traffic.frames(queue).size() < fastpath::kBurstMax) {
      return absl::FailedPreconditionError(absl::StrCat(
          "worker ", queue, " owns too few of the SAs to be busy; want more SAs or fewer workers"));
    }
  }
  return traffic;
}

absl::Status Traffic::MakeFrames(Gateway& gateway, Peer* peer) {
  const auto store_of = [&](const PacketSpec& packet) -> FrameStore& {
    return stores_[static_cast<size_t>(gateway.OwnerOf(packet.sa))];
  };
  if (direction_ == Direction::kOut) {
    for (uint32_t number = 0; number < packets_.size(); ++number) {
      const PacketSpec& packet = packets_[number];
      uint8_t* frame = store_of(packet).Add(packet.bytes + uint32_t{kEthernetBytes});
      WriteEthernet(gateway.inside_mac(), frame);
      workload_->WritePacket(packet, /*from_user=*/false, number, frame + kEthernetBytes);
    }
    return absl::OkStatus();
  }
  uint32_t number = 0;
  return peer->Encrypt(packets_, [&](ByteSpan esp) {
    const auto bytes = static_cast<uint32_t>(esp.size() + kEthernetBytes);
    uint8_t* frame = store_of(packets_[number++]).Add(bytes);
    WriteEthernet(gateway.outside_mac(), frame);
    std::copy(esp.begin(), esp.end(), frame + kEthernetBytes);
  });
}

std::span<const Frame> Traffic::Part(uint16_t queue, size_t part, size_t parts) const {
  const std::span<const Frame> all = frames(queue);
  const size_t bursts = all.size() / fastpath::kBurstMax;
  const size_t begin = bursts * part / parts * fastpath::kBurstMax;
  const size_t end = bursts * (part + 1) / parts * fastpath::kBurstMax;
  return all.subspan(begin, end - begin);
}

size_t Traffic::PacketsIn(size_t part, size_t parts) const {
  size_t packets = 0;
  for (uint16_t queue = 0; queue < queues(); ++queue) packets += Part(queue, part, parts).size();
  return packets;
}

std::vector<uint32_t> Traffic::EncryptedBytes() const {
  const IpsecSuiteTraits traits = Find(workload_->setup().suite);
  const uint32_t align = std::max<uint32_t>(4, traits.encryption->block_bytes);
  const uint32_t clear = workload_->setup().mode == Mode::kTransport ? uint32_t{kIpv4Bytes} : 0;
  const auto encrypted = [&](uint32_t bytes) {
    return (bytes - clear + 2 + align - 1) / align * align;
  };
  if (!size_.is_imix()) return std::vector<uint32_t>(fastpath::kBurstMax, encrypted(size_.bytes));
  // So many, in their order, that the library can guess the next size as little as from packets.
  std::vector<uint32_t> sizes;
  for (size_t i = 0; i < kFramesMin; ++i) sizes.push_back(encrypted(packets_[i].bytes));
  return sizes;
}

// `forwarded`: its TTL was counted down.
absl::Status Traffic::CheckInner(ByteSpan packet, bool forwarded) const {
  if (packet.size() < kPacketBytesMin) return Wrong("it is too short");
  const uint32_t number = Workload::NumberOf(packet.data());
  if (number >= packets_.size()) return Wrong("its number was never used");
  const PacketSpec& spec = packets_[number];
  Bytes expected(spec.bytes);
  workload_->WritePacket(spec, direction_ == Direction::kIn, number, expected.data());
  if (packet.size() < expected.size()) return Wrong("its end is missing");
  const uint8_t ttl = static_cast<uint8_t>(kTtl - (forwarded ? 1 : 0));
  if (packet[8] != ttl) return Wrong(absl::StrCat("its TTL is ", int{packet[8]}));
  if (!ChecksumIsRight(packet.data())) return Wrong("the checksum of its IP header");
  Bytes found(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(expected.size()));
  for (const size_t changed : {8, 10, 11}) found[changed] = expected[changed];
  return found == expected ? absl::OkStatus() : Wrong("it is not the packet that was received");
}

absl::Status Traffic::CheckOutbound(ByteSpan packet) const {
  const size_t total_bytes = LoadBigEndian<uint16_t>(packet.data() + 2);
  if (packet[0] != 0x45 || total_bytes > packet.size() || !ChecksumIsRight(packet.data())) {
    return Wrong("its outer header");
  }
  const bool udp = packet[9] == IPPROTO_UDP;
  const bool want_udp = workload_->setup().mode == Mode::kNatT;
  if (udp != want_udp || (!udp && packet[9] != IPPROTO_ESP)) return Wrong("its outer protocol");
  const ByteSpan esp = packet.subspan(kIpv4Bytes + (udp ? kUdpBytes : 0),
                                      total_bytes - kIpv4Bytes - (udp ? kUdpBytes : 0));
  const uint32_t sa = Workload::SaOf({LoadBigEndian<uint32_t>(esp.data())});
  if (sa >= workload_->setup().sas) return Wrong("no SA has its SPI");
  if (IpAddress::V4(packet.subspan(16, 4)) != workload_->Peer(sa).address) {
    return Wrong("it does not go to its SA's peer");
  }
  const Workload::Keys keys = workload_->KeysOf(sa, /*inbound=*/false);
  absl::StatusOr<OpenedEsp> opened =
      OpenWithOpenSsl(workload_->setup().suite, keys.encryption.span(), keys.integrity.span(), esp);
  if (!opened.ok()) return Wrong(opened.status().message());
  const bool transport = workload_->setup().mode == Mode::kTransport;
  if (opened->next_header != (transport ? IPPROTO_UDP : IPPROTO_IPIP)) {
    return Wrong("its next header");
  }
  Bytes inner = std::move(opened->payload);
  if (transport) {
    // The header in front, as it was before ESP came between.
    inner.insert(inner.begin(), packet.begin(), packet.begin() + kIpv4Bytes);
    StoreBigEndian<uint16_t>(inner.data() + 2, static_cast<uint16_t>(inner.size()));
    inner[9] = IPPROTO_UDP;
    auto* header = reinterpret_cast<rte_ipv4_hdr*>(inner.data());
    header->hdr_checksum = 0;
    header->hdr_checksum = rte_ipv4_cksum(header);
  }
  SEKISHO_RETURN_IF_ERROR(CheckInner(inner, /*forwarded=*/!transport));
  return packets_[Workload::NumberOf(inner.data())].sa == sa ? absl::OkStatus()
                                                             : Wrong("it went into another's SA");
}

absl::Status Traffic::Check(ByteSpan frame) const {
  if (frame.size() < kEthernetBytes + kPacketBytesMin) return Wrong("it is too short");
  const ByteSpan packet = frame.subspan(kEthernetBytes);
  if (direction_ == Direction::kOut) return CheckOutbound(packet);
  return CheckInner(packet, workload_->setup().mode != Mode::kTransport);
}

}  // namespace sekisho::bench
