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
#include "fastpath/punt.h"
#include "fastpath/reassemble.h"

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
  return rte_pktmbuf_pool_create(name.c_str(), count, kPoolCache, kPrivate,
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
  if (config.worker_lcores.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers: found ", config.worker_lcores.size(), " cores, want exactly 1"));
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
  down.reset(rte_ring_create_elem(absl::StrCat(name, "down").c_str(), sizeof(DownMessage),
                                  kDownRingSize, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
  up.reset(rte_ring_create_elem(absl::StrCat(name, "up").c_str(), sizeof(UpMessage), kUpRingSize,
                                SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
  if (down == nullptr || up == nullptr) return NoMemoryFor("the rings");
  return absl::OkStatus();
}

absl::Status FastPath::Impl::OpenPorts() {
  for (const PortConfig& port : config.ports) {
    SEKISHO_ASSIGN_OR_RETURN(Port opened, Port::Open(port, /*queues=*/1, packets.get()));
    // The link-local address of the host port is the host's.
    if (port.side != PortSide::kHost) {
      local.AddPort(PortId{static_cast<uint16_t>(ports.size())}, port.side, opened.mac(),
                    port.addresses);
    }
    ports.push_back(std::move(opened));
  }
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakeCrypto() {
  if (config.crypto_backend == CryptoBackendKind::kIpsecMb) {
    SEKISHO_ASSIGN_OR_RETURN(crypto, IpsecMbBackend::Create({.workers = 1}));
  } else {
    SEKISHO_ASSIGN_OR_RETURN(
        crypto, CryptodevBackend::Create(
                    {.devices = config.crypto_devices,
                     .workers = 1,
                     .sessions_max = config.inbound_sas_max + config.outbound_sas_max}));
  }
  SEKISHO_ASSIGN_OR_RETURN(inbound, InboundSad::Create(WorkerId{0}, config.inbound_sas_max,
                                                       config.replay_window, *crypto));
  SEKISHO_ASSIGN_OR_RETURN(outbound, OutboundSad::Create(config.outbound_sas_max, *crypto));
  return absl::OkStatus();
}

absl::Status FastPath::Impl::MakeWorker() {
  const uint64_t tsc_hz = rte_get_tsc_hz();
  worker = std::make_unique<Worker>();
  worker->id = WorkerId{0};
  worker->port_count = ports.size();
  worker->local = &local;
  worker->tables_slots = &tables;
  worker->packets = packets.get();
  worker->large_packets = large_packets.get();
  worker->down = down.get();
  worker->up = up.get();
  for (size_t i = 0; i < ports.size(); ++i) {
    WorkerPort& port = worker->ports[i];
    port.device = ports[i].device();
    port.side = config.ports[i].side;
    port.mtu = config.ports[i].mtu;
    port.mac = ports[i].mac();
    if (port.side == PortSide::kHost) {
      worker->host = {PortId{static_cast<uint16_t>(i)}, {}};
      worker->host_mac = port.mac;
    }
  }
  worker->flows = FlowTable(std::min<size_t>(config.flows_max, FlowTable::kFlowsMax), tsc_hz,
                            static_cast<uint32_t>(rte_rand()));
  worker->esp.id = worker->id;
  worker->esp.inbound = inbound.get();
  worker->esp.outbound = outbound.get();
  worker->esp.crypto = crypto.get();
  worker->esp.move_quiet_tsc = tsc_hz;
  SEKISHO_ASSIGN_OR_RETURN(worker->neighbours, NeighbourTable::Create(absl::StrCat(name, "nb")));
  SEKISHO_ASSIGN_OR_RETURN(worker->reassembly, CreateReassemblyTable(tsc_hz));
  worker->budgets = MakeBudgets(tsc_hz);
  // A stranger must not guess the next one.
  ipv4_id = static_cast<uint16_t>(rte_rand());
  worker->ipv4_id = static_cast<uint16_t>(rte_rand());
  worker->ipv6_fragment_id = static_cast<uint32_t>(rte_rand());
  return absl::OkStatus();
}

absl::Status FastPath::Impl::Send(DownMessage message) {
  if (rte_ring_enqueue_elem(down.get(), &message, sizeof message) == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError("the worker does not keep up with its messages");
}

void FastPath::Impl::Stop() {
  if (!running) return;
  worker->stop.store(true, std::memory_order_relaxed);
  rte_eal_wait_lcore(config.worker_lcores.front());
  static_cast<void>(worker->runs_ended.load(std::memory_order_acquire));
  worker->stop.store(false, std::memory_order_relaxed);
  running = false;
}

void FastPath::Impl::DrainCrypto() {
  if (crypto == nullptr || worker == nullptr) return;
  constexpr int kRoundsMax = 1 << 20;  // a device that lost a job does not hold up the end
  for (int round = 0; round < kRoundsMax && crypto->InFlight(worker->id) > 0; ++round) {
    for (const auto direction : {CryptoDirection::kDecrypt, CryptoDirection::kEncrypt}) {
      std::array<rte_mbuf*, kBurstMax> burst;
      const size_t count = crypto->Collect(worker->id, direction, burst);
      rte_pktmbuf_free_bulk(burst.data(), static_cast<unsigned>(count));
    }
  }
}

FastPath::Impl::~Impl() {
  Stop();
  DrainCrypto();
  for (Port& port : ports) {
    if (created) port.Close();
  }
  ports.clear();
  worker.reset();
  inbound.reset();
  outbound.reset();
  crypto.reset();
}

void FastPath::Impl::ActOn(const UpMessage& message) {
  if (message.kind == UpMessage::Kind::kSaRetired) {
    if (message.sa.direction == UpMessage::Direction::kInbound) {
      inbound->Release(message.sa.slot, message.sa.generation);
    } else {
      outbound->Release(message.sa.slot, message.sa.generation);
    }
  } else if (message.kind == UpMessage::Kind::kTablesSwapped) {
    const uint64_t age = tables_age[message.tables.index];
    for (uint32_t i = 0; i < kTablesSlots; ++i) {
      if (tables_age[i] >= age) continue;
      tables_age[i] = 0;
      tables[i].reset();
    }
  }
}

FastPath::FastPath(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FastPath::~FastPath() = default;

absl::StatusOr<std::unique_ptr<FastPath>> FastPath::Create(const FastPathConfig& config) {
  auto impl = std::make_unique<Impl>(config);
  impl->name = NextName();
  SEKISHO_RETURN_IF_ERROR(impl->CheckConfig());
  SEKISHO_RETURN_IF_ERROR(impl->MakePools());
  SEKISHO_RETURN_IF_ERROR(impl->OpenPorts());
  SEKISHO_RETURN_IF_ERROR(impl->MakeCrypto());
  SEKISHO_RETURN_IF_ERROR(impl->MakeWorker());
  impl->created = true;
  return std::unique_ptr<FastPath>(new FastPath(std::move(impl)));
}

absl::Status FastPath::Start() {
  if (impl_->running) return absl::OkStatus();
  const unsigned lcore = impl_->config.worker_lcores.front();
  if (lcore >= RTE_MAX_LCORE || rte_lcore_is_enabled(lcore) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("workers: DPDK was started without core ", lcore));
  }
  if (rte_eal_remote_launch(&RunWorker, impl_->worker.get(), lcore) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("workers: core ", lcore, " is busy, or the slow path's own"));
  }
  impl_->running = true;
  return absl::OkStatus();
}

void FastPath::Stop() { impl_->Stop(); }

bool FastPath::RunOnce() {
  SEKISHO_CHECK(!impl_->running);
  return fastpath::RunOnce(*impl_->worker);
}

size_t FastPath::PollUp(std::span<UpMessage> messages) {
  const unsigned count =
      rte_ring_dequeue_burst_elem(impl_->up.get(), messages.data(), sizeof(UpMessage),
                                  static_cast<unsigned>(messages.size()), nullptr);
  for (unsigned i = 0; i < count; ++i) impl_->ActOn(messages[i]);
  return count;
}

}  // namespace sekisho::fastpath
