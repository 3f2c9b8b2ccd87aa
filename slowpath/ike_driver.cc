#include "slowpath/ike_driver.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::slowpath {
namespace {

AddressPools MakePools(const Config& config) {
  std::vector<AddressPool> pools;
  for (const PoolConfig& pool : config.pools) {
    pools.emplace_back(pool.name, pool.addresses, pool.dns);
  }
  return AddressPools(std::move(pools));
}

std::vector<std::shared_ptr<const ike::Connection>> EngineConnections(const Config& config) {
  std::vector<std::shared_ptr<const ike::Connection>> connections;
  for (const ConnectionConfig& connection : config.connections) {
    connections.push_back(connection.connection);
  }
  return connections;
}

}  // namespace

template <typename Input>
auto IkeDriver::Tell(Input input) {
  ike::Actions actions;
  const absl::Cleanup carry = [&] { Carry(std::move(actions)); };
  return input(clock_.Now(), actions);
}

IkeDriver::IkeDriver(const Config& config, EventLoop& loop, const MonotonicClock& clock,
                     fastpath::FastPath& fast_path, Logger& log)
    : loop_(loop),
      clock_(clock),
      fast_path_(fast_path),
      log_(log),
      connections_(config.connections),
      pools_(MakePools(config)),
      child_sas_(fast_path),
      spis_(fast_path),
      engine_(config.ike, random_, spis_),
      alarm_(loop.MakeAlarm([this] { HandleTimers(); })) {
  engine_.SetConnections(EngineConnections(config));
}

void IkeDriver::HandleDatagram(const Endpoint& local, const Endpoint& remote, ByteSpan bytes) {
  Tell([&](absl::Time now, ike::Actions& actions) {
    engine_.HandleDatagram({local, remote, ToBytes(bytes)}, now, actions);
  });
}

void IkeDriver::HandlePeerMoved(const UpMessage::PeerMoved& moved) {
  const auto child_sa =
      child_sas_.Find({UpMessage::Direction::kInbound, moved.slot, moved.generation});
  if (!child_sa) return;
  Tell([&](absl::Time now, ike::Actions& actions) {
    engine_.NotePeerMoved(*child_sa, moved.local, moved.remote, now, actions);
  });
}

void IkeDriver::HandleExpiry(const UpMessage::Sa& sa, bool hard) {
  const auto child_sa = child_sas_.Find({sa.direction, sa.slot, sa.generation});
  if (!child_sa) return;
  Tell([&](absl::Time now, ike::Actions& actions) {
    if (hard) {
      engine_.NoteHardExpiry(*child_sa, now, actions);
    } else {
      engine_.NoteSoftExpiry(*child_sa, now, actions);
    }
  });
}

void IkeDriver::HandleAcquire(const UpMessage::Acquire& acquire) {
  const auto& policies = fast_path_.policies();
  log_.Debug("acquire",
             {{"policy", acquire.policy < policies.size() ? policies[acquire.policy].name : "?"},
              {"source", acquire.source.ToString()},
              {"destination", acquire.destination.ToString()}});
}

void IkeDriver::ReportTraffic() {
  const absl::Time now = clock_.Now();
  for (const ike::ChildSaId child_sa : child_sas_.TakeActive()) {
    engine_.NoteInboundTraffic(child_sa, now);
  }
  // Life on a new Child SA may be what the engine waited for.
  HandleTimers();
}

void IkeDriver::SendKeepalives() {
  static constexpr uint8_t kKeepalive[] = {0xff};
  const std::vector<ike::IkeSaId> silent = child_sas_.TakeSilentOutbound();
  if (silent.empty()) return;
  for (const ike::IkeSaInfo& ike_sa : engine_.ListIkeSas()) {
    if (!ike_sa.local_behind_nat) continue;
    if (std::find(silent.begin(), silent.end(), ike_sa.id) == silent.end()) continue;
    fast_path_.SendUdp(ike_sa.local, ike_sa.remote, /*non_esp_marker=*/false, kKeepalive)
        .IgnoreError();  // the next one is 20 s away
  }
}

void IkeDriver::StartConnections() {
  for (const ConnectionConfig& connection : connections_) {
    if (!connection.start) continue;
    const auto started = Initiate(connection.connection->name);
    if (!started.ok()) {
      log_.Warning("initiate-failed", {{"connection", connection.connection->name},
                                       {"reason", std::string(started.status().message())}});
    }
  }
}

absl::StatusOr<ike::IkeSaId> IkeDriver::Initiate(absl::string_view connection) {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [&](const ConnectionConfig& c) { return c.connection->name == connection; });
  if (found == connections_.end()) {
    return absl::NotFoundError(
        absl::StrCat("found no connection '", connection, "', want one of the configuration"));
  }
  if (!found->connection->remote_endpoint) {
    return absl::FailedPreconditionError(absl::StrCat(
        "connection ", connection, " has no remote_endpoint: it only answers, it cannot call"));
  }
  IpAddress local;
  if (found->connection->local_addresses.empty()) {
    SEKISHO_ASSIGN_OR_RETURN(local,
                             fast_path_.SourceFor(found->connection->remote_endpoint->address));
  } else {
    local = found->connection->local_addresses.front();
  }
  return Tell([&](absl::Time now, ike::Actions& actions) {
    return engine_.Initiate(connection, {local, kIkePort}, now, actions);
  });
}

