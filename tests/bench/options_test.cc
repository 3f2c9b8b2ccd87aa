#include "bench/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sekisho::bench {
namespace {

using testing::AllOf;
using testing::HasSubstr;

absl::StatusOr<std::vector<Row>> Rows(std::vector<const char*> words, size_t cores = 4) {
  words.insert(words.begin(), "throughput");
  auto options = ParseOptions(static_cast<int>(words.size()), words.data());
  if (!options.ok()) return options.status();
  for (unsigned core = 0; core < cores; ++core) (*options)->cores.push_back(core);
  return RowsOf(**options);
}

std::string ErrorOf(const std::vector<const char*>& words, size_t cores = 4) {
  return std::string(Rows(words, cores).status().message());
}

TEST(OptionsTest, ListsAreCombinedAndRowsOfOneGatewayStandTogether) {
  const auto rows = Rows({"--sas", "1,1000", "--size", "64,imix,8900", "--direction", "out,both",
                          "--flows-per-sa", "1,7"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 2u * 3 * 2 * 2);
  // A setup that was left does not come back.
  std::set<bench::Setup> left;
  for (size_t i = 1; i < rows->size(); ++i) {
    if ((*rows)[i].setup == (*rows)[i - 1].setup) continue;
    EXPECT_TRUE(left.insert((*rows)[i - 1].setup).second);
    EXPECT_FALSE(left.contains((*rows)[i].setup));
  }
  // What is larger than an ordinary frame wants a gateway with other buffers.
  for (const Row& row : *rows) EXPECT_EQ(row.setup.jumbo, row.size.bytes == 8900);
}

TEST(OptionsTest, TheDefaultIsTheTableOfOneSa) {
  const auto rows = Rows({});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 6u);
  EXPECT_EQ(rows->front().setup.suite.ToString(), "aes128gcm16");
}

TEST(OptionsTest, AWordThatIsNotKnownIsNamedWithWhatIs) {
  EXPECT_THAT(ErrorOf({"--direction", "out,up"}),
              AllOf(HasSubstr("--direction"), HasSubstr("'up'"), HasSubstr("out, in, both")));
  EXPECT_THAT(ErrorOf({"--mode", "beet"}), HasSubstr("tunnel, transport, nat-t"));
  EXPECT_THAT(ErrorOf({"--port", "af_packet"}), HasSubstr("memory, pcap"));
  EXPECT_THAT(ErrorOf({"--suite", "rot13"}), HasSubstr("rot13"));
  EXPECT_THAT(ErrorOf({"--backend", "cryptodev:"}), HasSubstr("cryptodev:crypto_aesni_mb0"));
  EXPECT_THAT(ErrorOf({"--colour", "red"}), HasSubstr("--colour"));
}

TEST(OptionsTest, ANumberOutsideOfItsRangeIsNamedWithTheRange) {
  EXPECT_THAT(ErrorOf({"--size", "31"}), HasSubstr("32 to 9000"));
  EXPECT_THAT(ErrorOf({"--size", "9001"}), HasSubstr("32 to 9000"));
  EXPECT_THAT(ErrorOf({"--sas", "0"}), HasSubstr("1 to 1000000"));
  EXPECT_THAT(ErrorOf({"--policies", "10001"}), HasSubstr("1 to 10000"));
  EXPECT_FALSE(Rows({"--samples", "1"}).ok());
}

TEST(OptionsTest, MoreWorkersThanCoresAreRefused) {
  EXPECT_TRUE(Rows({"--workers", "2", "--sas", "100"}, 2).ok());
  EXPECT_THAT(ErrorOf({"--workers", "3", "--sas", "100"}, 2), HasSubstr("may use 2 cores"));
}

TEST(OptionsTest, FewerSasThanWorkersAreRefused) {
  EXPECT_THAT(ErrorOf({"--workers", "2", "--sas", "1"}),
              AllOf(HasSubstr("--sas 1"), HasSubstr("--workers 2")));
}

TEST(OptionsTest, PcapHasOneQueueAndDoesNotHoldEverything) {
  EXPECT_TRUE(Rows({"--port", "pcap", "--sas", "10000"}).ok());
  EXPECT_THAT(ErrorOf({"--port", "pcap", "--sas", "100000"}), HasSubstr("net_pcap does not hold"));
  EXPECT_THAT(ErrorOf({"--port", "pcap", "--workers", "2", "--sas", "10"}), HasSubstr("one queue"));
}

TEST(OptionsTest, InstallsWantACoreOfTheirOwnAndOneWorker) {
  EXPECT_TRUE(Rows({"--installs", "1000"}, 2).ok());
  EXPECT_THAT(ErrorOf({"--installs", "1000"}, 1), HasSubstr("two cores"));
  EXPECT_THAT(ErrorOf({"--installs", "1000", "--port", "pcap"}), HasSubstr("never pauses"));
  EXPECT_THAT(ErrorOf({"--installs", "1000", "--workers", "2", "--sas", "9"}),
              HasSubstr("one worker"));
}

TEST(OptionsTest, GenerateRefusesWhatDoesNotGoTogether) {
  EXPECT_TRUE(Rows({"--generate", "--loopback"}, 2).ok());
  EXPECT_THAT(ErrorOf({"--loopback"}), HasSubstr("--generate"));
  EXPECT_THAT(ErrorOf({"--generate", "--loopback"}, 1), HasSubstr("2 cores are wanted"));
  EXPECT_THAT(ErrorOf({"--generate"}), HasSubstr("--outside and --inside"));
  EXPECT_THAT(ErrorOf({"--generate", "--loopback", "--sas", "1,2"}), HasSubstr("one gateway"));
  EXPECT_THAT(ErrorOf({"--generate", "--loopback", "--direction", "both"}), HasSubstr("one way"));
  EXPECT_THAT(ErrorOf({"--generate", "--loopback", "--mode", "transport"}), HasSubstr("transport"));
  EXPECT_THAT(ErrorOf({"--generate", "--loopback", "--role", "gateway"}),
              HasSubstr("within one process"));
  EXPECT_THAT(ErrorOf({"--generate", "--role", "gateway", "--outside", "a", "--inside", "b"}),
              HasSubstr("--gateway-file"));
}

TEST(OptionsTest, MoreSasWantMoreMemory) {
  const auto few = Rows({"--sas", "1000"}), many = Rows({"--sas", "1000,1000000"});
  const MemoryNeed small = MemoryOf(*few, PortKind::kMemory);
  const MemoryNeed large = MemoryOf(*many, PortKind::kMemory);
  EXPECT_GT(large.eal_mb, small.eal_mb + 3000);
  EXPECT_GT(large.other_mb, small.other_mb);
}

}  // namespace
}  // namespace sekisho::bench
