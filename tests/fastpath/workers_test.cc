// Several workers: whole FastPaths of which packets cross from worker to worker. Rounds go over all
// workers in order on the test's thread, so that a packet can be caught on a ring between two.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "fastpath/dispose.h"
#include "fastpath/hand_over.h"
#include "fastpath/home_worker.h"
#include "fastpath/worker_hand_over.h"
#include "tests/fastpath/fast_path_fixture.h"

namespace sekisho::fastpath {
namespace {

constexpr WorkerId kFirst{0}, kSecond{1};

class WorkersTest : public FastPathTest {
 protected:
  // We, with several workers, and a peer with one, and a tunnel between them for each of `users`.
  void Connect(uint32_t users, uint16_t queues, uint32_t workers = 2) {
    Gateway::Options options = SiteOptions();
    options.workers = workers;
    options.queues = queues;
    us_ = &AddGateway(options);
    peer_ = &AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24")},
                         .inside = {*InterfaceAddress::Parse("10.20.0.254/24")},
                         .crypto_devices = {"crypto_openssl1"},
                         .workers = 1});
    SetTables(*us_, {MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")});
    SetTables(*peer_, {MakePolicy(PolicyAction::kProtect, "10.20.0.0/24", "10.10.0.0/24")});
    for (uint32_t user = 0; user < users; ++user) {
      in_.push_back(InstallTo(*us_, *peer_, user, std::nullopt));
      out_.push_back(InstallTo(*peer_, *us_, user, WorkerOf(in_.back().in.slot)));
    }
    // Known neighbours: no packet waits for one, and so none changes places.
    for (const auto& [gateway, outside, inside] :
         {std::tuple(us_, "203.0.113.2", "10.10.0.5"), std::tuple(peer_, "203.0.113.1", "")}) {
      ASSERT_TRUE(gateway->fast_path().SetNeighbour(kOutsidePort, Address(outside), kHostMac).ok());
      if (*inside == 0) continue;
      ASSERT_TRUE(gateway->fast_path().SetNeighbour(kInsidePort, Address(inside), kHostMac).ok());
    }
    for (uint32_t user = 0; user < users; ++user) {
      ASSERT_TRUE(peer_->fast_path()
                      .SetNeighbour(kInsidePort, Address(UserText(user).c_str()), kHostMac)
                      .ok());
    }
    us_->Run();
    peer_->Run();
  }

  struct Pair {
    SaHandle in, out;
    Spi spi;
  };
  static std::string UserText(uint32_t user) { return "10.20.0." + std::to_string(user + 1); }

  // The SAs that carry one user's packets to `to`; `worker` owns the sender's.
  Pair InstallTo(Gateway& to, Gateway& from, uint32_t user, std::optional<WorkerId> worker) {
    const bool to_us = &to == us_;
    const SecretBytes key(Bytes(36, static_cast<uint8_t>(2 * user + (to_us ? 1 : 0))));
    const IpsecSuite suite = {.encryption = {EncryptionId::kAesGcm16, 256}};
    const TrafficSelectors ours = {*TrafficSelector::Parse("10.10.0.0/24")};
    const TrafficSelectors users = {*TrafficSelector::Parse(UserText(user))};
    const Endpoint us = {Address("203.0.113.1"), 0}, peer = {Address("203.0.113.2"), 0};
    Pair pair;
    pair.spi = *to.fast_path().AllocateSpi();
    pair.in = *to.fast_path().InstallInbound({.spi = pair.spi,
                                              .suite = suite,
                                              .encryption_key = key,
                                              .local = to_us ? ours : users,
                                              .remote = to_us ? users : ours,
                                              .local_endpoint = to_us ? us : peer,
                                              .remote_endpoint = to_us ? peer : us});
    const OutboundSaParameters parameters = {.spi = pair.spi,
                                             .suite = suite,
                                             .encryption_key = key,
                                             .local = to_us ? users : ours,
                                             .remote = to_us ? ours : users,
                                             .local_endpoint = to_us ? peer : us,
                                             .remote_endpoint = to_us ? us : peer,
                                             .worker = worker};
    // The slots of what was removed may be waiting for a worker to end its round.
    absl::StatusOr<SaHandle> out = from.fast_path().InstallOutbound(parameters);
    while (absl::IsResourceExhausted(out.status())) {
      out = from.fast_path().InstallOutbound(parameters);
    }
    pair.out = *out;
    return pair;
  }

  static PacketBuilder ToUser(uint32_t user, uint16_t number) {
    return Ipv4("10.10.0.5", UserText(user).c_str()).Udp(number, 9).Payload(60);
  }
  static PacketBuilder FromUser(uint32_t user, uint16_t number) {
    return Ipv4(UserText(user).c_str(), "10.10.0.5").Udp(number, 9).Payload(60);
  }

  // What left `gateway` by its inside port: the packets' numbers by user, in order.
  static std::map<uint64_t, std::vector<int>> NumbersByUser(Gateway& gateway) {
    std::map<uint64_t, std::vector<int>> numbers;
    while (const std::optional<Bytes> packet = gateway.SentIp(kInsidePort)) {
      numbers[LoadBigEndian<uint64_t>(&(*packet)[12])].push_back(
          LoadBigEndian<uint16_t>(&(*packet)[20]));
    }
    return numbers;
  }

  // All that left `from` outside, in at `to`: by the queue that RSS might have chosen.
  void Carry(Gateway& from, Gateway& to, uint16_t queues) {
    uint32_t carried = 0;
    while (const std::optional<Bytes> packet = from.SentIp(kOutsidePort)) {
      to.ReceiveIp(kOutsidePort, *packet, static_cast<uint16_t>((*packet)[23] % queues));
      if (++carried % 256 == 0) to.Run();
    }
    to.Run();
  }

  uint64_t HandedOver() const {
    uint64_t handed = 0;
    for (const WorkerInfo& worker : us_->fast_path().Workers()) handed += worker.handed_over;
    return handed;
  }

  Gateway* us_ = nullptr;
  Gateway* peer_ = nullptr;
  std::vector<Pair> in_, out_;  // to us, to the peer; by user
};

TEST_F(WorkersTest, SasAreSpreadOverTheWorkersAndBothHalvesStayTogether) {
  Connect(/*users=*/8, /*queues=*/1);
  for (const WorkerInfo& worker : us_->fast_path().Workers()) {
    EXPECT_EQ(worker.inbound_sas, 4u);
    EXPECT_EQ(worker.outbound_sas, 4u);
    EXPECT_EQ(worker.queues, 1u) << "two ports of one queue each, a worker each";
  }
  EXPECT_EQ(us_->fast_path().inbound_sas(), 8u);
}

TEST_F(WorkersTest, SpiAtTheHomeOfAnAddress) {
  Connect(/*users=*/0, /*queues=*/1, /*workers=*/3);
  std::set<WorkerId> homes;
  for (uint32_t i = 0; i < 32; ++i) {
    const IpAddress nat = IpAddress::V4(0xc6336400 + i);
    const Spi first = *us_->fast_path().AllocateSpiAtHomeOf(nat);
    const Spi second = *us_->fast_path().AllocateSpiAtHomeOf(nat);
    EXPECT_EQ(first.worker(), HomeOf(nat, 3));
    EXPECT_EQ(second.worker(), HomeOf(nat, 3));
    homes.insert(first.worker());
    us_->fast_path().ReleaseSpi(first);
    us_->fast_path().ReleaseSpi(second);
  }
  EXPECT_EQ(homes.size(), 3u);
}

// Bursts of all users at once, by whichever queue: each user's packets come out in order, none is
// missing, and most have crossed from worker to worker.
class QueuesTest : public WorkersTest, public testing::WithParamInterface<uint16_t> {};

TEST_P(QueuesTest, PacketsOfAFlowStayInOrderBothWays) {
  const uint16_t queues = GetParam();
  constexpr uint32_t kUsers = 6;
  constexpr uint16_t kEach = 60;
  Connect(kUsers, queues);
  for (uint16_t number = 1; number <= kEach; ++number) {
    for (uint32_t user = 0; user < kUsers; ++user) {
      us_->ReceiveIp(kInsidePort, ToUser(user, number).Build(),
                     static_cast<uint16_t>((user / 2) % queues));
      peer_->ReceiveIp(kInsidePort, FromUser(user, number).Build());
    }
  }
  us_->Run();
  peer_->Run();
  Carry(*us_, *peer_, 1);
  Carry(*peer_, *us_, queues);
  std::vector<int> want;
  for (int number = 1; number <= kEach; ++number) want.push_back(number);
  for (Gateway* gateway : {us_, peer_}) {
    const auto numbers = NumbersByUser(*gateway);
    EXPECT_EQ(numbers.size(), kUsers);
    for (const auto& [user, got] : numbers) EXPECT_EQ(got, want);
  }
  EXPECT_GE(HandedOver(), uint64_t{kUsers * kEach / 2});
  EXPECT_EQ(us_->fast_path().GetAccounting().dropped, 0u);
  EXPECT_EQ(us_->fast_path().GetAccounting().held, 0u);
  const auto hits = us_->fast_path().PolicyHits();
  EXPECT_EQ(hits, std::vector<uint64_t>{kUsers * kEach});
}

INSTANTIATE_TEST_SUITE_P(OneForAllAndOneForEach, QueuesTest, testing::Values(1, 2));

// Worker 1 finds the SA and puts the packet on the ring; the SA goes before worker 0 takes it up.
TEST_F(WorkersTest, OutboundSaRemovedWhileItsPacketIsOnARing) {
  Connect(/*users=*/1, /*queues=*/2);
  ASSERT_EQ(WorkerOf(in_[0].in.slot), kFirst);
  us_->ReceiveIp(kInsidePort, ToUser(0, 1).Build(), 1);
  us_->fast_path().RunOnce();
  EXPECT_EQ(us_->fast_path().GetAccounting().held, 1u);
  us_->ExpectBalanced();
  ASSERT_TRUE(us_->fast_path().Remove(out_[0].out).ok());
  us_->Run();
  EXPECT_EQ(us_->drops(DropReason::kSpdNoSa), 1u);
  EXPECT_FALSE(us_->SentIp(kOutsidePort).has_value());
  EXPECT_EQ(us_->CountMessages(UpMessage::Kind::kSaRetired), 1u);
  EXPECT_FALSE(us_->fast_path().Counters(out_[0].out).ok()) << "retired and passed by all";
}

// As before, but a successor stands by then: the packet leaves under that one, owned elsewhere.
TEST_F(WorkersTest, OutboundSaReplacedWhileItsPacketIsOnARing) {
  Connect(/*users=*/1, /*queues=*/2);
  us_->ReceiveIp(kInsidePort, ToUser(0, 1).Build(), 1);
  us_->fast_path().RunOnce();
  const Pair fresh = InstallTo(*peer_, *us_, 0, kSecond);
  ASSERT_TRUE(us_->fast_path().Remove(out_[0].out).ok());
  us_->Run();
  EXPECT_EQ(us_->fast_path().Counters(fresh.out)->packets, 1u);
  peer_->Run();
  Carry(*us_, *peer_, 1);
  EXPECT_TRUE(peer_->SentIp(kInsidePort).has_value());
}

TEST_F(WorkersTest, InboundSaRemovedWhileItsPacketIsOnARing) {
  Connect(/*users=*/1, /*queues=*/2);
  peer_->ReceiveIp(kInsidePort, FromUser(0, 1).Build());
  peer_->Run();
  us_->ReceiveIp(kOutsidePort, *peer_->SentIp(kOutsidePort), 1);
  us_->fast_path().RunOnce();
  EXPECT_EQ(us_->fast_path().GetAccounting().held, 1u);
  ASSERT_TRUE(us_->fast_path().Remove(in_[0].in).ok());
  us_->Run();
  EXPECT_EQ(us_->drops(DropReason::kEspUnknownSpi), 1u);
  const std::vector<DropCount> detail = us_->fast_path().DropsInDetail();
  ASSERT_EQ(detail.size(), 1u);
  EXPECT_EQ(detail[0].worker, kFirst);
  EXPECT_EQ(detail[0].port, kOutsidePort) << "where it came in, by whichever worker";
}

// Tables that DISCARD arrive between the decision to PROTECT and the SA's owner: not one packet
// that both forbid, and the newer one forbids it.
TEST_F(WorkersTest, TablesSwappedWhileAPacketIsOnARing) {
  Connect(/*users=*/1, /*queues=*/2);
  us_->ReceiveIp(kInsidePort, ToUser(0, 1).Build(), 1);
  us_->fast_path().RunOnce();
  SetTables(*us_, {MakePolicy(PolicyAction::kDiscard, "0.0.0.0/0", "0.0.0.0/0")});
  EXPECT_EQ(us_->drops(DropReason::kSpdDiscard), 1u);
  EXPECT_FALSE(us_->SentIp(kOutsidePort).has_value());
}

// Every other fragment comes by another queue; all packets become whole.
TEST_F(WorkersTest, FragmentsMeetWhicheverQueueTheyComeBy) {
  Connect(/*users=*/0, /*queues=*/3, /*workers=*/3);
  const Bytes payload(2000, 0x33);
  constexpr int kDatagrams = 20;
  for (int i = 0; i < kDatagrams; ++i) {
    ASSERT_TRUE(
        peer_->fast_path()
            .SendUdp({Address("203.0.113.2"), 500}, {Address("203.0.113.1"), 500}, false, payload)
            .ok());
  }
  peer_->Run();
  uint16_t queue = 0;
  while (const std::optional<Bytes> piece = peer_->SentIp(kOutsidePort)) {
    us_->ReceiveIp(kOutsidePort, *piece, static_cast<uint16_t>(queue++ % 3));
  }
  EXPECT_EQ(queue, 2 * kDatagrams);
  us_->Run();
  for (int i = 0; i < kDatagrams; ++i) EXPECT_EQ(us_->Punted(), payload) << i;
  EXPECT_EQ(us_->fast_path().GetAccounting().held, 0u);
}

// One worker's ring is full: nobody hears of the new tables, and trying again later does it all.
TEST_F(WorkersTest, WhatGoesToAllGoesToAllOrToNone) {
  Connect(/*users=*/1, /*queues=*/2);
  const Endpoint us = {Address("203.0.113.1"), 0}, peer = {Address("203.0.113.2"), 0};
  while (us_->fast_path().MovePeer(out_[0].out, us, peer).ok()) {
  }
  EXPECT_TRUE(absl::IsResourceExhausted(us_->fast_path().SetTables({}, {})));
  EXPECT_TRUE(absl::IsResourceExhausted(
      us_->fast_path().SetNeighbour(kInsidePort, Address("10.10.0.9"), kHostMac)));
  EXPECT_TRUE(absl::IsResourceExhausted(us_->fast_path().Remove(out_[0].out)));
  us_->Run();
  EXPECT_EQ(us_->CountMessages(UpMessage::Kind::kTablesSwapped), 2u) << "of Connect()";
  EXPECT_TRUE(us_->fast_path().SetTables({}, {}).ok());
  us_->Run();
  EXPECT_EQ(us_->CountMessages(UpMessage::Kind::kTablesSwapped), 4u);
  EXPECT_TRUE(us_->fast_path().Remove(out_[0].out).ok());
  us_->Run();
  EXPECT_EQ(us_->CountMessages(UpMessage::Kind::kSaRetired), 1u);
}

// The answer to one worker's question comes to the other.
TEST_F(WorkersTest, AnyWorkerMayHearANeighboursAnswer) {
  Connect(/*users=*/0, /*queues=*/1);
  us_->answer_neighbours = false;
  SetTables(*us_, {MakePolicy(PolicyAction::kBypass, "0.0.0.0/0", "0.0.0.0/0")});
  us_->ReceiveIp(kInsidePort, Ipv4("10.10.0.5", "198.51.100.9").Udp(1, 2).Build());
  us_->Run();
  const auto asked = us_->TakeMessage(UpMessage::Kind::kResolveNeighbour);
  ASSERT_TRUE(asked.has_value());
  ASSERT_TRUE(us_->fast_path()
                  .SetNeighbour(asked->neighbour.port, asked->neighbour.address, kHostMac)
                  .ok());
  us_->Run();
  EXPECT_TRUE(us_->SentIp(kOutsidePort).has_value());
}

// A ring that takes no more: what finds no room is dropped under its name, and nothing is lost
// silently.
TEST(HandOverTest, FullRingDropsUnderItsName) {
  constexpr unsigned kRing = 16, kPackets = 40;
  auto worker = std::make_unique<Worker>();
  worker->worker_count = 2;
  rte_ring* const ring =
      rte_ring_create("over", kRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  ASSERT_NE(ring, nullptr);
  worker->hand_over.to[1].ring = ring;
  for (unsigned i = 0; i < kPackets; ++i) {
    rte_mbuf* mbuf = MakeMbuf(Bytes(60)).release();
    ContextOf(mbuf) = {};
    ContextOf(mbuf).port_in = PortId{1};
    HandOverTo(*worker, kSecond, HandOverStage::kTransmit, mbuf);
  }
  FlushHandOver(*worker);
  EXPECT_EQ(worker->counters.handed_over.Get(), kRing - 1);
  EXPECT_EQ(worker->counters.drops[1][static_cast<size_t>(DropReason::kHandOverFull)].Get(),
            kPackets - (kRing - 1));
  FreeDisposed(*worker);

  auto other = std::make_unique<Worker>();
  other->hand_over.from[0] = ring;
  std::array<rte_mbuf*, kBurstMax> taken;
  const size_t count = TakeHandedOver(*other, 0, taken);
  EXPECT_EQ(count, kRing - 1);
  EXPECT_EQ(other->counters.taken_over.Get(), kRing - 1);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(count));
  rte_ring_free(ring);
}

// Two lcores forward while SAs come, move and go; in the end every packet is accounted for, and
// every SA is gone. What a worker read while it was freed is ThreadSanitizer's to find.
TEST_F(WorkersTest, SasComeAndGoWhileTrafficFlows) {
  constexpr uint32_t kUsers = 16;
  constexpr int kRounds = 300;
  Connect(kUsers, /*queues=*/1);
  FastPath& fast_path = us_->fast_path();
  ASSERT_TRUE(fast_path.Start().ok());
  size_t retired = 0, removed = 0;
  const auto poll = [&] {
    std::array<UpMessage, 32> said;
    const size_t count = fast_path.PollUp(said);
    for (size_t i = 0; i < count; ++i) retired += said[i].kind == UpMessage::Kind::kSaRetired;
    while (us_->Sent(kOutsidePort).has_value()) {
    }
  };
  for (int round = 0; round < kRounds; ++round) {
    const uint32_t user = static_cast<uint32_t>(round) % kUsers;
    us_->ReceiveIp(kInsidePort, ToUser(user, 1).Build());
    us_->ReceiveIp(kInsidePort, ToUser((user + 7) % kUsers, 1).Build());
    const Pair fresh =
        InstallTo(*peer_, *us_, user, WorkerId{static_cast<uint8_t>(round % 3 == 0 ? 1 : 0)});
    ASSERT_TRUE(fast_path.Remove(out_[user].out).ok());
    ++removed;
    out_[user] = fresh;
    ASSERT_TRUE(
        fast_path.MovePeer(fresh.out, {Address("203.0.113.1"), 0}, {Address("203.0.113.2"), 0})
            .ok());
    // The peer never runs; its slots are taken from it again.
    ASSERT_TRUE(peer_->fast_path().Remove(fresh.in).ok());
    if (round % 16 == 15) peer_->Run();
    while (removed - retired > 32) poll();
    if (round == kRounds / 2) {
      ASSERT_TRUE(
          fast_path
              .SetTables({MakePolicy(PolicyAction::kProtect, "10.10.0.0/24", "10.20.0.0/24")}, {})
              .ok());
    }
    poll();
  }
  for (const Pair& pair : out_) ASSERT_TRUE(fast_path.Remove(pair.out).ok());
  removed += out_.size();
  while (retired < removed) poll();
  fast_path.Stop();
  us_->Run();
  while (us_->Sent(kOutsidePort).has_value()) {
  }
  EXPECT_EQ(fast_path.outbound_sas(), 0u);
  EXPECT_EQ(fast_path.GetAccounting().received, uint64_t{2 * kRounds});
  EXPECT_EQ(fast_path.GetAccounting().held, 0u);
}

}  // namespace
}  // namespace sekisho::fastpath
