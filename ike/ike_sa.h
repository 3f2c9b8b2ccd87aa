// ike/ike_sa.h: the state of one IKE SA: plain values that the concerns around it work on.
//
// Owned by Core's table under `local_spi`. A tunnel that is rekeyed is several IkeSa one after the
// other; the driver sees one IkeSaId all its life.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/secret.h"
#include "ike/actions.h"
#include "ike/child_sa.h"
#include "ike/connection.h"
#include "ike/engine.h"
#include "ike/ike_sa_state.h"
#include "ike/key_exchange.h"
#include "ike/message.h"
#include "ike/message_cipher.h"
#include "ike/prf.h"
#include "ike/proposal.h"
#include "ike/signature.h"

namespace sekisho::ike {

// Both directions have a window of one message (RFC 7296, 2.3).
struct MessageWindow {
  uint32_t next_own_id = 0;   // of our next request
  uint32_t next_peer_id = 0;  // of the peer's next request
  Bytes response;             // to the peer's request next_peer_id - 1; empty: none
  // Our request that has no answer yet.
  bool in_flight = false;
  uint32_t own_id = 0;
  Bytes request;
  int tries_left = 0;
  absl::Duration interval;
  absl::Time retransmit_at = absl::InfiniteFuture();
};

// Something to begin when the window for our requests is free. The IKE SA holds each only once.
struct Task {
  enum class Kind : uint8_t {
    kNewChild,     // template_index
    kRekeyChild,   // child
    kDeleteChild,  // child
    kRekeyIke,
    kDeleteIke,
    kLiveness,
  };
  Kind kind;
  ChildSaId child{};
  size_t template_index = 0;
  friend auto operator<=>(const Task&, const Task&) = default;
};
inline constexpr size_t kTasksMax = 64;
inline constexpr size_t kReplacedMax = 4;   // IKE SAs before the one that stands, not deleted yet
inline constexpr size_t kChildSasMax = 32;  // of one IKE SA; beyond: NO_ADDITIONAL_SAS

// What an exchange that we began needs to remember.
struct OwnExchange {
  enum class Kind : uint8_t {
    kIkeSaInit,
    kIkeAuth,
    kCreateChild,  // a new one, or a rekey
    kRekeyIke,
    kDeleteChild,
    kDeleteIke,
    kLiveness,
  };
  Kind kind;
  bool sent = false;  // until then the peer cannot know of it
  int restarts = 0;   // after COOKIE or INVALID_KE_PAYLOAD
  ChildSaId child{};  // kDeleteChild
  ChildNegotiation negotiation;
  KeyExchangeId method = KeyExchangeId::kNone;
  std::unique_ptr<KeyExchange> key_exchange;
  Bytes nonce;
  uint64_t new_spi = 0;  // kRekeyIke: ours
  IkeChoice ike_choice;
  Bytes cookie;            // kIkeSaInit
  std::string init_error;  // kIkeSaInit: what an unprotected answer complained about
  int complaints = 0;      // and how often one did
  std::optional<Message> response;
  // The peer rekeys the same SA at the same time: the lowest nonce of its exchange.
  std::optional<Bytes> rival_nonce;
};

// A request of the peer that waits for a computation or for addresses.
struct PeerExchange {
  Message request;
  Endpoint local, remote;  // the answer goes back where the request came from
  ChildNegotiation negotiation;
  IkeChoice ike_choice;
  Bytes nonce;
  uint64_t new_spi = 0;
  KeyExchangeId method = KeyExchangeId::kNone;
  Bytes public_value;
  bool redundant = false;           // our rekey of the same SA has won already
  std::optional<AuthPayload> auth;  // ours
  bool waits_for_lease = false;
  std::optional<absl::StatusOr<Lease>> lease;
};

struct IkeSa {
  IkeSaId id{};
  uint64_t local_spi = 0, remote_spi = 0;
  bool initiator = false;                        // of the exchange that made this IKE SA
  IkeSaState state = IkeSaState::kHalfOpen;      // changed by SetState() only
  std::shared_ptr<const Connection> connection;  // responder: from IKE_AUTH on
  Endpoint local, remote;
  bool local_behind_nat = false, remote_behind_nat = false;
  Identity local_identity, remote_identity;
  bool have_remote_identity = false;

