#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

using ::testing::ElementsAre;

TrafficSelectors Selectors(std::initializer_list<const char*> texts) {
  TrafficSelectors selectors;
  for (const char* text : texts) selectors.push_back(*TrafficSelector::Parse(text));
  return selectors;
}

InboundSa* Find(EspHarness& harness, Spi spi) {
  return harness.inbound->Find(Be32::FromHost(spi.value));
}

// --- Inbound -------------------------------------------------------------------------------------

TEST(InboundSad, SpiIsFoundOnlyWhileInstalledAndOnlyWhole) {
  EspHarness harness;
  const Spi spi = *harness.inbound->AllocateSpi();
  EXPECT_FALSE(spi.is_reserved());
  EXPECT_EQ(Find(harness, spi), nullptr);
  const SaHandle sa = harness.InstallInbound({}, spi);
  ASSERT_NE(Find(harness, spi), nullptr);
  for (int bit = 0; bit < 32; ++bit) {
    EXPECT_EQ(Find(harness, Spi{spi.value ^ 1u << bit}), nullptr) << bit;
  }
  EXPECT_EQ(Find(harness, Spi{0}), nullptr);
  harness.RemoveInbound(sa);
  EXPECT_EQ(Find(harness, spi), nullptr);
}

TEST(InboundSad, HandsOutEverySlotOnceAndThenSaysFull) {
  EspHarness harness("crypto_aesni_mb0", 64, 64);
  std::set<SlotId> slots;
  std::vector<Spi> spis;
  for (int i = 0; i < 64; ++i) {
    const auto spi = harness.inbound->AllocateSpi();
    ASSERT_TRUE(spi.ok());
    slots.insert(spi->slot());
    spis.push_back(*spi);
  }
  EXPECT_EQ(slots.size(), 64u);
  EXPECT_TRUE(absl::IsResourceExhausted(harness.inbound->AllocateSpi().status()));
  harness.inbound->ReleaseSpi(spis[5]);
  harness.inbound->ReleaseSpi(spis[5]);
  const auto again = harness.inbound->AllocateSpi();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->slot(), spis[5].slot());
  EXPECT_NE(*again, spis[5]) << "the next owner of a slot never has the SPI of the previous";
  EXPECT_TRUE(absl::IsResourceExhausted(harness.inbound->AllocateSpi().status()));
}

TEST(InboundSad, SlotIsUsedAgainOnlyAfterItsRetirement) {
  EspHarness harness("crypto_aesni_mb0", 64, 1);
  const Spi spi = *harness.inbound->AllocateSpi();
  const SaHandle sa = harness.InstallInbound({}, spi);
  EXPECT_EQ(harness.inbound->installed(), 1u);
  harness.RemoveInbound(sa);
  EXPECT_EQ(harness.inbound->installed(), 0u);
  EXPECT_TRUE(absl::IsNotFound(harness.inbound->CheckInstalled(sa)));
  EXPECT_TRUE(harness.inbound->Counters(sa).ok()) << "readable until it is retired";
  EXPECT_FALSE(harness.inbound->AllocateSpi().ok());
  ReportRetired(harness.worker);
  const auto up = harness.TakeUp();
  ASSERT_EQ(up.size(), 1u);
  EXPECT_EQ(up[0].kind, UpMessage::Kind::kSaRetired);
  EXPECT_EQ(up[0].sa.direction, UpMessage::Direction::kInbound);
  EXPECT_EQ(up[0].sa.generation, sa.generation);
  EXPECT_FALSE(harness.inbound->AllocateSpi().ok());
  harness.inbound->Release(up[0].sa.slot, up[0].sa.generation);
  EXPECT_FALSE(harness.inbound->Counters(sa).ok());
  const auto next = harness.inbound->AllocateSpi();
  ASSERT_TRUE(next.ok());

  // A stale handle and a repeated message do the next owner no harm.
  const SaHandle second = harness.InstallInbound({}, *next);
  EXPECT_NE(second, sa);
  EXPECT_TRUE(absl::IsNotFound(harness.inbound->CheckInstalled(sa)));
  EXPECT_FALSE(harness.inbound->Counters(sa).ok());
  harness.inbound->Release(up[0].sa.slot, up[0].sa.generation);
  EXPECT_FALSE(harness.inbound->Deactivate(sa.slot, sa.generation));
  EXPECT_NE(Find(harness, *next), nullptr);
  ReportRetired(harness.worker);
  EXPECT_TRUE(harness.TakeUp().empty());
}

