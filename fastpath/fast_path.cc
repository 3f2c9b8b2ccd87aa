#include "fastpath/fast_path.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <rte_ring_elem.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/cryptodev_backend.h"
#include "fastpath/dispose.h"
#include "fastpath/fast_path_impl.h"
#include "fastpath/ipsec_mb_backend.h"
#include "fastpath/parse.h"
#include "fastpath/path_mtu.h"
#include "fastpath/punt.h"
#include "fastpath/reassemble.h"
#include "fastpath/worker_hand_over.h"

namespace sekisho::fastpath {
namespace {

// Room before the IP header for what encapsulation prepends, and behind the packet for padding and
// ICV; beyond the MTU and the Ethernet header.
constexpr size_t kFrameRoomMin = 2176;
constexpr size_t kTailRoom = 128;
constexpr unsigned kPoolCache = 256;
constexpr uint16_t kMtuMin = 576, kMtuMinIpv6 = 1280, kMtuMax = 9600;

std::string NextName() {
  static std::atomic<uint32_t> made = 0;
  return absl::StrCat("sekisho", made.fetch_add(1, std::memory_order_relaxed), "-");
}

absl::Status NoMemoryFor(absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "no memory for ", what, ": ", rte_strerror(rte_errno),
      "; give it more under memory.megabytes, or ask for less under memory.packet_buffers"));
}

