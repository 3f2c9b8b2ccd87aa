// How many SAs a second the slow path installs, moves and removes while a worker runs on another
// core, without traffic and with as much as it can encrypt. Real time of the slow-path thread,
// until the worker has said that every SA is retired.
#include <benchmark/benchmark.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "fastpath/fast_path.h"
#include "tests/fastpath/eal_environment.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

constexpr uint32_t kSas = 1024;
constexpr IpsecSuite kSuite = {.encryption = {EncryptionId::kAesGcm16, 128}};

class RunningFastPath {
 public:
  explicit RunningFastPath(uint32_t workers) {
    EnsureEal();
    SEKISHO_CHECK(CreateVdev("crypto_aesni_mb7"));
    // DPDK remembers the ports that there were.
    static int instances = 0;
    const std::string name = "bench" + std::to_string(++instances);
    wire_ = rte_ring_create(name.c_str(), 64, SOCKET_ID_ANY, 0);
    SEKISHO_CHECK(wire_ != nullptr);
    SEKISHO_CHECK(rte_eth_from_rings(name.c_str(), &wire_, 1, &wire_, 1, 0) >= 0);
    FastPathConfig config;
    config.ports.push_back({.name = "wan", .device = "net_ring_" + name});
    for (uint32_t i = 1; i <= workers; ++i) config.worker_lcores.push_back(i);
    config.crypto_devices = {"crypto_aesni_mb7"};
    config.inbound_sas_max = config.outbound_sas_max = 4 * kSas;
    config.mbufs = 2048;
    auto created = FastPath::Create(config);
    SEKISHO_CHECK(created.ok());
    fast_path_ = *std::move(created);
    SEKISHO_CHECK(fast_path_->Start().ok());
  }
  ~RunningFastPath() {
    fast_path_.reset();
    rte_ring_free(wire_);
  }
  FastPath& operator*() { return *fast_path_; }

 private:
  rte_ring* wire_ = nullptr;
  std::unique_ptr<FastPath> fast_path_;
};

size_t PollRetired(FastPath& fast_path) {
  std::array<UpMessage, 64> said;
  const size_t count = fast_path.PollUp(said);
  size_t retired = 0;
  for (size_t i = 0; i < count; ++i) retired += said[i].kind == UpMessage::Kind::kSaRetired;
  return retired;
}

absl::Status StatusOf(const absl::Status& status) { return status; }
absl::Status StatusOf(const absl::StatusOr<SaHandle>& sa) { return sa.status(); }

// Until a worker that does not get its turn has made room for another message.
template <typename Ask>
auto Insist(FastPath& fast_path, size_t& retired, Ask ask) {
  auto answer = ask();
  while (absl::IsResourceExhausted(StatusOf(answer))) {
    retired += PollRetired(fast_path);
    answer = ask();
  }
  SEKISHO_CHECK(answer.ok());
  return answer;
}

// An inbound and an outbound SA for each of many users, moved once, removed.
void ReplaceSas(FastPath& fast_path, std::vector<SaHandle>& sas) {
  const Endpoint us = {Address("203.0.113.1"), 4500}, peer = {Address("198.51.100.7"), 4500};
  size_t retired = 0;
  sas.clear();
  for (uint32_t i = 0; i < kSas / 2; ++i) {
    const Spi spi = *fast_path.AllocateSpi();
    const TrafficSelectors net = {*TrafficSelector::Parse("10.10.0.0/24")};
    const TrafficSelectors user = {{.addresses = IpRange::Single(IpAddress::V4(0x0a630000 + i))}};
    const InboundSaParameters inbound = {.spi = spi,
                                         .suite = kSuite,
                                         .encryption_key = SecretBytes(20),
                                         .local = net,
                                         .remote = user,
                                         .local_endpoint = us,
                                         .remote_endpoint = peer,
                                         .udp_encapsulation = true};
    const OutboundSaParameters outbound = {.spi = Spi{0x1000 + i},
                                           .suite = kSuite,
                                           .encryption_key = SecretBytes(20),
                                           .local = net,
                                           .remote = user,
                                           .local_endpoint = us,
                                           .remote_endpoint = peer,
                                           .udp_encapsulation = true,
                                           .worker = spi.worker()};
    sas.push_back(*Insist(fast_path, retired, [&] { return fast_path.InstallInbound(inbound); }));
    sas.push_back(*Insist(fast_path, retired, [&] { return fast_path.InstallOutbound(outbound); }));
  }
  for (size_t i = 1; i < sas.size(); i += 2) {
    Insist(fast_path, retired, [&] {
      return fast_path.MovePeer(sas[i], us, {peer.address, 4501});
    }).IgnoreError();
  }
  for (const SaHandle& sa : sas) {
    Insist(fast_path, retired, [&] { return fast_path.Remove(sa); }).IgnoreError();
  }
  while (retired < sas.size()) retired += PollRetired(fast_path);
}

