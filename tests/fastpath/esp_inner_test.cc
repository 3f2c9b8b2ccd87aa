// What is checked after the ICV holds, and what both directions tell the slow path.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "common/byte_order.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint8_t kIpv4Next = 4, kIpv6Next = 41, kNoNext = 59;
constexpr size_t kEspAt = 20, kIvBytes = 8, kIcvBytes = 16;

TrafficSelectors Selectors(std::initializer_list<const char*> texts) {
  TrafficSelectors selectors;
  for (const char* text : texts) selectors.push_back(*TrafficSelector::Parse(text));
  return selectors;
}

class EspInner : public testing::Test {
 protected:
  // The inbound SA under test, and a session that encrypts what its peer would never.
  void Install(TestSa sa = {}) {
    sa_ = sa;
    spi_ = *harness_.inbound->AllocateSpi();
    in_ = harness_.InstallInbound(sa, spi_);
    const SecretBytes key = TestEncryptionKey(sa.suite);
    std::memcpy(salt_, key.data() + key.size() - 4, 4);
    session_ =
        *harness_.backend->CreateSession(sa.suite, CryptoDirection::kEncrypt, key.span(), {});
  }
  ~EspInner() override { harness_.backend->FreeSession(session_); }

  // An ESP packet whose ICV holds, around any plaintext, trailer included (aes128gcm16).
  MbufPtr Seal(Bytes plaintext, uint8_t outer_traffic_class = 0, uint16_t from_port = 40001) {
    ++sequence_;
    PacketBuilder builder = Ip(sa_.remote_endpoint.address, sa_.local_endpoint.address);
    builder.TrafficClass(outer_traffic_class);
    if (sa_.udp_encapsulation) builder.Udp(from_port, 4500);
    builder.Esp(spi_.value, sequence_).Payload(kIvBytes).Payload(plaintext).Payload(kIcvBytes);
    MbufPtr mbuf = builder.BuildMbuf();
    const size_t esp = kEspAt + (sa_.udp_encapsulation ? 8 : 0);
    const size_t cipher = esp + 8 + kIvBytes;
    auto* data = rte_pktmbuf_mtod(mbuf.get(), uint8_t*);
    PacketPrivate& priv = PrivateOf(mbuf.get());
    std::memcpy(priv.iv, salt_, 4);
    std::memcpy(priv.iv + 4, data + esp + 8, kIvBytes);
    std::memcpy(priv.aad, data + esp, 8);
    const CryptoJob job = {.mbuf = mbuf.get(),
                           .session = session_,
                           .cipher_offset = static_cast<uint32_t>(cipher),
                           .cipher_bytes = static_cast<uint32_t>(plaintext.size()),
                           .icv = data + cipher + plaintext.size(),
                           .kind = CryptoKind::kAead,
                           .icv_bytes = 16,
                           .aad_bytes = 8};
    SEKISHO_CHECK(harness_.backend->Submit(WorkerId{0}, CryptoDirection::kEncrypt, {&job, 1}) == 1);
    rte_mbuf* done[1];
    while (!harness_.backend->is_synchronous() &&
           harness_.backend->Collect(WorkerId{0}, CryptoDirection::kEncrypt, done) == 0) {
    }
    ContextOf(mbuf.get()) = PacketContext{};
    return mbuf;
  }
  // Right padding and trailer behind it.
  static Bytes Padded(Bytes inner, uint8_t next) {
    uint8_t pad = 0;
    while ((inner.size() + 2) % 4 != 0) inner.push_back(++pad);
    inner.push_back(pad);
    inner.push_back(next);
    return inner;
  }
  DropReason Refusal(MbufPtr packet) {
    const EspResult result = harness_.Decap(std::move(packet));
    SEKISHO_CHECK(result.passed.size() + result.dropped.size() == 1);
    return result.dropped.empty() ? DropReason::kNone : result.Reasons()[0];
  }
  Bytes Inner() { return Ipv4("10.99.0.5", "10.10.0.9").Udp(1234, 53).Payload(22).Build(); }

