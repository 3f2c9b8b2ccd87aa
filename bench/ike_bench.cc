// bench/ike_bench.cc: what IKE costs: parsing a message, a whole
// handshake.
//
// The handshakes are of two engines in one thread, both ends' work counted; computations run at
// once.

#include <benchmark/benchmark.h>

#include <deque>
#include <utility>
#include <variant>

#include "ike/engine.h"
#include "ike/message.h"
#include "tests/ike/connections.h"

namespace sekisho::ike {
namespace {

class CountingSpis final : public SpiAllocator {
 public:
  absl::StatusOr<Spi> Allocate() override { return Spi{++next_}; }
  void Release(Spi) override {}

 private:
  uint32_t next_ = 0x1000;
};

// An engine and a driver that does what it says at once; datagrams wait for the other host.
struct Host {
  explicit Host(Connection connection) : engine({}, random, spis) {
    engine.SetConnections({std::make_shared<const Connection>(std::move(connection))});
  }
  void Carry(Actions actions, absl::Time now) {
    for (Action& action : actions) {
      if (auto* send = std::get_if<SendDatagram>(&action)) {
        sent.push_back(std::move(send->datagram));
      } else if (auto* run = std::get_if<RunComputation>(&action)) {
        run->computation->Run();
        Actions more;
        engine.HandleComputation(run->id, std::move(run->computation), now, more);
        Carry(std::move(more), now);
      }
    }
  }

  SystemRandom random;
  CountingSpis spis;
  Engine engine;
  std::deque<Datagram> sent;
};

void Exchange(Host& from, Host& to, absl::Time now) {
  while (!from.sent.empty()) {
    Datagram datagram = std::move(from.sent.front());
    from.sent.pop_front();
    std::swap(datagram.local, datagram.remote);
    Actions actions;
    to.engine.HandleDatagram(datagram, now, actions);
    to.Carry(std::move(actions), now);
  }
}

// IKE_SA_INIT, IKE_AUTH with a Child SA, then the delete, so that the tables stay small.
void HandshakePsk(benchmark::State& state) {
  Host client(ClientConnection()), gateway(GatewayConnection());
  const Endpoint local{*IpAddress::Parse("10.0.0.2"), kIkePort};
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto talk = [&] {
    while (!client.sent.empty() || !gateway.sent.empty()) {
      Exchange(client, gateway, now);
      Exchange(gateway, client, now);
    }
  };
  for (auto _ : state) {
    Actions actions;
    const auto ike_sa = client.engine.Initiate("home", local, now, actions);
    client.Carry(std::move(actions), now);
    talk();
    Actions end;
    if (!ike_sa.ok() || !client.engine.DeleteIkeSa(*ike_sa, now, end).ok()) {
      state.SkipWithError("the handshake failed");
      return;
    }
    client.Carry(std::move(end), now);
    talk();
  }
  const auto established = gateway.engine.counters().ike_sas_established;
  if (established != static_cast<uint64_t>(state.iterations())) {
    state.SkipWithError("not every handshake ended in an IKE SA");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(HandshakePsk)->Unit(benchmark::kMicrosecond);

// The first message of a handshake, as the engine of the client writes it.
Bytes FirstMessage() {
  Host client(ClientConnection());
  Actions actions;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto ike_sa =
      client.engine.Initiate("home", {*IpAddress::Parse("10.0.0.2"), kIkePort}, now, actions);
  client.Carry(std::move(actions), now);
  return ike_sa.ok() && !client.sent.empty() ? client.sent.front().bytes : Bytes();
}

void ParseIkeSaInit(benchmark::State& state) {
  const Bytes bytes = FirstMessage();
  for (auto _ : state) {
    auto message = ParseMessage(bytes);
    if (!message.ok()) state.SkipWithError("the message does not parse");
    benchmark::DoNotOptimize(message);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(ParseIkeSaInit);

}  // namespace
}  // namespace sekisho::ike

BENCHMARK_MAIN();
