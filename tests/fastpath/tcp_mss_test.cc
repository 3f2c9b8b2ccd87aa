#include "fastpath/tcp_mss.h"

#include <gtest/gtest.h>

#include "fastpath/checksum.h"
#include "fastpath/parse.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

// A SYN with these options, its checksum right.
Bytes Syn(const char* options, uint8_t flags = 0x02, bool v6 = false) {
  const Bytes bytes = FromHex(options);
  Bytes tcp = FromHex("04d2 0050 00000001 00000000 5000 ffff 0000 0000");
  tcp[13] = flags;
  tcp[12] = static_cast<uint8_t>((20 + bytes.size()) / 4 << 4);
  tcp.insert(tcp.end(), bytes.begin(), bytes.end());
  Bytes packet = (v6 ? Ipv6("2001:db8::1", "2001:db8::2") : Ipv4("10.0.0.1", "10.0.0.2"))
                     .Protocol(6)
                     .Payload(tcp)
                     .Build();
  const size_t ip = v6 ? 40 : 20;
  const ByteSpan source = v6 ? ByteSpan(packet).subspan(8, 16) : ByteSpan(packet).subspan(12, 4);
  const ByteSpan to = v6 ? ByteSpan(packet).subspan(24, 16) : ByteSpan(packet).subspan(16, 4);
  const uint16_t sum =
      ChecksumFrom(OnesSumWithPseudoHeader(source, to, 6, ByteSpan(packet).subspan(ip)));
  std::memcpy(&packet[ip + 16], &sum, 2);
  return packet;
}

bool ChecksumHolds(const Bytes& packet, bool v6) {
  const ByteSpan all = packet;
  return OnesSumWithPseudoHeader(v6 ? all.subspan(8, 16) : all.subspan(12, 4),
                                 v6 ? all.subspan(24, 16) : all.subspan(16, 4), 6,
                                 all.subspan(v6 ? 40 : 20)) == 0xffff;
}

Bytes Clamped(const Bytes& packet, uint16_t mss_max) {
  MbufPtr mbuf = MakeMbuf(packet);
  PacketContext& context = ContextOf(mbuf.get());
  SEKISHO_CHECK(ParseIp(mbuf.get(), context));
  if (IsTcpSyn(mbuf.get(), context)) ClampMss(mbuf.get(), context, mss_max);
  return BytesOf(mbuf.get());
}

// Wherever the option stands, and whatever its value: the checksum that held still holds.
TEST(TcpMss, LowersTheOptionAndKeepsTheChecksumRight) {
  for (const bool v6 : {false, true}) {
    const size_t options = v6 ? 60 : 40;
    for (uint32_t mss = 1201; mss <= 0xffff; mss += 37) {
      char even[32], odd[32];
      std::snprintf(even, sizeof even, "0204%04x", mss);
      std::snprintf(odd, sizeof odd, "010204%04x010101", mss);
      const Bytes a = Clamped(Syn(even, 0x02, v6), 1200);
      const Bytes b = Clamped(Syn(odd, 0x12, v6), 1200);
      ASSERT_EQ(LoadBigEndian<uint16_t>(&a[options + 2]), 1200);
      ASSERT_EQ(LoadBigEndian<uint16_t>(&b[options + 3]), 1200);
      ASSERT_TRUE(ChecksumHolds(a, v6) && ChecksumHolds(b, v6)) << mss;
    }
  }
}

TEST(TcpMss, LeavesAllElseAlone) {
  for (const Bytes& packet : {
           Syn("020404b0"),                    // 1200 already
           Syn("02040218"),                    // less
           Syn("020405b4", 0x10),              // no SYN
           Syn("01010101"),                    // no option
           Syn("00000000 020405b4"),           // behind the end of options
           Syn("020305b4"),                    // of a length that it does not have
           Syn("080a0000 00000000 00000204"),  // inside of another
           Syn("01010102"),                    // cut
           Syn("03000204 05b40000"),           // behind one without length
       }) {
    EXPECT_EQ(Clamped(packet, 1200), packet);
  }
}

// A header length that lies beyond the packet.
TEST(TcpMss, StaysWithinThePacket) {
  Bytes packet = Syn("01010101");
  packet[32] = 0xf0;
  EXPECT_EQ(Clamped(packet, 1200), packet);
  for (size_t options = 0; options < 4; ++options) {
    Bytes cut = Syn("020405b4");
    cut.resize(40 + options);
    StoreBigEndian<uint16_t>(&cut[2], static_cast<uint16_t>(cut.size()));
    StoreBigEndian<uint16_t>(&cut[10], 0);
    const uint16_t sum = ChecksumFrom(OnesSum(ByteSpan(cut).first(20)));
    std::memcpy(&cut[10], &sum, 2);
    EXPECT_EQ(Clamped(cut, 1200), cut);
  }
}

}  // namespace
}  // namespace sekisho::fastpath
