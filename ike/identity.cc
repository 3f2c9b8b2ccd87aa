#include "ike/identity.h"

#include <openssl/objects.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/ip_address.h"
#include "common/status_macros.h"
#include "ike/distinguished_name.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

constexpr size_t kTextMax = 1024;  // of ToString(): a stranger decides on the length

Identity MakeText(IdentityType type, absl::string_view text) {
  return {type, Bytes(text.begin(), text.end())};
}

absl::string_view TextOf(const Identity& identity) {
  return {reinterpret_cast<const char*>(identity.data.data()), identity.data.size()};
}

std::string HexOf(const Bytes& bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

absl::Status IdentityError(absl::string_view text, absl::string_view found,
                           absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat("identity '", absl::CHexEscape(text), "': found ", found, ", want ", want));
}

absl::StatusOr<Identity> ParseKeyId(absl::string_view text, absl::string_view hex) {
  const bool digits = std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
  if (hex.empty() || hex.size() % 2 != 0 || !digits) {
    return IdentityError(text, "a key id that is not hex", "pairs of hex digits, as in @#6b6579");
  }
  return MakeText(IdentityType::kKeyId, absl::HexStringToBytes(hex));
}

absl::StatusOr<Identity> ParseFqdnOrMail(absl::string_view text) {
  const absl::string_view name = absl::StripPrefix(text, "@");
  for (char c : name) {
    if (!absl::ascii_isgraph(c) || absl::StrContains("*%,\"'\\", c)) {
      return IdentityError(text, absl::StrCat("character '", absl::CHexEscape({&c, 1}), "'"),
                           "a name as vpn.example.org, user@example.org, an address, a "
                           "distinguished name (CN=client, O=Example) or @#hex");
    }
  }
  if (name.empty()) return IdentityError(text, "nothing", "a name");
  const bool mail = absl::StrContains(name, '@') && name.size() == text.size();
  return MakeText(mail ? IdentityType::kRfc822Address : IdentityType::kFqdn, name);
}

// Is what stands before the first '=' the name of an attribute, with nothing odd before it?
bool LooksLikeName(absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || text.front() == '@') return false;
  return !absl::StrContains(text.substr(0, equals), '@');
}

// '*' stands for any run of characters. Linear but for runs that match in part.
bool GlobMatches(absl::string_view pattern, absl::string_view text) {
  size_t p = 0, t = 0, star = absl::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() &&
               absl::ascii_tolower(pattern[p]) == absl::ascii_tolower(text[t])) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Attribute by attribute: '*' never reaches into the next one.
bool NameMatches(absl::string_view pattern, const Identity& identity) {
  const auto globs = ParseAttributes(pattern);
  const X509NamePtr name = DecodeName(identity.data);
  if (!globs.ok() || name == nullptr) return false;
  const auto attributes = NameAttributes(name.get());
  return std::equal(globs->begin(), globs->end(), attributes.begin(), attributes.end(),
                    [](const NameAttribute& glob, const NameAttribute& attribute) {
                      return glob.nid == attribute.nid && glob.rdn == attribute.rdn &&
                             GlobMatches(glob.value, attribute.value);
                    });
}

std::string FullText(const Identity& identity) {
  switch (identity.type) {
    case IdentityType::kIpv4Address:
      if (identity.data.size() == 4) return IpAddress::V4(identity.data).ToString();
      break;
    case IdentityType::kIpv6Address:
      if (identity.data.size() == 16) return IpAddress::V6(identity.data).ToString();
      break;
    case IdentityType::kFqdn:
    case IdentityType::kRfc822Address:
      return absl::CHexEscape(TextOf(identity));
    case IdentityType::kDerAsn1Dn:
      if (const X509NamePtr name = DecodeName(identity.data)) return NameText(name.get());
      break;
    case IdentityType::kKeyId:
      return absl::StrCat("@#", HexOf(identity.data));
  }
  return absl::StrCat("id-type-", static_cast<int>(identity.type), "-", HexOf(identity.data));
}

}  // namespace

bool SameIdentity(const Identity& a, const Identity& b) {
  if (a.type != b.type) return false;
  if (a.data == b.data) return true;
  switch (a.type) {
    case IdentityType::kFqdn:
    case IdentityType::kRfc822Address:
      return absl::EqualsIgnoreCase(TextOf(a), TextOf(b));
    case IdentityType::kDerAsn1Dn: {
      const X509NamePtr name_a = DecodeName(a.data), name_b = DecodeName(b.data);
      return name_a != nullptr && name_b != nullptr && SameName(name_a.get(), name_b.get());
    }
    default:
      return false;
  }
}

absl::StatusOr<Identity> Identity::Parse(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return IdentityError(text, "nothing", "a name or an address");
  if (const auto address = IpAddress::Parse(text); address.ok()) {
    return Identity{address->is_v4() ? IdentityType::kIpv4Address : IdentityType::kIpv6Address,
                    ToBytes(address->bytes())};
  }
  if (absl::StartsWith(text, "@#")) return ParseKeyId(text, text.substr(2));
  if (LooksLikeName(text)) {
    SEKISHO_ASSIGN_OR_RETURN(const X509NamePtr name, ParseName(text));
    return Identity{IdentityType::kDerAsn1Dn, EncodeName(name.get())};
  }
  return ParseFqdnOrMail(text);
}

std::string Identity::ToString() const {
  std::string text = FullText(*this);
  if (text.size() > kTextMax) {
    text.resize(kTextMax);
    text += "...";
  }
  return text;
}

absl::StatusOr<IdentityPattern> IdentityPattern::Parse(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  IdentityPattern pattern;
  if (text == "%any" || text == "*") return pattern;
  pattern.any_ = false;
  if (!absl::StrContains(text, '*')) {
    SEKISHO_ASSIGN_OR_RETURN(pattern.exact_, Identity::Parse(text));
    return pattern;
  }
  pattern.wildcard_ = true;
  pattern.pattern_ = std::string(text);
  if (LooksLikeName(text)) {
    pattern.exact_.type = IdentityType::kDerAsn1Dn;
    SEKISHO_RETURN_IF_ERROR(ParseAttributes(text).status());
    return pattern;
  }
  // The same text with a letter for each '*' must be an identity, which also tells its kind.
  const std::string probe = absl::StrReplaceAll(text, {{"*", "x"}});
  SEKISHO_ASSIGN_OR_RETURN(const Identity identity, Identity::Parse(probe));
  pattern.exact_.type = identity.type;
  if (identity.type == IdentityType::kFqdn) {
    pattern.pattern_ = std::string(absl::StripPrefix(text, "@"));
  } else if (identity.type != IdentityType::kRfc822Address) {
    return IdentityError(text, "'*' in an address or key id", "it in a name, as in *.example.org");
  }
  return pattern;
}

bool IdentityPattern::Matches(const Identity& identity) const {
  if (any_) return true;
  if (!wildcard_) return SameIdentity(exact_, identity);
  if (identity.type != exact_.type) return false;
  if (identity.type == IdentityType::kDerAsn1Dn) return NameMatches(pattern_, identity);
  return GlobMatches(pattern_, TextOf(identity));
}

std::string IdentityPattern::ToString() const {
  if (any_) return "%any";
  return wildcard_ ? pattern_ : exact_.ToString();
}

}  // namespace sekisho::ike