  EspHarness harness_;
  TestSa sa_;
  Spi spi_;
  SaHandle in_;
  CryptoSession session_ = {};
  uint8_t salt_[4];
  uint32_t sequence_ = 0;
};

TEST_F(EspInner, TakesRightPaddingOnly) {
  Install();
  EXPECT_EQ(Refusal(Seal(Padded(Inner(), kIpv4Next))), DropReason::kNone);
  // Longer than needed, which hides the length (RFC 4303, 2.4).
  Bytes longer = Inner();
  for (uint8_t i = 1; i <= 252; ++i) longer.push_back(i);
  longer.insert(longer.end(), {252, kIpv4Next});
  EXPECT_EQ(Refusal(Seal(longer)), DropReason::kNone);

  Bytes zeros = Inner();
  zeros.insert(zeros.end(), {0, 0, 0, 0, 4, kIpv4Next});
  EXPECT_EQ(Refusal(Seal(zeros)), DropReason::kEspPadding);
  Bytes wrong_last = Inner();
  wrong_last.insert(wrong_last.end(), {1, 2, 3, 5, 4, kIpv4Next});
  EXPECT_EQ(Refusal(Seal(wrong_last)), DropReason::kEspPadding);
}

TEST_F(EspInner, RefusesAPadLengthBeyondThePacket) {
  Install();
  for (const uint8_t length : {uint8_t{3}, uint8_t{4}, uint8_t{200}, uint8_t{255}}) {
    EXPECT_EQ(Refusal(Seal({1, 2, length, kIpv4Next})), DropReason::kEspPadding) << int{length};
  }
}

TEST_F(EspInner, SwallowsDummiesAndRefusesOtherNextHeaders) {
  Install();
  EXPECT_EQ(Refusal(Seal(Padded({1, 2, 3, 4, 5, 6}, kNoNext))), DropReason::kEspDummy);
  EXPECT_EQ(Refusal(Seal(Padded(Inner(), 17))), DropReason::kEspNextHeader);
  EXPECT_EQ(Refusal(Seal(Padded(Inner(), 0))), DropReason::kEspNextHeader);
}

TEST_F(EspInner, RefusesInnerPacketsThatAreNotWhatTheySay) {
  Install();
  EXPECT_EQ(Refusal(Seal(Padded(Inner(), kIpv6Next))), DropReason::kEspInnerMalformed);
  EXPECT_EQ(Refusal(Seal(Padded({}, kIpv4Next))), DropReason::kEspInnerMalformed);
  const Bytes inner = Inner();
  for (size_t length = 0; length < inner.size(); ++length) {
    const Bytes cut(inner.begin(), inner.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(Refusal(Seal(Padded(cut, kIpv4Next))), DropReason::kEspInnerMalformed) << length;
  }
}

// RFC 4303, 2.7: traffic flow confidentiality padding stands behind the inner packet.
TEST_F(EspInner, CutsWhatStandsBehindTheInnerPacket) {
  Install();
  Bytes padded = Inner();
  padded.resize(padded.size() + 100);
  EspResult result = harness_.Decap(Seal(Padded(padded, kIpv4Next)));
  ASSERT_EQ(result.passed.size(), 1u);
  EXPECT_EQ(BytesOf(result.passed[0].get()), Inner());
}

TEST_F(EspInner, RefusesWhatTheSaIsNotFor) {
  TestSa sa;
  sa.local = Selectors({"10.10.0.0/24[udp/53]", "2001:db8:10::/64", "10.10.1.1-10.10.1.7[icmp]",
                        "10.10.2.0/24[udp/0-1023]"});
  sa.remote = Selectors({"10.99.0.5", "2001:db8:99::5"});
  Install(sa);
  const auto reason = [&](const PacketBuilder& inner) {
    const Bytes bytes = inner.Build();
    return Refusal(Seal(Padded(bytes, bytes[0] >> 4 == 4 ? kIpv4Next : kIpv6Next)));
  };
  const char* user = "10.99.0.5";
  EXPECT_EQ(reason(Ipv4(user, "10.10.0.9").Udp(1, 53).Payload(9)), DropReason::kNone);
  EXPECT_EQ(reason(Ipv4(user, "10.10.0.9").Udp(1, 54).Payload(9)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4(user, "10.10.0.9").Tcp(1, 53).Payload(9)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4("10.99.0.6", "10.10.0.9").Udp(1, 53)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4("10.10.0.9", user).Udp(53, 53)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4(user, "10.10.1.7").IcmpEcho(1, 1)), DropReason::kNone);
  EXPECT_EQ(reason(Ipv4(user, "10.10.1.8").IcmpEcho(1, 1)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv6("2001:db8:99::5", "2001:db8:10::1").Tcp(1, 2)), DropReason::kNone);
  EXPECT_EQ(reason(Ipv6("2001:db8:99::5", "2001:db8:11::1").Tcp(1, 2)), DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4(user, "10.10.2.9").Udp(1, 53).Payload(9)), DropReason::kNone);
  // A fragment hides its ports, so it is not a packet to port 0 (RFC 4301, 7).
  EXPECT_EQ(reason(Ipv4(user, "10.10.2.9").Fragment(64, true).Protocol(17).Payload(16)),
            DropReason::kEspSelectors);
  EXPECT_EQ(reason(Ipv4(user, "10.10.1.7").Fragment(64, true).Protocol(1).Payload(16)),
            DropReason::kNone);
  EXPECT_EQ(harness_.inbound->Counters(in_)->dropped, 7u);
}

