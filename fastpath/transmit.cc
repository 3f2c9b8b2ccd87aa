#include "fastpath/transmit.h"

#include <rte_ethdev.h>
#include <rte_ip.h>

#include <algorithm>
#include <cstring>

#include "fastpath/adjacency.h"
#include "fastpath/checksum_offload.h"
#include "fastpath/dispose.h"
#include "fastpath/fragment.h"
#include "fastpath/hand_over.h"
#include "fastpath/icmp_error.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/punt.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

// Lets the packet wait; the first to wait has the slow path told. An entry that the slow path does
// not know of would never be filled or forgotten, so there is none.
void Wait(Worker& worker, PortId port, const IpAddress& address, Neighbour& neighbour,
          rte_mbuf* mbuf) {
  if (!neighbour.asked && !AskForNeighbour(worker, port, address)) {
    worker.neighbours.Remove(port, address);
    return Drop(worker, mbuf, DropReason::kNeighbourUnresolved);
  }
  neighbour.asked = true;
  if (neighbour.pending_count == kNeighbourPendingMax) {
    return Drop(worker, mbuf, DropReason::kNeighbourQueueFull);
  }
  neighbour.pending[neighbour.pending_count++] = mbuf;
  ++worker.pending_packets;
}

void SendToNeighbour(Worker& worker, rte_mbuf* mbuf, const NextHop& hop) {
  if (hop.port == worker.host.port) return SendTo(worker, hop.port, worker.host_mac->Get(), mbuf);
  const IpAddress address =
      hop.gateway.has_value() ? *hop.gateway : DestinationOf(mbuf, ContextOf(mbuf));
  Neighbour* neighbour = worker.neighbours.FindOrAdd(hop.port, address);
  if (neighbour == nullptr) return Drop(worker, mbuf, DropReason::kNeighbourQueueFull);
  if (neighbour->resolved) {
    NoteAdjacency(worker, mbuf, hop.port, *neighbour);
    return SendTo(worker, hop.port, neighbour->mac, mbuf);
  }
  Wait(worker, hop.port, address, *neighbour, mbuf);
}

bool MayFragment(rte_mbuf* mbuf, const PacketContext& context) {
  if (context.ours || context.reassembled) return true;
  if (context.family == 6) return false;
  const uint16_t flags = Be16::FromRaw(HeaderAt<rte_ipv4_hdr>(mbuf)->fragment_offset).host();
  return (flags & RTE_IPV4_HDR_DF_FLAG) == 0;
}

[[gnu::cold]] void DeliverTooBig(Worker& worker, rte_mbuf* mbuf, const NextHop& hop, uint16_t mtu) {
  const PacketContext& context = ContextOf(mbuf);
  if (!MayFragment(mbuf, context)) {
    SendTooBig(worker, mbuf, mtu);
    return Drop(worker, mbuf, DropReason::kTooBig);
  }
  MakeDueChecksum(mbuf);
  FragmentList pieces;
  const size_t count = FragmentPacket(worker, mbuf, mtu, pieces);
  if (count == 0) return Drop(worker, mbuf, DropReason::kNoMbuf);
  Consume(worker, mbuf);
  worker.counters.made_here.Add(count);
  for (size_t i = 0; i < count; ++i) SendToNeighbour(worker, pieces[i], hop);
}

// IEEE 802.1Q, priority 0.
bool AddTag(const WorkerPort& out, rte_mbuf* mbuf) {
  if (out.vlan_offload) {
    mbuf->vlan_tci = out.vlan;
    mbuf->ol_flags |= RTE_MBUF_F_TX_VLAN;
    return true;
  }
  constexpr size_t kAddressesBytes = 12;
  auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, kVlanTagBytes));
  if (frame == nullptr) return false;
  std::memmove(frame, frame + kVlanTagBytes, kAddressesBytes);
  StoreBigEndian<uint16_t>(frame + kAddressesBytes, RTE_ETHER_TYPE_VLAN);
  StoreBigEndian<uint16_t>(frame + kEthernetHeaderBytes, out.vlan);
  return true;
}

// A checksum that was put off is made at last.
void FinishChecksum(const WorkerPort& out, rte_mbuf* mbuf) {
  if (!out.checksum_offload) return MakeDueChecksum(mbuf);
  const bool tag_in_frame = out.vlan != 0 && !out.vlan_offload;
  LeaveDueChecksumToPort(mbuf, kEthernetHeaderBytes + (tag_in_frame ? kVlanTagBytes : 0));
}

// Lets the driver see what is left to its device, and put right what that wants otherwise. What it
// refuses is dropped, the others move up. Returns how many there are.
[[gnu::noinline]] uint16_t PrepareOffloads(Worker& worker, WorkerPort& port, uint16_t count) {
  port.offloaded = false;
  for (uint16_t done = 0; done < count;) {
    const auto left = static_cast<uint16_t>(count - done);
    done += rte_eth_tx_prepare(port.device, port.queue, &port.waiting[done], left);
    if (done == count) break;
    Drop(worker, port.waiting[done], DropReason::kTransmitRefused);
    std::copy(&port.waiting[done + 1], &port.waiting[count], &port.waiting[done]);
    --count;
  }
  return count;
}

