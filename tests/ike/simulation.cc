#include "tests/ike/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sekisho::ike {
namespace {

constexpr uint16_t kNatPortsApart = 1000;

bool HaveEqual(ByteSpan a, ByteSpan b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

absl::StatusOr<Spi> CountingSpis::Allocate() {
  if (exhausted) return absl::ResourceExhaustedError("no SPI is left");
  taken_.insert(next_);
  return Spi{next_++};
}

void CountingSpis::Release(Spi spi) {
  EXPECT_EQ(taken_.erase(spi.value), 1u) << "SPI " << spi.ToString() << " released twice";
}

int Simulation::Host::Count(absl::string_view event) const {
  return static_cast<int>(std::count_if(
      log.begin(), log.end(), [event](const LogEvent& line) { return line.name == event; }));
}

std::string Simulation::Host::Field(absl::string_view event, absl::string_view field) const {
  for (auto line = log.rbegin(); line != log.rend(); ++line) {
    if (line->name != event) continue;
    for (const auto& [key, value] : line->fields) {
      if (key == field) return value;
    }
  }
  return "";
}

std::vector<std::string> Simulation::Host::Messages() const {
  std::vector<std::string> messages;
  for (const LogEvent& line : log) {
    if (line.name == "ike-message") {
      messages.push_back(line.fields[0].second + " " + line.fields[2].second);
    }
  }
  return messages;
}

IkeSaInfo Simulation::Host::only_ike_sa() const {
  const auto list = engine->ListIkeSas();
  EXPECT_EQ(list.size(), 1u) << name;
  return list.empty() ? IkeSaInfo{} : list[0];
}

ChildSaInfo Simulation::Host::only_child_sa() const {
  const IkeSaInfo info = only_ike_sa();
  EXPECT_EQ(info.children.size(), 1u) << name;
  return info.children.empty() ? ChildSaInfo{} : info.children[0];
}

Simulation::Simulation(uint64_t seed, EngineOptions options) : dice_(seed) {
  SetUp(client, "client", *IpAddress::Parse("10.0.0.2"), 0xc0000000, seed * 2 + 1, options);
  SetUp(gateway, "gateway", *IpAddress::Parse("203.0.113.1"), 0xd0000000, seed * 2 + 2, options);
}

Simulation::~Simulation() = default;

void Simulation::SetUp(Host& host, std::string name, IpAddress address, uint32_t spi_base,
                       uint64_t seed, const EngineOptions& options) {
  host.name = std::move(name);
  host.address = address;
  host.random = std::make_unique<SeededRandom>(seed);
  host.spis = std::make_unique<CountingSpis>(spi_base);
  host.engine = std::make_unique<Engine>(options, *host.random, *host.spis);
}

void Simulation::Connect(Connection client_connection, Connection gateway_connection) {
  client.engine->SetConnections({std::make_shared<Connection>(std::move(client_connection))});
  gateway.engine->SetConnections({std::make_shared<Connection>(std::move(gateway_connection))});
}

IkeSaId Simulation::Call() {
  auto id = Do(client, [this](Engine& engine, absl::Time now, Actions& actions) {
    return engine.Initiate("home", {client.address, kIkePort}, now, actions);
  });
  EXPECT_TRUE(id.ok()) << id.status();
  return id.ok() ? *id : IkeSaId{0};
}

void Simulation::RekeyIke(Host& host) {
  const IkeSaId id = host.only_ike_sa().id;
  EXPECT_TRUE(Do(host, [id](Engine& engine, absl::Time now, Actions& actions) {
                return engine.RekeyIkeSa(id, now, actions);
              }).ok());
}

void Simulation::RekeyChild(Host& host, ChildSaId child) {
  EXPECT_TRUE(Do(host, [child](Engine& engine, absl::Time now, Actions& actions) {
                return engine.RekeyChildSa(child, now, actions);
              }).ok());
}

void Simulation::DeleteIke(Host& host) {
  const IkeSaId id = host.only_ike_sa().id;
  EXPECT_TRUE(Do(host, [id](Engine& engine, absl::Time now, Actions& actions) {
                return engine.DeleteIkeSa(id, now, actions);
              }).ok());
}

void Simulation::DeleteChild(Host& host, ChildSaId child) {
  EXPECT_TRUE(Do(host, [child](Engine& engine, absl::Time now, Actions& actions) {
                return engine.DeleteChildSa(child, now, actions);
              }).ok());
}

void Simulation::At(absl::Time at, std::function<void()> run) {
  events_.insert({at, sequence_++, std::move(run)});
}

absl::Duration Simulation::Delay() {
  const auto spread = absl::ToInt64Microseconds(network.delay_most - network.delay_least);
  return network.delay_least +
         absl::Microseconds(static_cast<int64_t>(dice_.Below(static_cast<uint64_t>(spread) + 1)));
}

void Simulation::Run(absl::Duration duration) {
  const absl::Time end = now_ + duration;
  int same_time = 0;
  for (;;) {
    absl::Time next = events_.empty() ? absl::InfiniteFuture() : events_.begin()->at;
    for (const Host* host : {&client, &gateway}) {
      if (host->alive) next = std::min(next, host->engine->next_deadline());
    }
    if (next > end) break;
    same_time = next <= now_ ? same_time + 1 : 0;
    ASSERT_LT(same_time, 10000) << "time stands still";
    now_ = std::max(now_, next);
    if (!events_.empty() && events_.begin()->at <= now_) {
      const std::function<void()> run = events_.begin()->run;
      events_.erase(events_.begin());
      run();
    }
    for (Host* host : {&client, &gateway}) {
      if (!host->alive || host->engine->next_deadline() > now_) continue;
      Actions actions;
      host->engine->HandleTimers(now_, actions);
      CarryOut(*host, std::move(actions));
    }
    CheckTwins(client);
    CheckTwins(gateway);
  }
  now_ = end;
}

void Simulation::Deliver(Host& host, const Datagram& datagram) {
  if (!host.alive) return;
  Actions actions;
  host.engine->HandleDatagram(datagram, now_, actions);
  CarryOut(host, std::move(actions));
}

void Simulation::CarryOut(Host& host, Actions actions) {
  for (Action& action : actions) Act(host, std::move(action));
}

void Simulation::Act(Host& host, Action action) {
  if (auto* send = std::get_if<SendDatagram>(&action)) {
    host.order.push_back("send");
    host.sent.push_back(send->datagram);
    Transmit(host, std::move(send->datagram));
  } else if (auto* run = std::get_if<RunComputation>(&action)) {
    // std::function wants a copyable closure.
    auto shared = std::make_shared<std::unique_ptr<Computation>>(std::move(run->computation));
    At(now_ + Delay(), [this, &host, id = run->id, shared] {
      if (!host.alive) return;
      (*shared)->Run();
      Actions more;
      host.engine->HandleComputation(id, std::move(*shared), now_, more);
      CarryOut(host, std::move(more));
    });
  } else if (auto* ask = std::get_if<AskLease>(&action)) {
    At(now_ + Delay(), [this, &host, id = ask->ike_sa] {
      if (!host.alive) return;
      Actions more;
      absl::StatusOr<Lease> lease = absl::ResourceExhaustedError("the pool is empty");
      if (host.lease) lease = *host.lease;
      if (host.lease) host.leases_out[id] = *host.lease;
      host.engine->HandleLease(id, lease, now_, more);
      CarryOut(host, std::move(more));
    });
  } else if (auto* release = std::get_if<ReleaseLease>(&action)) {
    host.order.push_back("release-lease");
    host.leases_out.erase(release->ike_sa);
  } else if (auto* in = std::get_if<InstallInboundSa>(&action)) {
    host.order.push_back("install-inbound");
    EXPECT_TRUE(host.spis->taken().contains(in->sa.spi.value));
    const ChildSaId id = in->sa.child_sa;
    EXPECT_TRUE(host.inbound.emplace(id, std::move(in->sa)).second);
  } else if (auto* out = std::get_if<InstallOutboundSa>(&action)) {
    host.order.push_back("install-outbound");
    const ChildSaId id = out->sa.child_sa;
    EXPECT_TRUE(host.outbound.emplace(id, std::move(out->sa)).second);
  } else if (auto* remove_in = std::get_if<RemoveInboundSa>(&action)) {
    host.order.push_back("remove-inbound");
    EXPECT_EQ(host.inbound.erase(remove_in->child_sa), 1u);
    host.spis->Release(remove_in->spi);
  } else if (auto* remove_out = std::get_if<RemoveOutboundSa>(&action)) {
    host.order.push_back("remove-outbound");
    EXPECT_EQ(host.outbound.erase(remove_out->child_sa), 1u);
  } else if (auto* move = std::get_if<MovePeer>(&action)) {
    host.moves.push_back(*move);
  } else if (auto* line = std::get_if<LogEvent>(&action)) {
    absl::StrAppend(&transcript_,
                    absl::ToDoubleSeconds(now_ - absl::FromUnixSeconds(1'700'000'000)), " ",
                    host.name, " ", line->name);
    for (const auto& [key, value] : line->fields) {
      absl::StrAppend(&transcript_, " ", key, "=", value);
    }
    transcript_ += "\n";
    host.log.push_back(std::move(*line));
  }
}

Endpoint Simulation::OutsideOfNat(uint16_t client_port) const {
  return {*IpAddress::Parse("198.51.100.7"),
          static_cast<uint16_t>(nat_port_ + (client_port == kIkePort ? 0 : kNatPortsApart))};
}

// The NAT shows 10.0.0.2:p as 198.51.100.7:q, q anew after each rebinding.
void Simulation::Transmit(Host& from, Datagram datagram) {
  const int number = ++datagrams_;
  if (filter && !filter(number, datagram)) return;
  if (dice_.Below(1000) < static_cast<uint64_t>(network.loss * 1000)) return;
  Host& to = Other(from);
  Datagram arriving{datagram.remote, datagram.local, datagram.bytes};
  if (network.nat) {
    if (&from == &client) {
      arriving.remote = OutsideOfNat(datagram.local.port);
      nat_back_[{arriving.remote.port, datagram.remote.port}] = datagram.local;
    } else {
      const auto back = nat_back_.find({datagram.remote.port, datagram.local.port});
      const bool stale =
          datagram.remote.port != nat_port_ && datagram.remote.port != nat_port_ + kNatPortsApart;
      if (datagram.remote.address != OutsideOfNat(0).address || back == nat_back_.end() || stale)
        return;
      arriving.local = back->second;
    }
  } else if (datagram.remote.address != to.address) {
    return;
  }
  const int copies = dice_.Below(1000) < static_cast<uint64_t>(network.duplicates * 1000) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    At(now_ + Delay(), [this, &to, arriving] { Deliver(to, arriving); });
  }
}

bool Simulation::SendTraffic(Host& from) {
  if (from.outbound.empty()) return false;
  const Spi spi = from.outbound.rbegin()->second.spi;  // the newest goes first
  Host& to = Other(from);
  for (const auto& [id, half] : to.inbound) {
    if (half.spi != spi) continue;
    to.engine->NoteInboundTraffic(id, now_);
    if (network.nat && &from == &client) {
      Do(to, [&, child = id](Engine& engine, absl::Time now, Actions& actions) {
        const Endpoint outside = OutsideOfNat(kIkeNatTPort);
        nat_back_[{outside.port, kIkeNatTPort}] = {client.address, kIkeNatTPort};
        engine.NotePeerMoved(child, {gateway.address, kIkeNatTPort}, outside, now, actions);
        return 0;
      });
    }
    return true;
  }
  return false;
}

// Wherever both halves of a direction are there, they fit each other.
void Simulation::CheckTwins(const Host& host) {
  const Host& other = &host == &client ? gateway : client;
  for (const auto& [out_id, out] : host.outbound) {
    for (const auto& [in_id, in] : other.inbound) {
      if (in.spi != out.spi) continue;
      EXPECT_TRUE(HaveEqual(in.encryption_key.span(), out.encryption_key.span()));
      EXPECT_TRUE(HaveEqual(in.integrity_key.span(), out.integrity_key.span()));
      EXPECT_EQ(in.suite, out.suite);
      EXPECT_EQ(in.mode, out.mode);
      // Each end names both as it sees them (RFC 7296, 2.23.1).
      if (in.mode == IpsecMode::kTransport && in.udp_encapsulation) continue;
      EXPECT_EQ(in.local, out.remote);
      EXPECT_EQ(in.remote, out.local);
      EXPECT_EQ(in.udp_encapsulation, out.udp_encapsulation);
    }
  }
}

void Simulation::ExpectAgreement() {
  for (Host* host : {&client, &gateway}) {
    std::set<uint32_t> outbound, inbound, peer_inbound;
    for (const auto& [id, half] : host->outbound) outbound.insert(half.spi.value);
    for (const auto& [id, half] : host->inbound) inbound.insert(half.spi.value);
    for (const auto& [id, half] : Other(*host).inbound) peer_inbound.insert(half.spi.value);
    EXPECT_EQ(outbound, peer_inbound) << "what " << host->name << " sends on";
    EXPECT_EQ(inbound, host->spis->taken()) << host->name << " leaks SPIs";
    EXPECT_EQ(host->inbound.size(), host->outbound.size()) << host->name;
  }
  const auto ours = client.engine->ListIkeSas(), theirs = gateway.engine->ListIkeSas();
  EXPECT_EQ(ours.size(), theirs.size());
  std::set<std::pair<uint64_t, uint64_t>> our_spis, their_spis;
  for (const IkeSaInfo& info : ours) our_spis.insert({info.initiator_spi, info.responder_spi});
  for (const IkeSaInfo& info : theirs) their_spis.insert({info.initiator_spi, info.responder_spi});
  EXPECT_EQ(our_spis, their_spis);
}

}  // namespace sekisho::ike
