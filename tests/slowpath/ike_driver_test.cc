// Two drivers, each over a FastPath with ring ports, and a wire between their outside ports: a
// whole tunnel on the test's own thread.
#include "slowpath/ike_driver.h"

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <functional>

#include "common/byte_order.h"
#include "tests/fastpath/fast_path_fixture.h"
#include "tests/ike/connections.h"

namespace sekisho::slowpath {
namespace {

using fastpath::kInsidePort;
using fastpath::kOutsidePort;

Config ConfigWith(ike::Connection connection) {
  connection.children.front().esp_proposals = {*AlgorithmProposal::ParseEsp("aes256gcm16")};
  Config config;
  config.connections.push_back(
      {.connection = std::make_shared<const ike::Connection>(std::move(connection))});
  config.ike.old_inbound_linger = absl::ZeroDuration();
  return config;
}

class IkeDriverTest : public fastpath::FastPathTest {
 protected:
  struct End {
    End(fastpath::Gateway& gateway_in, Config config, EventLoop& loop, const MonotonicClock& clock)
        : gateway(gateway_in),
          log(*Logger::Open({.level = LogLevel::kError})),
          driver(config, loop, clock, gateway.fast_path(), *log) {}
    fastpath::Gateway& gateway;
    std::unique_ptr<Logger> log;
    IkeDriver driver;

    std::vector<ike::IkeSaInfo> ike_sas() const { return driver.engine().ListIkeSas(); }
    bool has_child() const {
      const auto sas = ike_sas();
      return sas.size() == 1 && sas[0].children.size() == 1;
    }
  };

  void SetUp() override {
    SetUpEnds(ike::ClientConnection(), ike::GatewayConnection());
    loop_.Every(absl::Milliseconds(1), [this] {
      Carry(*home_, *staff_);
      Carry(*staff_, *home_);
      HandleExpiries(*home_);
      HandleExpiries(*staff_);
      if (until_()) loop_.Stop();
    });
    loop_
        .MakeAlarm([this] {
          ADD_FAILURE() << "what the test waits for did not come";
          loop_.Stop();
        })
        .Set(absl::Seconds(60));
  }

  // Anew, where there were some.
  void SetUpEnds(ike::Connection client, ike::Connection gateway) {
    home_.reset();
    staff_.reset();
    TearDown();
    fastpath::Gateway& home = AddGateway({.outside = {*InterfaceAddress::Parse("203.0.113.2/24")},
                                          .inside = {*InterfaceAddress::Parse("192.168.5.254/24")},
                                          .crypto_devices = {"crypto_openssl1"}});
    fastpath::Gateway& staff = AddGateway(SiteOptions());
    SetTables(home,
              {MakePolicy(fastpath::PolicyAction::kProtect, "192.168.5.0/24", "10.10.0.0/24")});
    SetTables(staff,
              {MakePolicy(fastpath::PolicyAction::kProtect, "10.10.0.0/24", "192.168.5.0/24")});
    home_.emplace(home, ConfigWith(std::move(client)), loop_, clock_);
    staff_.emplace(staff, ConfigWith(std::move(gateway)), loop_, clock_);
  }

  // As the gateway does with what its workers say.
  static void HandleExpiries(End& end) {
    for (const bool hard : {false, true}) {
      while (const auto message = end.gateway.TakeMessage(hard ? UpMessage::Kind::kHardExpiry
                                                               : UpMessage::Kind::kSoftExpiry)) {
        end.driver.HandleExpiry(message->sa, hard);
      }
    }
  }

  void RunUntil(std::function<bool()> condition) {
    until_ = std::move(condition);
    loop_.Run();
  }

  // Rounds of one end; what it sends outside arrives at the other.
  void Carry(End& from, End& to) {
    from.gateway.Run();
    UpMessage message;
    while (const auto ike = from.gateway.Punted(&message)) {
      from.driver.HandleDatagram(message.packet.local, message.packet.remote, *ike);
    }
    from.gateway.Run();
    while (auto packet = from.gateway.SentIp(kOutsidePort)) {
      if (nat_) Translate(*packet, &from == &*home_);
      to.gateway.ReceiveIp(kOutsidePort, *packet);
    }
  }

  // The port of the home end's UDP packets, there and back; no checksum (RFC 768: 0).
  static void Translate(Bytes& packet, bool from_home) {
    constexpr size_t kSource = 20, kDestination = 22, kChecksum = 26;
    const size_t port = from_home ? kSource : kDestination;
    StoreBigEndian<uint16_t>(&packet[port],
                             static_cast<uint16_t>(LoadBigEndian<uint16_t>(&packet[port]) +
                                                   (from_home ? kNatShift : -kNatShift)));
    StoreBigEndian<uint16_t>(&packet[kChecksum], 0);
  }

