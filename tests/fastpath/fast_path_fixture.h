// tests/fastpath/fast_path_fixture.h: whole FastPaths over ring vdevs, driven round by round on the
// test's own thread: no lcores, no sleeps. After each test the books of every FastPath must
// balance.
#pragma once

#include <gtest/gtest.h>
#include <rte_ring.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fastpath/fast_path.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {

// Two ports, an outside one and an inside one, and a host port where asked for, whose far ends are
// in the test's hand.
class Gateway {
 public:
  struct Options {
    std::vector<InterfaceAddress> outside, inside;
    uint16_t mtu = 1500;
    bool host = false;
    uint32_t flows_max = 1024;
    uint32_t decisions_max = 4096;
    bool reverse_path = true;
    uint16_t vlan = 0;  // of the outside port
    std::vector<std::string> crypto_devices = {"crypto_openssl0"};
    uint32_t workers = DefaultWorkers();
    uint16_t queues = 1;  // of each port
    uint32_t sas_max = 64;
  };
  // One, or SEKISHO_TEST_WORKERS: what holds for one worker holds for several.
  static uint32_t DefaultWorkers();
  explicit Gateway(const Options& options);
  ~Gateway();

  FastPath& fast_path() { return *fast_path_; }
  MacAddress mac(PortId port) const { return macs_[static_cast<size_t>(port)]; }

  uint16_t device(PortId port) const { return devices_[static_cast<size_t>(port)]; }

  // A frame arrives; nothing happens to it before Run().
  void Receive(PortId port, const Bytes& frame, uint16_t queue = 0);
  // Behind an Ethernet header from `kHostMac` to the port.
  void ReceiveIp(PortId port, const Bytes& packet, uint16_t queue = 0);
  // Rounds until nothing is left to do; keeps what the worker said, and answers kResolveNeighbour
  // with kHostMac unless told not to.
  void Run();
  // The next frame that left by the port, or nothing; queue by queue. As it would be on a wire.
  std::optional<Bytes> Sent(PortId port);
  // The IP packet in it.
  std::optional<Bytes> SentIp(PortId port);
  // The payload of the next punted IKE message.
  std::optional<Bytes> Punted(UpMessage* message = nullptr);
  // The first message of this kind that was not taken yet; packets are Punted()'s.
  std::optional<UpMessage> TakeMessage(UpMessage::Kind kind);
  size_t CountMessages(UpMessage::Kind kind) const;

  uint64_t drops(DropReason reason);
  void ExpectBalanced();

  bool answer_neighbours = true;
  // What a device that checks headers notes in the buffers of frames that arrive.
  uint64_t port_says = 0;
  uint64_t offloaded = 0;  // frames of Sent() of which something was left to the device

 private:
  struct Wire {
    std::vector<rte_ring*> to, from;  // by queue
  };
  Wire AddPort(const std::string& name, uint16_t queues);

  std::vector<Wire> wires_;
  std::vector<MacAddress> macs_;
  std::vector<uint16_t> devices_;  // of DPDK
  std::unique_ptr<FastPath> fast_path_;
  std::vector<UpMessage> messages_;
  std::vector<UpMessage> punted_;
};

inline constexpr PortId kOutsidePort{0}, kInsidePort{1}, kHostPort{2};
inline constexpr MacAddress kHostMac = {0x02, 0, 0, 0, 0, 0x77};

// A gateway as a site has one: 203.0.113.1/24 and 2001:db8:113::1/64 outside, 10.10.0.254/24 and
// 2001:db8:10::fe/64 inside, default routes outside.
class FastPathTest : public testing::Test {
 public:
  static Gateway::Options SiteOptions();

 protected:
  // Policies and the default routes; run into effect.
  static void SetTables(Gateway& gateway, std::vector<Policy> policies);
  static Policy MakePolicy(PolicyAction action, const char* local, const char* remote);

  void TearDown() override;
  // Made by the first use.
  Gateway& gateway();
  Gateway& AddGateway(const Gateway::Options& options);

 private:
  std::vector<std::unique_ptr<Gateway>> gateways_;
};

}  // namespace sekisho::fastpath