// Items are SAs.
void BM_InstallMoveRemove(benchmark::State& state) {
  RunningFastPath running(static_cast<uint32_t>(state.range(0)));
  std::vector<SaHandle> sas;
  for (auto _ : state) ReplaceSas(*running, sas);
  state.SetItemsProcessed(state.iterations() * kSas);
}
BENCHMARK(BM_InstallMoveRemove)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

constexpr uint32_t kTrafficUsers = 256;
constexpr size_t kTrafficBytes = 14 + 256;

// What arrives inside: packets to one user after the other, written in the worker's own thread.
struct Traffic {
  Bytes frame;
  uint32_t next = 0;

  static uint16_t Write(uint16_t, uint16_t, rte_mbuf* packets[], uint16_t count, uint16_t,
                        void* traffic) {
    auto& self = *static_cast<Traffic*>(traffic);
    for (uint16_t i = 0; i < count; ++i) {
      std::memcpy(rte_pktmbuf_mtod(packets[i], uint8_t*), self.frame.data(), self.frame.size());
      // The last byte of the destination; the header's checksum changes with it.
      const auto user = static_cast<uint8_t>(self.next++ % kTrafficUsers);
      auto* ip = rte_pktmbuf_mtod_offset(packets[i], rte_ipv4_hdr*, 14);
      ip->dst_addr = rte_cpu_to_be_32(0x0a600000u | user);
      ip->hdr_checksum = 0;
      ip->hdr_checksum = rte_ipv4_cksum(ip);
    }
    return count;
  }
};

// A worker between two devices without a wire: the inside one always has a burst to be encrypted,
// the outside one takes all.
class BusyFastPath {
 public:
  BusyFastPath() {
    EnsureEal();
    static int instances = 0;
    const std::string number = std::to_string(++instances);
    const std::string wan = "net_null_wan" + number, lan = "net_null_lan" + number;
    SEKISHO_CHECK(CreateVdev(wan, "no-rx=1"));
    SEKISHO_CHECK(CreateVdev(lan, "size=" + std::to_string(kTrafficBytes)));
    FastPathConfig config;
    config.ports.push_back(
        {.name = "wan", .device = wan, .addresses = {*InterfaceAddress::Parse("203.0.113.1/24")}});
    config.ports.push_back({.name = "lan",
                            .device = lan,
                            .side = PortSide::kInside,
                            .addresses = {*InterfaceAddress::Parse("10.10.0.254/24")}});
    config.worker_lcores = {1};
    config.crypto_backend = CryptoBackendKind::kIpsecMb;
    config.inbound_sas_max = config.outbound_sas_max = 4 * kSas;
    config.mbufs = 4096;
    auto created = FastPath::Create(config);
    SEKISHO_CHECK(created.ok());
    fast_path_ = *std::move(created);
    SetUpTraffic(lan);
    SEKISHO_CHECK(fast_path_->Start().ok());
  }
  FastPath& operator*() { return *fast_path_; }

  uint64_t sent() const { return fast_path_->Workers()[0].sent; }

