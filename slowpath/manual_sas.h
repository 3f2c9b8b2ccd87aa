// slowpath/manual_sas.h: the SAs of the configuration's `sas`, from start-up to the end of their
// lifetimes. Slow-path thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "fastpath/fast_path.h"
#include "slowpath/config.h"
#include "slowpath/log.h"
#include "slowpath/sa_changes.h"

namespace sekisho::slowpath {

// One of them, for people to see.
struct ManualSaInfo {
  std::string name;
  UpMessage::Direction direction{};
  IpsecProtocol protocol{};
  IpsecMode mode{};
  Spi spi;
  IpsecSuite suite;
  bool udp_encapsulation = false;
  Endpoint local, remote;
  TrafficSelectors local_selectors, remote_selectors;
  std::string state;  // "installed", or "expired": its packets are dropped
  absl::Time installed_at;
  absl::Time expires_at;                         // absl::InfiniteFuture(): never
  std::optional<fastpath::SaCounters> counters;  // none once its hard_time is over
};

class ManualSas {
 public:
  // `fast_path` and `log` must outlive this.
  ManualSas(fastpath::FastPath& fast_path, Logger& log)
      : fast_path_(fast_path), log_(log), changes_(fast_path) {}

  // Installs all of them; `sas` must outlive this. The error names the SA.
  absl::Status Install(const std::vector<ManualSaConfig>& sas, absl::Time now);
  // soft_time and hard_time. Called about once a second.
  void HandleTimers(absl::Time now);
  // The peer of an inbound SA was seen elsewhere (RFC 3948, 3): what goes to it follows. False: it
  // is not one of these SAs.
  bool HandlePeerMoved(const UpMessage::PeerMoved& moved);
  // Tries again what a full down ring refused. Called often.
  void RetryPending() { changes_.RetryPending(); }
  // A lifetime in bytes or packets. False: it is not one of these SAs.
  bool HandleExpiry(const UpMessage::Sa& sa, bool hard);

  std::vector<ManualSaInfo> List() const;

 private:
  struct Entry {
    const ManualSaConfig* config = nullptr;
    std::optional<fastpath::SaHandle> handle;  // none: removed
    uint64_t peer = 0;                         // InboundSaParameters::peer
    absl::Time installed_at;
    bool soft_said = false, expired = false;
  };

  absl::Status InstallOne(const ManualSaConfig& sa, const std::vector<ManualSaConfig>& sas,
                          absl::Time now);
  uint64_t PeerOf(const ManualSaConfig& sa) const;
  std::optional<fastpath::SaHandle> HandleOf(const std::string& name) const;
  void SayExpiry(const Entry& entry, bool hard);

  fastpath::FastPath& fast_path_;
  Logger& log_;
  SaChanges changes_;
  std::vector<Entry> entries_;  // in the order of the configuration, which they point into
};

}  // namespace sekisho::slowpath
