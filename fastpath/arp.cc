#include "fastpath/arp.h"

#include <rte_arp.h>
#include <rte_ether.h>

#include <cstring>

#include "fastpath/dispose.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/punt.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

bool IsEthernetAndIpv4(const rte_arp_hdr& arp) {
  return arp.arp_hardware == Be16::FromHost(RTE_ARP_HRD_ETHER).raw() &&
         arp.arp_protocol == Be16::FromHost(RTE_ETHER_TYPE_IPV4).raw() && arp.arp_hlen == 6 &&
         arp.arp_plen == 4;
}

void Answer(Worker& worker, rte_mbuf* mbuf, PortId port) {
  TurnIntoOwn(worker, mbuf);
  auto* arp = HeaderAt<rte_arp_hdr>(mbuf);
  const MacAddress& mac = PortAt(worker, port).mac;
  const rte_ether_addr asker = arp->arp_data.arp_sha;
  const auto asked_for = arp->arp_data.arp_tip;
  arp->arp_opcode = Be16::FromHost(RTE_ARP_OP_REPLY).raw();
  arp->arp_data.arp_tha = asker;
  arp->arp_data.arp_tip = arp->arp_data.arp_sip;
  std::memcpy(arp->arp_data.arp_sha.addr_bytes, mac.data(), mac.size());
  arp->arp_data.arp_sip = asked_for;
  TrimTo(mbuf, sizeof *arp);

  // The Ethernet header that the request came with still stands before it.
  auto* ethernet =
      reinterpret_cast<rte_ether_hdr*>(rte_pktmbuf_prepend(mbuf, kEthernetHeaderBytes));
  ethernet->dst_addr = asker;
  std::memcpy(ethernet->src_addr.addr_bytes, mac.data(), mac.size());
  ethernet->ether_type = Be16::FromHost(RTE_ETHER_TYPE_ARP).raw();
  SendFrame(worker, port, mbuf);
}

void ArpOne(Worker& worker, rte_mbuf* mbuf) {
  if (mbuf->data_len < sizeof(rte_arp_hdr)) {
    return Drop(worker, mbuf, DropReason::kArpMalformed);
  }
  const rte_arp_hdr& arp = *HeaderAt<rte_arp_hdr>(mbuf);
  MacAddress sender_mac;
  std::memcpy(sender_mac.data(), arp.arp_data.arp_sha.addr_bytes, sender_mac.size());
  const uint16_t operation = Be16::FromRaw(arp.arp_opcode).host();
  const bool known = operation == RTE_ARP_OP_REQUEST || operation == RTE_ARP_OP_REPLY;
  if (!IsEthernetAndIpv4(arp) || !known || (sender_mac[0] & 1) != 0) {
    return Drop(worker, mbuf, DropReason::kArpMalformed);
  }
  const PortId port = ContextOf(mbuf).port_in;
  const auto sender = IpAddress::V4(Be32::FromRaw(arp.arp_data.arp_sip).host());
  const auto target = IpAddress::V4(Be32::FromRaw(arp.arp_data.arp_tip).host());
  // A sender of 0.0.0.0 only probes (RFC 5227, 2.1.1): answered, and nothing to be learnt.
  // The machine's own stack asks for the way to anybody: we are it.
  const bool host = port == worker.host.port;
  const bool on_link = !host && worker.local->IsOnLink(port, sender);
  const bool for_us = host ? worker.local->Find(target) == nullptr && !sender.is_any()
                           : worker.local->IsOnPort(port, target) &&
                                 worker.local->Find(sender) == nullptr &&
                                 (on_link || sender.is_any());
  // RFC 826: news of a neighbour that we have is taken from any packet; a new one only from a
  // request to us, or any host on the link could fill our table.
  const bool asks_us = for_us && operation == RTE_ARP_OP_REQUEST;
  if (on_link && (asks_us || worker.neighbours.Find(port, sender) != nullptr)) {
    ReportNeighbour(worker, port, sender, sender_mac);
  }
  if (!for_us) return Drop(worker, mbuf, DropReason::kArpNotForUs);
  if (operation == RTE_ARP_OP_REPLY) return Consume(worker, mbuf);
  Answer(worker, mbuf, port);
}

}  // namespace

void Arp(Worker& worker, Burst burst) {
  for (rte_mbuf* mbuf : burst) ArpOne(worker, mbuf);
}

}  // namespace sekisho::fastpath
