// fastpath/spd.h: the Security Policy Database, compiled (RFC 4301, 4.4.1).
//
// An ordered list of policies becomes four ACL tries (rte_acl) for each port that has a list of its
// own: IPv4 and IPv6, outbound and inbound; ports with the same policies share them. The first
// policy that matches decides; none matching is UINT32_MAX, the implicit DISCARD. Compiled on the
// slow path, immutable afterwards, read by any worker.
//
// Fragments are reassembled before they come here, so every packet shows its ports if its protocol
// has any. OPAQUE is then the ports of a protocol that has none; a range of ports never matches
// such a packet (RFC 4301, 4.4.1.1).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "fastpath/packet_context.h"
#include "fastpath/policy.h"

struct rte_acl_ctx;

namespace sekisho::fastpath {

inline constexpr uint32_t kNoPolicy = UINT32_MAX;

class alignas(64) Spd {
 public:
  // A policy becomes one rule per pair of selectors and pair of prefixes that those split into.
  static constexpr size_t kRulesMax = 1 << 20;  // in one trie

  // Slow path; takes seconds for tens of thousands of policies. The error names the policy that is
  // too much.
  static absl::StatusOr<std::unique_ptr<Spd>> Compile(std::vector<Policy> policies);
  ~Spd();
  Spd(const Spd&) = delete;
  Spd& operator=(const Spd&) = delete;

  // Sets context.policy of each packet: its place in policies(). Reads the IP header at the start
  // of the data, family, protocol and ports. Outbound: the source is local, the port next_hop's.
  // Inbound: the destination is local, the port port_in. Requires: at most kBurstMax.
  void ClassifyOutbound(Burst burst) const { Classify(burst, /*inbound=*/false); }
  void ClassifyInbound(Burst burst) const { Classify(burst, /*inbound=*/true); }

  // Requires: policy < policies().size().
  PolicyAction action(uint32_t policy) const { return actions_[policy]; }
  // Policy::optional; false for kNoPolicy.
  bool is_optional(uint32_t policy) const { return policy != kNoPolicy && optional_[policy]; }
  bool has_optional() const { return has_optional_; }
  const Handling& handling(uint32_t policy) const {
    return handlings_[policy / kHandlingsPerLine].of[policy % kHandlingsPerLine];
  }
  // Does any policy clamp the TCP MSS?
  bool clamps_mss() const { return clamps_mss_; }
  const std::vector<Policy>& policies() const { return policies_; }
  size_t lists() const { return lists_.size(); }  // that ports have, counted once where equal

 private:
  // Read with every packet, so nothing else may be in their cache lines.
  static constexpr size_t kHandlingsPerLine = 8;
  struct alignas(64) HandlingLine {
    std::array<Handling, kHandlingsPerLine> of;
  };
  static_assert(sizeof(HandlingLine) == 64);

  struct FreeAcl {
    void operator()(rte_acl_ctx* acl) const;
  };
  using Acl = std::unique_ptr<rte_acl_ctx, FreeAcl>;

  // The tries of ports that have the same policies. Outbound, inbound; null: no rule.
  struct List {
    std::array<Acl, 2> ipv4, ipv6;
  };
  using Members = std::vector<uint32_t>;  // of policies, ascending

  explicit Spd(std::vector<Policy> policies);
  absl::Status CompileList(const Members& members);
  void Classify(Burst burst, bool inbound) const;

  // Ports beyond, and packets from none, have the policies that name no port.
  static constexpr size_t kPortsNamed = 64;

  std::vector<Policy> policies_;
  std::vector<PolicyAction> actions_;  // apart from the rest, which is large
  std::vector<bool> optional_;         // PROTECT, and only where the peer does
  bool has_optional_ = false;
  bool clamps_mss_ = false;
  std::vector<List> lists_;
  std::array<uint8_t, kPortsNamed + 1> list_of_port_ = {};
  std::vector<HandlingLine> handlings_;  // of policies_
};

}  // namespace sekisho::fastpath
