// fastpath/spd.h: the Security Policy Database, compiled (RFC 4301, 4.4.1).
//
// An ordered list of policies becomes four ACL tries (rte_acl): IPv4 and IPv6, outbound and
// inbound. The first policy that matches decides; none matching is UINT32_MAX, the implicit
// DISCARD. Compiled on the slow path, immutable afterwards, read by any worker.
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

class Spd {
 public:
  // A policy becomes one rule per pair of selectors and pair of prefixes that those split into.
  static constexpr size_t kRulesMax = 1 << 20;  // in one trie

  // Slow path. The error names the policy that is too much.
  static absl::StatusOr<std::unique_ptr<Spd>> Compile(std::vector<Policy> policies);
  ~Spd();
  Spd(const Spd&) = delete;
  Spd& operator=(const Spd&) = delete;

  // Sets context.policy of each packet. Reads the IP header at the start of the data, family,
  // protocol and ports. Outbound: the source is local. Inbound: the destination is local.
  void ClassifyOutbound(Burst burst) const { Classify(burst, /*inbound=*/false); }
  void ClassifyInbound(Burst burst) const { Classify(burst, /*inbound=*/true); }

  // Requires: policy < policies().size().
  PolicyAction action(uint32_t policy) const { return actions_[policy]; }
  // Policy::optional; false for kNoPolicy.
  bool is_optional(uint32_t policy) const { return policy != kNoPolicy && optional_[policy]; }
  bool has_optional() const { return has_optional_; }
  const std::vector<Policy>& policies() const { return policies_; }

 private:
  struct FreeAcl {
    void operator()(rte_acl_ctx* acl) const;
  };
  using Acl = std::unique_ptr<rte_acl_ctx, FreeAcl>;

  explicit Spd(std::vector<Policy> policies);
  void Classify(Burst burst, bool inbound) const;

  std::vector<Policy> policies_;
  std::vector<PolicyAction> actions_;  // apart from the rest, which is large
  std::vector<bool> optional_;         // PROTECT, and only where the peer does
  bool has_optional_ = false;
  std::array<Acl, 2> ipv4_, ipv6_;  // outbound, inbound; null: no rule
};

}  // namespace sekisho::fastpath
