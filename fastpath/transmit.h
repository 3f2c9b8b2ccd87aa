// fastpath/transmit.h: the last stages: from an IP packet with its next hop to frames on a port.
#pragma once

#include <rte_ether.h>

#include <cstring>

#include "common/byte_order.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

inline constexpr size_t kFrameBytesMin = 60;  // IEEE 802.3, without the check sequence

// Takes IP packets with context.next_hop set: cuts what is larger than the port's MTU where that is
// allowed, tells the sender where it is not, finds the next hop's link-layer address (or lets the
// packet wait for it), and writes the Ethernet header.
void Deliver(Worker& worker, Burst burst);

// Takes an IP packet whose next hop's address is known.
void SendToSlowly(Worker& worker, PortId port, const MacAddress& mac, rte_mbuf* mbuf);
// The same; nearly all need nothing but an Ethernet header.
inline void SendTo(Worker& worker, PortId port, const MacAddress& mac, rte_mbuf* mbuf) {
  WorkerPort& out = PortAt(worker, port);
  const PacketContext& context = ContextOf(mbuf);
  if (context.checksum_due || out.plain_room() == 0 || mbuf->ol_flags != 0 ||
      mbuf->data_len < kFrameBytesMin - kEthernetHeaderBytes ||
      mbuf->data_off < kEthernetHeaderBytes) [[unlikely]] {
    return SendToSlowly(worker, port, mac, mbuf);
  }
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - kEthernetHeaderBytes);
  mbuf->data_len = static_cast<uint16_t>(mbuf->data_len + kEthernetHeaderBytes);
  mbuf->pkt_len += kEthernetHeaderBytes;
  uint8_t* frame = DataOf(mbuf);
  std::memcpy(frame, mac.data(), mac.size());
  std::memcpy(frame + mac.size(), out.mac.data(), mac.size());
  StoreBigEndian<uint16_t>(frame + 12, context.family == 4 ? uint16_t{RTE_ETHER_TYPE_IPV4}
                                                           : uint16_t{RTE_ETHER_TYPE_IPV6});
  out.waiting[out.waiting_count++] = mbuf;
}
// Takes a whole frame: pads it and puts it among those that wait for the port.
void SendFrame(Worker& worker, PortId port, rte_mbuf* mbuf);
// Gives each port the frames that wait for it. Once per round.
void FlushTransmit(Worker& worker);
// From time to time, as it may be a system call: what goes out by a port without a link is dropped.
void SampleLinks(Worker& worker);

// kSetNeighbour, kForgetNeighbour, kAwaitNeighbour.
void SetNeighbour(Worker& worker, const DownMessage::Neighbour& message);
// An answer that comes to this worker is then told upward like one to its own question.
void AwaitNeighbour(Worker& worker, const DownMessage::Neighbour& message);
void ForgetNeighbour(Worker& worker, const DownMessage::Neighbour& message);

}  // namespace sekisho::fastpath