absl::Status IkeDriver::RekeyIkeSa(ike::IkeSaId ike_sa) {
  return Tell([&](absl::Time now, ike::Actions& actions) {
    return engine_.RekeyIkeSa(ike_sa, now, actions);
  });
}

absl::Status IkeDriver::RekeyChildSa(ike::ChildSaId child_sa) {
  return Tell([&](absl::Time now, ike::Actions& actions) {
    return engine_.RekeyChildSa(child_sa, now, actions);
  });
}

absl::Status IkeDriver::DeleteIkeSa(ike::IkeSaId ike_sa) {
  return Tell([&](absl::Time now, ike::Actions& actions) {
    return engine_.DeleteIkeSa(ike_sa, now, actions);
  });
}

absl::Status IkeDriver::DeleteChildSa(ike::ChildSaId child_sa) {
  return Tell([&](absl::Time now, ike::Actions& actions) {
    return engine_.DeleteChildSa(child_sa, now, actions);
  });
}

void IkeDriver::Shutdown() {
  Tell([&](absl::Time now, ike::Actions& actions) { engine_.Shutdown(now, actions); });
}

std::vector<std::string> IkeDriver::ConnectionNames() const {
  std::vector<std::string> names;
  for (const ConnectionConfig& connection : connections_) {
    names.push_back(connection.connection->name);
  }
  return names;
}

void IkeDriver::HandleTimers() {
  Tell([&](absl::Time now, ike::Actions& actions) { engine_.HandleTimers(now, actions); });
}

void IkeDriver::ArmAlarm() {
  const absl::Time deadline = engine_.next_deadline();
  if (deadline == absl::InfiniteFuture()) {
    alarm_.Clear();
  } else {
    alarm_.Set(deadline - clock_.Now());
  }
}

void IkeDriver::Carry(ike::Actions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(queue_));
  // An action may ask the engine something whose answer brings more actions: those wait for their
  // turn, so that the order the engine gave stands.
  if (std::exchange(carrying_, true)) return;
  while (!queue_.empty()) {
    ike::Action action = std::move(queue_.front());
    queue_.pop_front();
    std::visit([this](auto& kind) { CarryOut(kind); }, action);
  }
  carrying_ = false;
  ArmAlarm();
}

void IkeDriver::CarryOut(ike::SendDatagram& action) {
  const ike::Datagram& datagram = action.datagram;
  const absl::Status status = fast_path_.SendUdp(
      datagram.local, datagram.remote, datagram.local.port == kIkeNatTPort, datagram.bytes);
  // Lost as on a wire: the peer or our own retransmission brings it again.
  if (!status.ok()) {
    log_.Debug("ike-send-failed",
               {{"peer", datagram.remote.ToString()}, {"reason", std::string(status.message())}});
  }
}

void IkeDriver::CarryOut(ike::RunComputation& action) {
  // std::function wants something copyable; the computation has one owner at a time all the same.
  auto computation =
      std::make_shared<std::unique_ptr<ike::Computation>>(std::move(action.computation));
  ++computations_pending_;
  loop_.QueueWork([computation] { (*computation)->Run(); },
                  [this, computation, id = action.id] {
                    --computations_pending_;
                    Tell([&](absl::Time now, ike::Actions& actions) {
                      engine_.HandleComputation(id, std::move(*computation), now, actions);
                    });
                  });
}

void IkeDriver::CarryOut(ike::AskLease& action) {
  std::vector<std::string> names;
  for (const ConnectionConfig& connection : connections_) {
    if (connection.connection->name == action.connection) names = connection.pools;
  }
  Tell([&](absl::Time now, ike::Actions& actions) {
    engine_.HandleLease(action.ike_sa, pools_.Lease(action, names), now, actions);
  });
}

void IkeDriver::CarryOut(ike::ReleaseLease& action) { pools_.Release(action.ike_sa); }

void IkeDriver::CarryOut(ike::InstallInboundSa& action) {
  const absl::Status status = child_sas_.InstallInbound(action.sa);
  if (status.ok()) return;
  fast_path_.ReleaseSpi(action.sa.spi);
  InstallFailed(action.sa, status);
}

void IkeDriver::CarryOut(ike::InstallOutboundSa& action) {
  const absl::Status status = child_sas_.InstallOutbound(action.sa);
  if (!status.ok()) InstallFailed(action.sa, status);
}

void IkeDriver::InstallFailed(const ike::ChildSaHalf& half, const absl::Status& status) {
  log_.Warning("child-sa-install-failed", {{"connection", half.connection},
                                           {"child", half.child},
                                           {"spi", half.spi.ToString()},
                                           {"suite", half.suite.ToString()},
                                           {"reason", std::string(status.message())}});
  // Half a tunnel would swallow packets: the peer is told that there is none.
  Tell([&](absl::Time now, ike::Actions& actions) {
    engine_.NoteHardExpiry(half.child_sa, now, actions);
  });
}

void IkeDriver::CarryOut(ike::RemoveInboundSa& action) {
  child_sas_.RemoveInbound(action.child_sa);
}

void IkeDriver::CarryOut(ike::RemoveOutboundSa& action) {
  child_sas_.RemoveOutbound(action.child_sa);
}

void IkeDriver::CarryOut(ike::MovePeer& action) {
  child_sas_.MovePeer(action.ike_sa, action.local, action.remote);
}

void IkeDriver::CarryOut(ike::LogEvent& action) { log_.Log(action); }

}  // namespace sekisho::slowpath
