// ike/engine.h: all IKE SAs of one gateway, without input or output (RFC 7296).
//
// Datagrams, answers, commands and the time go in; actions come out. Nothing here blocks, calls
// back, reads a clock or opens a file; one thread at a time. Every call appends to `actions`, which
// the caller then carries out in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/algorithm.h"
#include "common/endpoint.h"
#include "common/spi.h"
#include "common/traffic_selector.h"
#include "ike/actions.h"
#include "ike/connection.h"
#include "ike/random.h"

namespace sekisho::ike {

// Hands out the SPIs of inbound SAs: they are addresses in the fast path's SAD. Synchronous, on the
// engine's thread.
class SpiAllocator {
 public:
  virtual ~SpiAllocator() = default;
  virtual absl::StatusOr<Spi> Allocate() = 0;
  // For an SPI that was allocated and never installed. Installed ones go with RemoveInboundSa.
  virtual void Release(Spi spi) = 0;
};

struct EngineOptions {
  absl::Duration retransmit_first = absl::Seconds(1);
  double retransmit_factor = 1.8;
  int retransmit_tries = 5;  // after the first sending
  absl::Duration half_open_timeout = absl::Seconds(30);
  size_t half_open_max = 10000;   // above: new IKE_SA_INITs are dropped
  size_t cookie_threshold = 100;  // half-open IKE SAs from which on cookies are asked for
  size_t half_open_per_address_max = 50;
  absl::Duration old_inbound_linger = absl::Seconds(5);  // packets under way when an SA is replaced
};

// What the slow path gives a peer that asked for virtual addresses.
struct Lease {
  std::optional<IpAddress> ipv4, ipv6;
  int ipv6_prefix_length = 128;
  std::vector<IpAddress> dns;
};

struct EngineCounters {
  uint64_t datagrams_received = 0, datagrams_sent = 0, retransmits_sent = 0,
           retransmits_answered = 0;
  uint64_t malformed = 0, integrity_failed = 0, unknown_ike_spi = 0, unexpected_message_id = 0;
  uint64_t cookies_asked = 0, half_open_refused = 0;
  uint64_t no_proposal_chosen = 0, invalid_ke = 0, authentication_failed = 0, ts_unacceptable = 0;
  uint64_t ike_sas_established = 0, ike_sas_rekeyed = 0, ike_sas_timed_out = 0;
  uint64_t child_sas_established = 0, child_sas_rekeyed = 0;
};

struct ChildSaInfo {
  ChildSaId id;
  std::string child;
  std::string state;  // "installed", "rekeying", "rekeyed", "deleting"
  Spi inbound_spi, outbound_spi;
  IpsecSuite suite;
  std::optional<KeyExchangeId> pfs;
  bool udp_encapsulation;
  IpsecMode mode = IpsecMode::kTunnel;
  TrafficSelectors local, remote;
  absl::Time established_at;
  absl::Time rekey_at;
};

struct IkeSaInfo {
  IkeSaId id;
  std::string connection;
  std::string state;  // "connecting", "established", "rekeying", "deleting"
  bool initiator;
  uint64_t initiator_spi, responder_spi;
  Endpoint local, remote;
  std::string local_identity, remote_identity;
  IkeSuite suite;
  bool local_behind_nat, remote_behind_nat;
  std::optional<IpAddress> virtual_ipv4, virtual_ipv6;
  absl::Time established_at;
  absl::Time rekey_at;
  std::vector<ChildSaInfo> children;
};

class Engine {
 public:
  // `random` and `spis` must outlive the engine.
  Engine(EngineOptions options, Random& random, SpiAllocator& spis);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Replaces the list of connections. IKE SAs that stand keep the one they were made under.
  void SetConnections(std::vector<std::shared_ptr<const Connection>> connections);

  // Inputs.
  void HandleDatagram(const Datagram& datagram, absl::Time now, Actions& actions);
  void HandleTimers(absl::Time now, Actions& actions);
  absl::Time next_deadline() const;  // absl::InfiniteFuture(): nothing is pending
  void HandleComputation(ComputationId id, std::unique_ptr<Computation> done, absl::Time now,
                         Actions& actions);
  // `lease` not ok: there is no address for this peer; its message goes to the log.
  void HandleLease(IkeSaId ike_sa, absl::StatusOr<Lease> lease, absl::Time now, Actions& actions);

  // What the fast path saw. Unknown ids are ignored: the SA may just have ended.
  // What follows from the first (sending on a pair that replaces another) is said by the next
  // HandleTimers(): next_deadline() is `now` then.
  void NoteInboundTraffic(ChildSaId child_sa, absl::Time now);
  void NotePeerMoved(ChildSaId child_sa, const Endpoint& local, const Endpoint& remote,
                     absl::Time now, Actions& actions);
  void NoteSoftExpiry(ChildSaId child_sa, absl::Time now, Actions& actions);
  void NoteHardExpiry(ChildSaId child_sa, absl::Time now, Actions& actions);

  // Commands. NotFound for a name or id that is not there.
  absl::StatusOr<IkeSaId> Initiate(absl::string_view connection, const Endpoint& local,
                                   absl::Time now, Actions& actions);
  absl::Status RekeyIkeSa(IkeSaId ike_sa, absl::Time now, Actions& actions);
  absl::Status RekeyChildSa(ChildSaId child_sa, absl::Time now, Actions& actions);
  absl::Status DeleteIkeSa(IkeSaId ike_sa, absl::Time now, Actions& actions);
  absl::Status DeleteChildSa(ChildSaId child_sa, absl::Time now, Actions& actions);
  // Orderly stop: a delete to every peer, no new IKE SAs. Done when idle() or when the caller's
  // patience ends.
  void Shutdown(absl::Time now, Actions& actions);
  bool idle() const;  // no IKE SA is left

  // For show commands; ordered by id.
  std::vector<IkeSaInfo> ListIkeSas() const;
  const EngineCounters& counters() const;
  size_t half_open_count() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::ike
