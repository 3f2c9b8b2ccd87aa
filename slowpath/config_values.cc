#include "slowpath/config_values.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sekisho::slowpath {
namespace {

struct DurationUnit {
  const char* suffix;
  absl::Duration unit;
};
// "ms" before "s" and "m": the longest suffix counts.
const DurationUnit kDurationUnits[] = {{"ms", absl::Milliseconds(1)},
                                       {"s", absl::Seconds(1)},
                                       {"m", absl::Minutes(1)},
                                       {"h", absl::Hours(1)},
                                       {"d", absl::Hours(24)}};

bool AllHexDigits(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

// "3b:00.0" or "0000:3b:00.0".
bool IsPciAddress(absl::string_view text) {
  if (text.size() == 12 && text[4] == ':') {
    if (!AllHexDigits(text.substr(0, 4))) return false;
    text.remove_prefix(5);
  }
  return text.size() == 7 && text[2] == ':' && text[5] == '.' && AllHexDigits(text.substr(0, 2)) &&
         AllHexDigits(text.substr(3, 2)) && text[6] >= '0' && text[6] <= '7';
}

absl::StatusOr<DeviceConfig> ParseDevice(absl::string_view text,
                                         const std::vector<const char*>& prefixes,
                                         absl::string_view wanted) {
  const absl::string_view name = text.substr(0, text.find(','));
  DeviceConfig device{.name = std::string(name), .arguments = std::string(text)};
  device.is_pci = IsPciAddress(name);
  if (device.is_pci) return device;
  const bool known = std::any_of(prefixes.begin(), prefixes.end(), [&](const char* prefix) {
    return absl::StartsWith(name, prefix);
  });
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  if (!known || !plain) return Wanted(text, wanted);
  return device;
}

}  // namespace

absl::Status Wanted(absl::string_view found, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("found '", found, "', want ", wanted));
}

absl::StatusOr<std::string> ParseText(absl::string_view text) {
  if (text.empty()) return Wanted(text, "some text");
  return std::string(text);
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  for (const char* yes : {"true", "yes", "on"}) {
    if (absl::EqualsIgnoreCase(text, yes)) return true;
  }
  for (const char* no : {"false", "no", "off"}) {
    if (absl::EqualsIgnoreCase(text, no)) return false;
  }
  return Wanted(text, "true or false");
}

absl::StatusOr<uint64_t> ParseNumber(absl::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most) {
    return Wanted(text, absl::StrCat("a number from ", least, " to ", most));
  }
  return value;
}

absl::StatusOr<uint64_t> ParseCount(absl::string_view text) {
  return ParseNumber(text, 1, UINT64_MAX);
}

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  absl::string_view digits = text;
  int shift = 0;
  if (absl::ConsumeSuffix(&digits, "K")) shift = 10;
  if (absl::ConsumeSuffix(&digits, "M")) shift = 20;
  if (absl::ConsumeSuffix(&digits, "G")) shift = 30;
  uint64_t value = 0;
  if (!absl::SimpleAtoi(digits, &value) || value > UINT64_MAX >> shift) {
    return Wanted(text, "a number of bytes such as 1500, 64K, 100M or 2G");
  }
  return value << shift;
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text, absl::Duration least,
                                             absl::Duration most) {
  for (const DurationUnit& unit : kDurationUnits) {
    absl::string_view digits = text;
    uint32_t count = 0;
    if (!absl::ConsumeSuffix(&digits, unit.suffix) || !absl::SimpleAtoi(digits, &count)) continue;
    const absl::Duration duration = unit.unit * count;
    if (duration < least || duration > most) {
      return Wanted(
          text, absl::StrCat("a duration from ", DurationText(least), " to ", DurationText(most)));
    }
    return duration;
  }
  return Wanted(text, "a duration such as 500ms, 30s, 5m, 4h or 1d");
}

