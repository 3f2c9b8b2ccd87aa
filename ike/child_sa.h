// ike/child_sa.h: one pair of ESP SAs, from negotiation to the removal of its last half (RFC 7296,
// 2.8, 2.17).
//
// The order that loses no packet when an SA is replaced: whoever answered the rekey installs the
// new inbound half at once and sends on the old SA until the peer shows that it is ready (its
// Delete for the old SA, or traffic on the new one). Whoever began it installs both halves when the
// answer comes, then deletes the old pair. An old inbound half stays for a while for packets that
// are under way.
#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/secret.h"
#include "common/spi.h"
#include "common/traffic_selector.h"
#include "ike/actions.h"
#include "ike/connection.h"
#include "ike/proposal.h"
#include "ike/reserved_spi.h"

namespace sekisho::ike {

struct Core;
struct IkeSa;

enum class ChildSaState : uint8_t {
  kInstalled,
  kRekeying,  // our rekey of it is under way
  kRekeyed,   // a new pair took its place; whoever made that one deletes this one
  kDeleting,  // our Delete is under way
};
absl::string_view Describe(ChildSaState state);

// What one exchange agrees on, piece by piece.
struct ChildNegotiation {
  const ChildTemplate* child_template = nullptr;  // of the IKE SA's connection
  ReservedSpi inbound;
  EspChoice choice;
  TrafficSelectors local, remote;
  IpsecMode mode = IpsecMode::kTunnel;
  // Transport mode with NAT between: the two addresses as the peer knows them (RFC 7296, 2.23.1).
  std::optional<IpAddress> original_local, original_remote;
  bool mode_refused = false;  // the peer made it in a mode that we do not want: it is to go
  Bytes nonce_i, nonce_r;
  bool initiated_by_us = false;
  std::optional<ChildSaId> rekeys;
};

struct ChildSa {
  ChildSaId id{};
  const ChildTemplate* child_template = nullptr;
  ChildSaState state = ChildSaState::kInstalled;
  Spi inbound, outbound;
  IpsecSuite suite;
  std::optional<KeyExchangeId> pfs;
  TrafficSelectors local, remote;
  IpsecMode mode = IpsecMode::kTunnel;
  std::optional<IpAddress> original_local, original_remote;  // as in ChildNegotiation
  bool initiated_by_us = false;
  bool udp_encapsulation = false;
  absl::Time established_at;
  absl::Time rekey_at = absl::InfiniteFuture();
  absl::Time expires_at = absl::InfiniteFuture();

  // The outbound half while it waits for the peer to be ready; keys are wiped when it is installed.
  std::optional<ChildSaHalf> outbound_waiting;
  bool outbound_installed = false;
  bool inbound_installed = false;
  // We answered the exchange that made it, and cannot know yet whether the answer has arrived:
  // until the peer's next request, or this time, it is neither rekeyed nor deleted by us.
  absl::Time unsettled_until = absl::InfinitePast();
  bool peer_is_ready = false;            // traffic came in on it; the outbound half is due
  std::optional<ChildSaId> rekeys;       // the pair that this one takes the place of
  std::optional<ChildSaId> replaced_by;  // and the other way round
  bool redundant = false;                // lost a simultaneous rekey (RFC 7296, 2.8.1)
  std::optional<absl::Time> removed_at;  // only the inbound half is left, and until then
};

// Makes the pair and its keys out of a finished negotiation, gives it to the IKE SA and installs
// the inbound half; the outbound half waits. `shared_secret` is empty without PFS.
ChildSa& CreateChildSa(Core& core, IkeSa& sa, ChildNegotiation& negotiation,
                       ByteSpan shared_secret);
void InstallOutbound(Core& core, const IkeSa& sa, ChildSa& child);
void RemoveOutbound(Core& core, ChildSa& child);
void RemoveInbound(Core& core, ChildSa& child);
// A pair that has been replaced: its outbound half goes now, its inbound half after a while.
void RetireChildSa(Core& core, ChildSa& child);
// Both halves go now, and the log says why. SweepChildren() forgets the ChildSa later.
void RemoveChildSa(Core& core, IkeSa& sa, ChildSa& child, absl::string_view reason);

// The peer uses, or will use, this pair: send on it, and no longer on the one that it replaces.
void SwitchOutbound(Core& core, IkeSa& sa, ChildSa& child);

// The peer's next request shows that our answers have arrived.
void SettleChildren(IkeSa& sa);

ChildSa* FindChild(IkeSa& sa, ChildSaId id);
ChildSa* FindChildByOutboundSpi(IkeSa& sa, Spi spi);
// The pair that took the place of `child` and is meant to stay.
ChildSa* FindSuccessor(IkeSa& sa, const ChildSa& child);

// Timers of Child SAs: rekey, hard life time, the end of an old inbound half.
absl::Time NextChildDeadline(const IkeSa& sa);
void HandleChildTimers(Core& core, IkeSa& sa);
// Forgets the pairs of which nothing is left.
void SweepChildren(Core& core, IkeSa& sa);

}  // namespace sekisho::ike
