#include "common/traffic_selector.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace sekisho {
namespace {

constexpr std::array<std::pair<absl::string_view, uint8_t>, 7> kProtocolNames = {
    {{"any", kAnyProtocol},
     {"icmp", 1},
     {"tcp", 6},
     {"udp", 17},
     {"ipv6-icmp", 58},
     {"sctp", 132},
     {"mobility", 135}}};

absl::StatusOr<uint8_t> ParseProtocol(absl::string_view text) {
  for (const auto& [name, number] : kProtocolNames) {
    if (text == name) return number;
  }
  uint32_t number;
  if (absl::SimpleAtoi(text, &number) && number <= 255) return static_cast<uint8_t>(number);
  return absl::InvalidArgumentError(
      absl::StrCat("found protocol '", text,
                   "', want tcp, udp, icmp, ipv6-icmp, sctp, mobility, any or a number up to 255"));
}

std::string ProtocolName(uint8_t protocol) {
  for (const auto& [name, number] : kProtocolNames) {
    if (protocol == number) return std::string(name);
  }
  return absl::StrCat(protocol);
}

// "8", "8/0": as first and as last value of a range.
struct TypeAndCode {
  uint16_t first, last;
};
std::optional<TypeAndCode> ParseType(absl::string_view text) {
  const size_t slash = text.find('/');
  uint32_t type, code = 0;
  if (!absl::SimpleAtoi(text.substr(0, slash), &type) || type > 0xff) return std::nullopt;
  const bool whole = slash == absl::string_view::npos;
  if (!whole && (!absl::SimpleAtoi(text.substr(slash + 1), &code) || code > 0xff)) {
    return std::nullopt;
  }
  return TypeAndCode{static_cast<uint16_t>(type << 8 | code),
                     static_cast<uint16_t>(type << 8 | (whole ? 0xff : code))};
}

absl::StatusOr<PortRange> ParseTypes(absl::string_view text) {
  const size_t dash = text.find('-');
  const absl::string_view left = text.substr(0, dash);
  const std::optional<TypeAndCode> first = ParseType(left);
  std::optional<TypeAndCode> last = first;
  if (first.has_value() && dash != absl::string_view::npos) {
    const absl::string_view right = text.substr(dash + 1);
    const size_t slash = left.find('/');
    // "3/0-4": codes of the one type.
    const bool codes = slash != absl::string_view::npos && right.find('/') == right.npos;
    last = codes ? ParseType(absl::StrCat(left.substr(0, slash), "/", right)) : ParseType(right);
  }
  if (!first.has_value() || !last.has_value() || first->first > last->last) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found type '", text, "', want a type as 8, type and code as 3/4, or a range as 3-5"));
  }
  return PortRange{first->first, last->last};
}

