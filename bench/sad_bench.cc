// Finding an SA, per packet: inbound by SPI, outbound by the packet, with SAs in random order.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>

#include "common/check.h"
#include "fastpath/inbound_sad.h"
#include "fastpath/outbound_sad.h"
#include "fastpath/parse.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

// Only look-up is measured, so that sessions are of no interest.
class NoCrypto final : public CryptoBackend {
 public:
  NoCrypto() : CryptoBackend(/*synchronous=*/true) {}
  std::string Describe() const override { return "none"; }
  absl::Status CheckSuite(const IpsecSuite&) const override { return absl::OkStatus(); }
  absl::StatusOr<CryptoSession> CreateSession(const IpsecSuite&, CryptoDirection, ByteSpan,
                                              ByteSpan) override {
    return CryptoSession{};
  }
  void FreeSession(const CryptoSession&) override {}
  size_t Submit(WorkerId, CryptoDirection, std::span<const CryptoJob>) override { return 0; }
  size_t Collect(WorkerId, CryptoDirection, std::span<rte_mbuf*>) override { return 0; }
  uint64_t InFlight(WorkerId) const override { return 0; }
};

constexpr uint32_t kBatch = 32;

IpAddress User(uint32_t index) { return IpAddress::V4(0x0a630000u + index); }

IpsecSuite Suite() { return {.encryption = {EncryptionId::kAesGcm16, 128}}; }

void BM_InboundSadFind(benchmark::State& state) {
  EnsureEal();
  NoCrypto crypto;
  const auto count = static_cast<uint32_t>(state.range(0));
  auto sad = InboundSad::Create(WorkerId{0}, count, 1024, crypto);
  SEKISHO_CHECK(sad.ok());
  std::vector<Be32> spis;
  for (uint32_t i = 0; i < count; ++i) {
    const Spi spi = *(*sad)->AllocateSpi();
    const auto sa = (*sad)->Fill({.spi = spi,
                                  .suite = Suite(),
                                  .encryption_key = SecretBytes(20),
                                  .local_endpoint = {Address("203.0.113.1"), 0},
                                  .remote_endpoint = {Address("198.51.100.7"), 0}});
    SEKISHO_CHECK(sa.ok() && (*sad)->Activate(sa->slot, sa->generation));
    spis.push_back(Be32::FromHost(spi.value));
  }
  std::shuffle(spis.begin(), spis.end(), std::mt19937(1));
  size_t at = 0;
  for (auto _ : state) {
    for (uint32_t i = 0; i < kBatch; ++i) (*sad)->Prefetch(spis[at + i], 1, /*in_udp=*/false);
    for (uint32_t i = 0; i < kBatch; ++i) benchmark::DoNotOptimize((*sad)->Find(spis[at + i]));
    at = (at + kBatch) % count;
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_InboundSadFind)->Arg(32)->Arg(1024)->Arg(16384)->Arg(131072);

void BM_OutboundSadLookUp(benchmark::State& state) {
  EnsureEal();
  NoCrypto crypto;
  const auto count = static_cast<uint32_t>(state.range(0));
  auto sad = OutboundSad::Create(count, crypto);
  SEKISHO_CHECK(sad.ok());
  for (uint32_t i = 0; i < count; ++i) {
    const auto sa = (*sad)->Fill({.spi = Spi{0x1000 + i},
                                  .suite = Suite(),
                                  .encryption_key = SecretBytes(20),
                                  .local = {TrafficSelector::All(IpFamily::kIpv4)},
                                  .remote = {{.addresses = IpRange::Single(User(i))}},
                                  .local_endpoint = {Address("203.0.113.1"), 0},
                                  .remote_endpoint = {Address("198.51.100.7"), 0}});
    SEKISHO_CHECK(sa.ok());
    (*sad)->Publish(*sa);
  }
  std::mt19937 random(1);
  std::vector<MbufPtr> packets;
  std::vector<rte_mbuf*> mbufs;
  for (uint32_t i = 0; i < 4096; ++i) {
    packets.push_back(Ip(Address("10.10.0.9"), User(static_cast<uint32_t>(random() % count)))
                          .Udp(1, 2)
                          .BuildMbuf());
    SEKISHO_CHECK(ParseIp(packets.back().get(), ContextOf(packets.back().get())));
    mbufs.push_back(packets.back().get());
  }
  size_t at = 0;
  for (auto _ : state) {
    (*sad)->LookUp({&mbufs[at], kBatch});
    at = (at + kBatch) % mbufs.size();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_OutboundSadLookUp)->Arg(32)->Arg(1024)->Arg(16384)->Arg(131072);

}  // namespace
}  // namespace sekisho::fastpath
