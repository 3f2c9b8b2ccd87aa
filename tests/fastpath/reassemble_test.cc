// Fragments in, packets out, and the other way about, on a worker that has nothing but what these
// stages use; its clock is the test's.
#include "fastpath/reassemble.h"

#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <algorithm>
#include <cstring>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/fragment.h"
#include "fastpath/parse.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kHz = 1000000000;

class ReassembleTest : public testing::Test {
 protected:
  void SetUp() override {
    buffers_before_ = BuffersInUse();
    worker_.packets = TestPool();
    worker_.large_packets = TestPool();
    worker_.now_tsc = kHz;
    worker_.reassembly = CreateReassemblyTable(kHz);
  }

  // Every buffer is back, whatever became of the packets.
  void TearDown() override {
    worker_.now_tsc += 10 * kReassemblyTimeoutSeconds * kHz;
    ExpireFragments(worker_);
    FreeDisposed(worker_);
    EXPECT_EQ(worker_.reassembly.held, 0u);
    EXPECT_EQ(BuffersInUse(), buffers_before_);
  }

  MbufPtr Feed(const Bytes& fragment) {
    rte_mbuf* mbuf = MakeMbuf(fragment).release();
    PacketContext& context = ContextOf(mbuf);
    context = {};
    EXPECT_TRUE(ParseIp(mbuf, context)) << Name(context.reason);
    EXPECT_TRUE(context.fragment);
    return MbufPtr(Reassemble(worker_, mbuf));
  }

  uint64_t drops(DropReason reason) const {
    uint64_t drops = 0;
    for (const auto& of_port : worker_.counters.drops) {
      drops += of_port[static_cast<size_t>(reason)].Get();
    }
    return drops;
  }

  Worker worker_;
  unsigned buffers_before_ = 0;
};

Bytes Numbers(size_t count) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + i / 256);
  return bytes;
}

Bytes Piece(uint16_t id, uint16_t offset, bool more, ByteSpan payload) {
  return Ipv4("198.51.100.9", "203.0.113.1")
      .Id(id)
      .Fragment(offset, more)
      .Protocol(99)
      .Payload(payload)
      .Build();
}