  IkeSuite suite;
  IkeKeys keys;
  std::unique_ptr<MessageCipher> seal, open;  // there once the keys are
  MessageWindow window;

  // IKE_SA_INIT, kept until AUTH has been made and checked.
  Bytes init_request, init_response, nonce_i, nonce_r;
  std::vector<HashId> peer_hashes;
  Bytes request_digest;  // responder: its key in the table of seen IKE_SA_INIT requests
  std::optional<IpAddress> half_open_from;  // counted among the half-open ones of this address

  std::unique_ptr<OwnExchange> own;
  std::unique_ptr<PeerExchange> peer;
  std::vector<Task> tasks;
  std::vector<std::unique_ptr<ChildSa>> children;

  // The responder's lease, or the initiator's addresses. lease_asked: there is something to
  // release.
  bool lease_asked = false;
  std::optional<IpAddress> virtual_ipv4, virtual_ipv6;

  uint64_t rival_spi = 0;  // the IKE SA that the peer's rekey of this one made, until we know if it
                           // stays
  uint64_t predecessor_spi = 0;   // and the other way round
  std::deque<uint64_t> replaced;  // local SPIs of those before it, oldest first
  // We answered the rekey that made it, and cannot know yet whether the answer has arrived: until
  // the peer speaks on it, or deletes the old one, or this time, we begin nothing on it.
  absl::Time unsettled_until = absl::InfinitePast();
  absl::Time established_at;
  absl::Time rekey_at = absl::InfiniteFuture();
  absl::Time last_heard;
  absl::Time check_liveness_at = absl::InfiniteFuture();
  absl::Time expires_at = absl::InfiniteFuture();    // half-open, closed, replaced: gone then
  absl::Time scheduled_at = absl::InfiniteFuture();  // where it stands in Core's timers

  uint64_t initiator_spi() const { return initiator ? local_spi : remote_spi; }
  uint64_t responder_spi() const { return initiator ? remote_spi : local_spi; }
  bool behind_nat() const { return local_behind_nat || remote_behind_nat; }
};

void SetState(Core& core, IkeSa& sa, IkeSaState state);
// Whom half-open IKE SAs from this address are counted for: itself, or with IPv6 its /64, of which
// one host may use every address.
IpAddress HalfOpenOwner(const IpAddress& address);
// Responder: counted from IKE_SA_INIT until the IKE SA is established or gone.
void CountHalfOpen(Core& core, IkeSa& sa);
// Ciphers for both directions out of sa.keys.
void ReadyCiphers(IkeSa& sa);
// The tunnel is up: rekey and liveness begin to run.
void StartTimers(Core& core, IkeSa& sa);
void AddTask(IkeSa& sa, Task task);
// Begins the next task if the window for our requests is free.
void StartNextTask(Core& core, IkeSa& sa);
// Everything under it goes: both halves of its Child SAs, its lease. The log hears of it if the IKE
// SA is the one that stands for its id (not of one that was replaced, or was redundant). With
// kRepeatAnswer it stays for a while as kClosed.
enum class Afterwards : uint8_t { kForget, kRepeatAnswer };
void EndIkeSa(Core& core, IkeSa& sa, LogEvent::Level level, absl::string_view event,
              absl::string_view reason, Afterwards afterwards = Afterwards::kForget);
// An orderly end for reasons of ours: asks the peer first if there is one that knows us.
void CloseIkeSa(Core& core, IkeSa& sa);

absl::Time NextDeadline(const IkeSa& sa);
void HandleIkeSaTimers(Core& core, IkeSa& sa);
IkeSaInfo Describe(const IkeSa& sa);

}  // namespace sekisho::ike
