#include "fastpath/worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "fastpath/adjacency.h"
#include "fastpath/ah_decap.h"
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
#include "fastpath/path_mtu.h"
#include "fastpath/protect.h"
#include "fastpath/punt.h"
#include "fastpath/reassemble.h"
#include "fastpath/recall.h"
#include "fastpath/recognise_esp.h"
#include "fastpath/transmit.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

constexpr int kHousekeepingPerSecond = 10;
constexpr int kTakeOverBurstsMax = 4;  // of each other worker, in one round
// While packets come: one talk with the slow path in 20 us, which is ten rounds of small packets.
// Each look at a ring that the slow path writes, and at SAs that it has just written, waits for
// another processor's cache: better for several at once.
constexpr uint64_t kBusyTalksPerSecond = 50'000;

// The packets of one burst, by what happens to them next.
struct Sorted {
  PacketList transit, ike, esp, ah, fragments, echo, too_big, arp, nd, local;
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
  StageTimer timer(worker.esp.stages, Stage::kParse);
  const WorkerPort& in = PortAt(worker, port);
  for (size_t i = 0; i < burst.size(); ++i) {
    if (i + 2 < burst.size()) rte_prefetch0(DataOf(burst[i + 2]));
    rte_mbuf* mbuf = burst[i];
    PacketContext& context = ContextOf(mbuf);
    ClearContext(context);
    context.port_in = port;
    context.policy = kNoPolicy;
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) {
      Drop(worker, mbuf, DropReason::kNoMbuf);
      continue;
    }
    if (ParseFrame(mbuf, in.mac, in.vlan, context) && Classify(worker, in, mbuf)) {
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
      case PacketKind::kAh:
        sorted.ah.Add(mbuf);
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
      case PacketKind::kIcmpTooBig:
        sorted.too_big.Add(mbuf);
        break;
      case PacketKind::kLocal:
        sorted.local.Add(mbuf);
        break;
    }
  }
}

void GoOnInner(Worker& worker, Burst burst);

// ESP and AH of this worker's SAs: to the SAD and the crypto backend. What comes back later is
// CollectDecrypted()'s.
void DecapsulateOwn(Worker& worker, Burst own, IpsecProtocol protocol) {
  if (own.empty()) return;
  StageTimer timer(worker.esp.stages, Stage::kDecapsulate);
  PacketList passed, dropped;
  if (protocol == IpsecProtocol::kAh) {
    AhDecapSubmit(worker.esp, own, passed, dropped);
  } else {
    EspDecapSubmit(worker.esp, own, passed, dropped);
  }
  DropAll(worker, dropped);
  if (!passed.empty()) GoOnInner(worker, passed.burst());
}

// The same of what any worker may own.
void Decapsulate(Worker& worker, Burst burst, IpsecProtocol protocol) {
  PacketList own;
  HandOverToSpiOwners(worker, burst, own);
  if (protocol == IpsecProtocol::kEsp) EspDecapPrefetch(worker.esp, own.burst());
  DecapsulateOwn(worker, own.burst(), protocol);
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
  Decapsulate(worker, sorted.esp.burst(), IpsecProtocol::kEsp);
  Decapsulate(worker, sorted.ah.burst(), IpsecProtocol::kAh);
  Forward(worker, sorted.transit.burst());
  PuntIke(worker, sorted.ike.burst());
  Echo(worker, sorted.echo.burst());
  LearnPathMtu(worker, sorted.too_big.burst());
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
  StageTimer timer(worker.esp.stages, Stage::kOther);
  PacketList whole, none;
  Dispatch(worker, burst, whole);
  // What was reassembled is no fragment, so a second pass leaves nothing.
  if (!whole.empty()) Dispatch(worker, whole.burst(), none);
}

