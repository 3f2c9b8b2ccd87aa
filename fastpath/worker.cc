#include "fastpath/worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "fastpath/arp.h"
#include "fastpath/dispose.h"
#include "fastpath/esp_decap.h"
#include "fastpath/esp_encap.h"
#include "fastpath/follow_flows.h"
#include "fastpath/forward.h"
#include "fastpath/hand_over.h"
#include "fastpath/host.h"
#include "fastpath/icmp_echo.h"
#include "fastpath/mbuf.h"
#include "fastpath/nd.h"
#include "fastpath/parse.h"
#include "fastpath/punt.h"
#include "fastpath/reassemble.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

constexpr int kHousekeepingPerSecond = 10;

// The packets of one burst, by what happens to them next.
struct Sorted {
  PacketList transit, ike, esp, fragments, echo, arp, nd, local;
};

// Is it for us? From the host port everything is by us.
bool Classify(Worker& worker, const WorkerPort& in, rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  const bool arp = context.kind == PacketKind::kArp;
  if (in.side == PortSide::kHost) {
    LearnHostMac(worker, mbuf);
    return arp || TakeFromHost(worker, mbuf);
  }
  return arp || ClassifyLocal(mbuf, *worker.local, context);
}

// parse: frame by frame, from bytes to a context. What fails is dropped.
void Parse(Worker& worker, PortId port, Burst burst, PacketList& parsed) {
  const WorkerPort& in = PortAt(worker, port);
  for (size_t i = 0; i < burst.size(); ++i) {
    if (i + 2 < burst.size()) rte_prefetch0(DataOf(burst[i + 2]));
    rte_mbuf* mbuf = burst[i];
    PacketContext& context = ContextOf(mbuf);
    context = {};
    context.port_in = port;
    context.policy = kNoPolicy;
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) {
      Drop(worker, mbuf, DropReason::kNoMbuf);
      continue;
    }
    if (ParseFrame(mbuf, in.mac, context) && Classify(worker, in, mbuf)) {
      parsed.Add(mbuf);
    } else {
      Drop(worker, mbuf, context.reason);
    }
  }
}

// kind?
void Sort(Worker& worker, Burst burst, Sorted& sorted) {
  for (rte_mbuf* mbuf : burst) {
    switch (ContextOf(mbuf).kind) {
      case PacketKind::kTransit:
        sorted.transit.Add(mbuf);
        break;
      case PacketKind::kIke:
        sorted.ike.Add(mbuf);
        break;
      case PacketKind::kNatTKeepalive:
        Consume(worker, mbuf);
        break;
      case PacketKind::kEsp:
      case PacketKind::kEspInUdp:
        sorted.esp.Add(mbuf);
        break;
      case PacketKind::kFragment:
        sorted.fragments.Add(mbuf);
        break;
      case PacketKind::kArp:
        sorted.arp.Add(mbuf);
        break;
      case PacketKind::kNd:
        sorted.nd.Add(mbuf);
        break;
      case PacketKind::kIcmpEcho:
        sorted.echo.Add(mbuf);
        break;
      case PacketKind::kLocal:
        sorted.local.Add(mbuf);
        break;
    }
  }
}

// ESP: to the SAD and the crypto device. What comes back is CollectDecrypted()'s.
void Decapsulate(Worker& worker, Burst burst) {
  if (burst.empty()) return;
  for (rte_mbuf* mbuf : burst) {
    PacketContext& context = ContextOf(mbuf);
    const bool udp = context.kind == PacketKind::kEspInUdp;
    context.outer_local = {DestinationOf(mbuf, context),
                           udp ? context.destination_port : uint16_t{0}};
    context.outer_remote = {SourceOf(mbuf, context), udp ? context.source_port : uint16_t{0}};
  }
  PacketList dropped;
  EspDecapSubmit(worker.esp, burst, dropped);
  DropAll(worker, dropped);
}

void Echo(Worker& worker, Burst burst) {
  PacketList admitted, answers;
  AdmitLocal(worker, burst, admitted);
  IcmpEcho(worker, admitted.burst(), answers);
  Forward(worker, answers.burst());
}

// Every kind to its stage, except that fragments come back as whole packets.
void Dispatch(Worker& worker, Burst burst, PacketList& whole) {
  Sorted sorted;
  Sort(worker, burst, sorted);
  Decapsulate(worker, sorted.esp.burst());
  Forward(worker, sorted.transit.burst());
  PuntIke(worker, sorted.ike.burst());
  Echo(worker, sorted.echo.burst());
  Arp(worker, sorted.arp.burst());
  Nd(worker, sorted.nd.burst());
  DeliverUp(worker, sorted.local.burst());
  for (rte_mbuf* fragment : sorted.fragments.burst()) {
    rte_mbuf* mbuf = Reassemble(worker, fragment);
    if (mbuf == nullptr) continue;
    PacketContext& context = ContextOf(mbuf);
    if (ClassifyLocal(mbuf, *worker.local, context)) {
      whole.Add(mbuf);
    } else {
      Drop(worker, mbuf, context.reason);
    }
  }
}

void DispatchAll(Worker& worker, Burst burst) {
  PacketList whole, none;
  Dispatch(worker, burst, whole);
  // What was reassembled is no fragment, so a second pass leaves nothing.
  if (!whole.empty()) Dispatch(worker, whole.burst(), none);
}

