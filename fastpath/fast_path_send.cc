#include <netinet/in.h>
#include <rte_mbuf.h>

#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/checksum.h"
#include "fastpath/fast_path_impl.h"
#include "fastpath/hand_over.h"
#include "fastpath/home_worker.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/spd.h"

namespace sekisho::fastpath {
namespace {

// A buffer with `bytes` of data and the context of a packet of our own.
absl::StatusOr<rte_mbuf*> Allocate(rte_mempool* packets, rte_mempool* large_packets, size_t bytes) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(packets);
  if (mbuf != nullptr && bytes > rte_pktmbuf_tailroom(mbuf)) {
    rte_pktmbuf_free(mbuf);
    mbuf = rte_pktmbuf_alloc(large_packets);
  }
  if (mbuf == nullptr) return absl::ResourceExhaustedError("no packet buffer is free");
  TakeFromDpdk(mbuf);
  if (bytes > rte_pktmbuf_tailroom(mbuf)) {
    rte_pktmbuf_free(mbuf);
    return absl::InvalidArgumentError(
        absl::StrCat("found a packet of ", bytes, " bytes, want at most ", kLargePacketBytes));
  }
  rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes));
  PacketContext& context = ContextOf(mbuf);
  context = {};
  context.port_in = kNoPort;
  context.policy = kNoPolicy;
  context.ours = true;
  return mbuf;
}

void WriteUdp(rte_mbuf* mbuf, const Endpoint& local, const Endpoint& remote, uint16_t ipv4_id,
              bool non_esp_marker, ByteSpan payload) {
  const size_t ip_bytes = IpHeaderBytes(local.address.family());
  const auto udp_bytes = static_cast<uint16_t>(mbuf->data_len - ip_bytes);
  uint8_t* packet = DataOf(mbuf);
  WriteIpHeader(packet, {.source = local.address,
                         .destination = remote.address,
                         .protocol = IPPROTO_UDP,
                         .payload_bytes = udp_bytes,
                         .ipv4_id = ipv4_id});
  uint8_t* udp = packet + ip_bytes;
  StoreBigEndian<uint16_t>(udp, local.port);
  StoreBigEndian<uint16_t>(udp + 2, remote.port);
  StoreBigEndian<uint16_t>(udp + 4, udp_bytes);
  udp[6] = udp[7] = 0;
  uint8_t* to = udp + kUdpHeaderBytes;
  if (non_esp_marker) {
    std::memset(to, 0, kNonEspMarkerBytes);
    to += kNonEspMarkerBytes;
  }
  if (!payload.empty()) std::memcpy(to, payload.data(), payload.size());
  const uint16_t checksum = UdpChecksumFrom(OnesSumWithPseudoHeader(
      local.address.bytes(), remote.address.bytes(), IPPROTO_UDP, {udp, udp_bytes}));
  std::memcpy(udp + 6, &checksum, sizeof checksum);

  PacketContext& context = ContextOf(mbuf);
  context.family = local.address.is_v4() ? 4 : 6;
  context.protocol = IPPROTO_UDP;
  context.l4_offset = static_cast<uint16_t>(ip_bytes);
  context.source_port = local.port;
  context.destination_port = remote.port;
}

}  // namespace

absl::Status FastPath::SendUdp(const Endpoint& local, const Endpoint& remote, bool non_esp_marker,
                               ByteSpan payload) {
  if (local.address.family() != remote.address.family()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot send from ", local.ToString(), " to ",
                                                   remote.ToString(), ": families differ"));
  }
  const size_t bytes = IpHeaderBytes(local.address.family()) + kUdpHeaderBytes +
                       (non_esp_marker ? kNonEspMarkerBytes : 0) + payload.size();
  SEKISHO_ASSIGN_OR_RETURN(rte_mbuf * mbuf,
                           Allocate(impl_->packets.get(), impl_->large_packets.get(), bytes));
  absl::Cleanup free = [mbuf] { rte_pktmbuf_free(mbuf); };
  WriteUdp(mbuf, local, remote, impl_->ipv4_id++, non_esp_marker, payload);
  DownMessage message;
  message.kind = DownMessage::Kind::kTransmit;
  message.transmit = {mbuf, kNoPort};
  // All to one peer by one worker, so that they stay in order.
  SEKISHO_RETURN_IF_ERROR(impl_->Send(HomeOf(remote.address, impl_->worker_count()), message));
  std::move(free).Cancel();
  return absl::OkStatus();
}

absl::Status FastPath::SendFrame(PortId port, ByteSpan frame) {
  if (static_cast<size_t>(port) >= impl_->ports.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no port number ", static_cast<unsigned>(port)));
  }
  const size_t bytes_max =
      impl_->config.ports[static_cast<size_t>(port)].mtu + kEthernetHeaderBytes;
  if (frame.size() < kEthernetHeaderBytes || frame.size() > bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat("found a frame of ", frame.size(),
                                                   " bytes, want ", kEthernetHeaderBytes, " to ",
                                                   bytes_max));
  }
  SEKISHO_ASSIGN_OR_RETURN(
      rte_mbuf * mbuf, Allocate(impl_->packets.get(), impl_->large_packets.get(), frame.size()));
  absl::Cleanup free = [mbuf] { rte_pktmbuf_free(mbuf); };
  std::memcpy(DataOf(mbuf), frame.data(), frame.size());
  DownMessage message;
  message.kind = DownMessage::Kind::kTransmitOnPort;
  message.transmit = {mbuf, port};
  SEKISHO_RETURN_IF_ERROR(impl_->Send(impl_->SenderOn(port), message));
  std::move(free).Cancel();
  return absl::OkStatus();
}

absl::Status FastPath::SetNeighbour(PortId port, const IpAddress& address, const MacAddress& mac) {
  if (static_cast<size_t>(port) >= impl_->ports.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no port number ", static_cast<unsigned>(port)));
  }
  DownMessage message;
  message.kind = DownMessage::Kind::kSetNeighbour;
  message.neighbour = {port, address, mac};
  return impl_->Broadcast(message);
}

absl::Status FastPath::ForgetNeighbour(PortId port, const IpAddress& address) {
  DownMessage message;
  message.kind = DownMessage::Kind::kForgetNeighbour;
  message.neighbour = {port, address, {}};
  return impl_->Broadcast(message);
}

}  // namespace sekisho::fastpath
