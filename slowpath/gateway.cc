#include "slowpath/gateway.h"

#include <rte_mbuf.h>

#include <array>
#include <csignal>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::slowpath {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(1);
// Messages taken in one go before timers and the shell have their turn.
constexpr size_t kPollMax = 1024;
// How long an orderly stop waits for the peers to answer.
constexpr absl::Duration kGoodbyeMax = absl::Seconds(3);

std::vector<NeighbourInterface> InterfacesOf(const fastpath::FastPath& fast_path) {
  std::vector<NeighbourInterface> interfaces;
  for (const fastpath::PortInfo& port : fast_path.Ports()) {
    interfaces.push_back({port.mac, port.addresses});
  }
  return interfaces;
}

}  // namespace

Gateway::Gateway(Config config, Logger& log) : config_(std::move(config)), log_(log) {}

Gateway::~Gateway() {
  if (fast_path_) fast_path_->Stop();
}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Create(Config config, bool with_console,
                                                         Logger& log) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(config), log));
  SEKISHO_RETURN_IF_ERROR(gateway->Set(with_console));
  return gateway;
}

absl::Status Gateway::Set(bool with_console) {
  // First what another sekisho would be in the way of: nothing was touched yet.
  SEKISHO_ASSIGN_OR_RETURN(control_socket_,
                           ControlSocket::Listen(loop_.uv(), *this, config_.control.socket));
  SEKISHO_ASSIGN_OR_RETURN(fast_path_, fastpath::FastPath::Create(MakeFastPathConfig(config_)));
  SEKISHO_RETURN_IF_ERROR(CheckSuites());
  neighbours_ = std::make_unique<NeighbourResolver>(InterfacesOf(*fast_path_));
  ike_ = std::make_unique<IkeDriver>(config_, loop_, clock_, *fast_path_, log_);
  SEKISHO_RETURN_IF_ERROR(fast_path_->SetTables(config_.policies, AllRoutes(config_)));
  manual_sas_ = std::make_unique<slowpath::ManualSas>(*fast_path_, log_);
  SEKISHO_RETURN_IF_ERROR(manual_sas_->Install(config_.sas, clock_.Now()));
  if (with_console) {
    SEKISHO_ASSIGN_OR_RETURN(console_, Console::Open(loop_.uv(), *this));
  }
  loop_.Every(kPollInterval, [this] { PollUpRings(); });
  loop_.Every(absl::Seconds(1), [this] {
    ike_->ReportTraffic();
    ike_->RetryPending();
    manual_sas_->RetryPending();
    manual_sas_->HandleTimers(clock_.Now());
    NeighbourResolver::Actions actions = std::exchange(neighbours_unsaid_, {});
    neighbours_->HandleTimers(clock_.Now(), actions);
    Carry(std::move(actions));
  });
  loop_.Every(IkeDriver::kKeepaliveInterval, [this] { ike_->SendKeepalives(); });
  for (const int signal : {SIGINT, SIGTERM}) loop_.OnSignal(signal, [this] { Stop(); });
  return absl::OkStatus();
}

