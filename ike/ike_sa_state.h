// ike/ike_sa_state.h: the states of one IKE SA, and the only table that says which may follow.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sekisho::ike {

enum class IkeSaState : uint8_t {
  kInitiating,      // initiator: IKE_SA_INIT under way
  kHalfOpen,        // responder: IKE_SA_INIT being answered, or answered
  kAuthenticating,  // IKE_AUTH under way
  kEstablished,
  kRekeying,   // our CREATE_CHILD_SA for a successor is under way
  kReplaced,   // a successor owns the Child SAs; the initiator of the rekey deletes this one
  kRedundant,  // made in a simultaneous rekey and not chosen (RFC 7296, 2.8.2)
  kDeleting,   // our Delete is under way
  kClosed,     // over, and nothing is under it; stays a while only to repeat its last answer
  kDead,       // removed when the input that killed it has been dealt with
};

struct IkeSaTransition {
  IkeSaState from, to;
};

// Every state may be followed by kDead; that is not repeated here.
inline constexpr IkeSaTransition kIkeSaTransitions[] = {
    {IkeSaState::kInitiating, IkeSaState::kAuthenticating},  // IKE_SA_INIT answered
    {IkeSaState::kHalfOpen, IkeSaState::kAuthenticating},    // IKE_AUTH request arrived
    {IkeSaState::kHalfOpen, IkeSaState::kClosed},            // it was unusable
    {IkeSaState::kAuthenticating, IkeSaState::kEstablished},
    {IkeSaState::kAuthenticating, IkeSaState::kClosed},    // not who it should be
    {IkeSaState::kAuthenticating, IkeSaState::kDeleting},  // the responder's AUTH was wrong
    {IkeSaState::kEstablished, IkeSaState::kRekeying},
    {IkeSaState::kRekeying, IkeSaState::kEstablished},  // the rekey failed for now
    {IkeSaState::kRekeying, IkeSaState::kReplaced},     // our rekey succeeded, or the peer's won
    {IkeSaState::kEstablished, IkeSaState::kReplaced},  // the peer's rekey succeeded
    {IkeSaState::kEstablished, IkeSaState::kRedundant},
    {IkeSaState::kEstablished, IkeSaState::kDeleting},
    {IkeSaState::kRekeying, IkeSaState::kDeleting},
    {IkeSaState::kReplaced, IkeSaState::kDeleting},
    {IkeSaState::kRedundant, IkeSaState::kDeleting},
    {IkeSaState::kEstablished, IkeSaState::kClosed},  // the peer deleted it: in any state
    {IkeSaState::kRekeying, IkeSaState::kClosed},
    {IkeSaState::kReplaced, IkeSaState::kClosed},
    {IkeSaState::kRedundant, IkeSaState::kClosed},
    {IkeSaState::kDeleting, IkeSaState::kClosed},
};

constexpr bool MayFollow(IkeSaState from, IkeSaState to) {
  if (to == IkeSaState::kDead) return from != IkeSaState::kDead;
  for (const IkeSaTransition& transition : kIkeSaTransitions) {
    if (transition.from == from && transition.to == to) return true;
  }
  return false;
}

// For show commands: "connecting", "established", "rekeying", "deleting".
constexpr absl::string_view Describe(IkeSaState state) {
  switch (state) {
    case IkeSaState::kInitiating:
    case IkeSaState::kHalfOpen:
    case IkeSaState::kAuthenticating:
      return "connecting";
    case IkeSaState::kEstablished:
      return "established";
    case IkeSaState::kRekeying:
      return "rekeying";
    case IkeSaState::kReplaced:
    case IkeSaState::kRedundant:
    case IkeSaState::kDeleting:
    case IkeSaState::kClosed:
    case IkeSaState::kDead:
      break;
  }
  return "deleting";
}

}  // namespace sekisho::ike