// RFC 6040, 4.2, figure 4.
TEST_F(EspInner, CombinesCongestionMarks) {
  Install();
  struct Case {
    uint8_t inner, outer;
    int result;  // -1: dropped
  };
  for (const Case& c :
       {Case{0, 0, 0}, Case{0, 1, 0}, Case{0, 2, 0}, Case{0, 3, -1}, Case{2, 0, 2}, Case{2, 1, 1},
        Case{2, 2, 2}, Case{2, 3, 3}, Case{1, 0, 1}, Case{1, 1, 1}, Case{1, 2, 1}, Case{1, 3, 3},
        Case{3, 0, 3}, Case{3, 1, 3}, Case{3, 2, 3}, Case{3, 3, 3}}) {
    for (const bool v6 : {false, true}) {
      const Bytes inner = (v6 ? Ipv6("2001:db8::1", "2001:db8::2") : Ipv4("10.0.0.1", "10.0.0.2"))
                              .TrafficClass(static_cast<uint8_t>(0xb8 | c.inner))
                              .Udp(1, 2)
                              .Build();
      EspResult result = harness_.Decap(Seal(Padded(inner, v6 ? kIpv6Next : kIpv4Next), c.outer));
      if (c.result < 0) {
        EXPECT_THAT(result.Reasons(), ElementsAre(DropReason::kEspCongestion));
        continue;
      }
      ASSERT_EQ(result.passed.size(), 1u);
      const Bytes want = (v6 ? Ipv6("2001:db8::1", "2001:db8::2") : Ipv4("10.0.0.1", "10.0.0.2"))
                             .TrafficClass(static_cast<uint8_t>(0xb8 | c.result))
                             .Udp(1, 2)
                             .Build();
      EXPECT_EQ(BytesOf(result.passed[0].get()), want) << int{c.inner} << " in " << int{c.outer};
    }
  }
}

