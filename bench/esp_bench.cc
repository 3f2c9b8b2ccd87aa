// ESP per packet, crypto included: encapsulate + encrypt, and decrypt + decapsulate, in bursts of
// 32 of one SA, on each backend. Sizes are those of the inner IP packet.
#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include <cstring>
#include <iterator>
#include <string>

#include "common/check.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr const char* kSuites[] = {"aes128gcm16",   "aes256gcm16",   "chacha20poly1305",
                                   "aes128-sha256", "aes256-sha512", "aes128ctr-sha1",
                                   "aes128ccm16",   "aes128gmac",    "null-sha256"};
constexpr const char* kBackends[] = {"crypto_aesni_mb0", "ipsec-mb"};

TestSa SaOf(const benchmark::State& state) {
  TestSa sa;
  sa.suite = SuiteOf(kSuites[state.range(0)]);
  sa.udp_encapsulation = true;
  return sa;
}

void Report(benchmark::State& state, uint64_t cycles) {
  const double packets = static_cast<double>(state.iterations()) * kBurstMax;
  state.SetItemsProcessed(state.iterations() * kBurstMax);
  state.SetBytesProcessed(state.iterations() * kBurstMax * state.range(1));
  state.counters["cycles/packet"] = static_cast<double>(cycles) / packets;
  state.SetLabel(std::string(kSuites[state.range(0)]) + " " + kBackends[state.range(2)]);
}

// A burst of inner packets and what is needed to have them again as they were.
struct Burst32 {
  explicit Burst32(size_t size) {
    for (size_t i = 0; i < kBurstMax; ++i) {
      packets.push_back(
          Ipv4("10.99.0.5", "10.10.0.9").Udp(1234, 53).Payload(size - 28).BuildMbuf());
      SEKISHO_CHECK(ParseIp(packets[i].get(), ContextOf(packets[i].get())));
      mbufs[i] = packets[i].get();
      before[i] = {packets[i]->data_off, packets[i]->data_len};
      contexts[i] = ContextOf(packets[i].get());
    }
  }
  void Save() {
    for (size_t i = 0; i < kBurstMax; ++i) {
      bytes[i] = BytesOf(mbufs[i]);
      before[i] = {mbufs[i]->data_off, mbufs[i]->data_len};
      contexts[i] = ContextOf(mbufs[i]);
    }
  }
  void Restore() {
    for (size_t i = 0; i < kBurstMax; ++i) {
      mbufs[i]->data_off = before[i].offset;
      mbufs[i]->data_len = before[i].length;
      mbufs[i]->pkt_len = before[i].length;
      ContextOf(mbufs[i]) = contexts[i];
      if (!bytes[i].empty()) {
        std::memcpy(rte_pktmbuf_mtod(mbufs[i], uint8_t*), bytes[i].data(), bytes[i].size());
      }
    }
  }
  struct Place {
    uint16_t offset, length;
  };
  std::vector<MbufPtr> packets;
  rte_mbuf* mbufs[kBurstMax];
  Place before[kBurstMax];
  PacketContext contexts[kBurstMax];
  Bytes bytes[kBurstMax];
};

void EncapAll(EspHarness& harness, Burst burst) {
  PacketList passed, dropped;
  harness.outbound->LookUp(burst);
  EspEncapSubmit(harness.worker, burst, passed, dropped);
  while (passed.size() < burst.size()) EspEncapFinish(harness.worker, passed, dropped);
  SEKISHO_CHECK(dropped.empty());
}

void BM_EspEncapsulate(benchmark::State& state) {
  EspHarness harness(kBackends[state.range(2)], 1024, 8);
  harness.Loop(SaOf(state));
  Burst32 burst(static_cast<size_t>(state.range(1)));
  uint64_t cycles = 0;
  for (auto _ : state) {
    const uint64_t start = rte_rdtsc();
    EncapAll(harness, burst.mbufs);
    const uint64_t spent = rte_rdtsc() - start;
    cycles += spent;
    state.SetIterationTime(static_cast<double>(spent) / static_cast<double>(rte_get_tsc_hz()));
    burst.Restore();
  }
  Report(state, cycles);
}

void BM_EspDecapsulate(benchmark::State& state) {
  EspHarness harness(kBackends[state.range(2)], 1024, 8);
  const Spi spi = harness.Loop(SaOf(state));
  InboundSa* sa = harness.inbound->Find(Be32::FromHost(spi.value));
  Burst32 burst(static_cast<size_t>(state.range(1)));
  EncapAll(harness, burst.mbufs);
  for (rte_mbuf* mbuf : burst.mbufs) {
    PacketContext& context = ContextOf(mbuf);
    context.kind = PacketKind::kEspInUdp;
    context.source_port = sa->remote.port;
  }
  burst.Save();
  uint64_t cycles = 0;
  for (auto _ : state) {
    // The same packets again, as if the window had never seen them.
    sa->window.Reset();
    PacketList passed, dropped;
    const uint64_t start = rte_rdtsc();
    EspDecapSubmit(harness.worker, burst.mbufs, passed, dropped);
    while (passed.size() < kBurstMax && dropped.empty()) {
      EspDecapFinish(harness.worker, passed, dropped);
    }
    const uint64_t spent = rte_rdtsc() - start;
    SEKISHO_CHECK(dropped.empty());
    cycles += spent;
    state.SetIterationTime(static_cast<double>(spent) / static_cast<double>(rte_get_tsc_hz()));
    burst.Restore();
  }
  Report(state, cycles);
}

constexpr int kSuiteCount = std::size(kSuites);

BENCHMARK(BM_EspEncapsulate)
    ->ArgsProduct({benchmark::CreateDenseRange(0, kSuiteCount - 1, 1), {64, 1400}, {0, 1}})
    ->UseManualTime();
BENCHMARK(BM_EspDecapsulate)
    ->ArgsProduct({benchmark::CreateDenseRange(0, kSuiteCount - 1, 1), {64, 1400}, {0, 1}})
    ->UseManualTime();

}  // namespace
}  // namespace sekisho::fastpath
