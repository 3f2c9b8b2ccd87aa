// Classification of a burst by the SPD, per packet, with 1 to 10,000 policies.
#include <benchmark/benchmark.h>

#include <random>

#include "common/check.h"
#include "fastpath/parse.h"
#include "fastpath/spd.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

// As people write them: a site's network towards a group's, now and then one service.
std::vector<Policy> MakePolicies(size_t count) {
  std::mt19937 random(1);
  std::vector<Policy> policies;
  for (size_t i = 0; i < count; ++i) {
    const auto site = IpAddress::V4(0x0a000000u + static_cast<uint32_t>(random() % 4096 << 8));
    const auto group = IpAddress::V4(0xac100000u + static_cast<uint32_t>(random() % 4096 << 8));
    Policy policy;
    policy.action = PolicyAction::kProtect;
    policy.local = {{.addresses = IpPrefix(site, 24).ToRange()}};
    policy.remote = {{.addresses = IpPrefix(group, 20 + static_cast<int>(random() % 9)).ToRange()}};
    if (random() % 4 == 0) {
      policy.local[0].protocol = 6;
      policy.local[0].ports = PortRange::Single(static_cast<uint16_t>(random() % 1024));
    }
    policies.push_back(policy);
  }
  return policies;
}

void BM_SpdClassify(benchmark::State& state) {
  EnsureEal();
  const auto spd = Spd::Compile(MakePolicies(static_cast<size_t>(state.range(0))));
  SEKISHO_CHECK(spd.ok());
  std::mt19937 random(2);
  constexpr size_t kPackets = 4096;
  std::vector<MbufPtr> packets;
  std::vector<rte_mbuf*> mbufs;
  for (size_t i = 0; i < kPackets; ++i) {
    packets.push_back(Ip(IpAddress::V4(0x0a000000u + static_cast<uint32_t>(random() % (4096 << 8))),
                         IpAddress::V4(0xac100000u + static_cast<uint32_t>(random() % (4096 << 8))))
                          .Tcp(static_cast<uint16_t>(random() % 1024), 1)
                          .BuildMbuf());
    static_cast<void>(ParseIp(packets.back().get(), ContextOf(packets.back().get())));
    mbufs.push_back(packets.back().get());
  }
  size_t at = 0;
  for (auto _ : state) {
    (*spd)->ClassifyOutbound({&mbufs[at], kBurstMax});
    at = (at + kBurstMax) % kPackets;
  }
  state.SetItemsProcessed(state.iterations() * kBurstMax);
}
BENCHMARK(BM_SpdClassify)->Arg(1)->Arg(100)->Arg(1000)->Arg(10000);

void BM_SpdCompile(benchmark::State& state) {
  EnsureEal();
  const auto policies = MakePolicies(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const auto spd = Spd::Compile(policies);
    SEKISHO_CHECK(spd.ok());
  }
}
BENCHMARK(BM_SpdCompile)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sekisho::fastpath