void FlushPort(Worker& worker, WorkerPort& port) {
  uint16_t count = port.waiting_count;
  if (count == 0) return;
  port.waiting_count = 0;
  if (port.link_down) [[unlikely]] {
    // Some drivers say "sent" of what goes nowhere.
    for (uint16_t i = 0; i < count; ++i) Drop(worker, port.waiting[i], DropReason::kPortDown);
    return;
  }
  if (port.offloaded) count = PrepareOffloads(worker, port, count);
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count; ++i) {
    bytes += port.waiting[i]->pkt_len;
    GiveToDpdk(port.waiting[i]);
  }
  const uint16_t sent = rte_eth_tx_burst(port.device, port.queue, port.waiting.data(), count);
  for (uint16_t i = sent; i < count; ++i) {
    bytes -= port.waiting[i]->pkt_len;
    Drop(worker, port.waiting[i], DropReason::kTransmitFull);
  }
  port.sent_packets.Add(sent);
  port.sent_bytes.Add(bytes);
  (port.side == PortSide::kHost ? worker.counters.delivered : worker.counters.sent).Add(sent);
}

}  // namespace

void Deliver(Worker& worker, Burst burst) {
  StageTimer timer(worker.esp.stages, Stage::kTransmit);
  for (rte_mbuf* mbuf : burst) {
    const PacketContext& context = ContextOf(mbuf);
    const NextHop& hop = *context.next_hop;
    uint16_t mtu = PortAt(worker, hop.port).mtu;
    if (context.path_mtu != 0) mtu = std::min(mtu, context.path_mtu);
    if (mbuf->pkt_len > mtu) {
      DeliverTooBig(worker, mbuf, hop, mtu);
    } else {
      SendToNeighbour(worker, mbuf, hop);
    }
  }
}

void SendToSlowly(Worker& worker, PortId port, const MacAddress& mac, rte_mbuf* mbuf) {
  if (ContextOf(mbuf).checksum_due) FinishChecksum(PortAt(worker, port), mbuf);
  const bool v4 = ContextOf(mbuf).family == 4;
  auto* ethernet =
      reinterpret_cast<rte_ether_hdr*>(rte_pktmbuf_prepend(mbuf, kEthernetHeaderBytes));
  if (ethernet == nullptr) return Drop(worker, mbuf, DropReason::kBug);
  std::memcpy(ethernet->dst_addr.addr_bytes, mac.data(), mac.size());
  std::memcpy(ethernet->src_addr.addr_bytes, PortAt(worker, port).mac.data(), mac.size());
  ethernet->ether_type = Be16::FromHost(v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6).raw();
  SendFrame(worker, port, mbuf);
}

void SendFrame(Worker& worker, PortId port, rte_mbuf* mbuf) {
  if (mbuf->data_len < kFrameBytesMin) {
    const auto padding = static_cast<uint16_t>(kFrameBytesMin - mbuf->data_len);
    char* tail = rte_pktmbuf_append(mbuf, padding);
    if (tail == nullptr) return Drop(worker, mbuf, DropReason::kBug);
    std::memset(tail, 0, padding);
  }
  WorkerPort& out = PortAt(worker, port);
  if (out.queue == kNoQueue) {
    ContextOf(mbuf).port_out = port;
    return HandOverTo(worker, out.sender, HandOverStage::kTransmit, mbuf);
  }
  if (out.vlan != 0 && !AddTag(out, mbuf)) return Drop(worker, mbuf, DropReason::kBug);
  out.offloaded |= (mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) != 0;
  out.waiting[out.waiting_count++] = mbuf;
  if (out.waiting_count == kTransmitBufferMax) FlushPort(worker, out);
}

void SampleLinks(Worker& worker) {
  for (size_t i = 0; i < worker.port_count; ++i) {
    WorkerPort& port = worker.ports[i];
    if (port.queue == kNoQueue) continue;
    rte_eth_link link = {};
    // A device that cannot say is taken for up.
    port.link_down =
        rte_eth_link_get_nowait(port.device, &link) == 0 && link.link_status == RTE_ETH_LINK_DOWN;
  }
}

void FlushTransmit(Worker& worker) {
  StageTimer timer(worker.esp.stages, Stage::kTransmit);
  for (size_t i = 0; i < worker.port_count; ++i) FlushPort(worker, worker.ports[i]);
}

void SetNeighbour(Worker& worker, const DownMessage::Neighbour& message) {
  Neighbour* neighbour = worker.neighbours.FindOrAdd(message.port, message.address);
  if (neighbour == nullptr) return;  // full: packets to it are dropped under their own name
  neighbour->mac = message.mac;
  neighbour->resolved = true;
  neighbour->asked = false;
  const uint8_t pending = neighbour->pending_count;
  neighbour->pending_count = 0;
  worker.pending_packets -= pending;
  for (uint8_t i = 0; i < pending; ++i) {
    SendTo(worker, message.port, message.mac, neighbour->pending[i]);
  }
}

void AwaitNeighbour(Worker& worker, const DownMessage::Neighbour& message) {
  Neighbour* neighbour = worker.neighbours.FindOrAdd(message.port, message.address);
  // The slow path knows of it, so that it will be filled or forgotten.
  if (neighbour != nullptr && !neighbour->resolved) neighbour->asked = true;
}

void ForgetNeighbour(Worker& worker, const DownMessage::Neighbour& message) {
  Neighbour* neighbour = worker.neighbours.Find(message.port, message.address);
  if (neighbour == nullptr) return;
  const uint8_t pending = neighbour->pending_count;
  neighbour->pending_count = 0;
  worker.pending_packets -= pending;
  for (uint8_t i = 0; i < pending; ++i) {
    Drop(worker, neighbour->pending[i], DropReason::kNeighbourUnresolved);
  }
  worker.neighbours.Remove(message.port, message.address);
  ForgetAdjacencies(worker);
}

}  // namespace sekisho::fastpath