TEST_F(EspInner, RefusesAnotherDestinationAndPlainEspBehindNat) {
  TestSa sa;
  sa.udp_encapsulation = true;
  Install(sa);
  const auto refuse = [&](PacketBuilder outer) {
    return Refusal(outer.Esp(spi_.value, 1).Payload(60).BuildMbuf());
  };
  EXPECT_EQ(refuse(Ipv4("198.51.100.7", "203.0.113.2").Udp(40001, 4500)),
            DropReason::kEspWrongDestination);
  EXPECT_EQ(refuse(Ipv6("2001:db8::1", "2001:db8::2").Udp(40001, 4500)),
            DropReason::kEspWrongDestination);
  EXPECT_EQ(refuse(Ipv4("198.51.100.7", "203.0.113.1")), DropReason::kEspWrongEncapsulation);
  EXPECT_EQ(refuse(Ipv4("198.51.100.7", "203.0.113.1").Udp(40001, 4500)),
            DropReason::kEspIntegrity);
}

// RFC 7296, 2.23: a peer may encapsulate although nobody saw NAT.
TEST_F(EspInner, TakesUdpWhereNobodySawNat) {
  TestSa sa;
  sa.udp_encapsulation = true;
  Install(sa);
  harness_.inbound->Find(Be32::FromHost(spi_.value))->layout.udp_encapsulation = false;
  EXPECT_EQ(Refusal(Seal(Padded(Inner(), kIpv4Next))), DropReason::kNone);
  EXPECT_THAT(harness_.TakeUp(), IsEmpty());
}

// A packet that is authentic and the newest tells where the peer is now; an old one, replayed or
// late, does not, and neither does a forged one.
TEST_F(EspInner, ReportsAPeerThatMovedOnceAndNotTooOften) {
  TestSa sa;
  sa.udp_encapsulation = true;
  Install(sa);
  harness_.worker.move_quiet_tsc = 1000;
  harness_.worker.now_tsc = 5000;
  const Bytes inner = Padded(Inner(), kIpv4Next);
  MbufPtr late = Seal(inner, 0, 50001);
  ASSERT_EQ(Refusal(Seal(inner)), DropReason::kNone);
  ASSERT_EQ(Refusal(std::move(late)), DropReason::kNone);
  EXPECT_THAT(harness_.TakeUp(), IsEmpty());

  MbufPtr forged = Seal(inner, 0, 50002);
  rte_pktmbuf_mtod(forged.get(), uint8_t*)[60] ^= 1;
  ASSERT_EQ(Refusal(std::move(forged)), DropReason::kEspIntegrity);
  EXPECT_THAT(harness_.TakeUp(), IsEmpty());

  ASSERT_EQ(Refusal(Seal(inner, 0, 50003)), DropReason::kNone);
  ASSERT_EQ(Refusal(Seal(inner, 0, 50003)), DropReason::kNone);
  const auto moved = harness_.TakeUp();
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0].kind, UpMessage::Kind::kPeerMoved);
  EXPECT_EQ(moved[0].peer_moved.slot, in_.slot);
  EXPECT_EQ(moved[0].peer_moved.generation, in_.generation);
  EXPECT_EQ(moved[0].peer_moved.remote, (Endpoint{Address("198.51.100.7"), 50003}));
  EXPECT_EQ(moved[0].peer_moved.local, (Endpoint{Address("203.0.113.1"), 4500}));

  // To and fro within the quiet time: said when it is over, if still true then.
  ASSERT_EQ(Refusal(Seal(inner, 0, 50004)), DropReason::kNone);
  EXPECT_THAT(harness_.TakeUp(), IsEmpty());
  harness_.worker.now_tsc += 1000;
  ASSERT_EQ(Refusal(Seal(inner, 0, 50004)), DropReason::kNone);
  EXPECT_EQ(harness_.TakeUp().size(), 1u);
}

// --- Outbound ------------------------------------------------------------------------------------

OutboundSa* SaFor(EspHarness& harness, const PacketBuilder& packet) {
  MbufPtr mbuf = packet.BuildMbuf();
  ContextOf(mbuf.get()).family = BytesOf(mbuf.get())[0] >> 4;
  rte_mbuf* burst[] = {mbuf.get()};
  harness.outbound->LookUp(burst);
  return ContextOf(mbuf.get()).outbound_sa;
}