// A packet with the crypto device holds its SA: retired only once it came back.
TEST(InboundSad, RetiresOnlyWhenNoPacketIsInFlight) {
  EspHarness harness;
  const Spi spi = *harness.inbound->AllocateSpi();
  const SaHandle sa = harness.InstallInbound({}, spi);
  EspResult result;
  std::vector<MbufPtr> packets;
  packets.push_back(Ipv4("198.51.100.7", "203.0.113.1").Esp(spi.value, 1).Payload(60).BuildMbuf());
  harness.Submit(std::move(packets), result);
  ASSERT_TRUE(result.dropped.empty());
  harness.RemoveInbound(sa);
  ReportRetired(harness.worker);
  EXPECT_TRUE(harness.TakeUp().empty());
  harness.Finish(result);
  EXPECT_THAT(result.Reasons(), ElementsAre(DropReason::kEspIntegrity));
  ReportRetired(harness.worker);
  EXPECT_EQ(harness.TakeUp().size(), 1u);
}

// More retirements than the list of events holds come in later rounds.
TEST(InboundSad, LosesNoRetirementWhereThereIsNoRoom) {
  EspHarness harness("crypto_aesni_mb0", 64, 256);
  std::vector<SaHandle> sas;
  for (int i = 0; i < 100; ++i) {
    sas.push_back(harness.InstallInbound({}, *harness.inbound->AllocateSpi()));
  }
  for (const SaHandle& sa : sas) harness.RemoveInbound(sa);
  std::set<SlotId> retired;
  for (int round = 0; round < 3; ++round) {
    ReportRetired(harness.worker);
    for (const UpMessage& message : harness.TakeUp()) retired.insert(message.sa.slot);
  }
  EXPECT_EQ(retired.size(), 100u);
}

TEST(InboundSad, RefusesWhatNoSaCanBeMadeOf) {
  EspHarness harness;
  const Spi spi = *harness.inbound->AllocateSpi();
  InboundSaParameters good = InboundParameters({}, spi);

  InboundSaParameters not_allocated = good;
  not_allocated.spi.value ^= 1u << 30;
  EXPECT_TRUE(absl::IsFailedPrecondition(harness.inbound->Fill(not_allocated).status()));
  InboundSaParameters short_key = good;
  short_key.encryption_key = SecretBytes(19);
  EXPECT_TRUE(absl::IsInvalidArgument(harness.inbound->Fill(short_key).status()));
  InboundSaParameters two_families = good;
  two_families.remote_endpoint.address = Address("::1");
  EXPECT_TRUE(absl::IsInvalidArgument(harness.inbound->Fill(two_families).status()));
  InboundSaParameters many = good;
  many.remote.resize(SelectorSet::kSelectorsMax + 1, many.remote[0]);
  EXPECT_TRUE(absl::IsInvalidArgument(harness.inbound->Fill(many).status()));

  // Nothing of the failed ones is left: the SPI can still be filled, and undone, and filled.
  const auto first = harness.inbound->Fill(good);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(harness.inbound->Fill(good).status()));
  harness.inbound->Unfill(*first);
  EXPECT_EQ(harness.inbound->installed(), 0u);
  EXPECT_TRUE(harness.inbound->Fill(good).ok());
}

