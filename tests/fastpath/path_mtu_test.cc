// The path MTU of an SA: from whom it is learned, who is told, and how long it is believed.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "fastpath/checksum.h"
#include "fastpath/path_mtu_limits.h"
#include "tests/fastpath/tunnel_fixture.h"

namespace sekisho::fastpath {
namespace {

// What a router says that has `mtu` bytes of room for `packet`.
Bytes TooBig(const Bytes& packet, uint16_t mtu, size_t quoted = 128) {
  const bool v4 = packet[0] >> 4 == 4;
  Bytes icmp = v4 ? Bytes{3, 4, 0, 0, 0, 0} : Bytes{2, 0, 0, 0, 0, 0};
  icmp.push_back(static_cast<uint8_t>(mtu >> 8));
  icmp.push_back(static_cast<uint8_t>(mtu));
  icmp.insert(icmp.end(), packet.begin(),
              packet.begin() + static_cast<ptrdiff_t>(std::min(quoted, packet.size())));
  const ByteSpan all = packet;
  const IpAddress router = Address(v4 ? "192.0.2.77" : "2001:db8:77::77");
  const IpAddress to = v4 ? IpAddress::V4(all.subspan(12, 4)) : IpAddress::V6(all.subspan(8, 16));
  const uint16_t sum = ChecksumFrom(
      v4 ? OnesSum(icmp) : OnesSumWithPseudoHeader(router.bytes(), to.bytes(), 58, icmp));
  std::memcpy(&icmp[2], &sum, 2);
  return Ip(router, to).Protocol(v4 ? 1 : 58).Payload(icmp).Build();
}

class PathMtuTest : public TunnelTest {
 protected:
  uint16_t Learned() { return a_.gateway->fast_path().Counters(a_.out)->path_mtu; }
  // One ESP packet of a large inner one.
  Bytes Sealed() {
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(1300).Build());
    a_.gateway->Run();
    const std::optional<Bytes> packet = a_.gateway->SentIp(kOutsidePort);
    SEKISHO_CHECK(packet.has_value());
    return *packet;
  }
  void Say(const Bytes& message) {
    a_.gateway->ReceiveIp(kOutsidePort, message);
    a_.gateway->Run();
  }
};

// RFC 4301, 8.2.1: a router on the way says that it has less room; the SA's packets become no
// larger than that, and inner senders are told what is left for theirs.
TEST_F(PathMtuTest, IsLearnedPerSaAndToldToInnerSenders) {
  struct Case {
    uint16_t nat_port;
    const char *a, *b;
  };
  for (const Case& c :
       {Case{0, "203.0.113.1", "203.0.113.2"}, Case{kIkeNatTPort, "203.0.113.1", "203.0.113.2"},
        Case{0, "2001:db8:113::1", "2001:db8:113::2"},
        Case{kIkeNatTPort, "2001:db8:113::1", "2001:db8:113::2"}}) {
    Connect(c.nat_port, 1500, c.a, c.b);
    Say(TooBig(Sealed(), 1300));
    EXPECT_EQ(Learned(), 1300) << c.a << " " << c.nat_port;
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(1272).Build());
    a_.gateway->Run();
    const std::optional<Bytes> error = a_.gateway->SentIp(kInsidePort);
    ASSERT_TRUE(error.has_value());
    const size_t inner = LoadBigEndian<uint16_t>(&(*error)[26]);
    EXPECT_GT(inner, 1180u);
    EXPECT_EQ(Bytes(error->begin() + 20, error->begin() + 22), FromHex("0304"));
    // As large as was told: fits exactly.
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(inner - 28).Build());
    a_.gateway->Run();
    const std::optional<Bytes> esp = a_.gateway->SentIp(kOutsidePort);
    ASSERT_TRUE(esp.has_value());
    EXPECT_LE(esp->size(), 1300u);
    EXPECT_GT(esp->size(), 1296u);
    // What may be cut is, to the size of the path, and arrives.
    a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1400).Build());
    a_.gateway->Run();
    EXPECT_EQ(Carry(*a_.gateway, *b_.gateway), 2u);
    EXPECT_TRUE(b_.gateway->SentIp(kInsidePort).has_value());
    TearDown();
  }
}