// What is plain and known goes its way at once. Returns what does not.
Burst ShortCut(Worker& worker, PortId port, Burst frames, PacketList& rest) {
  const WorkerPort& in = PortAt(worker, port);
  if (in.vlan != 0 || worker.tables == nullptr) return frames;
  if (in.side == PortSide::kInside) {
    if (!worker.known4.exists() || worker.esp.outbound->has_flows()) return frames;
    Recall(worker, port, frames, rest);
  } else if (in.side == PortSide::kOutside) {
    PacketList esp;
    RecogniseEsp(worker, port, frames, esp, rest);
    DecapsulateOwn(worker, esp.burst(), IpsecProtocol::kEsp);
  } else {
    return frames;
  }
  return rest.burst();
}

bool Receive(Worker& worker, PortId port) {
  WorkerPort& in = PortAt(worker, port);
  if (in.queue == kNoQueue) return false;
  StageTimer timer(worker.esp.stages, Stage::kReceive);
  std::array<rte_mbuf*, kBurstMax> frames;
  const uint16_t count = rte_eth_rx_burst(in.device, in.queue, frames.data(), kBurstMax);
  if (count == 0) return false;
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count; ++i) {
    TakeFromDpdk(frames[i]);
    bytes += frames[i]->pkt_len;
  }
  in.received_packets.Add(count);
  in.received_bytes.Add(bytes);
  worker.counters.received.Add(count);

  PacketList rest;
  const Burst long_way = ShortCut(worker, port, {frames.data(), count}, rest);
  if (long_way.empty()) return true;
  PacketList parsed;
  Parse(worker, port, long_way, parsed);
  DispatchAll(worker, parsed.burst());
  return true;
}