bool Receive(Worker& worker, PortId port) {
  WorkerPort& in = PortAt(worker, port);
  std::array<rte_mbuf*, kBurstMax> frames;
  const uint16_t count = rte_eth_rx_burst(in.device, worker.queue, frames.data(), kBurstMax);
  if (count == 0) return false;
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count; ++i) {
    TakeFromDpdk(frames[i]);
    bytes += frames[i]->pkt_len;
  }
  in.received_packets.Add(count);
  in.received_bytes.Add(bytes);
  worker.counters.received.Add(count);

  PacketList parsed;
  Parse(worker, port, {frames.data(), count}, parsed);
  DispatchAll(worker, parsed.burst());
  return true;
}

// Inner packets of ESP: for us or to be forwarded, like any other.
bool CollectDecrypted(Worker& worker) {
  bool any = false;
  for (;;) {
    PacketList passed, dropped, followed, inner;
    if (EspDecapFinish(worker.esp, passed, dropped) == 0) return any;
    any = true;
    DropAll(worker, dropped);
    FollowDecapsulated(worker, passed.burst(), followed);
    for (rte_mbuf* mbuf : followed.burst()) {
      PacketContext& context = ContextOf(mbuf);
      if (ClassifyLocal(mbuf, *worker.local, context)) {
        inner.Add(mbuf);
      } else {
        Drop(worker, mbuf, context.reason);
      }
    }
    DispatchAll(worker, inner.burst());
  }
}

bool CollectEncrypted(Worker& worker) {
  bool any = false;
  for (;;) {
    PacketList passed, dropped;
    if (EspEncapFinish(worker.esp, passed, dropped) == 0) return any;
    any = true;
    DropAll(worker, dropped);
    RouteOwn(worker, passed.burst());
  }
}

void SwapTables(Worker& worker, uint32_t index) {
  worker.tables = (*worker.tables_slots)[index].get();
  worker.tables_index = index;
  worker.tables_unsaid = true;
}

void Obey(Worker& worker, const DownMessage& message) {
  switch (message.kind) {
    case DownMessage::Kind::kSwapTables:
      return SwapTables(worker, message.swap_tables.index);
    case DownMessage::Kind::kSetNeighbour:
      return SetNeighbour(worker, message.neighbour);
    case DownMessage::Kind::kForgetNeighbour:
      return ForgetNeighbour(worker, message.neighbour);
    case DownMessage::Kind::kTransmit:
      worker.counters.made_here.Add(1);
      return RouteOwn(worker, {&message.transmit.mbuf, 1});
    case DownMessage::Kind::kTransmitOnPort:
      worker.counters.made_here.Add(1);
      return SendFrame(worker, message.transmit.port, message.transmit.mbuf);
    default:
      HandleSaMessage(worker.esp, message);
  }
}

bool ObeyMessages(Worker& worker) {
  std::array<DownMessage, kDownBurstMax> messages;
  const unsigned count = rte_ring_dequeue_burst_elem(worker.down, messages.data(),
                                                     sizeof(DownMessage), kDownBurstMax, nullptr);
  for (unsigned i = 0; i < count; ++i) Obey(worker, messages[i]);
  return count > 0;
}

// ICMP errors of the round before.
void ForwardMade(Worker& worker) {
  if (worker.made.empty()) return;
  const PacketList made = worker.made;
  worker.made.Clear();
  const Burst burst = made.burst();
  for (size_t i = 0; i < burst.size(); i += kBurstMax) {
    Forward(worker, burst.subspan(i, std::min<size_t>(kBurstMax, burst.size() - i)));
  }
}

void SayTablesSwapped(Worker& worker) {
  if (!worker.tables_unsaid) return;
  UpMessage message;
  message.kind = UpMessage::Kind::kTablesSwapped;
  message.tables = {worker.tables_index};
  worker.tables_unsaid = !SendUp(worker, message);
}

void StartRound(Worker& worker) {
  worker.now_tsc = rte_rdtsc();
  worker.esp.now_tsc = worker.now_tsc;
  RefillBudgets(worker.budgets, worker.now_tsc);
  if (worker.now_tsc >= worker.next_housekeeping_tsc) {
    worker.next_housekeeping_tsc = worker.now_tsc + rte_get_tsc_hz() / kHousekeepingPerSecond;
    ExpireFragments(worker);
    worker.flows.Expire(worker.now_tsc);
    SampleLinks(worker);
  }
}

void EndRound(Worker& worker) {
  ReportRetired(worker.esp);
  SendEspEvents(worker);
  SayTablesSwapped(worker);
  FlushTransmit(worker);
  FreeDisposed(worker);
  worker.counters.held.Set(worker.pending_packets + worker.reassembly.held + worker.made.size() +
                           worker.esp.crypto->InFlight(worker.id));
}

}  // namespace

bool RunOnce(Worker& worker) {
  StartRound(worker);
  bool busy = ObeyMessages(worker);
  ForwardMade(worker);
  for (size_t i = 0; i < worker.port_count; ++i) {
    busy |= Receive(worker, PortId{static_cast<uint16_t>(i)});
  }
  busy |= CollectDecrypted(worker);
  busy |= CollectEncrypted(worker);
  EndRound(worker);
  return busy;
}

void RunUntilStopped(Worker& worker) {
  while (!worker.stop.load(std::memory_order_relaxed)) {
    if (!RunOnce(worker)) rte_pause();
  }
  worker.runs_ended.fetch_add(1, std::memory_order_release);
}

}  // namespace sekisho::fastpath
