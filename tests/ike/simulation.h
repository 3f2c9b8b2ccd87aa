// tests/ike/simulation.h: two engines and the network between them, in virtual time, all from one
// seed.
//
// The client stands at 10.0.0.2, behind a NAT if there is one; the gateway at 203.0.113.1. The
// network loses, repeats, delays and so reorders datagrams. Computations and leases take time too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ike/engine.h"

namespace sekisho::ike {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void Fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

class CountingSpis final : public SpiAllocator {
 public:
  explicit CountingSpis(uint32_t base) : next_(base) {}
  absl::StatusOr<Spi> Allocate() override;
  void Release(Spi spi) override;
  const std::set<uint32_t>& taken() const { return taken_; }
  bool exhausted = false;

 private:
  uint32_t next_;
  std::set<uint32_t> taken_;
};

struct Network {
  double loss = 0, duplicates = 0;
  absl::Duration delay_least = absl::Milliseconds(5), delay_most = absl::Milliseconds(5);
  bool nat = false;
};

class Simulation {
 public:
  struct Host {
    std::string name;
    IpAddress address;
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<CountingSpis> spis;
    std::unique_ptr<Engine> engine;
    bool alive = true;           // a dead host neither receives nor acts
    std::optional<Lease> lease;  // what the pool gives; nothing: the pool is empty
    std::map<IkeSaId, Lease> leases_out;
    std::map<ChildSaId, ChildSaHalf> inbound, outbound;
    std::vector<LogEvent> log;
    std::vector<MovePeer> moves;
    std::vector<std::string> order;  // names of actions, for tests of their order
    std::vector<Datagram> sent;

    int Count(absl::string_view event) const;
    // The value of a field of the last such event; empty if there is none.
    std::string Field(absl::string_view event, absl::string_view field) const;
    // Lines of the debug log: "out IKE_SA_INIT request 0 { SA KE Ni }".
    std::vector<std::string> Messages() const;
    IkeSaInfo only_ike_sa() const;  // fails the test if there is not exactly one
    ChildSaInfo only_child_sa() const;
  };

  explicit Simulation(uint64_t seed, EngineOptions options = {});
  ~Simulation();

  Host client, gateway;
  Network network;
  // Looks at every datagram on its way, counted from 1 on; false loses it.
  std::function<bool(int number, const Datagram& datagram)> filter;

  absl::Time now() const { return now_; }
  void Connect(Connection client_connection, Connection gateway_connection);
  // The client calls.
  IkeSaId Call();
  // Lets everything that is due within `duration` happen.
  void Run(absl::Duration duration);
  // Like a driver: a command or input to a host's engine and what follows from it.
  template <typename F>
  auto Do(Host& host, F&& call) {
    Actions actions;
    auto result = call(*host.engine, now_, actions);
    CarryOut(host, std::move(actions));
    return result;
  }
  // Commands, by either host; the test fails if the engine refuses.
  void RekeyIke(Host& host);
  void RekeyChild(Host& host, ChildSaId child);
  void RekeyChild(Host& host) { RekeyChild(host, host.only_child_sa().id); }
  void DeleteIke(Host& host);
  void DeleteChild(Host& host, ChildSaId child);
  void Deliver(Host& host, const Datagram& datagram);
  void RebindNat() { ++nat_port_; }
  // One packet over the newest outbound SA; reports it at the other end. False: it was lost for
  // want of an inbound SA.
  bool SendTraffic(Host& from);
  int datagrams() const { return datagrams_; }

  // Both logs by time, for the reader of a failed test.
  const std::string& transcript() const { return transcript_; }
  // What both ends must agree on once nothing is under way any more.
  void ExpectAgreement();
  Host& Other(Host& host) { return &host == &client ? gateway : client; }

 private:
  struct Event {
    absl::Time at;
    uint64_t sequence;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::tie(at, sequence) < std::tie(other.at, other.sequence);
    }
  };
  void SetUp(Host& host, std::string name, IpAddress address, uint32_t spi_base, uint64_t seed,
             const EngineOptions& options);
  void At(absl::Time at, std::function<void()> run);
  void CarryOut(Host& host, Actions actions);
  void Act(Host& host, Action action);
  void Transmit(Host& from, Datagram datagram);
  void CheckTwins(const Host& host);
  absl::Duration Delay();
  Endpoint OutsideOfNat(uint16_t client_port) const;

  SeededRandom dice_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  uint64_t sequence_ = 0;
  std::set<Event> events_;
  uint16_t nat_port_ = 20000;
  std::map<std::pair<uint16_t, uint16_t>, Endpoint> nat_back_;
  int datagrams_ = 0;
  std::string transcript_;
};

}  // namespace sekisho::ike
