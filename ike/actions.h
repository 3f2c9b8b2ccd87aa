// ike/actions.h: everything an Engine says to the one who drives it, in order.
//
// The driver carries actions out in the order they stand in: an SA is installed before the message
// is sent that lets the peer use it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/algorithm.h"
#include "common/bytes.h"
#include "common/endpoint.h"
#include "common/ipsec.h"
#include "common/secret.h"
#include "common/spi.h"
#include "common/traffic_selector.h"
#include "ike/identity.h"

namespace sekisho::ike {

// One tunnel's name from IKE_SA_INIT to its end: the IKE SA that a rekey puts in the place of
// another has the same one, so leases, Child SAs and shell commands keep meaning the same peer.
enum class IkeSaId : uint64_t {};        // never reused by one engine
enum class ChildSaId : uint64_t {};      // never reused by one engine
enum class ComputationId : uint64_t {};  // never reused by one engine

// One IKE message on its way. local.port is 500 or 4500 (or what the driver listens on for these);
// the non-ESP marker is not part of `bytes`: the driver takes it off and puts it on by the port.
struct Datagram {
  Endpoint local, remote;
  Bytes bytes;
};

// Diffie-Hellman, signatures and certificate checks: expensive, self-contained, without access to
// the engine. The driver calls Run() on any thread, once, and gives the object back to
// Engine::HandleComputation() on the engine's thread.
class Computation {
 public:
  virtual ~Computation() = default;
  virtual void Run() = 0;
};

struct SendDatagram {
  Datagram datagram;
};
struct RunComputation {
  ComputationId id;
  std::unique_ptr<Computation> computation;
};
// Question: virtual addresses for this peer. Answer: Engine::HandleLease().
struct AskLease {
  IkeSaId ike_sa;
  std::string connection;
  Identity peer;
  bool ipv4, ipv6;
};
// The lease of this IKE SA, if there is one, is given back.
struct ReleaseLease {
  IkeSaId ike_sa;
};
// One direction of a Child SA begins. The driver installs it in the fast path.
struct ChildSaHalf {
  ChildSaId child_sa;
  IkeSaId ike_sa;
  std::string connection, child;  // names in the configuration
  Spi spi;
  IpsecSuite suite;
  SecretBytes encryption_key;  // with the salt at its end, as KEYMAT gives it
  SecretBytes integrity_key;   // empty with an AEAD
  TrafficSelectors local, remote;
  Endpoint local_endpoint, remote_endpoint;  // IKE's own; ESP uses the ports if encapsulated
  bool udp_encapsulation = false;            // RFC 3948
  IpsecMode mode = IpsecMode::kTunnel;
  // Transport mode with NAT between: both ends' addresses as the peer knows them, which the
  // checksums of its packets cover.
  std::optional<IpAddress> original_local, original_remote;
  // NoteSoftExpiry() and NoteHardExpiry() are wanted after these; 0: never.
  uint64_t soft_bytes = 0, soft_packets = 0, hard_bytes = 0, hard_packets = 0;
  bool initiated_by_us = false;  // the exchange that made it
};
struct InstallInboundSa {
  ChildSaHalf sa;
};
// From now on packets for these selectors leave under this SA; it goes before older ones.
struct InstallOutboundSa {
  ChildSaHalf sa;
};
struct RemoveInboundSa {
  ChildSaId child_sa;
  Spi spi;
};
struct RemoveOutboundSa {
  ChildSaId child_sa;
  Spi spi;
};
// The peer of this IKE SA is now reached elsewhere (RFC 7296, 2.23): all its outbound SAs move.
struct MovePeer {
  IkeSaId ike_sa;
  Endpoint local, remote;
};
// Something an operator may want to know: one line in the log.
struct LogEvent {
  enum class Level : uint8_t { kDebug, kInfo, kWarning };
  Level level = Level::kInfo;
  std::string name;  // "ike-sa-up", "child-sa-rekeyed", "ike-sa-failed": lower case, dashes
  std::vector<std::pair<std::string, std::string>> fields;  // peer, identity, spi, reason...
};

using Action =
    std::variant<SendDatagram, RunComputation, AskLease, ReleaseLease, InstallInboundSa,
                 InstallOutboundSa, RemoveInboundSa, RemoveOutboundSa, MovePeer, LogEvent>;
using Actions = std::vector<Action>;

}  // namespace sekisho::ike
