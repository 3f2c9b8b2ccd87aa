// slowpath/gateway.h: the running program: fast path, IKE, neighbours, shell and their event loop.
//
// The one object that knows all parts. Made from a checked configuration; on failure nothing is
// left behind. Slow-path thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fastpath/fast_path.h"
#include "slowpath/config.h"
#include "slowpath/console.h"
#include "slowpath/control_socket.h"
#include "slowpath/event_loop.h"
#include "slowpath/ike_driver.h"
#include "slowpath/log.h"
#include "slowpath/manual_sas.h"
#include "slowpath/monotonic_clock.h"
#include "slowpath/neighbour_resolver.h"
#include "slowpath/status_view.h"

namespace sekisho::slowpath {

class Gateway final : public StatusView {
 public:
  // Requires: an initialised EAL with the configuration's devices. `log` must outlive the gateway.
  static absl::StatusOr<std::unique_ptr<Gateway>> Create(Config config, bool with_console,
                                                         Logger& log);
  ~Gateway() override;

  // Serves until Stop(), SIGINT or SIGTERM; then says goodbye to the peers and ends the workers.
  absl::Status Run();

  // StatusView.
  absl::Time Now() const override { return clock_.Now(); }
  absl::Time StartedAt() const override { return started_at_; }
  std::vector<fastpath::PortInfo> Ports() const override { return fast_path_->Ports(); }
  std::vector<ike::IkeSaInfo> IkeSas() const override { return ike_->engine().ListIkeSas(); }
  ChildSaTraffic Traffic(ike::ChildSaId child_sa) const override;
  std::vector<ManualSaInfo> ManualSas() const override { return manual_sas_->List(); }
  std::vector<PolicyStatus> Policies() const override;
  std::vector<std::pair<fastpath::DropReason, uint64_t>> Drops() const override {
    return fast_path_->Drops();
  }
  fastpath::Accounting GetAccounting() const override { return fast_path_->GetAccounting(); }
  std::vector<fastpath::WorkerInfo> Workers() const override { return fast_path_->Workers(); }
  std::vector<fastpath::DropCount> DropsInDetail() const override {
    return fast_path_->DropsInDetail();
  }
  std::vector<PoolInfo> Pools() const override { return ike_->pools().List(); }
  std::vector<LeaseInfo> Leases() const override { return ike_->pools().Leases(); }
  std::vector<NeighbourInfo> Neighbours() const override { return neighbours_->List(); }
  IkeCounters GetIkeCounters() const override;
  std::vector<std::string> ConnectionNames() const override { return ike_->ConnectionNames(); }
  LogLevel GetLogLevel() const override { return log_.level(); }
  absl::Status RekeyIkeSa(ike::IkeSaId ike_sa) override { return ike_->RekeyIkeSa(ike_sa); }
  absl::Status RekeyChildSa(ike::ChildSaId id) override { return ike_->RekeyChildSa(id); }
  absl::Status DeleteIkeSa(ike::IkeSaId ike_sa) override { return ike_->DeleteIkeSa(ike_sa); }
  absl::Status DeleteChildSa(ike::ChildSaId id) override { return ike_->DeleteChildSa(id); }
  absl::StatusOr<ike::IkeSaId> Initiate(absl::string_view connection) override {
    return ike_->Initiate(connection);
  }
  void SetLogLevel(LogLevel level) override { log_.set_level(level); }
  void Stop() override;

 private:
  Gateway(Config config, Logger& log);
  absl::Status Set(bool with_console);
  absl::Status CheckSuites() const;

  // The up rings (common/messages.h), emptied every kPollInterval.
  void PollUpRings();
  void HandleUp(const UpMessage& message);
  void HandlePacket(const UpMessage::Packet& packet);
  void Carry(NeighbourResolver::Actions actions);
  void CheckStopping();

  const Config config_;
  Logger& log_;
  MonotonicClock clock_;
  const absl::Time started_at_ = clock_.Now();
  std::unique_ptr<fastpath::FastPath> fast_path_;
  EventLoop loop_;  // before everything that has handles in it
  std::unique_ptr<NeighbourResolver> neighbours_;
  // What a full down ring refused: a worker asks for a neighbour only once, and must hear of the
  // end.
  NeighbourResolver::Actions neighbours_unsaid_;
  std::unique_ptr<slowpath::ManualSas> manual_sas_;
  std::unique_ptr<IkeDriver> ike_;
  std::unique_ptr<ControlSocket> control_socket_;
  std::unique_ptr<Console> console_;
  absl::Time stop_by_ = absl::InfiniteFuture();
};

}  // namespace sekisho::slowpath