// Inner packets of ESP: for us or to be forwarded, like any other.
void GoOnInner(Worker& worker, Burst burst) {
  StageTimer timer(worker.esp.stages, Stage::kParse);
  PacketList followed, inner;
  PacketList long_way;
  SendInner(worker, burst, long_way);
  if (long_way.empty()) return;
  FollowDecapsulated(worker, long_way.burst(), followed);
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

bool CollectDecrypted(Worker& worker) {
  bool any = false;
  for (;;) {
    PacketList passed, dropped;
    if (EspDecapFinish(worker.esp, passed, dropped) == 0) return any;
    any = true;
    DropAll(worker, dropped);
    GoOnInner(worker, passed.burst());
  }
}

bool CollectEncrypted(Worker& worker) {
  bool any = false;
  for (;;) {
    PacketList passed, dropped;
    if (EspEncapFinish(worker.esp, passed, dropped) == 0) return any;
    any = true;
    DropAll(worker, dropped);
    SendProtected(worker, passed.burst());
  }
}

void SwapTables(Worker& worker, uint32_t index) {
  worker.tables = (*worker.tables_slots)[index].get();
  worker.tables_index = index;
  worker.tables_unsaid = true;
  ForgetAdjacencies(worker);
  ForgetDecisions(worker);
}

void Obey(Worker& worker, const DownMessage& message) {
  switch (message.kind) {
    case DownMessage::Kind::kSwapTables:
      return SwapTables(worker, message.swap_tables.index);
    case DownMessage::Kind::kSetNeighbour:
      return SetNeighbour(worker, message.neighbour);
    case DownMessage::Kind::kForgetNeighbour:
      return ForgetNeighbour(worker, message.neighbour);
    case DownMessage::Kind::kAwaitNeighbour:
      return AwaitNeighbour(worker, message.neighbour);
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
  // Nearly always there is none: they are not constructed before there are.
  alignas(DownMessage) std::array<std::byte, kDownBurstMax * sizeof(DownMessage)> room;
  const auto* messages = reinterpret_cast<const DownMessage*>(room.data());
  const unsigned count = rte_ring_dequeue_burst_elem(worker.down, room.data(), sizeof(DownMessage),
                                                     kDownBurstMax, nullptr);
  for (unsigned i = 0; i < count; ++i) PrefetchSaOf(worker.esp, messages[i]);
  for (unsigned i = 0; i < count; ++i) Obey(worker, messages[i]);
  return count > 0;
}

// What another worker received or found, and this one goes on with: runs of packets that want the
// same, in the order in which they came.
void GoOn(Worker& worker, HandOverStage stage, Burst run) {
  switch (stage) {
    case HandOverStage::kDispatch:
      return DispatchAll(worker, run);
    case HandOverStage::kInner:
      return GoOnInner(worker, run);
    case HandOverStage::kDecide:
      return DecideAgain(worker, run);
    case HandOverStage::kProtect:
      return ProtectHandedOver(worker, run);
    case HandOverStage::kTransmit:
      for (rte_mbuf* mbuf : run) SendFrame(worker, ContextOf(mbuf).port_out, mbuf);
      return;
  }
}

bool TakeOver(Worker& worker) {
  bool any = false;
  for (size_t from = 0; from < worker.worker_count; ++from) {
    // Others may bring more in their round than one burst, and leave none behind for long.
    for (int bursts = 0; bursts < kTakeOverBurstsMax; ++bursts) {
      std::array<rte_mbuf*, kBurstMax> mbufs;
      const size_t count = TakeHandedOver(worker, from, mbufs);
      for (size_t begin = 0, end = 0; begin < count; begin = end) {
        const HandOverStage stage = ContextOf(mbufs[begin]).stage;
        while (end < count && ContextOf(mbufs[end]).stage == stage) ++end;
        GoOn(worker, stage, {&mbufs[begin], end - begin});
      }
      any |= count > 0;
      if (count < mbufs.size()) break;
    }
  }
  return any;
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

void StartRound(Worker& worker, uint64_t now_tsc) {
  worker.now_tsc = now_tsc;
  worker.esp.now_tsc = worker.now_tsc;
  if (worker.now_tsc >= worker.next_housekeeping_tsc) {
    worker.next_housekeeping_tsc = worker.now_tsc + rte_get_tsc_hz() / kHousekeepingPerSecond;
    ExpireFragments(worker);
    worker.flows.Expire(worker.now_tsc);
    SampleLinks(worker);
  }
}

void TellSlowPath(Worker& worker) {
  ReportRetired(worker.esp);
  SendEspEvents(worker);
  SayTablesSwapped(worker);
}

void EndRound(Worker& worker) {
  FlushHandOver(worker);
  FlushTransmit(worker);
  FreeDisposed(worker);
  worker.counters.held.Set(worker.pending_packets + worker.reassembly.held + worker.made.size() +
                           worker.esp.crypto->InFlight(worker.id));
}

// With `talk`, what the slow path says is heard, and it is told what happened.
bool Round(Worker& worker, uint64_t now_tsc, bool talk) {
  StartRound(worker, now_tsc);
  bool busy = talk && ObeyMessages(worker);
  ForwardMade(worker);
  busy |= TakeOver(worker);
  for (size_t i = 0; i < worker.port_count; ++i) {
    busy |= Receive(worker, PortId{static_cast<uint16_t>(i)});
  }
  busy |= CollectDecrypted(worker);
  busy |= CollectEncrypted(worker);
  if (talk) TellSlowPath(worker);
  EndRound(worker);
  worker.counters.rounds.Add(1);
  if (busy) worker.counters.busy_rounds.Add(1);
  return busy;
}

}  // namespace

bool RunOnce(Worker& worker, uint64_t now_tsc) { return Round(worker, now_tsc, true); }

void RunUntilStopped(Worker& worker) {
  const uint64_t between_talks = rte_get_tsc_hz() / kBusyTalksPerSecond;
  bool busy = false;
  for (uint64_t next_talk = 0; !worker.stop.load(std::memory_order_relaxed);) {
    const uint64_t now = rte_rdtsc();
    const bool talk = !busy || now >= next_talk;
    if (talk) next_talk = now + between_talks;
    busy = Round(worker, now, talk);
    if (!busy) rte_pause();
  }
  worker.runs_ended.fetch_add(1, std::memory_order_release);
}

}  // namespace sekisho::fastpath