rte_mempool* MakePool(const std::string& name, unsigned count, size_t room) {
  constexpr auto kPrivate =
      static_cast<uint16_t>(RTE_ALIGN_CEIL(sizeof(PacketPrivate), RTE_MBUF_PRIV_ALIGN));
  return rte_pktmbuf_pool_create(name.c_str(), count, std::min(kPoolCache, count / 4), kPrivate,
                                 static_cast<uint16_t>(room + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
}

int RunWorker(void* worker) {
  RunUntilStopped(*static_cast<Worker*>(worker));
  return 0;
}

}  // namespace

absl::Status FastPath::Impl::CheckConfig() const {
  if (config.ports.empty() || config.ports.size() > kPortsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("ports: found ", config.ports.size(), ", want 1 to ", kPortsMax));
  }
  const std::set<unsigned> lcores(config.worker_lcores.begin(), config.worker_lcores.end());
  if (lcores.empty() || lcores.size() > kWorkersMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers: found ", lcores.size(), " cores, want 1 to ", kWorkersMax));
  }
  if (lcores.size() != config.worker_lcores.size()) {
    return absl::InvalidArgumentError("workers: found a core twice");
  }
  std::set<IpAddress> addresses;
  bool host = false;
  for (const PortConfig& port : config.ports) {
    if (port.side == PortSide::kHost && (std::exchange(host, true) || !port.addresses.empty())) {
      return absl::InvalidArgumentError(
          absl::StrCat("port ", port.name, ": found a second host port, or one with addresses, ",
                       "want one at most, and the addresses at the ports they are reached by"));
    }
    bool v6 = false;
    for (const InterfaceAddress& address : port.addresses) {
      v6 |= address.address.is_v6();
      if (!addresses.insert(address.address).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            "port ", port.name, ": address ", address.address.ToString(), " is there twice"));
      }
    }
    const uint16_t least = v6 ? kMtuMinIpv6 : kMtuMin;
    if (port.mtu < least || port.mtu > kMtuMax) {
      return absl::InvalidArgumentError(absl::StrCat("port ", port.name, ": found an MTU of ",
                                                     port.mtu, ", want ", least, " to ", kMtuMax));
    }
  }
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakePools() {
  size_t room = kFrameRoomMin;
  for (const PortConfig& port : config.ports) {
    room = std::max(room, port.mtu + kEthernetHeaderBytes + kTailRoom);
  }
  packets.reset(MakePool(absl::StrCat(name, "packets"), config.mbufs, room));
  if (packets == nullptr) return NoMemoryFor(absl::StrCat(config.mbufs, " packet buffers"));
  large_packets.reset(
      MakePool(absl::StrCat(name, "large"), kLargePackets, kLargePacketBytes + kTailRoom));
  if (large_packets == nullptr) return NoMemoryFor("large packet buffers");
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakeRings() {
  const auto add = [this](std::vector<Ring>& rings, absl::string_view kind, size_t bytes,
                          unsigned size) {
    rings.emplace_back(rte_ring_create_elem(absl::StrCat(name, kind, rings.size()).c_str(),
                                            static_cast<unsigned>(bytes), size, SOCKET_ID_ANY,
                                            RING_F_SP_ENQ | RING_F_SC_DEQ));
    return rings.back() != nullptr;
  };
  bool made = true;
  for (uint32_t i = 0; i < worker_count() && made; ++i) {
    made = add(down, "down", sizeof(DownMessage), kDownRingSize) &&
           add(up, "up", sizeof(UpMessage), kUpRingSize);
  }
  for (uint32_t from = 0; from < worker_count() && made; ++from) {
    for (uint32_t to = 0; to < worker_count() && made; ++to) {
      if (from == to) {
        hand_over.emplace_back();
      } else {
        made = add(hand_over, "over", sizeof(void*), kHandOverRingSize);
      }
    }
  }
  return made ? absl::OkStatus() : NoMemoryFor("the rings");
}

absl::Status FastPath::Impl::OpenPorts() {
  for (const PortConfig& port : config.ports) {
    SEKISHO_ASSIGN_OR_RETURN(Port opened, Port::Open(port, worker_count(), packets.get()));
    // The link-local address of the host port is the host's.
    if (port.side == PortSide::kHost) {
      host_mac.Set(opened.mac());
    } else {
      local.AddPort(PortId{static_cast<uint16_t>(ports.size())}, port.side, opened.mac(),
                    port.addresses);
    }
    ports.push_back(std::move(opened));
  }
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakeCrypto() {
  if (config.crypto_backend == CryptoBackendKind::kIpsecMb) {
    SEKISHO_ASSIGN_OR_RETURN(crypto, IpsecMbBackend::Create({.workers = worker_count()}));
  } else {
    SEKISHO_ASSIGN_OR_RETURN(
        crypto, CryptodevBackend::Create({.devices = config.crypto_devices,
                                          .workers = worker_count(),
                                          .sessions_max = config.inbound_sas_max * worker_count() +
                                                          config.outbound_sas_max}));
  }
  for (uint32_t i = 0; i < worker_count(); ++i) {
    SEKISHO_ASSIGN_OR_RETURN(
        auto sad, InboundSad::Create(WorkerId{static_cast<uint8_t>(i)}, config.inbound_sas_max,
                                     config.replay_window, *crypto));
    inbound.push_back(std::move(sad));
  }
  SEKISHO_ASSIGN_OR_RETURN(outbound,
                           OutboundSad::Create(config.outbound_sas_max, *crypto, worker_count()));
  return absl::OkStatus();
}

// Each worker has a queue on each port that has enough of them. Where there are fewer they are
// dealt out, going on from port to port, so that two ports of one queue each keep two workers busy.
void FastPath::Impl::DealOutQueues() {
  uint32_t next = 0;
  for (size_t i = 0; i < ports.size(); ++i) {
    const uint32_t queues = ports[i].queues();
    const bool enough = queues >= worker_count();
    for (uint32_t w = 0; w < worker_count(); ++w) {
      WorkerPort& port = workers[w]->ports[i];
      // Worker `first` has queue 0, the one after it queue 1, and so on around.
      const uint32_t first = enough ? 0 : next % worker_count();
      const uint32_t place = (w + worker_count() - first) % worker_count();
      port.queue = place < queues ? static_cast<uint16_t>(place) : kNoQueue;
      port.sender = WorkerId{static_cast<uint8_t>((first + place % queues) % worker_count())};
    }
    if (!enough) next += queues;
  }
}

absl::Status FastPath::Impl::MakeWorkers() {
  for (uint32_t i = 0; i < worker_count(); ++i) {
    SEKISHO_RETURN_IF_ERROR(MakeWorker(WorkerId{static_cast<uint8_t>(i)}));
  }
  DealOutQueues();
  tables_seen.resize(worker_count());
  // A stranger must not guess the next one.
  ipv4_id = static_cast<uint16_t>(rte_rand());
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakeWorker(WorkerId id) {
  const uint64_t tsc_hz = rte_get_tsc_hz();
  const auto index = static_cast<size_t>(id);
  workers.push_back(std::make_unique<Worker>());
  Worker& worker = *workers.back();
  worker.id = id;
  worker.worker_count = worker_count();
  worker.port_count = ports.size();
  worker.local = &local;
  worker.host_mac = &host_mac;
  worker.tables_slots = &tables;
  worker.packets = packets.get();
  worker.large_packets = large_packets.get();
  worker.down = down[index].get();
  worker.up = up[index].get();
  for (size_t i = 0; i < ports.size(); ++i) {
    WorkerPort& port = worker.ports[i];
    port.device = ports[i].device();
    port.side = config.ports[i].side;
    port.mtu = config.ports[i].mtu;
    port.vlan = config.ports[i].vlan;
    port.vlan_offload = ports[i].writes_vlan_tags();
    port.checksum_offload = ports[i].makes_checksums();
    port.reverse_path = config.ports[i].reverse_path;
    port.mac = ports[i].mac();
    std::memcpy(&port.mac_raw, port.mac.data(), port.mac.size());
    if (port.side == PortSide::kOutside)
      worker.outside_mtu = std::min(worker.outside_mtu, port.mtu);
    if (port.side == PortSide::kHost) worker.host = {PortId{static_cast<uint16_t>(i)}, {}};
  }
  for (size_t other = 0; other < worker_count(); ++other) {
    worker.hand_over.to[other].ring = hand_over[index * worker_count() + other].get();
    worker.hand_over.from[other] = hand_over[other * worker_count() + index].get();
  }
  worker.flows = FlowTable(std::min<size_t>(config.flows_max, FlowTable::kFlowsMax), tsc_hz,
                           static_cast<uint32_t>(rte_rand()));
  worker.esp.id = id;
  worker.esp.inbound = inbound[index].get();
  worker.esp.outbound = outbound.get();
  worker.esp.crypto = crypto.get();
  worker.esp.move_quiet_tsc = tsc_hz;
  worker.esp.path_mtu_tsc = tsc_hz * kPathMtuSeconds;
  SEKISHO_ASSIGN_OR_RETURN(worker.neighbours,
                           NeighbourTable::Create(absl::StrCat(name, "nb", index)));
  worker.destinations = std::make_unique<DestinationCache>();
  if (config.decisions_max != 0) {
    SEKISHO_ASSIGN_OR_RETURN(worker.known4, DecisionCache<FlowId4>::Create(config.decisions_max));
    SEKISHO_ASSIGN_OR_RETURN(worker.known6,
                             DecisionCache<FlowId6>::Create(config.decisions_max / 4));
  }
  worker.reassembly = CreateReassemblyTable(tsc_hz);
  worker.budgets = MakeBudgets(tsc_hz);
  worker.ipv4_id = static_cast<uint16_t>(rte_rand());
  worker.ipv6_fragment_id = static_cast<uint32_t>(rte_rand());
  return absl::OkStatus();
}

bool FastPath::Impl::HasRoom(WorkerId worker) const {
  // As rte_ring_free_count(), which does not say that the worker moves the tail meanwhile. Nobody
  // else moves the head.
  const rte_ring* ring = down[static_cast<size_t>(worker)].get();
  const uint32_t taken = __atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE);
  return ring->prod.tail - taken < rte_ring_get_capacity(ring);
}

absl::Status FastPath::Impl::Send(WorkerId worker, DownMessage message) {
  rte_ring* const ring = down[static_cast<size_t>(worker)].get();
  if (rte_ring_enqueue_elem(ring, &message, sizeof message) == 0) return absl::OkStatus();
  return RingFull(worker);
}

absl::Status FastPath::Impl::RingFull(WorkerId worker) {
  return absl::ResourceExhaustedError(absl::StrCat("worker ", static_cast<unsigned>(worker),
                                                   " does not keep up with its messages"));
}

absl::Status FastPath::Impl::Broadcast(DownMessage message) {
  // The room that is there stays there: nobody else puts anything on a down ring.
  for (const auto& worker : workers) {
    if (!HasRoom(worker->id)) return RingFull(worker->id);
  }
  for (const auto& worker : workers) SEKISHO_RETURN_IF_ERROR(Send(worker->id, message));
  return absl::OkStatus();
}

WorkerId FastPath::Impl::SenderOn(PortId port) const {
  const WorkerPort& first = workers.front()->ports[static_cast<size_t>(port)];
  return first.queue == kNoQueue ? first.sender : workers.front()->id;
}

WorkerId FastPath::Impl::WorkerWithMostRoom() const {
  size_t most = 0;
  for (size_t i = 1; i < inbound.size(); ++i) {
    if (inbound[i]->free() > inbound[most]->free()) most = i;
  }
  return WorkerId{static_cast<uint8_t>(most)};
}

WorkerId FastPath::Impl::WorkerWithFewestOutbound() const {
  WorkerId fewest{0};
  for (const auto& worker : workers) {
    if (outbound->installed(worker->id) < outbound->installed(fewest)) fewest = worker->id;
  }
  return fewest;
}

absl::Status FastPath::Impl::Launch(size_t index) {
  const unsigned lcore = config.worker_lcores[index];
  if (lcore >= RTE_MAX_LCORE || rte_lcore_is_enabled(lcore) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("workers: DPDK was started without core ", lcore));
  }
  if (rte_eal_remote_launch(&RunWorker, workers[index].get(), lcore) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("workers: core ", lcore, " is busy, or the slow path's own"));
  }
  return absl::OkStatus();
}

