// tests/slowpath/fake_status_view.h: a gateway with one peer, frozen in time.
#pragma once

#include <string>
#include <vector>

#include "slowpath/status_view.h"

namespace sekisho::slowpath {

inline IpAddress FakeIp(const char* text) { return IpAddress::Parse(text).value(); }

class FakeStatusView final : public StatusView {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(10000); }
  absl::Time StartedAt() const override { return absl::FromUnixSeconds(0); }
  std::vector<fastpath::PortInfo> Ports() const override {
    fastpath::PortInfo port{};
    port.name = "wan";
    port.device = "net_af_packet0";
    port.driver = "net_af_packet";
    port.mac = {2, 0, 0, 0, 0, 1};
    port.addresses = {InterfaceAddress::Parse("203.0.113.1/24").value(),
                      InterfaceAddress::Parse("2001:db8:113::1/64").value()};
    port.mtu = 1500;
    port.link_up = true;
    port.link_mbps = 10000;
    port.counters = {.received_packets = 1234567,
                     .received_bytes = 987654321,
                     .sent_packets = 12,
                     .sent_bytes = 999};
    return {port};
  }
  std::vector<ManualSaInfo> ManualSas() const override { return manual_sas; }
  std::vector<ike::IkeSaInfo> IkeSas() const override {
    ike::ChildSaInfo child{};
    child.id = ike::ChildSaId{7};
    child.child = "net";
    child.state = "installed";
    child.inbound_spi = Spi{0xc0001234};
    child.outbound_spi = Spi{0x0badcafe};
    child.suite = {.encryption = {EncryptionId::kAesGcm16, 256}};
    child.udp_encapsulation = true;
    child.local = {TrafficSelector::Parse("10.10.0.0/24").value()};
    child.remote = {TrafficSelector::Parse("10.99.0.1").value()};
    child.established_at = Now() - absl::Seconds(59);
    child.rekey_at = Now() + absl::Minutes(50);
    ike::IkeSaInfo sa{};
    sa.id = ike::IkeSaId{3};
    sa.connection = "staff";
    sa.state = "established";
    sa.initiator_spi = 0x1111;
    sa.responder_spi = 0x2222;
    sa.local = {FakeIp("203.0.113.1"), 4500};
    sa.remote = {FakeIp("198.51.100.77"), 4500};
    sa.local_identity = "vpn.example.org";
    sa.remote_identity = "client1.example.org";
    sa.suite = {.encryption = {EncryptionId::kAesGcm16, 256},
                .prf = PrfId::kHmacSha2_256,
                .key_exchange = KeyExchangeId::kX25519};
    sa.remote_behind_nat = true;
    sa.virtual_ipv4 = FakeIp("10.99.0.1");
    sa.established_at = Now() - absl::Seconds(723);
    sa.rekey_at = Now() + absl::Hours(3);
    sa.children = {child};
    return many_sas > 0 ? std::vector<ike::IkeSaInfo>(many_sas, sa) : std::vector{sa};
  }
  ChildSaTraffic Traffic(ike::ChildSaId) const override {
    return {.inbound = fastpath::SaCounters{.packets = 1000, .bytes = 64000, .dropped = 2},
            .outbound = std::nullopt};
  }
  std::vector<PolicyStatus> Policies() const override {
    return {{.policy = {.name = "users",
                        .action = fastpath::PolicyAction::kProtect,
                        .local = {TrafficSelector::Parse("10.10.0.0/24").value()},
                        .remote = {TrafficSelector::Parse("10.99.0.0/24").value()}},
             .hits = 42,
             .drops = 3}};
  }
  std::vector<std::pair<fastpath::DropReason, uint64_t>> Drops() const override {
    return {{fastpath::DropReason::kEspReplayed, 5}, {fastpath::DropReason::kNoRoute, 0}};
  }
  fastpath::Accounting GetAccounting() const override { return accounting; }
  std::vector<fastpath::WorkerInfo> Workers() const override {
    return {{.lcore = 1,
             .rounds = 1000,
             .busy_rounds = 250,
             .received = 700,
             .sent = 600,
             .handed_over = 30,
             .taken_over = 20,
             .dropped = 60,
             .held = 0,
             .inbound_sas = 1,
             .outbound_sas = 1,
             .queues = 2}};
  }
  std::vector<fastpath::DropCount> DropsInDetail() const override {
    return {{WorkerId{0}, PortId{0}, fastpath::DropReason::kEspReplayed, 4},
            {WorkerId{1}, std::nullopt, fastpath::DropReason::kEspReplayed, 1}};
  }
  std::vector<PoolInfo> Pools() const override {
    return {{.name = "staff4",
             .addresses = {FakeIp("10.99.0.1"), FakeIp("10.99.0.200")},
             .size = 200,
             .leased = 1,
             .dns = {FakeIp("10.10.0.53")}}};
  }
  std::vector<LeaseInfo> Leases() const override {
    return {{.pool = "staff4",
             .address = FakeIp("10.99.0.1"),
             .ike_sa = ike::IkeSaId{3},
             .identity = "client1\xff"}};
  }
  std::vector<NeighbourInfo> Neighbours() const override {
    return {{.port = PortId{0},
             .address = FakeIp("203.0.113.254"),
             .state = "resolving",
             .mac = {},
             .since = Now() - absl::Seconds(1)}};
  }
  IkeCounters GetIkeCounters() const override { return {}; }
  std::vector<std::string> ConnectionNames() const override { return {"staff", "branch"}; }
  LogLevel GetLogLevel() const override { return level; }

  absl::Status RekeyIkeSa(ike::IkeSaId id) override { return Note("rekey-ike-sa", id); }
  absl::Status RekeyChildSa(ike::ChildSaId id) override { return Note("rekey-child-sa", id); }
  absl::Status DeleteIkeSa(ike::IkeSaId id) override { return Note("delete-ike-sa", id); }
  absl::Status DeleteChildSa(ike::ChildSaId id) override { return Note("delete-child-sa", id); }
  absl::StatusOr<ike::IkeSaId> Initiate(absl::string_view name) override {
    calls.push_back("initiate " + std::string(name));
    return ike::IkeSaId{4};
  }
  void SetLogLevel(LogLevel wanted) override { level = wanted; }
  void Stop() override { calls.push_back("stop"); }

  std::vector<std::string> calls;
  LogLevel level = LogLevel::kInfo;
  size_t many_sas = 0;
  fastpath::Accounting accounting{.received = 1000,
                                  .made_here = 10,
                                  .sent = 890,
                                  .delivered = 10,
                                  .punted = 20,
                                  .consumed = 30,
                                  .dropped = 60,
                                  .held = 0};
  std::vector<ManualSaInfo> manual_sas;

 private:
  template <typename Id>
  absl::Status Note(const char* what, Id id) {
    const auto number = static_cast<uint64_t>(id);
    if (number > 9) return absl::NotFoundError("no such SA: " + std::to_string(number));
    calls.push_back(std::string(what) + " " + std::to_string(number));
    return absl::OkStatus();
  }
};

}  // namespace sekisho::slowpath