PacketBuilder Plain() { return Ipv4("10.10.0.9", "10.99.0.5").Udp(53, 1234).Payload(20); }

TEST(EspOutbound, CopiesDscpEcnAndDf) {
  EspHarness harness;
  harness.InstallOutbound({}, Spi{0x1000});
  EspResult plain = harness.Encap(Plain().TrafficClass(0xba).BuildMbuf());
  EspResult df = harness.Encap(Plain().DontFragment().BuildMbuf());
  EspResult v6 =
      harness.Encap(Ipv6("2001:db8::1", "2001:db8::2").TrafficClass(0x2b).Udp(1, 2).BuildMbuf());
  ASSERT_EQ(plain.passed.size() + df.passed.size() + v6.passed.size(), 3u);
  const Bytes a = BytesOf(plain.passed[0].get());
  EXPECT_EQ(a[1], 0xba);
  EXPECT_EQ(a[6] & 0x40, 0);
  EXPECT_EQ(BytesOf(df.passed[0].get())[6], 0x40);
  EXPECT_EQ(BytesOf(v6.passed[0].get())[1], 0x2b);
  EXPECT_EQ(BytesOf(v6.passed[0].get())[6], 0x40) << "IPv6 is not fragmented on the way";
  const PacketContext& context = ContextOf(plain.passed[0].get());
  EXPECT_EQ(context.family, 4);
  EXPECT_EQ(context.protocol, 50);
  EXPECT_EQ(context.l4_offset, 20);
  EXPECT_NE(context.outbound_sa, nullptr) << "it knows the way";
}

// RFC 4301, 8.1 and 5.1.2.1; ECN is copied whatever DSCP policy wants (RFC 6040, 4.1).
TEST(EspOutbound, PolicyMaySetDfAndDscp) {
  EspHarness harness;
  harness.InstallOutbound({}, Spi{0x1000});
  const auto outer = [&](PacketBuilder packet, Handling handling) {
    MbufPtr mbuf = packet.BuildMbuf();
    ContextOf(mbuf.get()).handling = handling;
    EspResult result = harness.Encap(std::move(mbuf));
    SEKISHO_CHECK(result.passed.size() == 1);
    return BytesOf(result.passed[0].get());
  };
  const Handling set{.df = Handling::Df::kSet, .dscp = 46};
  const Handling clear{.df = Handling::Df::kClear, .dscp = 0};
  const PacketBuilder v6 = Ipv6("2001:db8::1", "2001:db8::2").TrafficClass(0xff).Udp(1, 2);
  EXPECT_EQ(outer(Plain().TrafficClass(0x03), set)[1], 46 << 2 | 3);
  EXPECT_EQ(outer(Plain(), set)[6], 0x40);
  EXPECT_EQ(outer(v6, set)[1], 46 << 2 | 3);
  EXPECT_EQ(outer(Plain().TrafficClass(0xfd).DontFragment(), clear)[1], 1);
  EXPECT_EQ(outer(Plain().DontFragment(), clear)[6], 0);
  EXPECT_EQ(outer(v6, clear)[6], 0);
  EXPECT_EQ(outer(v6, {})[1], 0xff);
}

// Over IPv6 the traffic class stands across two bytes.
TEST(EspOutbound, DscpOfAnIpv6OuterHeader) {
  EspHarness harness;
  TestSa sa;
  sa.local_endpoint = {Address("2001:db8:113::1"), 0};
  sa.remote_endpoint = {Address("2001:db8:198::7"), 0};
  harness.InstallOutbound(sa, Spi{0x1000});
  MbufPtr mbuf = Plain().TrafficClass(0x02).BuildMbuf();
  ContextOf(mbuf.get()).handling.dscp = 46;
  EspResult result = harness.Encap(std::move(mbuf));
  ASSERT_EQ(result.passed.size(), 1u);
  EXPECT_EQ(LoadBigEndian<uint16_t>(BytesOf(result.passed[0].get()).data()) >> 4 & 0xff,
            46 << 2 | 2);
}