std::string DurationText(absl::Duration duration) {
  for (auto unit = std::rbegin(kDurationUnits); unit != std::rend(kDurationUnits); ++unit) {
    if (duration % unit->unit == absl::ZeroDuration() && duration >= unit->unit) {
      return absl::StrCat(duration / unit->unit, unit->suffix);
    }
  }
  return "0s";
}

absl::StatusOr<DeviceConfig> ParsePortDevice(absl::string_view text) {
  return ParseDevice(text, {"net_", "eth_"},
                     "a PCI address such as 0000:3b:00.0, or a DPDK vdev such as "
                     "net_af_packet0,iface=eth1");
}

absl::StatusOr<DeviceConfig> ParseCryptoDevice(absl::string_view text) {
  return ParseDevice(text, {"crypto_"},
                     "a PCI address such as 0000:3d:00.0, or a DPDK vdev such as crypto_aesni_mb");
}

absl::StatusOr<fastpath::PortSide> ParsePortSide(absl::string_view text) {
  if (text == "outside") return fastpath::PortSide::kOutside;
  if (text == "inside") return fastpath::PortSide::kInside;
  if (text == "host") return fastpath::PortSide::kHost;
  return Wanted(text, "outside, inside or host");
}

absl::StatusOr<fastpath::PolicyAction> ParsePolicyAction(absl::string_view text) {
  if (text == "protect" || text == "ipsec") return fastpath::PolicyAction::kProtect;
  if (text == "bypass" || text == "permit") return fastpath::PolicyAction::kBypass;
  if (text == "discard" || text == "deny") return fastpath::PolicyAction::kDiscard;
  return Wanted(text, "protect, bypass or discard");
}

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text, uint16_t default_port) {
  constexpr absl::string_view kWanted =
      "an address such as 198.51.100.9, 198.51.100.9:500, 2001:db8::9 or [2001:db8::9]:500";
  if (const auto address = IpAddress::Parse(text); address.ok()) {
    return Endpoint{.address = *address, .port = default_port};
  }
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Wanted(text, kWanted);
  absl::string_view host = text.substr(0, colon);
  const bool brackets = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  const auto address = IpAddress::Parse(host);
  const auto port = ParseNumber(text.substr(colon + 1), 1, 65535);
  if (!address.ok() || !port.ok() || address->is_v6() != brackets) return Wanted(text, kWanted);
  return Endpoint{.address = *address, .port = static_cast<uint16_t>(*port)};
}

absl::StatusOr<SecretBytes> ParsePsk(absl::string_view text) {
  std::string bytes(text);
  if (absl::StartsWith(text, "0x")) {
    const absl::string_view hex = text.substr(2);
    if (hex.size() % 2 != 0 || !AllHexDigits(hex)) {
      return absl::InvalidArgumentError(
          "found '0x' without pairs of hexadecimal digits after it, want 0x<hex>, 0s<base64> or "
          "text");
    }
    bytes = absl::HexStringToBytes(hex);
  } else if (absl::StartsWith(text, "0s")) {
    if (!absl::Base64Unescape(text.substr(2), &bytes)) {
      return absl::InvalidArgumentError(
          "found '0s' without base64 after it, want 0x<hex>, 0s<base64> or text");
    }
  }
  if (bytes.empty()) return absl::InvalidArgumentError("found an empty key, want some bytes");
  SecretBytes secret(ByteSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  WipeMemory(bytes.data(), bytes.size());
  return secret;
}

absl::StatusOr<SecretBytes> ParseKey(absl::string_view text) {
  absl::string_view digits = text;
  const bool is_hex = absl::ConsumePrefix(&digits, "0x") && digits.size() % 2 == 0 &&
                      AllHexDigits(digits) && !digits.empty();
  if (is_hex) return ParsePsk(text);
  return absl::InvalidArgumentError("found no key, want 0x and pairs of hexadecimal digits");
}

}  // namespace sekisho::slowpath
