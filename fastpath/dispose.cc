#include "fastpath/dispose.h"

#include <algorithm>

#include "fastpath/hand_over.h"

namespace sekisho::fastpath {
namespace {

void Dispose(Worker& worker, rte_mbuf* mbuf) {
  if (worker.disposed_count == kDisposedMax) FreeDisposed(worker);
  worker.disposed[worker.disposed_count++] = mbuf;
}

void CountPolicyDrop(Worker& worker, uint32_t policy) {
  if (policy == kNoPolicy || worker.tables == nullptr) return;
  if (policy >= worker.tables->spd->policies().size()) return;
  worker.tables->drops[static_cast<size_t>(worker.id)][policy].Add(1);
}

}  // namespace

void CountDrops(Worker& worker, PortId port, DropReason reason, uint64_t packets) {
  const size_t index = std::min(static_cast<size_t>(port), kPortsMax);
  worker.counters.drops[index][static_cast<size_t>(reason)].Add(packets);
}

void Drop(Worker& worker, rte_mbuf* mbuf, DropReason reason) {
  // A stage that fails a packet without saying why has a bug, and the packet is counted as one.
  if (reason == DropReason::kNone) reason = DropReason::kBug;
  CountDrops(worker, ContextOf(mbuf).port_in, reason, 1);
  CountPolicyDrop(worker, ContextOf(mbuf).policy);
  Dispose(worker, mbuf);
}

void DropAll(Worker& worker, const PacketList& packets) {
  for (rte_mbuf* mbuf : packets.burst()) Drop(worker, mbuf, ContextOf(mbuf).reason);
}

void Consume(Worker& worker, rte_mbuf* mbuf) {
  worker.counters.consumed.Add(1);
  Dispose(worker, mbuf);
}

void FreeDisposed(Worker& worker) {
  if (worker.disposed_count == 0) return;
  for (size_t i = 0; i < worker.disposed_count; ++i) GiveToDpdk(worker.disposed[i]);
  rte_pktmbuf_free_bulk(worker.disposed.data(), static_cast<unsigned>(worker.disposed_count));
  worker.disposed_count = 0;
}

rte_mbuf* MakePacket(Worker& worker, size_t bytes) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.packets);
  if (mbuf != nullptr && bytes > rte_pktmbuf_tailroom(mbuf)) {
    rte_pktmbuf_free(mbuf);
    mbuf = rte_pktmbuf_alloc(worker.large_packets);
  }
  TakeFromDpdk(mbuf);
  worker.counters.made_here.Add(1);
  if (mbuf == nullptr || rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes)) == nullptr) {
    rte_pktmbuf_free(mbuf);
    CountDrops(worker, kNoPort, DropReason::kNoMbuf, 1);
    return nullptr;
  }
  PacketContext& context = ContextOf(mbuf);
  context = {};
  context.port_in = kNoPort;
  context.policy = kNoPolicy;
  context.ours = true;
  return mbuf;
}

void TurnIntoOwn(Worker& worker, rte_mbuf* mbuf) {
  worker.counters.consumed.Add(1);
  worker.counters.made_here.Add(1);
  PacketContext& context = ContextOf(mbuf);
  const PortId port = context.port_in;
  const bool answers_clear = CameInClear(worker, context);
  context = {};
  context.port_in = port;
  context.policy = kNoPolicy;
  context.ours = true;
  context.answers_clear = answers_clear;
}

}  // namespace sekisho::fastpath