void FastPath::Impl::Stop() {
  // All at once, then one after the other: none waits for another to end.
  for (size_t i = 0; i < running; ++i) workers[i]->stop.store(true, std::memory_order_relaxed);
  for (size_t i = 0; i < running; ++i) {
    rte_eal_wait_lcore(config.worker_lcores[i]);
    static_cast<void>(workers[i]->runs_ended.load(std::memory_order_acquire));
    workers[i]->stop.store(false, std::memory_order_relaxed);
  }
  running = 0;
}

void FastPath::Impl::DrainCrypto(WorkerId worker) {
  if (crypto == nullptr) return;
  constexpr int kRoundsMax = 1 << 20;  // a device that lost a job does not hold up the end
  for (int round = 0; round < kRoundsMax && crypto->InFlight(worker) > 0; ++round) {
    for (const auto direction : {CryptoDirection::kDecrypt, CryptoDirection::kEncrypt}) {
      std::array<rte_mbuf*, kBurstMax> burst;
      const size_t count = crypto->Collect(worker, direction, burst);
      rte_pktmbuf_free_bulk(burst.data(), static_cast<unsigned>(count));
    }
  }
}

void FastPath::Impl::DrainHandOver() {
  for (const Ring& ring : hand_over) {
    void* mbuf = nullptr;
    while (ring != nullptr && rte_ring_dequeue(ring.get(), &mbuf) == 0) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
    }
  }
}