absl::StatusOr<PortRange> ParsePorts(uint8_t protocol, absl::string_view text) {
  if (text == "any") return PortRange::All();
  if (text == "opaque") return PortRange::Opaque();
  if (HasTypes(protocol)) return ParseTypes(text);
  const size_t dash = text.find('-');
  uint32_t first, last;
  if (absl::SimpleAtoi(text.substr(0, dash), &first)) {
    last = first;
    const bool ok =
        dash == absl::string_view::npos || absl::SimpleAtoi(text.substr(dash + 1), &last);
    if (ok && first <= last && last <= 0xffff) {
      return PortRange{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("found port '", text, "', want a port, a range as 1000-2000, any or opaque"));
}

// As ParseTypes() reads it. Requires: neither all nor opaque.
std::string TypesText(const PortRange& types) {
  const int first = types.first >> 8, last = types.last >> 8;
  const int first_code = types.first & 0xff, last_code = types.last & 0xff;
  if (first_code == 0 && last_code == 0xff) {
    return first == last ? absl::StrCat(first) : absl::StrCat(first, "-", last);
  }
  const std::string start = absl::StrCat(first, "/", first_code);
  if (types.first == types.last) return start;
  return first == last ? absl::StrCat(start, "-", last_code)
                       : absl::StrCat(start, "-", last, "/", last_code);
}

}  // namespace

std::optional<PortRange> PortRange::Intersect(const PortRange& other) const {
  if (is_all()) return other;
  if (other.is_all()) return *this;
  if (is_opaque() || other.is_opaque()) {
    return *this == other ? std::optional(*this) : std::nullopt;
  }
  const PortRange result{std::max(first, other.first), std::min(last, other.last)};
  if (result.last < result.first) return std::nullopt;
  return result;
}

absl::StatusOr<TrafficSelector> TrafficSelector::Parse(absl::string_view text) {
  TrafficSelector selector;
  const size_t bracket = text.find('[');
  SEKISHO_ASSIGN_OR_RETURN(selector.addresses, IpRange::Parse(text.substr(0, bracket)));
  if (bracket == absl::string_view::npos) return selector;
  if (text.back() != ']') {
    return absl::InvalidArgumentError(
        absl::StrCat("found '", text, "', want it to end with ']', as in 10.0.0.1[tcp/443]"));
  }
  const absl::string_view inside = text.substr(bracket + 1, text.size() - bracket - 2);
  const size_t slash = inside.find('/');
  SEKISHO_ASSIGN_OR_RETURN(selector.protocol, ParseProtocol(inside.substr(0, slash)));
  if (slash != absl::string_view::npos) {
    SEKISHO_ASSIGN_OR_RETURN(selector.ports,
                             ParsePorts(selector.protocol, inside.substr(slash + 1)));
  }
  return selector;
}

bool TrafficSelector::Contains(const TrafficSelector& other) const {
  return addresses.Contains(other.addresses) &&
         (protocol == kAnyProtocol || protocol == other.protocol) && ports.Contains(other.ports);
}

std::optional<TrafficSelector> TrafficSelector::Intersect(const TrafficSelector& other) const {
  const auto common_addresses = addresses.Intersect(other.addresses);
  const auto common_ports = ports.Intersect(other.ports);
  if (!common_addresses || !common_ports) return std::nullopt;
  if (protocol != kAnyProtocol && other.protocol != kAnyProtocol && protocol != other.protocol) {
    return std::nullopt;
  }
  return TrafficSelector{*common_addresses, protocol == kAnyProtocol ? other.protocol : protocol,
                         *common_ports};
}

std::string TrafficSelector::ToString() const {
  std::string text = addresses.ToString();
  if (protocol == kAnyProtocol && ports.is_all()) return text;
  absl::StrAppend(&text, "[", ProtocolName(protocol));
  if (ports.is_opaque()) {
    absl::StrAppend(&text, "/opaque");
  } else if (!ports.is_all() && HasTypes(protocol)) {
    absl::StrAppend(&text, "/", TypesText(ports));
  } else if (!ports.is_all()) {
    absl::StrAppend(&text, "/", ports.first);
    if (ports.last != ports.first) absl::StrAppend(&text, "-", ports.last);
  }
  return absl::StrCat(text, "]");
}

TrafficSelectors Narrow(const TrafficSelectors& proposed, const TrafficSelectors& allowed) {
  TrafficSelectors result;
  for (const TrafficSelector& wanted : proposed) {
    for (const TrafficSelector& limit : allowed) {
      if (result.size() == kNarrowedSelectorsMax) return result;
      const auto both = wanted.Intersect(limit);
      if (!both) continue;
      const auto contains_both = [&](const TrafficSelector& s) { return s.Contains(*both); };
      if (std::any_of(result.begin(), result.end(), contains_both)) continue;
      std::erase_if(result, [&](const TrafficSelector& s) { return both->Contains(s); });
      result.push_back(*both);
    }
  }
  return result;
}

std::string ToString(const TrafficSelectors& selectors) {
  return absl::StrJoin(selectors, " ", [](std::string* out, const TrafficSelector& selector) {
    out->append(selector.ToString());
  });
}

}  // namespace sekisho