TEST(EspOutbound, IvsOfCbcAreNotCountersAndNeverTheSame) {
  EspHarness harness;
  TestSa sa;
  sa.suite = SuiteOf("aes128-sha256");
  harness.InstallOutbound(sa, Spi{0x1000});
  std::set<Bytes> ivs;
  for (int i = 0; i < 200; ++i) {
    EspResult out = harness.Encap(Plain().BuildMbuf());
    const Bytes bytes = BytesOf(out.passed.at(0).get());
    ivs.insert(Bytes(bytes.begin() + 28, bytes.begin() + 44));
  }
  EXPECT_EQ(ivs.size(), 200u);
  // Half of all bits change from one to the next, as of a cipher's output; a counter changes few.
  int changed = 0;
  for (auto iv = ivs.begin(); std::next(iv) != ivs.end(); ++iv) {
    for (size_t i = 0; i < 16; ++i) changed += __builtin_popcount((*iv)[i] ^ (*std::next(iv))[i]);
  }
  EXPECT_GT(changed, 199 * 50);
}

TEST(EspOutbound, StopsBeforeTheSequenceNumberWraps) {
  EspHarness harness;
  const SaHandle sa = harness.InstallOutbound({}, Spi{0x1000});
  OutboundSa* slot = SaFor(harness, Plain());
  ASSERT_NE(slot, nullptr);
  slot->sequence_next = 0xbfffffff - 3;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(harness.Encap(Plain().BuildMbuf()).passed.size(), 1u);
  const auto soft = harness.TakeUp();
  ASSERT_EQ(soft.size(), 1u) << "once, at three quarters";
  EXPECT_EQ(soft[0].kind, UpMessage::Kind::kSoftExpiry);
  EXPECT_EQ(soft[0].sa.slot, sa.slot);
  EXPECT_EQ(soft[0].sa.generation, sa.generation);
  EXPECT_EQ(soft[0].sa.direction, UpMessage::Direction::kOutbound);

  slot->sequence_next = 0xffffffff;
  EXPECT_EQ(harness.Encap(Plain().BuildMbuf()).passed.size(), 1u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(harness.Encap(Plain().BuildMbuf()).Reasons(),
                ElementsAre(DropReason::kEspSequenceExhausted));
  }
  const auto hard = harness.TakeUp();
  ASSERT_EQ(hard.size(), 1u);
  EXPECT_EQ(hard[0].kind, UpMessage::Kind::kHardExpiry);
  EXPECT_EQ(harness.outbound->Counters(sa)->dropped, 3u);
  EXPECT_EQ(harness.outbound->Counters(sa)->sequence, 0xffffffffu);
}

TEST(EspOutbound, EsnGoesOnWhere32BitsEnd) {
  EspHarness harness;
  TestSa sa;
  sa.suite = SuiteOf("aes256-sha384-esn");
  const Spi spi = harness.Loop(sa);
  OutboundSa* slot = SaFor(harness, Ipv4("10.99.0.5", "10.10.0.9").Udp(1, 2));
  slot->sequence_next = 0xfffffffe;
  harness.inbound->Find(Be32::FromHost(spi.value))->window.Commit(0xfffffff0);
  for (int i = 0; i < 5; ++i) {
    EspResult out = harness.Encap(Plain().BuildMbuf());
    ASSERT_EQ(out.passed.size(), 1u);
    EXPECT_EQ(harness.Decap(std::move(out.passed)).passed.size(), 1u) << i;
  }
  EXPECT_EQ(harness.inbound->Find(Be32::FromHost(spi.value))->window.top(), 0x1'0000'0002u);
}