// A suite that no device runs is an error now, not a tunnel that does not come up later.
absl::Status Gateway::CheckSuites() const {
  for (const ConnectionConfig& connection : config_.connections) {
    for (const ike::ChildTemplate& child : connection.connection->children) {
      for (const AlgorithmProposal& proposal : child.esp_proposals) {
        for (const IpsecSuite& suite : proposal.Suites()) {
          const absl::Status status = fast_path_->CheckSuite(suite);
          if (status.ok()) continue;
          return absl::FailedPreconditionError(
              absl::StrCat(config_.path, ": connections.", connection.connection->name,
                           ".children.", child.name, ".esp_proposals: ", status.message()));
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Gateway::Run() {
  SEKISHO_RETURN_IF_ERROR(fast_path_->Start());
  log_.Info("started", {{"configuration", config_.path},
                        {"ports", absl::StrCat(config_.ports.size())},
                        {"policies", absl::StrCat(config_.policies.size())},
                        {"connections", absl::StrCat(config_.connections.size())},
                        {"crypto", fast_path_->DescribeCrypto()},
                        {"control", config_.control.socket}});
  ike_->StartConnections();
  loop_.Run();
  fast_path_->Stop();
  const fastpath::Accounting sums = fast_path_->GetAccounting();
  log_.Info("stopped", {{"received", absl::StrCat(sums.received)},
                        {"made_here", absl::StrCat(sums.made_here)},
                        {"sent", absl::StrCat(sums.sent)},
                        {"delivered", absl::StrCat(sums.delivered)},
                        {"punted", absl::StrCat(sums.punted)},
                        {"consumed", absl::StrCat(sums.consumed)},
                        {"dropped", absl::StrCat(sums.dropped)},
                        {"held", absl::StrCat(sums.held)}});
  return absl::OkStatus();
}

void Gateway::Stop() {
  if (stop_by_ != absl::InfiniteFuture()) {  // a second Ctrl-C is meant
    loop_.Stop();
    return;
  }
  log_.Info("stopping");
  stop_by_ = clock_.Now() + kGoodbyeMax;
  ike_->Shutdown();
  loop_.Every(absl::Milliseconds(20), [this] { CheckStopping(); });
}

void Gateway::CheckStopping() {
  if (ike_->idle() || clock_.Now() >= stop_by_) loop_.Stop();
}

void Gateway::PollUpRings() {
  std::array<UpMessage, 64> messages;
  for (size_t taken = 0; taken < kPollMax;) {
    const size_t count = fast_path_->PollUp(messages);
    for (size_t i = 0; i < count; ++i) HandleUp(messages[i]);
    if (count < messages.size()) return;
    taken += count;
  }
}

void Gateway::HandleUp(const UpMessage& message) {
  using Kind = UpMessage::Kind;
  switch (message.kind) {
    case Kind::kPacket:
      HandlePacket(message.packet);
      return;
    case Kind::kPeerMoved:
      if (manual_sas_->HandlePeerMoved(message.peer_moved)) return;
      ike_->HandlePeerMoved(message.peer_moved);
      return;
    case Kind::kAcquire:
      ike_->HandleAcquire(message.acquire);
      return;
    case Kind::kSoftExpiry:
    case Kind::kHardExpiry:
      if (manual_sas_->HandleExpiry(message.sa, message.kind == Kind::kHardExpiry)) return;
      ike_->HandleExpiry(message.sa, message.kind == Kind::kHardExpiry);
      return;
    case Kind::kResolveNeighbour:
    case Kind::kNeighbourSeen: {
      NeighbourResolver::Actions actions;
      const UpMessage::Neighbour& n = message.neighbour;
      if (message.kind == Kind::kResolveNeighbour) {
        neighbours_->HandleResolve(n.port, n.address, clock_.Now(), actions);
      } else {
        neighbours_->HandleSeen(n.port, n.address, n.mac, clock_.Now(), actions);
      }
      Carry(std::move(actions));
      return;
    }
    case Kind::kSaRetired:
    case Kind::kPathMtu:
    case Kind::kTablesSwapped:
      return;  // the fast path's own affair, done in PollUp()
  }
}

void Gateway::HandlePacket(const UpMessage::Packet& packet) {
  if (packet.punt_class == UpMessage::PuntClass::kIke) {
    ike_->HandleDatagram(
        packet.local, packet.remote,
        {rte_pktmbuf_mtod(packet.mbuf, const uint8_t*), rte_pktmbuf_data_len(packet.mbuf)});
  }
  rte_pktmbuf_free(packet.mbuf);
}

void Gateway::Carry(NeighbourResolver::Actions actions) {
  for (NeighbourResolver::Action& action : actions) {
    absl::Status status;
    if (const auto* send = std::get_if<NeighbourResolver::SendFrame>(&action)) {
      status = fast_path_->SendFrame(send->port, send->frame);
    } else if (const auto* set = std::get_if<NeighbourResolver::SetNeighbour>(&action)) {
      status = fast_path_->SetNeighbour(set->port, set->address, set->mac);
    } else if (const auto* forget = std::get_if<NeighbourResolver::ForgetNeighbour>(&action)) {
      status = fast_path_->ForgetNeighbour(forget->port, forget->address);
    }
    if (status.ok()) continue;
    log_.Debug("neighbour-failed", {{"reason", std::string(status.message())}});
    if (absl::IsResourceExhausted(status)) neighbours_unsaid_.push_back(std::move(action));
  }
}

ChildSaTraffic Gateway::Traffic(ike::ChildSaId child_sa) const {
  ChildSaTraffic traffic;
  const ChildSas::ChildSa* installed = ike_->child_sas().Get(child_sa);
  if (!installed) return traffic;
  const auto counters =
      [&](const std::optional<fastpath::SaHandle>& handle) -> std::optional<fastpath::SaCounters> {
    if (!handle) return std::nullopt;
    const auto found = fast_path_->Counters(*handle);
    return found.ok() ? std::optional(*found) : std::nullopt;
  };
  traffic.inbound = counters(installed->inbound);
  traffic.outbound = counters(installed->outbound);
  return traffic;
}

std::vector<PolicyStatus> Gateway::Policies() const {
  const std::vector<fastpath::Policy>& policies = fast_path_->policies();
  const std::vector<uint64_t> hits = fast_path_->PolicyHits();
  const std::vector<uint64_t> drops = fast_path_->PolicyDrops();
  std::vector<PolicyStatus> result;
  for (size_t i = 0; i < policies.size(); ++i) {
    result.push_back({policies[i], i < hits.size() ? hits[i] : 0, i < drops.size() ? drops[i] : 0});
  }
  return result;
}

IkeCounters Gateway::GetIkeCounters() const {
  return {ike_->engine().counters(), ike_->engine().half_open_count(),
          ike_->computations_pending()};
}

}  // namespace sekisho::slowpath