TEST(InboundSad, SessionsThatRunOutAreAnErrorAndComeBack) {
  EspHarness harness("crypto_aesni_mb0", 64, 4);  // with eight sessions
  std::vector<SaHandle> sas;
  for (int i = 0; i < 4; ++i) {
    sas.push_back(harness.InstallInbound({}, *harness.inbound->AllocateSpi()));
    harness.InstallOutbound({}, Spi{0x1000u + static_cast<uint32_t>(i)});
  }
  const IpsecSuite suite = SuiteOf("aes128gcm16");
  EXPECT_FALSE(
      harness.backend
          ->CreateSession(suite, CryptoDirection::kEncrypt, TestEncryptionKey(suite).span(), {})
          .ok());
  for (int i = 0; i < 100; ++i) {
    harness.RemoveInbound(sas[0]);
    ReportRetired(harness.worker);
    for (const UpMessage& up : harness.TakeUp()) {
      harness.inbound->Release(up.sa.slot, up.sa.generation);
    }
    sas[0] = harness.InstallInbound({}, *harness.inbound->AllocateSpi());
  }
}

// --- Outbound ------------------------------------------------------------------------------------

OutboundSa* LookUp(EspHarness& harness, const PacketBuilder& packet) {
  MbufPtr mbuf = packet.BuildMbuf();
  SEKISHO_CHECK(ParseIp(mbuf.get(), ContextOf(mbuf.get())));
  rte_mbuf* burst[] = {mbuf.get()};
  harness.outbound->LookUp(burst);
  return ContextOf(mbuf.get()).outbound_sa;
}

TestSa For(std::initializer_list<const char*> local, std::initializer_list<const char*> remote) {
  TestSa sa;
  sa.local = Selectors(local);
  sa.remote = Selectors(remote);
  return sa;
}

TEST(OutboundSad, LongestPrefixThenAllSelectorsThenTheNewest) {
  EspHarness harness;
  harness.InstallOutbound(For({"0.0.0.0/0"}, {"10.0.0.0/8"}), Spi{0x1001});
  harness.InstallOutbound(For({"0.0.0.0/0"}, {"10.99.0.5"}), Spi{0x1002});
  harness.InstallOutbound(For({"10.10.0.0/24[tcp/443]"}, {"10.99.0.5"}), Spi{0x1003});
  const auto spi = [&](const PacketBuilder& packet) {
    const OutboundSa* sa = LookUp(harness, packet);
    return sa == nullptr ? 0 : sa->spi.host();
  };
  EXPECT_EQ(spi(Ipv4("10.10.0.1", "10.99.0.6").Tcp(443, 1)), 0x1001u);
  EXPECT_EQ(spi(Ipv4("10.10.0.1", "10.99.0.5").Tcp(443, 1)), 0x1003u);
  EXPECT_EQ(spi(Ipv4("10.10.0.1", "10.99.0.5").Tcp(80, 1)), 0x1002u);
  EXPECT_EQ(spi(Ipv4("10.11.0.1", "10.99.0.5").Tcp(443, 1)), 0x1002u);
  EXPECT_EQ(spi(Ipv4("10.10.0.1", "11.0.0.1").Tcp(443, 1)), 0u);
  EXPECT_EQ(spi(Ipv6("2001:db8::1", "2001:db8::2").Tcp(443, 1)), 0u);
}

TEST(OutboundSad, RekeyedSaTakesOverAndTheOldOneServesIfTheNewIsRemoved) {
  EspHarness harness;
  const auto packet = Ipv4("10.10.0.1", "10.99.0.5").Udp(1, 2);
  const SaHandle old = harness.InstallOutbound(For({"0.0.0.0/0"}, {"10.99.0.5"}), Spi{0x1001});
  const SaHandle fresh = harness.InstallOutbound(For({"0.0.0.0/0"}, {"10.99.0.5"}), Spi{0x1002});
  EXPECT_EQ(LookUp(harness, packet)->spi.host(), 0x1002u);
  harness.RemoveOutbound(fresh);
  EXPECT_EQ(LookUp(harness, packet)->spi.host(), 0x1001u);
  harness.RemoveOutbound(old);
  EXPECT_EQ(LookUp(harness, packet), nullptr);
  EXPECT_TRUE(absl::IsNotFound(harness.outbound->CheckInstalled(old)));
  ReportRetired(harness.worker);
  const auto up = harness.TakeUp();
  ASSERT_EQ(up.size(), 2u);
  EXPECT_EQ(up[0].sa.direction, UpMessage::Direction::kOutbound);
  for (const auto& message : up) harness.outbound->Release(message.sa.slot, message.sa.generation);
  EXPECT_FALSE(harness.outbound->Counters(old).ok());
}