TEST(EspOutbound, SaysSoftExpiryAfterBytesAndAfterPackets) {
  for (const bool bytes : {false, true}) {
    EspHarness harness;
    TestSa sa;
    sa.lifetimes.soft_packets = bytes ? 0 : 3;
    sa.lifetimes.soft_bytes = bytes ? 3 * 48 : 0;
    harness.InstallOutbound(sa, Spi{0x1000});
    for (int i = 1; i <= 5; ++i) {
      EXPECT_EQ(harness.Encap(Plain().BuildMbuf()).passed.size(), 1u);
      EXPECT_EQ(harness.TakeUp().size(), i == 3 ? 1u : 0u) << i;
    }
  }
}

// A full list of events loses none: the next packet says it again.
TEST(EspOutbound, SaysSoftExpiryLaterWhereThereWasNoRoom) {
  EspHarness harness;
  TestSa sa;
  sa.lifetimes.soft_packets = 1;
  harness.InstallOutbound(sa, Spi{0x1000});
  while (harness.worker.up.Add(UpMessage())) {
  }
  EXPECT_EQ(harness.Encap(Plain().BuildMbuf()).passed.size(), 1u);
  harness.TakeUp();
  EXPECT_EQ(harness.Encap(Plain().BuildMbuf()).passed.size(), 1u);
  EXPECT_EQ(harness.TakeUp().size(), 1u);
}

TEST(EspOutbound, RefusesWhatHasNoRoom) {
  EspHarness harness;
  harness.InstallOutbound({}, Spi{0x1000});
  MbufPtr no_head = Plain().BuildMbuf();
  const Bytes bytes = BytesOf(no_head.get());
  no_head->data_off = 8;
  std::memcpy(rte_pktmbuf_mtod(no_head.get(), uint8_t*), bytes.data(), bytes.size());
  EXPECT_THAT(harness.Encap(std::move(no_head)).Reasons(), ElementsAre(DropReason::kEspNoRoom));

  MbufPtr no_tail = Ipv4("10.10.0.9", "10.99.0.5").Protocol(47).Payload(2048 - 20 - 8).BuildMbuf();
  ASSERT_LT(rte_pktmbuf_tailroom(no_tail.get()), 16);
  EXPECT_THAT(harness.Encap(std::move(no_tail)).Reasons(), ElementsAre(DropReason::kEspNoRoom));
}

TEST(EspOutbound, FollowsAPeerThatIsMoved) {
  EspHarness harness;
  TestSa sa;
  sa.udp_encapsulation = true;
  const SaHandle handle = harness.InstallOutbound(sa, Spi{0x1000});
  DownMessage message;
  message.kind = DownMessage::Kind::kMovePeer;
  message.move_peer = {.slot = handle.slot,
                       .generation = handle.generation,
                       .local = {Address("2001:db8:113::1"), 4500},
                       .remote = {Address("2001:db8:8::8"), 50005}};
  ASSERT_TRUE(
      harness.outbound->CheckMove(handle, message.move_peer.local, message.move_peer.remote).ok());
  EXPECT_TRUE(HandleSaMessage(harness.worker, message));
  EspResult out = harness.Encap(Plain().BuildMbuf());
  ASSERT_EQ(out.passed.size(), 1u);
  const Bytes bytes = BytesOf(out.passed[0].get());
  const Bytes want = Ipv6("2001:db8:113::1", "2001:db8:8::8")
                         .Udp(4500, 50005)
                         .Payload(ByteSpan(bytes).subspan(48))
                         .Build();
  EXPECT_EQ(bytes, want) << "checksum included";
  EXPECT_FALSE(
      harness.outbound->CheckMove(handle, {Address("10.0.0.1"), 1}, {Address("::1"), 1}).ok());

  message.move_peer.generation += 1;
  message.move_peer.remote.port = 9;
  EXPECT_TRUE(HandleSaMessage(harness.worker, message));
  EXPECT_EQ(BytesOf(harness.Encap(Plain().BuildMbuf()).passed.at(0).get())[43], 50005 % 256);
}

}  // namespace
}  // namespace sekisho::fastpath