  void SetUpTunnel() {
    const auto started = home_->driver.Initiate("home");
    ASSERT_TRUE(started.ok()) << started.status();
    RunUntil([&] { return home_->has_child() && staff_->has_child(); });
  }

  // Does a packet from the home network come out inside, as it was?
  bool Passes() {
    const Bytes packet =
        fastpath::Ipv4("192.168.5.7", "10.10.0.9").Udp(1000, 2000).Payload(100).Build();
    home_->gateway.ReceiveIp(kInsidePort, packet);
    Carry(*home_, *staff_);
    staff_->gateway.Run();
    const auto out = staff_->gateway.SentIp(kInsidePort);
    return out && out->size() == packet.size();
  }

  EventLoop loop_;
  MonotonicClock clock_;
  static constexpr int kNatShift = 30'000;
  bool nat_ = false;  // home is behind one
  std::function<bool()> until_ = [] { return true; };
  std::optional<End> home_, staff_;
};

TEST_F(IkeDriverTest, AHandshakeBecomesATunnel) {
  EXPECT_FALSE(Passes()) << "before there is one";
  SetUpTunnel();
  EXPECT_TRUE(Passes());
  EXPECT_EQ(staff_->gateway.fast_path().inbound_sas(), 1u);
  EXPECT_EQ(staff_->gateway.fast_path().outbound_sas(), 1u);
}

// What the engine is told of life comes from the counters of the worker.
TEST_F(IkeDriverTest, SeesTrafficOfAChildSa) {
  SetUpTunnel();
  const ike::ChildSaId child = staff_->ike_sas()[0].children[0].id;
  staff_->driver.ReportTraffic();
  EXPECT_EQ(staff_->driver.child_sas().Get(child)->inbound_packets_seen, 0u);
  ASSERT_TRUE(Passes());
  staff_->driver.ReportTraffic();
  EXPECT_EQ(staff_->driver.child_sas().Get(child)->inbound_packets_seen, 1u);
}

TEST_F(IkeDriverTest, ARekeyLeavesOnePairAndTheTunnel) {
  SetUpTunnel();
  const ike::ChildSaId old = staff_->ike_sas()[0].children[0].id;
  ASSERT_TRUE(staff_->driver.RekeyChildSa(old).ok());
  RunUntil([&] {
    return staff_->has_child() && staff_->ike_sas()[0].children[0].id != old &&
           home_->has_child() && staff_->gateway.fast_path().inbound_sas() == 1 &&
           home_->gateway.fast_path().inbound_sas() == 1;
  });
  EXPECT_TRUE(Passes());
}

// Packets of either direction bring a new pair when there were as many as the child may have before
// its rekey, and traffic goes on.
TEST_F(IkeDriverTest, SoftLimitsOfEitherDirectionRekey) {
  for (const bool packets : {true, false}) {
    for (const bool ours : {true, false}) {
      ike::Connection connection = ike::GatewayConnection();
      ike::Connection peer = ike::ClientConnection();
      ike::ChildTemplate& child = ours ? connection.children[0] : peer.children[0];
      (packets ? child.rekey_packets : child.rekey_bytes) = packets ? 3 : 3 * 128;
      SetUpEnds(peer, connection);
      SetUpTunnel();
      const ike::ChildSaId old = staff_->ike_sas()[0].children[0].id;
      EXPECT_TRUE(Passes());
      EXPECT_TRUE(Passes());
      Carry(*staff_, *home_);
      EXPECT_EQ(staff_->ike_sas()[0].children[0].id, old) << "not before";
      EXPECT_TRUE(Passes());
      RunUntil([&] {
        return staff_->has_child() && staff_->ike_sas()[0].children[0].id != old &&
               home_->has_child() && staff_->gateway.fast_path().inbound_sas() == 1 &&
               home_->gateway.fast_path().inbound_sas() == 1;
      });
      EXPECT_TRUE(Passes());
    }
  }
}

// What a child may carry in all: the packet beyond is dropped, and both ends take the pair down.
TEST_F(IkeDriverTest, HardLimitsOfEitherDirectionEndTheChild) {
  for (const bool packets : {true, false}) {
    for (const bool ours : {true, false}) {
      ike::Connection connection = ike::GatewayConnection();
      ike::Connection peer = ike::ClientConnection();
      ike::ChildTemplate& child = ours ? connection.children[0] : peer.children[0];
      (packets ? child.life_packets : child.life_bytes) = packets ? 2 : 2 * 128;
      SetUpEnds(peer, connection);
      SetUpTunnel();
      EXPECT_TRUE(Passes());
      EXPECT_TRUE(Passes());
      EXPECT_FALSE(Passes());
      EXPECT_EQ((ours ? *staff_ : *home_).gateway.drops(fastpath::DropReason::kSaLifetime), 1u);
      RunUntil([&] {
        return home_->ike_sas().size() == 1 && home_->ike_sas()[0].children.empty() &&
               staff_->ike_sas().size() == 1 && staff_->ike_sas()[0].children.empty() &&
               staff_->gateway.fast_path().inbound_sas() == 0 &&
               home_->gateway.fast_path().outbound_sas() == 0;
      });
      EXPECT_FALSE(Passes());
    }
  }
}

// RFC 3948, 4: whoever is behind the NAT keeps its mapping alive, every 20 seconds in which nothing
// else did; nobody else sends any.
TEST_F(IkeDriverTest, KeepalivesComeFromBehindTheNatWhileNothingElseGoesThere) {
  EXPECT_EQ(IkeDriver::kKeepaliveInterval, absl::Seconds(20));
  const auto keepalives = [](End& end) {
    end.driver.SendKeepalives();
    end.gateway.Run();
    int count = 0;
    while (const auto packet = end.gateway.SentIp(kOutsidePort)) {
      EXPECT_EQ(packet->size(), 29u);
      EXPECT_EQ(packet->back(), 0xff);
      EXPECT_EQ(LoadBigEndian<uint16_t>(&(*packet)[20]), 4500);
      ++count;
    }
    return count;
  };
  nat_ = true;
  SetUpTunnel();
  EXPECT_EQ(keepalives(*home_), 1);
  EXPECT_EQ(keepalives(*staff_), 0) << "not behind one";
  ASSERT_TRUE(Passes());
  EXPECT_EQ(keepalives(*home_), 0) << "its traffic did";
  EXPECT_EQ(keepalives(*home_), 1) << "and no longer does";

  nat_ = false;
  SetUpEnds(ike::ClientConnection(), ike::GatewayConnection());
  SetUpTunnel();
  EXPECT_EQ(keepalives(*home_), 0) << "no NAT";
}

// After the delete no slot, no SPI and no entry is left on either side.
TEST_F(IkeDriverTest, ADeleteLeavesNothing) {
  SetUpTunnel();
  ASSERT_TRUE(staff_->driver.DeleteIkeSa(staff_->ike_sas()[0].id).ok());
  RunUntil([&] {
    return home_->driver.idle() && staff_->driver.idle() &&
           home_->gateway.fast_path().inbound_sas() == 0 &&
           staff_->gateway.fast_path().inbound_sas() == 0;
  });
  EXPECT_EQ(home_->gateway.fast_path().outbound_sas(), 0u);
  EXPECT_EQ(staff_->gateway.fast_path().outbound_sas(), 0u);
  EXPECT_FALSE(Passes());
}

// The worker reports the peer's new place once, so the answer may be late but not lost.
TEST_F(IkeDriverTest, AMoveThatAFullRingRefusedIsMadeLater) {
  nat_ = true;
  SetUpTunnel();
  const ike::IkeSaInfo before = staff_->ike_sas()[0];
  const ChildSas::ChildSa* child = staff_->driver.child_sas().Get(before.children[0].id);
  fastpath::FastPath& fast_path = staff_->gateway.fast_path();
  const Endpoint moved{before.remote.address, 40002};
  while (fast_path.ForgetNeighbour(kInsidePort, before.remote.address).ok()) {
  }
  staff_->driver.HandlePeerMoved(
      {child->inbound->slot, child->inbound->generation, before.local, moved});
  staff_->gateway.Run();
  staff_->driver.RetryPending();
  staff_->gateway.Run();
  staff_->gateway.ReceiveIp(
      kInsidePort, fastpath::Ipv4("10.10.0.9", "192.168.5.7").Udp(1, 2).Payload(9).Build());
  staff_->gateway.Run();
  const auto sent = staff_->gateway.SentIp(kOutsidePort);
  ASSERT_TRUE(sent);
  EXPECT_EQ(LoadBigEndian<uint16_t>(&(*sent)[22]), 40002) << "the UDP port that it was sent to";
}

TEST_F(IkeDriverTest, InitiateSaysWhatItLacks) {
  EXPECT_EQ(home_->driver.Initiate("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(staff_->driver.Initiate("staff").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sekisho::slowpath