TEST_F(PathMtuTest, FragmentsOfEspFitThePath) {
  Connect(/*nat_port=*/0);
  Say(TooBig(Sealed(), 600));
  a_.gateway->ReceiveIp(kInsidePort, AToB().Payload(1400).Build());
  a_.gateway->Run();
  size_t pieces = 0;
  while (const std::optional<Bytes> piece = a_.gateway->SentIp(kOutsidePort)) {
    EXPECT_LE(piece->size(), 600u);
    ++pieces;
  }
  EXPECT_EQ(pieces, 3u);
}

// RFC 1191, 6.3: what was learned counts for ten minutes; then the path is tried again.
TEST_F(PathMtuTest, IsForgottenAfterTenMinutes) {
  Connect(/*nat_port=*/0);
  FastPath& fast_path = a_.gateway->fast_path();
  const uint64_t second = rte_get_tsc_hz();
  // The worker's clock for it is a coarse one.
  const uint64_t grain = (uint64_t{1} << kPathMtuShift) / second + 1;
  const uint64_t learned_at = rte_rdtsc();
  const auto after = [&](uint64_t seconds) {
    while (fast_path.RunOnce(learned_at + seconds * second)) {
    }
    a_.gateway->ReceiveIp(kInsidePort, AToB().DontFragment().Payload(1300).Build());
    a_.gateway->Run();
    return a_.gateway->SentIp(kOutsidePort).has_value();
  };
  ASSERT_TRUE(after(0));
  Say(TooBig(Sealed(), 1300));
  EXPECT_FALSE(after(0));
  EXPECT_FALSE(after(kPathMtuSeconds - grain));
  EXPECT_EQ(Learned(), 1300);
  EXPECT_EQ(a_.gateway->drops(DropReason::kTooBig), 2u);
  EXPECT_TRUE(after(kPathMtuSeconds + 1));
  EXPECT_EQ(Learned(), 0);
  // And may be learned again.
  Say(TooBig(Sealed(), 1300));
  EXPECT_FALSE(after(kPathMtuSeconds + 1));
  EXPECT_FALSE(after(2 * kPathMtuSeconds - grain));
  EXPECT_TRUE(after(2 * kPathMtuSeconds + 2));
}

// Whoever does not see our packets cannot make them smaller.
TEST_F(PathMtuTest, IsNotLearnedFromWhatDoesNotQuoteAnSa) {
  Connect(/*nat_port=*/0);
  const Bytes esp = Sealed();
  const auto ignored = [&](const Bytes& message) {
    Say(message);
    return Learned() == 0;
  };
  const auto changed = [&](size_t at, uint8_t bits) {
    Bytes other = esp;
    other[at] ^= bits;
    return other;
  };
  EXPECT_TRUE(ignored(TooBig(changed(23, 1), 1300))) << "another SPI";
  EXPECT_TRUE(ignored(TooBig(changed(19, 4), 1300))) << "another peer";
  EXPECT_EQ(a_.gateway->drops(DropReason::kIcmpNotAboutUs), 0u);
  EXPECT_TRUE(ignored(TooBig(changed(9, 50 ^ 6), 1300))) << "TCP";
  EXPECT_TRUE(ignored(TooBig(esp, 575))) << "less than any link carries";
  EXPECT_TRUE(ignored(TooBig(esp, 0))) << "no size";
  EXPECT_TRUE(ignored(TooBig(esp, static_cast<uint16_t>(esp.size())))) << "it did fit";
  for (size_t quoted = 20; quoted < 24; ++quoted) {
    EXPECT_TRUE(ignored(TooBig(esp, 1300, quoted))) << quoted - 20 << " bytes of the SPI";
  }
  EXPECT_TRUE(ignored(TooBig(esp, 1300, 10)));
  Bytes damaged = TooBig(esp, 1300);
  damaged[60] ^= 1;
  EXPECT_TRUE(ignored(damaged));
  EXPECT_EQ(a_.gateway->drops(DropReason::kIcmpNotAboutUs), 10u);
  EXPECT_FALSE(ignored(TooBig(esp, 1300, 24))) << "the SPI is enough";
}

}  // namespace
}  // namespace sekisho::fastpath
