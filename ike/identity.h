// ike/identity.h: who a peer says it is (RFC 7296, 3.5), and whom a connection lets in.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"

namespace sekisho::ike {

enum class IdentityType : uint8_t {
  kIpv4Address = 1,
  kFqdn = 2,
  kRfc822Address = 3,
  kIpv6Address = 5,
  kDerAsn1Dn = 9,
  kKeyId = 11,
};

struct Identity {
  IdentityType type = IdentityType::kKeyId;
  Bytes data;  // as in the payload: text without a terminator, address bytes, or DER

  // "192.0.2.1" and "2001:db8::1": an address. "a@b": RFC 822. "@#6b6579": KEY_ID from hex.
  // "CN=client, O=Example": a DN. Anything else, with or without a leading '@': FQDN.
  static absl::StatusOr<Identity> Parse(absl::string_view text);
  // For people and logs; control characters are escaped, so that a peer cannot forge log lines.
  std::string ToString() const;

  friend auto operator<=>(const Identity&, const Identity&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Identity& identity) {
    return H::combine(std::move(h), identity.type, identity.data);
  }
};

// Names compare without regard to case, distinguished names as X.509 compares them.
bool SameIdentity(const Identity& a, const Identity& b);

// A pattern over identities: "%any", "*.example.org", "*@example.org", or one identity exactly.
class IdentityPattern {
 public:
  IdentityPattern() = default;  // %any
  static absl::StatusOr<IdentityPattern> Parse(absl::string_view text);
  // Text compares without regard to case; '*' matches any run of characters.
  bool Matches(const Identity& identity) const;
  bool is_any() const { return any_; }
  std::string ToString() const;

 private:
  bool any_ = true;
  bool wildcard_ = false;
  Identity exact_;       // when neither any nor wildcard
  std::string pattern_;  // when wildcard; with exact_.type
};

}  // namespace sekisho::ike