FastPath::Impl::~Impl() {
  Stop();
  for (const auto& worker : workers) DrainCrypto(worker->id);
  DrainHandOver();
  for (Port& port : ports) {
    if (created) port.Close();
  }
  ports.clear();
  workers.clear();
  inbound.clear();
  outbound.reset();
  crypto.reset();
}

uint64_t FastPath::Impl::Now() const { return given_tsc != 0 ? given_tsc : rte_rdtsc(); }

void FastPath::Impl::SetPathMtu(const UpMessage::PathMtu& learned) {
  const auto sa = outbound->FindBySpi(learned.spi, learned.remote);
  if (!sa.has_value()) return;
  DownMessage message;
  message.kind = DownMessage::Kind::kSetPathMtu;
  message.set_path_mtu = {sa->slot, sa->generation, learned.mtu};
  // Not said now: the next packet that is too large brings the next message.
  if (Send(outbound->OwnerOf(*sa), message).ok()) outbound->NotePathMtu(*sa, learned.mtu, Now());
}

void FastPath::Impl::ActOn(const UpMessage& message) {
  switch (message.kind) {
    case UpMessage::Kind::kSaRetired:
      if (message.sa.direction == UpMessage::Direction::kInbound) {
        inbound[static_cast<size_t>(message.worker)]->Release(message.sa.slot,
                                                              message.sa.generation);
      } else {
        outbound->Release(message.sa.slot, message.sa.generation);
      }
      return;
    case UpMessage::Kind::kPathMtu:
      return SetPathMtu(message.path_mtu);
    case UpMessage::Kind::kTablesSwapped:
      return NoteTablesSwapped(message.worker, message.tables.index);
    case UpMessage::Kind::kResolveNeighbour:
      // The answer may come to any worker. One that does not hear of the question now reports the
      // answer from a smaller share of its up ring, which is all there is to lose.
      if (worker_count() > 1) {
        DownMessage await;
        await.kind = DownMessage::Kind::kAwaitNeighbour;
        await.neighbour = {message.neighbour.port, message.neighbour.address, {}};
        Broadcast(await).IgnoreError();
      }
      return;
    default:
      return;
  }
}