TEST_F(ReassembleTest, AnyOrderMakesTheSamePacket) {
  const Bytes payload = Numbers(200);
  const ByteSpan all = payload;
  const std::vector<Bytes> pieces = {Piece(1, 0, true, all.first(80)),
                                     Piece(1, 80, true, all.subspan(80, 80)),
                                     Piece(1, 160, false, all.subspan(160))};
  std::vector<int> order = {0, 1, 2};
  uint16_t id = 1;
  do {
    MbufPtr whole;
    for (const int i : order) {
      EXPECT_EQ(whole, nullptr);
      Bytes piece = pieces[static_cast<size_t>(i)];
      whole = Feed(piece);
    }
    ASSERT_NE(whole, nullptr);
    EXPECT_EQ(BytesOf(whole.get()),
              Ipv4("198.51.100.9", "203.0.113.1").Id(id).Protocol(99).Payload(payload).Build());
    EXPECT_TRUE(ContextOf(whole.get()).reassembled);
    EXPECT_FALSE(ContextOf(whole.get()).fragment);
    EXPECT_EQ(whole->nb_segs, 1);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(worker_.counters.consumed.Get(), 6u * 2);
}

TEST_F(ReassembleTest, PacketsDoNotMix) {
  EXPECT_EQ(Feed(Piece(1, 0, true, Bytes(8, 1))), nullptr);
  EXPECT_EQ(Feed(Piece(2, 8, false, Bytes(8, 2))), nullptr);
  EXPECT_NE(Feed(Piece(1, 8, false, Bytes(8, 1))), nullptr);
  EXPECT_EQ(worker_.reassembly.held, 1u);
}

TEST_F(ReassembleTest, WhatNeverComesIsGivenUpUnderItsName) {
  EXPECT_EQ(Feed(Piece(1, 0, true, Bytes(8, 1))), nullptr);
  worker_.now_tsc += (kReassemblyTimeoutSeconds - 1) * kHz;
  ExpireFragments(worker_);
  EXPECT_EQ(drops(DropReason::kReassemblyTimeout), 0u);
  worker_.now_tsc += 2 * kHz;
  ExpireFragments(worker_);
  EXPECT_EQ(drops(DropReason::kReassemblyTimeout), 1u);
  EXPECT_EQ(worker_.reassembly.held, 0u);
}

// More pieces than the table takes for one packet: those that it has are dropped with the one too
// many, and what comes later of it too.
TEST_F(ReassembleTest, TooManyPiecesAreDropped) {
  constexpr uint16_t kPieces = kFragmentsPerPacketMax + 2;
  for (uint16_t i = 0; i < kPieces; ++i) {
    EXPECT_EQ(Feed(Piece(1, static_cast<uint16_t>(i * 8), true, Bytes(8, 1))), nullptr);
  }
  EXPECT_EQ(drops(DropReason::kReassemblyFailed), kPieces);
}

TEST_F(ReassembleTest, TwoFirstPiecesAreDropped) {
  EXPECT_EQ(Feed(Piece(1, 0, true, Bytes(16, 1))), nullptr);
  EXPECT_EQ(Feed(Piece(1, 0, true, Bytes(8, 2))), nullptr);
  EXPECT_EQ(drops(DropReason::kReassemblyFailed), 2u);
}

// The pieces of an overlap never join into a packet.
TEST_F(ReassembleTest, OverlapDoesNotBecomeAPacket) {
  EXPECT_EQ(Feed(Piece(1, 0, true, Bytes(16, 1))), nullptr);
  EXPECT_EQ(Feed(Piece(1, 8, true, Bytes(16, 2))), nullptr);
  EXPECT_EQ(Feed(Piece(1, 24, false, Bytes(8, 3))), nullptr);
  EXPECT_EQ(drops(DropReason::kReassemblyFailed), 3u) << "and what comes of it later, too";
}

// Nearly the largest packet that there is, over the smallest link that IPv6 knows.
TEST_F(ReassembleTest, SixtyFourKilobytes) {
  rte_mempool* const large =
      rte_pktmbuf_pool_create("test_large", 4, 0, sizeof(PacketPrivate), 65'400, SOCKET_ID_ANY);
  ASSERT_NE(large, nullptr);
  worker_.large_packets = large;
  const Bytes payload = Numbers(65'000 - 20);
  MbufPtr whole;
  for (size_t at = 0; at < payload.size(); at += 1256) {
    const size_t count = std::min<size_t>(1256, payload.size() - at);
    whole = Feed(Piece(1, static_cast<uint16_t>(at), at + count < payload.size(),
                       ByteSpan(payload).subspan(at, count)));
  }
  EXPECT_EQ(drops(DropReason::kReassemblyFailed), 0u);
  EXPECT_EQ(drops(DropReason::kNoMbuf), 0u);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(BytesOf(whole.get()).size(), 65'000u);
  whole.reset();
  rte_mempool_free(large);
}

// RFC 3168, 5.3: a mark on one piece is a mark on the packet.
TEST_F(ReassembleTest, CongestionMarkOfOnePieceIsThePackets) {
  const auto piece = [](uint16_t offset, bool more, uint8_t ecn) {
    Bytes bytes = Piece(1, offset, more, Bytes(8, 1));
    bytes[1] = ecn;
    StoreBigEndian<uint16_t>(&bytes[10], 0);
    const uint16_t checksum = static_cast<uint16_t>(~OnesSum(ByteSpan(bytes).first(20)));
    std::memcpy(&bytes[10], &checksum, 2);
    return bytes;
  };
  EXPECT_EQ(Feed(piece(0, true, 2)), nullptr);
  const MbufPtr whole = Feed(piece(8, false, 3));
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(BytesOf(whole.get())[1], 3);
  EXPECT_EQ(Feed(piece(0, true, 0)), nullptr);
  EXPECT_EQ(Feed(piece(8, false, 3)), nullptr);
  EXPECT_EQ(drops(DropReason::kReassemblyFailed), 2u);
}

TEST_F(ReassembleTest, TableIsBounded) {
  for (uint32_t i = 0; i < 2 * kReassemblyPacketsMax; ++i) {
    EXPECT_EQ(Feed(Ip(IpAddress::V4(0xc6336400 + i % 1000), Address("203.0.113.1"))
                       .Id(static_cast<uint16_t>(i))
                       .Fragment(0, true)
                       .Protocol(99)
                       .Payload(Bytes(8, 1))
                       .Build()),
              nullptr);
  }
  EXPECT_EQ(worker_.reassembly.held, kReassemblyPacketsMax);
  EXPECT_EQ(drops(DropReason::kReassemblyFull), kReassemblyPacketsMax);
}

// A host that floods has its share and no more: others are reassembled all the while, and once its
// pieces are given up or whole it has its share again.
TEST_F(ReassembleTest, FloodOfOneSourceLeavesRoomForOthers) {
  constexpr uint16_t kFlood = 10000;
  for (uint16_t id = 0; id < kFlood; ++id) {
    EXPECT_EQ(Feed(Piece(id, 0, true, Bytes(8, 1))), nullptr);
  }
  EXPECT_EQ(worker_.reassembly.held, kFragmentsPerSourceMax);
  EXPECT_EQ(drops(DropReason::kReassemblySource), kFlood - kFragmentsPerSourceMax);
  for (uint8_t host = 1; host < 200; ++host) {
    const auto piece = [&](uint16_t offset, bool more) {
      return Ip(IpAddress::V4(0x0a000000u + host), Address("203.0.113.1"))
          .Id(5)
          .Fragment(offset, more)
          .Protocol(99)
          .Payload(Bytes(8, 1))
          .Build();
    };
    const bool same_share =
        Feed(piece(0, true)) == nullptr && worker_.reassembly.held == kFragmentsPerSourceMax;
    if (same_share) continue;  // one in 4096 meets the flood's counter
    EXPECT_NE(Feed(piece(8, false)), nullptr);
  }
  EXPECT_LE(drops(DropReason::kReassemblySource), kFlood - kFragmentsPerSourceMax + 8u);
  worker_.now_tsc += 2 * kReassemblyTimeoutSeconds * kHz;
  ExpireFragments(worker_);
  for (uint16_t id = 0; id < 2 * kFragmentsPerSourceMax; ++id) {
    EXPECT_EQ(Feed(Piece(id, 0, true, Bytes(8, 1))), nullptr);
    EXPECT_NE(Feed(Piece(id, 8, false, Bytes(8, 1))), nullptr);
  }
}

// In its /64 a host may have any address.
TEST_F(ReassembleTest, AnIpv6SourceIsItsNetwork) {
  for (uint64_t host = 1; host <= 2 * kFragmentsPerSourceMax; ++host) {
    EXPECT_EQ(Feed(Ip(Address("2001:db8:1::").Plus(host), Address("2001:db8::1"))
                       .Protocol(44)
                       .Payload(Bytes{99, 0, 0, 1, 0, 0, 0, 7})
                       .Payload(Bytes(8, 1))
                       .Build()),
              nullptr);
  }
  EXPECT_EQ(worker_.reassembly.held, kFragmentsPerSourceMax);
  EXPECT_EQ(drops(DropReason::kReassemblySource), kFragmentsPerSourceMax);
}

// IPv6, with the fragment header where librte_ip_frag looks for it; elsewhere it is refused.
TEST_F(ReassembleTest, Ipv6) {
  const Bytes payload = Numbers(100);
  const auto piece = [&](uint16_t offset, bool more, size_t count) {
    Bytes header = {99, 0, 0, 0, 0, 0, 0, 7};
    StoreBigEndian<uint16_t>(&header[2], static_cast<uint16_t>(offset | (more ? 1 : 0)));
    return Ipv6("2001:db8::9", "2001:db8::1")
        .Protocol(44)
        .Payload(header)
        .Payload(ByteSpan(payload).subspan(offset, count))
        .Build();
  };
  EXPECT_EQ(Feed(piece(48, false, 52)), nullptr);
  const MbufPtr whole = Feed(piece(0, true, 48));
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(BytesOf(whole.get()),
            Ipv6("2001:db8::9", "2001:db8::1").Protocol(99).Payload(payload).Build());

  const Bytes behind = {44, 0, 1, 4, 0, 0, 0, 0, 99, 0, 0, 1, 0, 0, 0, 7};
  EXPECT_EQ(
      Feed(Ipv6("2001:db8::9", "2001:db8::1").Protocol(60).Payload(behind).Payload(8).Build()),
      nullptr);
  EXPECT_EQ(drops(DropReason::kIpFragment), 1u);
}

// What is cut is what reassembly makes whole again, at every MTU, both families.
TEST_F(ReassembleTest, FragmentsMakeTheWholeAgain) {
  for (const bool v4 : {true, false}) {
    PacketBuilder builder = v4 ? Ipv4("10.0.0.1", "10.0.0.2") : Ipv6("2001:db8::1", "2001:db8::2");
    const Bytes packet = builder.Protocol(99).Payload(Numbers(1400)).Build();
    for (uint16_t mtu = 300; mtu < 1400; mtu = static_cast<uint16_t>(mtu + 37)) {
      const MbufPtr mbuf = MakeMbuf(packet);
      PacketContext& context = ContextOf(mbuf.get());
      context = {};
      context.family = v4 ? 4 : 6;
      FragmentList pieces;
      const size_t count = FragmentPacket(worker_, mbuf.get(), mtu, pieces);
      ASSERT_GE(count, 2u);
      MbufPtr whole;
      for (size_t i = 0; i < count; ++i) {
        const MbufPtr piece(pieces[i]);
        EXPECT_LE(piece->pkt_len, mtu);
        whole = Feed(BytesOf(piece.get()));
      }
      ASSERT_NE(whole, nullptr) << mtu;
      EXPECT_EQ(BytesOf(whole.get()), packet);
    }
  }
}

// RFC 8200, 4.5: the fragment header stands behind hop-by-hop options, which are in every piece.
TEST_F(ReassembleTest, HopByHopOptionsStayInFront) {
  const Bytes options = {17, 0, 1, 4, 0, 0, 0, 0};  // UDP follows
  const MbufPtr mbuf = MakeMbuf(Ipv6("2001:db8::1", "2001:db8::2")
                                    .Protocol(0)
                                    .Payload(options)
                                    .Payload(Numbers(400))
                                    .Build());
  ContextOf(mbuf.get()) = {};
  ContextOf(mbuf.get()).family = 6;
  FragmentList pieces;
  ASSERT_EQ(FragmentPacket(worker_, mbuf.get(), 300, pieces), 2u);
  Bytes payload;
  for (size_t i = 0; i < 2; ++i) {
    const MbufPtr piece(pieces[i]);
    const Bytes bytes = BytesOf(piece.get());
    EXPECT_EQ(bytes[6], 0) << "hop-by-hop options come first";
    EXPECT_EQ(bytes[40], 44);
    EXPECT_EQ(Bytes(bytes.begin() + 41, bytes.begin() + 48),
              Bytes(options.begin() + 1, options.end()));
    EXPECT_EQ(bytes[48], 17);
    EXPECT_EQ(LoadBigEndian<uint16_t>(&bytes[50]), i == 0 ? 1u : payload.size());
    EXPECT_EQ(LoadBigEndian<uint16_t>(&bytes[4]), bytes.size() - 40);
    payload.insert(payload.end(), bytes.begin() + 56, bytes.end());
  }
  EXPECT_EQ(payload, Numbers(400));
}

// RFC 791, 3.1: options that say so are in every piece, the others in the first alone.
TEST_F(ReassembleTest, OptionsAreCopiedWhereTheySaySo) {
  Bytes packet = Ipv4("10.0.0.1", "10.0.0.2").Protocol(99).Payload(400).Build();
  const Bytes options = {0x83, 4, 4, 0, 0x44, 4, 5, 0};  // copied; not copied
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  packet[0] = 0x47;
  StoreBigEndian<uint16_t>(&packet[2], static_cast<uint16_t>(packet.size()));
  const MbufPtr mbuf = MakeMbuf(packet);
  ContextOf(mbuf.get()) = {};
  ContextOf(mbuf.get()).family = 4;
  FragmentList pieces;
  ASSERT_EQ(FragmentPacket(worker_, mbuf.get(), 300, pieces), 2u);
  const MbufPtr first(pieces[0]), second(pieces[1]);
  EXPECT_EQ(BytesOf(first.get())[0], 0x47);
  EXPECT_EQ(BytesOf(second.get())[0], 0x46);
  const Bytes later = BytesOf(second.get());
  EXPECT_EQ(Bytes(later.begin() + 20, later.begin() + 24),
            Bytes(options.begin(), options.begin() + 4));
}

}  // namespace
}  // namespace sekisho::fastpath
