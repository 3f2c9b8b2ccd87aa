// How many SAs a second the slow path installs, moves and removes while a worker runs on another
// core. Real time of the slow-path thread, until the worker has said that every SA is retired.
#include <benchmark/benchmark.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <array>
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

// An inbound and an outbound SA, moved once, removed. Items are SAs.
void BM_InstallMoveRemove(benchmark::State& state) {
  RunningFastPath running(static_cast<uint32_t>(state.range(0)));
  FastPath& fast_path = *running;
  const Endpoint us = {Address("203.0.113.1"), 4500}, peer = {Address("198.51.100.7"), 4500};
  std::vector<SaHandle> sas;
  for (auto _ : state) {
    sas.clear();
    for (uint32_t i = 0; i < kSas / 2; ++i) {
      const Spi spi = *fast_path.AllocateSpi();
      const TrafficSelectors net = {*TrafficSelector::Parse("10.10.0.0/24")};
      const TrafficSelectors user = {{.addresses = IpRange::Single(IpAddress::V4(0x0a630000 + i))}};
      const auto in = fast_path.InstallInbound({.spi = spi,
                                                .suite = kSuite,
                                                .encryption_key = SecretBytes(20),
                                                .local = net,
                                                .remote = user,
                                                .local_endpoint = us,
                                                .remote_endpoint = peer,
                                                .udp_encapsulation = true});
      const auto out = fast_path.InstallOutbound({.spi = Spi{0x1000 + i},
                                                  .suite = kSuite,
                                                  .encryption_key = SecretBytes(20),
                                                  .local = net,
                                                  .remote = user,
                                                  .local_endpoint = us,
                                                  .remote_endpoint = peer,
                                                  .udp_encapsulation = true,
                                                  .worker = spi.worker()});
      SEKISHO_CHECK(in.ok() && out.ok());
      sas.push_back(*in);
      sas.push_back(*out);
    }
    for (size_t i = 1; i < sas.size(); i += 2) {
      SEKISHO_CHECK(fast_path.MovePeer(sas[i], us, {peer.address, 4501}).ok());
    }
    for (const SaHandle& sa : sas) SEKISHO_CHECK(fast_path.Remove(sa).ok());
    for (size_t retired = 0; retired < sas.size();) retired += PollRetired(fast_path);
  }
  state.SetItemsProcessed(state.iterations() * kSas);
}
BENCHMARK(BM_InstallMoveRemove)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sekisho::fastpath