void FastPath::Impl::NoteTablesSwapped(WorkerId worker, uint32_t index) {
  tables_seen[static_cast<size_t>(worker)] = tables_age[index];
  const uint64_t seen_by_all = *std::min_element(tables_seen.begin(), tables_seen.end());
  for (uint32_t i = 0; i < kTablesSlots; ++i) {
    if (tables_age[i] >= seen_by_all) continue;
    tables_age[i] = 0;
    tables[i].reset();
  }
}

FastPath::FastPath(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FastPath::~FastPath() = default;

absl::StatusOr<std::unique_ptr<FastPath>> FastPath::Create(const FastPathConfig& config) {
  auto impl = std::make_unique<Impl>(config);
  impl->name = NextName();
  SEKISHO_RETURN_IF_ERROR(impl->CheckConfig());
  SEKISHO_RETURN_IF_ERROR(impl->MakePools());
  SEKISHO_RETURN_IF_ERROR(impl->MakeRings());
  SEKISHO_RETURN_IF_ERROR(impl->OpenPorts());
  SEKISHO_RETURN_IF_ERROR(impl->MakeCrypto());
  SEKISHO_RETURN_IF_ERROR(impl->MakeWorkers());
  impl->created = true;
  return std::unique_ptr<FastPath>(new FastPath(std::move(impl)));
}

absl::Status FastPath::Start() {
  if (impl_->running > 0) return absl::OkStatus();
  for (size_t i = 0; i < impl_->workers.size(); ++i) {
    if (absl::Status launched = impl_->Launch(i); !launched.ok()) {
      Stop();
      return launched;
    }
    ++impl_->running;
  }
  return absl::OkStatus();
}

void FastPath::Stop() { impl_->Stop(); }

bool FastPath::RunOnce() {
  SEKISHO_CHECK(impl_->running == 0);
  bool busy = false;
  for (const auto& worker : impl_->workers) busy |= fastpath::RunOnce(*worker, impl_->Now());
  return busy;
}

bool FastPath::RunOnce(uint64_t now_tsc) {
  impl_->given_tsc = now_tsc;
  return RunOnce();
}

size_t FastPath::PollUp(std::span<UpMessage> messages) {
  impl_->outbound->FreeReleased();
  size_t count = 0;
  // Another worker first each time, so that none fills the span alone.
  for (size_t i = 0; i < impl_->up.size() && count < messages.size(); ++i) {
    rte_ring* const ring = impl_->up[impl_->poll_next].get();
    impl_->poll_next = (impl_->poll_next + 1) % impl_->up.size();
    count += rte_ring_dequeue_burst_elem(ring, &messages[count], sizeof(UpMessage),
                                         static_cast<unsigned>(messages.size() - count), nullptr);
  }
  for (size_t i = 0; i < count; ++i) impl_->ActOn(messages[i]);
  return count;
}

Worker& FastPath::worker(WorkerId id) { return *impl_->workers[static_cast<size_t>(id)]; }

uint32_t FastPath::worker_count() const { return impl_->worker_count(); }

}  // namespace sekisho::fastpath