 private:
  void SetUpTraffic(const std::string& lan) {
    const auto ports = fast_path_->Ports();
    traffic_.frame = Ethernet(ports[1].mac, {2, 0, 0, 0, 0, 7})
                         .Ip(Address("10.10.0.5"), Address("10.96.0.0"))
                         .Udp(1000, 2000)
                         .Payload(kTrafficBytes - 14 - 28)
                         .Build();
    uint16_t device = 0;
    SEKISHO_CHECK(rte_eth_dev_get_port_by_name(lan.c_str(), &device) == 0);
    SEKISHO_CHECK(rte_eth_add_rx_callback(device, 0, &Traffic::Write, &traffic_) != nullptr);
    const TrafficSelectors net = {*TrafficSelector::Parse("10.10.0.0/24")};
    SEKISHO_CHECK(
        fast_path_
            ->SetTables({{.name = "users",
                          .action = PolicyAction::kProtect,
                          .local = net,
                          .remote = {*TrafficSelector::Parse("10.96.0.0/11")}}},
                        {{*IpPrefix::Parse("0.0.0.0/0"), PortId{0}, Address("203.0.113.254")}})
            .ok());
    SEKISHO_CHECK(
        fast_path_->SetNeighbour(PortId{0}, Address("203.0.113.254"), {2, 0, 0, 0, 0, 9}).ok());
    for (uint32_t user = 0; user < kTrafficUsers; ++user) {
      const IpAddress address = IpAddress::V4(0x0a600000 + user);
      SEKISHO_CHECK(fast_path_
                        ->InstallOutbound({.spi = Spi{0x9000 + user},
                                           .suite = kSuite,
                                           .encryption_key = SecretBytes(20),
                                           .local = net,
                                           .remote = {{.addresses = IpRange::Single(address)}},
                                           .local_endpoint = {Address("203.0.113.1"), 4500},
                                           .remote_endpoint = {Address("198.51.100.7"), 4500},
                                           .udp_encapsulation = true})
                        .ok());
    }
  }

  Traffic traffic_;
  std::unique_ptr<FastPath> fast_path_;
};

// Seconds, and packets that the worker encrypted in them.
struct Stretch {
  double seconds = 0, packets = 0;

  template <typename Work>
  double Add(const BusyFastPath& busy, Work work) {
    const uint64_t sent = busy.sent(), start = rte_rdtsc();
    work();
    packets += static_cast<double>(busy.sent() - sent);
    const double took =
        static_cast<double>(rte_rdtsc() - start) / static_cast<double>(rte_get_tsc_hz());
    seconds += took;
    return took;
  }
  double per_second() const { return packets / seconds; }
};

void WaitUntil(uint64_t tsc) {
  while (rte_rdtsc() < tsc) rte_pause();
}

// Items are SAs: as many as can be, or as many a second as the argument says. `beside`: millions of
// packets a second that the worker encrypts while SAs come and go; `alone`: the same in the pauses
// in between, each as long as what was before it; `loss`: what it loses to the SAs, in percent.
void BM_InstallMoveRemoveBesideTraffic(benchmark::State& state) {
  BusyFastPath busy;
  std::vector<SaHandle> sas;
  Stretch beside, alone;
  const auto rate = static_cast<uint64_t>(state.range(0));
  const uint64_t least = rate == 0 ? 0 : rte_get_tsc_hz() * kSas / rate;
  for (auto _ : state) {
    const uint64_t start = rte_rdtsc();
    const double took = beside.Add(busy, [&] {
      ReplaceSas(*busy, sas);
      WaitUntil(start + least);
    });
    state.SetIterationTime(took);
    const auto pause = static_cast<uint64_t>(took * static_cast<double>(rte_get_tsc_hz()));
    alone.Add(busy, [&] { WaitUntil(rte_rdtsc() + pause); });
  }
  state.SetItemsProcessed(state.iterations() * kSas);
  state.counters["alone"] = alone.per_second() / 1e6;
  state.counters["beside"] = beside.per_second() / 1e6;
  state.counters["loss"] = (1 - beside.per_second() / alone.per_second()) * 100;
}
BENCHMARK(BM_InstallMoveRemoveBesideTraffic)
    ->Arg(0)
    ->Arg(200'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sekisho::fastpath
