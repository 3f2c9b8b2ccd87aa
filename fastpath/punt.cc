#include "fastpath/punt.h"

#include "fastpath/dispose.h"
#include "fastpath/forward.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"

namespace sekisho::fastpath {
namespace {

void PuntOneIke(Worker& worker, rte_mbuf* mbuf) {
  if (IsSpoofed(worker, mbuf)) return Drop(worker, mbuf, DropReason::kIpSpoofed);
  if (!worker.budgets.ike.Take(worker.now_tsc))
    return Drop(worker, mbuf, DropReason::kPuntRateLimited);
  const PacketContext& context = ContextOf(mbuf);
  UpMessage message;
  message.kind = UpMessage::Kind::kPacket;
  message.packet = {.mbuf = mbuf,
                    .punt_class = UpMessage::PuntClass::kIke,
                    .port = context.port_in,
                    .local = {DestinationOf(mbuf, context), context.destination_port},
                    .remote = {SourceOf(mbuf, context), context.source_port}};
  const bool marker = context.destination_port == kIkeNatTPort;
  StripFront(mbuf, context.l4_offset + kUdpHeaderBytes + (marker ? kNonEspMarkerBytes : 0));
  if (!SendUp(worker, message)) return Drop(worker, mbuf, DropReason::kUpRingFull);
  worker.counters.punted.Add(1);
}

}  // namespace

Budgets MakeBudgets(uint64_t tsc_hz) {
  return {.ike = TokenBucket(kIkePerSecond, kIkeBurst, tsc_hz),
          .resolve = TokenBucket(kResolvePerSecond, kResolveBurst, tsc_hz),
          .neighbour = TokenBucket(kNeighbourPerSecond, kNeighbourBurst, tsc_hz),
          .acquire = TokenBucket(kAcquirePerSecond, kAcquireBurst, tsc_hz),
          .icmp_error = TokenBucket(kIcmpErrorPerSecond, kIcmpErrorBurst, tsc_hz),
          .path_mtu = TokenBucket(kPathMtuPerSecond, kPathMtuBurst, tsc_hz)};
}

bool SendUp(Worker& worker, UpMessage message) {
  message.worker = worker.id;
  return rte_ring_enqueue_elem(worker.up, &message, sizeof message) == 0;
}

void PuntIke(Worker& worker, Burst burst) {
  for (rte_mbuf* mbuf : burst) PuntOneIke(worker, mbuf);
}

void ReportNeighbour(Worker& worker, PortId port, const IpAddress& address, const MacAddress& mac) {
  const Neighbour* known = worker.neighbours.Find(port, address);
  const bool waited_for = known != nullptr && !known->resolved;
  if (!(waited_for ? worker.budgets.resolve : worker.budgets.neighbour).Take(worker.now_tsc))
    return;
  UpMessage message;
  message.kind = UpMessage::Kind::kNeighbourSeen;
  message.neighbour = {port, address, mac};
  SendUp(worker, message);  // not said now: said again with the next ARP or ND packet
}

bool AskForNeighbour(Worker& worker, PortId port, const IpAddress& address) {
  if (!worker.budgets.resolve.Take(worker.now_tsc)) return false;
  UpMessage message;
  message.kind = UpMessage::Kind::kResolveNeighbour;
  message.neighbour = {port, address, {}};
  return SendUp(worker, message);
}

void ReportAcquire(Worker& worker, rte_mbuf* mbuf) {
  if (!worker.budgets.acquire.Take(worker.now_tsc)) return;
  const PacketContext& context = ContextOf(mbuf);
  UpMessage message;
  message.kind = UpMessage::Kind::kAcquire;
  message.acquire = {context.policy, SourceOf(mbuf, context), DestinationOf(mbuf, context)};
  SendUp(worker, message);  // not said now: said again with the next packet
}

void SendEspEvents(Worker& worker) {
  uint16_t sent = 0;
  for (const UpMessage& message : worker.esp.up.messages()) {
    if (!SendUp(worker, message)) break;
    ++sent;
  }
  if (sent > 0) worker.esp.up.Remove(sent);
}

}  // namespace sekisho::fastpath
