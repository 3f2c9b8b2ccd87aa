// ike/connection.h: what an operator lets happen with one kind of peer; the PAD and the Child SA
// templates of RFC 4301, 4.4.3 in the words of the configuration file. Immutable once the engine
// has it; shared by the IKE SAs that were set up under it, so that a reload leaves those running.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/algorithm.h"
#include "common/endpoint.h"
#include "common/ip_range.h"
#include "common/ipsec.h"
#include "common/secret.h"
#include "common/traffic_selector.h"
#include "ike/identity.h"

namespace sekisho::ike {

class Certificate;  // ike/certificate.h
class PrivateKey;   // ike/signature.h
class TrustStore;   // ike/certificate.h

enum class AuthenticationKind : uint8_t { kPsk, kCertificate };

// How we prove who we are.
struct LocalAuthentication {
  AuthenticationKind kind = AuthenticationKind::kPsk;
  Identity identity;
  // kCertificate: our certificate first, then the intermediate ones, and its key.
  std::vector<std::shared_ptr<const Certificate>> chain;
  std::shared_ptr<const PrivateKey> private_key;
};

// How peers prove who they are.
struct RemoteAuthentication {
  AuthenticationKind kind = AuthenticationKind::kPsk;
  std::vector<IdentityPattern> identities;        // empty: any
  std::shared_ptr<const TrustStore> trust_store;  // kCertificate
};

struct ChildTemplate {
  std::string name;
  TrafficSelectors local;  // what peers may reach through us
  // What peers may be. Empty: exactly the virtual addresses that the peer was given.
  TrafficSelectors remote;
  // Transport mode is between the two addresses that IKE is spoken between: of the selectors counts
  // what holds these, and an empty `remote` is the peer's own address. RFC 7296, 1.3.1.
  IpsecMode mode = IpsecMode::kTunnel;
  bool may_fall_back = false;  // kTransport: to tunnel mode, where the peer wants that
  std::vector<AlgorithmProposal> esp_proposals = DefaultEspProposals();
  absl::Duration rekey_time = absl::Hours(1);    // soft; jittered down by up to a tenth
  absl::Duration life_time = absl::Minutes(66);  // hard: deleted if not rekeyed by then
  // The same of each direction by itself; 0: no limit.
  uint64_t rekey_bytes = 0, rekey_packets = 0;  // soft
  uint64_t life_bytes = 0, life_packets = 0;    // hard
};

struct Connection {
  std::string name;
  std::vector<IpAddress> local_addresses;  // empty: any of ours
  std::vector<IpRange> remote_addresses;   // empty: any
  std::vector<AlgorithmProposal> ike_proposals = DefaultIkeProposals();
  LocalAuthentication local;
  RemoteAuthentication remote;
  // kPsk: by the peer's identity; `any_psk` for peers that are not named.
  absl::flat_hash_map<Identity, SecretBytes> psks;
  std::optional<SecretBytes> any_psk;
  // Virtual addresses (RFC 7296, 2.19): asked of the slow path when the peer asks us.
  bool assign_ipv4 = false, assign_ipv6 = false;
  std::vector<ChildTemplate> children;
  absl::Duration rekey_time = absl::Hours(4);    // of the IKE SA; jittered down by up to a tenth
  absl::Duration dpd_delay = absl::Seconds(30);  // zero: no liveness checks
  // Initiator: whom to call, and which virtual addresses to ask for.
  std::optional<Endpoint> remote_endpoint;
  bool request_ipv4 = false, request_ipv6 = false;
};

}  // namespace sekisho::ike
