// The bench's own gateway, ports and checks: what is right passes, and what is wrong ends the run.
#include "bench/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/crypto_limit.h"
#include "bench/peer.h"
#include "tests/fastpath/eal_environment.h"

namespace sekisho::bench {
namespace {

using testing::HasSubstr;

struct Rig {
  explicit Rig(const char* suite, Mode mode, Size bytes = {200})
      : row{.setup = {.sas = 20,
                      .policies = 10,
                      .suite = *IpsecSuite::Parse(IpsecProtocol::kEsp, suite),
                      .mode = mode},
            .direction = Direction::kBoth,
            .size = bytes,
            .flows_per_sa = 2},
        workload(row.setup) {
    fastpath::EnsureEal();
    auto made = Gateway::Create(workload, {.lcores = {1}});
    EXPECT_TRUE(made.ok()) << made.status();
    gateway = *std::move(made);
    peer = *Peer::Create(workload, gateway->inbound_spis());
  }
  Traffic Make(Direction direction) {
    auto made =
        Traffic::Create({row, direction, PortKind::kMemory, 1}, workload, *gateway, peer.get());
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  Runner MakeRunner(Direction direction) {
    std::vector<Traffic> traffic;
    traffic.push_back(Make(direction));
    return *Runner::Create(*gateway, std::move(traffic), PortKind::kMemory);
  }

  Row row;
  const Workload workload;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<Peer> peer;
};

// A frame may be spoiled by who owns the array that it stands in.
uint8_t* Bytes(const Frame& frame) { return const_cast<uint8_t*>(frame.data); }

TEST(RunnerTest, PassesAgainAndAgainLoseNothingAndAreRight) {
  for (const Mode mode : {Mode::kTunnel, Mode::kTransport, Mode::kNatT}) {
    for (const char* suite : {"aes128gcm16", "aes256-sha256-esn", "chacha20poly1305"}) {
      Rig rig(suite, mode, Size{});
      for (const Direction direction : {Direction::kOut, Direction::kIn}) {
        Runner runner = rig.MakeRunner(direction);
        for (int pass = 0; pass < 3; ++pass) {
          for (const size_t part : {0, 1}) {
            const auto timing = runner.RunFastPath(part, 2);
            ASSERT_TRUE(timing.ok()) << timing.status();
            EXPECT_EQ(timing->packets, runner.traffic()[0].PacketsIn(part, 2));
          }
          const auto checked = runner.CheckKept();
          ASSERT_TRUE(checked.ok()) << suite << " " << Name(mode) << ": " << checked.status();
          EXPECT_GT(*checked, 0u);
          runner.EndPass();
        }
      }
    }
  }
}

// A worker on its own core has them several times in one run; what comes in is no replay then.
TEST(RunnerTest, AWorkerOnItsOwnCoreIsWarmedUpWithTheSamePackets) {
  Rig rig("aes128gcm16", Mode::kTunnel);
  for (const Direction direction : {Direction::kOut, Direction::kIn}) {
    Runner runner = rig.MakeRunner(direction);
    runner.RunOnOwnCore(true);
    for (int run = 0; run < 2; ++run) {
      const auto timing = runner.RunFastPath(0, 1);
      ASSERT_TRUE(timing.ok()) << timing.status();
      const size_t pass = runner.traffic()[0].PacketsIn(0, 1);
      EXPECT_GE(timing->packets, 2 * pass);
      EXPECT_EQ(timing->packets % pass, 0u);
      EXPECT_GT(timing->cycles, timing->packets);
      const auto checked = runner.CheckKept();
      ASSERT_TRUE(checked.ok()) << checked.status();
      EXPECT_GE(*checked, timing->packets / MemoryPort::kKeepEvery - 1);
      runner.EndPass();
    }
  }
}

// Anti-replay is on: without EndPass() the second pass is one of replayed packets.
TEST(RunnerTest, ADropEndsTheRunUnderItsName) {
  Rig rig("aes128gcm16", Mode::kTunnel);
  Runner runner = rig.MakeRunner(Direction::kIn);
  ASSERT_TRUE(runner.RunFastPath(0, 1).ok());
  const auto again = runner.RunFastPath(0, 1);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("esp-replayed"));
}

TEST(RunnerTest, ASpoiledPacketEndsTheRun) {
  Rig rig("aes128gcm16", Mode::kTunnel);
  std::vector<Traffic> traffic;
  traffic.push_back(rig.Make(Direction::kIn));
  Bytes(traffic[0].frames(0)[1000])[100] ^= 1;
  Runner runner = *Runner::Create(*rig.gateway, std::move(traffic), PortKind::kMemory);
  EXPECT_THAT(std::string(runner.RunFastPath(0, 1).status().message()),
              HasSubstr("dropped 1 of 4096 packets: esp-integrity"));
}

// The payload of one outbound packet is changed before the fast path has it: what comes out is not
// what the bench prepared, and only the comparison can know.
TEST(RunnerTest, AWrongPacketIsFoundByTheComparison) {
  Rig rig("aes128gcm16", Mode::kTunnel);
  std::vector<Traffic> traffic;
  traffic.push_back(rig.Make(Direction::kOut));
  for (const Frame& frame : traffic[0].frames(0)) Bytes(frame)[frame.bytes - 1] ^= 1;
  Runner runner = *Runner::Create(*rig.gateway, std::move(traffic), PortKind::kMemory);
  ASSERT_TRUE(runner.RunFastPath(0, 1).ok());
  EXPECT_THAT(std::string(runner.CheckKept().status().message()),
              HasSubstr("not the packet that was received"));
}

// A bit flipped anywhere in an ESP packet is found by OpenSSL.
TEST(RunnerTest, NoPartOfAnEspPacketIsOverlooked) {
  Rig rig("aes128-sha256", Mode::kTunnel, Size{64});
  Runner runner = rig.MakeRunner(Direction::kOut);
  std::vector<sekisho::Bytes> kept;
  ASSERT_TRUE(runner.RunFastPath(0, 1).ok());
  kept = rig.gateway->outside().TakeKept();
  ASSERT_FALSE(kept.empty());
  ASSERT_TRUE(runner.traffic()[0].Check(kept[0]).ok());
  for (size_t at = 14 + 20; at < kept[0].size(); ++at) {
    sekisho::Bytes spoiled = kept[0];
    spoiled[at] ^= 0x10;
    EXPECT_FALSE(runner.traffic()[0].Check(spoiled).ok()) << "byte " << at;
  }
}

TEST(RunnerTest, TheFloorMovesTheSameFramesPastTheFastPath) {
  Rig rig("aes128gcm16", Mode::kTunnel);
  Runner runner = rig.MakeRunner(Direction::kOut);
  const uint64_t before = rig.gateway->fast_path().GetAccounting().received;
  const auto timing = runner.RunFloor(0, 1);
  ASSERT_TRUE(timing.ok());
  EXPECT_EQ(timing->packets, runner.traffic()[0].PacketsIn(0, 1));
  EXPECT_EQ(rig.gateway->fast_path().GetAccounting().received, before);
}

TEST(CryptoLimitTest, RunsEverySuiteThatTheLibraryHas) {
  fastpath::EnsureEal();
  for (const char* name : {"aes128gcm16", "aes256gmac", "chacha20poly1305", "aes128-sha1",
                           "null-sha256", "aes128ccm16", "aes256ctr-sha512", "3des-sha384"}) {
    const IpsecSuite suite = *IpsecSuite::Parse(IpsecProtocol::kEsp, name);
    for (const auto direction :
         {fastpath::CryptoDirection::kEncrypt, fastpath::CryptoDirection::kDecrypt}) {
      // More than one burst.
      const auto limit = CryptoLimit::Create(suite, direction, std::vector<uint32_t>(40, 64));
      ASSERT_TRUE(limit.ok()) << limit.status();
      EXPECT_EQ((*limit)->packets(), 40u);
      EXPECT_GT((*limit)->Measure(100), 0) << name;
    }
  }
}

}  // namespace
}  // namespace sekisho::bench
