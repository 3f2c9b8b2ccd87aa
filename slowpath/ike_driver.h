// slowpath/ike_driver.h: carries out what the IKE engine says, and tells it what happened.
//
// The engine is sans-IO; this is its input and output: datagrams through the fast path,
// computations on the crypto threads, addresses from the pools, SAs into the fast path, events into
// the log, and one alarm for its next deadline. Slow-path thread only.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "fastpath/fast_path.h"
#include "ike/engine.h"
#include "slowpath/address_pool.h"
#include "slowpath/child_sas.h"
#include "slowpath/config.h"
#include "slowpath/event_loop.h"
#include "slowpath/log.h"
#include "slowpath/monotonic_clock.h"

namespace sekisho::slowpath {

class IkeDriver {
 public:
  // Everything given must outlive the driver, but for `config`, of which it copies what it needs.
  IkeDriver(const Config& config, EventLoop& loop, const MonotonicClock& clock,
            fastpath::FastPath& fast_path, Logger& log);

  // From the workers.
  void HandleDatagram(const Endpoint& local, const Endpoint& remote, ByteSpan bytes);
  void HandlePeerMoved(const UpMessage::PeerMoved& moved);
  void HandleExpiry(const UpMessage::Sa& sa, bool hard);
  void HandleAcquire(const UpMessage::Acquire& acquire);

  // Every second or so: reports life on Child SAs to the engine.
  void ReportTraffic();
  // Every kKeepaliveInterval: one octet to the peers of silent SAs where we are behind a NAT
  // (RFC 3948, 2.3 and 4).
  void SendKeepalives();
  static constexpr absl::Duration kKeepaliveInterval = absl::Seconds(20);
  void RetryPending() { child_sas_.RetryPending(); }

  // Calls every connection with `start: true`.
  void StartConnections();
  absl::StatusOr<ike::IkeSaId> Initiate(absl::string_view connection);
  absl::Status RekeyIkeSa(ike::IkeSaId ike_sa);
  absl::Status RekeyChildSa(ike::ChildSaId child_sa);
  absl::Status DeleteIkeSa(ike::IkeSaId ike_sa);
  absl::Status DeleteChildSa(ike::ChildSaId child_sa);
  void Shutdown();
  bool idle() const { return engine_.idle(); }

  const ike::Engine& engine() const { return engine_; }
  const AddressPools& pools() const { return pools_; }
  const ChildSas& child_sas() const { return child_sas_; }
  uint64_t computations_pending() const { return computations_pending_; }
  std::vector<std::string> ConnectionNames() const;

 private:
  // The SAD of the fast path, as the engine sees it.
  class SpiSource final : public ike::SpiAllocator {
   public:
    explicit SpiSource(fastpath::FastPath& fast_path) : fast_path_(fast_path) {}
    absl::StatusOr<Spi> Allocate() override { return fast_path_.AllocateSpi(); }
    void Release(Spi spi) override { fast_path_.ReleaseSpi(spi); }

   private:
    fastpath::FastPath& fast_path_;
  };

  // Gives the engine one input, `input(now, actions)`, and carries out what follows from it.
  // Returns what the input returns.
  template <typename Input>
  auto Tell(Input input);
  // Gives `actions` their turn after those that are being carried out, then arms the alarm.
  void Carry(ike::Actions actions);
  void CarryOut(ike::SendDatagram& action);
  void CarryOut(ike::RunComputation& action);
  void CarryOut(ike::AskLease& action);
  void CarryOut(ike::ReleaseLease& action);
  void CarryOut(ike::InstallInboundSa& action);
  void CarryOut(ike::InstallOutboundSa& action);
  void CarryOut(ike::RemoveInboundSa& action);
  void CarryOut(ike::RemoveOutboundSa& action);
  void CarryOut(ike::MovePeer& action);
  void CarryOut(ike::LogEvent& action);
  void InstallFailed(const ike::ChildSaHalf& half, const absl::Status& status);
  void HandleTimers();
  void ArmAlarm();

  EventLoop& loop_;
  const MonotonicClock& clock_;
  fastpath::FastPath& fast_path_;
  Logger& log_;
  std::vector<ConnectionConfig> connections_;
  AddressPools pools_;
  ChildSas child_sas_;
  ike::SystemRandom random_;
  SpiSource spis_;
  ike::Engine engine_;
  EventLoop::Alarm& alarm_;
  std::deque<ike::Action> queue_;
  bool carrying_ = false;
  uint64_t computations_pending_ = 0;
};

}  // namespace sekisho::slowpath