TEST(OutboundSad, OneSaMayCarryBothFamiliesAndRanges) {
  EspHarness harness;
  harness.InstallOutbound(
      For({"0.0.0.0/0", "::/0"}, {"10.99.0.3-10.99.0.12", "2001:db8:99::5", "2001:db8:98::/64"}),
      Spi{0x1001});
  const auto found = [&](const char* to) {
    const bool v6 = Address(to).is_v6();
    return LookUp(harness, (v6 ? Ipv6("2001:db8::1", to) : Ipv4("10.10.0.1", to)).Udp(1, 2)) !=
           nullptr;
  };
  for (const char* to :
       {"10.99.0.3", "10.99.0.7", "10.99.0.12", "2001:db8:99::5", "2001:db8:98::ffff"}) {
    EXPECT_TRUE(found(to)) << to;
  }
  for (const char* to : {"10.99.0.2", "10.99.0.13", "2001:db8:99::6", "2001:db8:98:1::1"}) {
    EXPECT_FALSE(found(to)) << to;
  }
}

TEST(OutboundSad, RefusesWhatSplitsIntoTooManyPrefixes) {
  EspHarness harness;
  TestSa sa;
  sa.remote = Selectors({"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "0.0.0.1-255.255.255.254"});
  const auto handle = harness.outbound->Fill(OutboundParameters(sa, Spi{0x1001}));
  EXPECT_TRUE(absl::IsInvalidArgument(handle.status())) << handle.status();
  EXPECT_EQ(harness.outbound->installed(), 0u);
  EXPECT_TRUE(
      absl::IsInvalidArgument(harness.outbound->Fill(OutboundParameters({}, Spi{255})).status()));
}

// Random installs and removals against a walk over all that stand, longest prefix and newest first.
TEST(OutboundSad, AgreesWithAWalk) {
  EspHarness harness("crypto_aesni_mb0", 64, 256);
  struct Standing {
    SaHandle handle;
    Spi spi;
    IpPrefix prefix;
    uint16_t port;  // of the remote end; 0: any
  };
  std::vector<Standing> standing;  // oldest first
  std::mt19937 random(3);
  const auto address = [&] {
    return IpAddress::V4(static_cast<uint32_t>(0x0a630000 + (random() % 3 << 8) + random() % 16));
  };
  for (uint32_t step = 0; step < 600; ++step) {
    if (standing.size() > 100 || (random() % 3 == 0 && !standing.empty())) {
      const auto victim = standing.begin() + static_cast<ptrdiff_t>(random() % standing.size());
      harness.RemoveOutbound(victim->handle);
      standing.erase(victim);
      ReportRetired(harness.worker);
      for (const auto& up : harness.TakeUp()) {
        harness.outbound->Release(up.sa.slot, up.sa.generation);
      }
    } else {
      const IpPrefix prefix(address(), static_cast<int>(22 + random() % 11));
      const auto port = static_cast<uint16_t>(random() % 3);
      TestSa sa;
      sa.remote = {{.addresses = prefix.ToRange(),
                    .protocol = port == 0 ? kAnyProtocol : uint8_t{17},
                    .ports = port == 0 ? PortRange::All() : PortRange::Single(port)}};
      const Spi spi{0x1000 + step};
      standing.push_back({harness.InstallOutbound(sa, spi), spi, prefix, port});
    }
    const IpAddress to = address();
    const auto port = static_cast<uint16_t>(1 + random() % 2);
    const Standing* want = nullptr;
    for (const Standing& s : standing) {
      if (!s.prefix.Contains(to) || (s.port != 0 && s.port != port)) continue;
      if (want == nullptr || s.prefix.length() >= want->prefix.length()) want = &s;
    }
    const OutboundSa* got = LookUp(harness, Ip(Address("10.10.0.1"), to).Udp(9, port));
    ASSERT_EQ(got == nullptr ? 0u : got->spi.host(), want == nullptr ? 0u : want->spi.value)
        << step;
    ASSERT_EQ(harness.outbound->installed(), standing.size());
  }
}

}  // namespace
}  // namespace sekisho::fastpath
