#include "tests/fastpath/fast_path_fixture.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "fastpath/hand_over.h"
#include "fastpath/mbuf.h"
#include "tests/fastpath/fake_offloads.h"

namespace sekisho::fastpath {
namespace {

constexpr unsigned kWireFrames = 1024;

std::string UniqueName() {
  static int made = 0;
  return "wire" + std::to_string(made++);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    ADD_FAILURE() << value.status();
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

uint32_t Gateway::DefaultWorkers() {
  const char* workers = std::getenv("SEKISHO_TEST_WORKERS");
  return workers == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(workers, nullptr, 10));
}

Gateway::Wire Gateway::AddPort(const std::string& name, uint16_t queues) {
  Wire wire;
  for (int i = 0; i < queues; ++i) {
    const std::string end = name + std::to_string(i);
    wire.to.push_back(rte_ring_create((end + "to").c_str(), kWireFrames, SOCKET_ID_ANY, 0));
    wire.from.push_back(rte_ring_create((end + "from").c_str(), kWireFrames, SOCKET_ID_ANY, 0));
  }
  const int port =
      rte_eth_from_rings(name.c_str(), wire.to.data(), queues, wire.from.data(), queues, 0);
  EXPECT_GE(port, 0);
  rte_ether_addr mac;
  rte_eth_macaddr_get(static_cast<uint16_t>(port), &mac);
  devices_.push_back(static_cast<uint16_t>(port));
  macs_.emplace_back();
  std::copy_n(mac.addr_bytes, 6, macs_.back().begin());
  return wire;
}

Gateway::Gateway(const Options& options) {
  for (const std::string& device : options.crypto_devices) {
    EXPECT_TRUE(CreateVdev(device));
  }
  FastPathConfig config;
  for (const bool outside : {true, false}) {
    const std::string name = UniqueName();
    wires_.push_back(AddPort(name, options.queues));
    config.ports.push_back({.name = outside ? "wan" : "lan",
                            .device = "net_ring_" + name,
                            .side = outside ? PortSide::kOutside : PortSide::kInside,
                            .addresses = outside ? options.outside : options.inside,
                            .mtu = options.mtu,
                            .vlan = outside ? options.vlan : uint16_t{0},
                            .reverse_path = options.reverse_path});
  }
  if (options.host) {
    const std::string name = UniqueName();
    wires_.push_back(AddPort(name, options.queues));
    config.ports.push_back({.name = "host",
                            .device = "net_ring_" + name,
                            .side = PortSide::kHost,
                            .addresses = {},
                            .mtu = options.mtu});
  }
  config.flows_max = options.flows_max;
  config.decisions_max = options.decisions_max;
  for (uint32_t i = 1; i <= options.workers; ++i) config.worker_lcores.push_back(i);
  config.crypto_devices = options.crypto_devices;
  config.inbound_sas_max = options.sas_max;
  config.outbound_sas_max = options.sas_max;
  config.mbufs = 2048;
  fast_path_ = Must(FastPath::Create(config));
}

Gateway::~Gateway() {
  for (const UpMessage& message : punted_) rte_pktmbuf_free(message.packet.mbuf);
  for (const Wire& wire : wires_) {
    void* frame = nullptr;
    for (rte_ring* ring : wire.from) {
      while (rte_ring_dequeue(ring, &frame) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
  }
  fast_path_.reset();
  for (const Wire& wire : wires_) {
    for (rte_ring* ring : wire.to) rte_ring_free(ring);
    for (rte_ring* ring : wire.from) rte_ring_free(ring);
  }
}

void Gateway::Receive(PortId port, const Bytes& frame, uint16_t queue) {
  rte_mbuf* mbuf = MakeMbuf(frame).release();
  mbuf->ol_flags |= port_says;
  GiveToDpdk(mbuf);
  ASSERT_EQ(rte_ring_enqueue(wires_[static_cast<size_t>(port)].to[queue], mbuf), 0);
}

void Gateway::ReceiveIp(PortId port, const Bytes& packet, uint16_t queue) {
  Bytes frame(14);
  const MacAddress to = mac(port);
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(kHostMac.begin(), kHostMac.end(), frame.begin() + 6);
  const bool v4 = !packet.empty() && packet[0] >> 4 == 4;
  frame[12] = v4 ? 0x08 : 0x86;
  frame[13] = v4 ? 0x00 : 0xdd;
  frame.insert(frame.end(), packet.begin(), packet.end());
  Receive(port, frame, queue);
}

void Gateway::Run() {
  constexpr int kIdleRounds = 3;
  for (int idle = 0; idle < kIdleRounds; ++idle) {
    if (fast_path_->RunOnce()) idle = 0;
    std::array<UpMessage, 16> said;
    const size_t count = fast_path_->PollUp(said);
    for (size_t i = 0; i < count; ++i) {
      const UpMessage& message = said[i];
      const bool packet = message.kind == UpMessage::Kind::kPacket;
      (packet ? punted_ : messages_).push_back(message);
      if (message.kind == UpMessage::Kind::kResolveNeighbour && answer_neighbours) {
        EXPECT_TRUE(
            fast_path_->SetNeighbour(message.neighbour.port, message.neighbour.address, kHostMac)
                .ok());
      }
    }
    if (count > 0) idle = 0;
  }
}

std::optional<Bytes> Gateway::Sent(PortId port) {
  void* frame = nullptr;
  for (rte_ring* ring : wires_[static_cast<size_t>(port)].from) {
    if (frame == nullptr) rte_ring_dequeue(ring, &frame);
  }
  if (frame == nullptr) return std::nullopt;
  const MbufPtr mbuf(static_cast<rte_mbuf*>(frame));
  TakeFromDpdk(mbuf.get());
  if (DoAsDevice(mbuf.get())) ++offloaded;
  Bytes bytes = BytesOf(mbuf.get());
  GiveToDpdk(mbuf.get());
  return bytes;
}

std::optional<Bytes> Gateway::SentIp(PortId port) {
  std::optional<Bytes> frame = Sent(port);
  if (!frame.has_value() || frame->size() < 34) return std::nullopt;
  Bytes packet(frame->begin() + 14, frame->end());
  // Without the padding of short frames.
  const size_t length = packet[0] >> 4 == 4 ? LoadBigEndian<uint16_t>(&packet[2])
                                            : 40u + LoadBigEndian<uint16_t>(&packet[4]);
  packet.resize(std::min(packet.size(), length));
  return packet;
}

std::optional<Bytes> Gateway::Punted(UpMessage* message) {
  if (punted_.empty()) return std::nullopt;
  const UpMessage first = punted_.front();
  punted_.erase(punted_.begin());
  if (message != nullptr) *message = first;
  const MbufPtr mbuf(first.packet.mbuf);
  return BytesOf(mbuf.get());
}

std::optional<UpMessage> Gateway::TakeMessage(UpMessage::Kind kind) {
  const auto found =
      std::find_if(messages_.begin(), messages_.end(),
                   [kind](const UpMessage& message) { return message.kind == kind; });
  if (found == messages_.end()) return std::nullopt;
  const UpMessage message = *found;
  messages_.erase(found);
  return message;
}

size_t Gateway::CountMessages(UpMessage::Kind kind) const {
  return static_cast<size_t>(
      std::count_if(messages_.begin(), messages_.end(),
                    [kind](const UpMessage& message) { return message.kind == kind; }));
}

uint64_t Gateway::drops(DropReason reason) {
  for (const auto& [each, count] : fast_path_->Drops()) {
    if (each == reason) return count;
  }
  return 0;
}

void Gateway::ExpectBalanced() {
  const Accounting books = fast_path_->GetAccounting();
  EXPECT_EQ(books.received + books.made_here, books.sent + books.delivered + books.punted +
                                                  books.consumed + books.dropped + books.held)
      << "received " << books.received << ", made here " << books.made_here << "; sent "
      << books.sent << ", delivered up " << books.delivered << ", punted " << books.punted
      << ", consumed " << books.consumed << ", dropped " << books.dropped << ", held "
      << books.held;
  EXPECT_EQ(drops(DropReason::kBug), 0u);
}

Gateway::Options FastPathTest::SiteOptions() {
  return {.outside = {*InterfaceAddress::Parse("203.0.113.1/24"),
                      *InterfaceAddress::Parse("2001:db8:113::1/64")},
          .inside = {*InterfaceAddress::Parse("10.10.0.254/24"),
                     *InterfaceAddress::Parse("2001:db8:10::fe/64")}};
}

void FastPathTest::SetTables(Gateway& gateway, std::vector<Policy> policies) {
  const std::vector<Route> routes = {
      {*IpPrefix::Parse("0.0.0.0/0"), kOutsidePort, Address("203.0.113.254")},
      {*IpPrefix::Parse("::/0"), kOutsidePort, Address("2001:db8:113::fe")}};
  ASSERT_TRUE(gateway.fast_path().SetTables(std::move(policies), routes).ok());
  gateway.Run();
}

Policy FastPathTest::MakePolicy(PolicyAction action, const char* local, const char* remote) {
  return {.name = "policy",
          .action = action,
          .local = {*TrafficSelector::Parse(local)},
          .remote = {*TrafficSelector::Parse(remote)}};
}

void FastPathTest::TearDown() {
  for (const auto& gateway : gateways_) gateway->ExpectBalanced();
  gateways_.clear();
}

Gateway& FastPathTest::gateway() {
  if (gateways_.empty()) AddGateway(SiteOptions());
  return *gateways_.front();
}

Gateway& FastPathTest::AddGateway(const Gateway::Options& options) {
  gateways_.push_back(std::make_unique<Gateway>(options));
  return *gateways_.back();
}

}  // namespace sekisho::fastpath
