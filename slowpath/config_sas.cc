// The section `sas`: security associations with keys that a person typed (RFC 4301, 4.5.1).
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

constexpr uint32_t kSpiMin = 256;  // RFC 4303, 2.1: 0 to 255 are reserved
constexpr absl::Duration kLifetimeMin = absl::Seconds(1);
constexpr absl::Duration kLifetimeMax = absl::Hours(24 * 3650);

using Direction = UpMessage::Direction;

absl::StatusOr<Direction> ParseDirection(const std::string& text) {
  if (text == "in") return Direction::kInbound;
  if (text == "out") return Direction::kOutbound;
  return Wanted(text, "in or out");
}

absl::StatusOr<IpsecProtocol> ParseProtocol(const std::string& text) {
  if (text == "esp") return IpsecProtocol::kEsp;
  if (text == "ah") return IpsecProtocol::kAh;
  return Wanted(text, "esp or ah");
}

absl::StatusOr<IpsecMode> ParseMode(const std::string& text) {
  if (text == "tunnel") return IpsecMode::kTunnel;
  if (text == "transport") return IpsecMode::kTransport;
  return Wanted(text, "tunnel or transport");
}

absl::StatusOr<Spi> ParseSpi(const std::string& text) {
  uint32_t spi = 0;
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const bool ok = hex ? absl::SimpleHexAtoi(text, &spi) : absl::SimpleAtoi(text, &spi);
  if (!ok || spi < kSpiMin) return Wanted(text, "an SPI from 256 (0x100) to 4294967295");
  return Spi{spi};
}

absl::StatusOr<bool> ParseEncapsulation(const std::string& text) {
  if (text == "udp") return true;
  if (text == "none") return false;
  return Wanted(text, "udp or none");
}

absl::StatusOr<uint16_t> ParsePort(const std::string& text) {
  const absl::StatusOr<uint64_t> port = ParseNumber(text, 1, 65535);
  if (!port.ok()) return port.status();
  return static_cast<uint16_t>(*port);
}

absl::StatusOr<absl::Duration> ParseLifetime(const std::string& text) {
  return ParseDuration(text, kLifetimeMin, kLifetimeMax);
}

// A counter begins at the same place each time the program starts, and two packets under one key
// and counter give both away (RFC 4106, 2; RFC 4543, 2; RFC 8221, 3).
bool CountsFromTheStart(const IpsecSuite& suite) {
  const EncryptionTraits* encryption = FindEncryption(suite.encryption);
  if (encryption != nullptr &&
      (encryption->aead || (encryption->iv_bytes > 0 && encryption->block_bytes < 8))) {
    return true;
  }
  return absl::string_view(Name(suite.integrity)).find("gmac") != absl::string_view::npos;
}

void ReadSuite(ConfigMap& map, ManualSaConfig& sa) {
  const auto node = map.Require("suite", sa.protocol == IpsecProtocol::kAh
                                             ? "an integrity algorithm such as sha256"
                                             : "algorithms such as aes256-sha256");
  if (!node.has_value()) return;
  const auto parse = [&](const std::string& text) { return IpsecSuite::Parse(sa.protocol, text); };
  if (!node->Parse(parse, sa.suite) || !CountsFromTheStart(sa.suite)) return;
  node->Fail(absl::StrCat(
      "found ", sa.suite.ToString(),
      ", want CBC or null with an HMAC, such as aes256-sha256: a "
      "typed key is in use again after a restart, and with it the same IVs (RFC 8221, 3)"));
  sa.suite = {};
}

// `key` or `key`_file.
void ReadSaKey(ConfigMap& map, const std::string& name, absl::string_view algorithm,
               size_t wanted_bytes, SecretBytes& key) {
  const auto text = map.Take(name);
  const auto file = map.Take(name + "_file");
  const auto& node = text.has_value() ? text : file;
  if (text.has_value() && file.has_value()) {
    return file->Fail(absl::StrCat("found it beside ", name, ", want one of the two"));
  }
  if (wanted_bytes == 0) {
    if (node.has_value()) node->Fail("found a key, want none: the suite uses none of this kind");
    return;
  }
  if (!node.has_value()) {
    return map.node().Fail(absl::StrCat("missing ", name, ", want 0x and ", wanted_bytes * 2,
                                        " hexadecimal digits for ", algorithm));
  }
  if (!(text.has_value() ? ReadKey(*text, key) : ReadKeyFile(*file, key))) return;
  if (key.size() != wanted_bytes) {
    node->Fail(absl::StrCat("found a key of ", key.size(), " bytes, want ", wanted_bytes, " for ",
                            algorithm));
  }
}

void ReadKeys(ConfigMap& map, ManualSaConfig& sa) {
  const EncryptionTraits* encryption = FindEncryption(sa.suite.encryption);
  const IntegrityTraits* integrity = FindIntegrity(sa.suite.integrity);
  if (encryption == nullptr && integrity == nullptr) {  // an error already
    for (const char* key : {"encryption_key", "integrity_key"}) {
      map.Take(key);
      map.Take(absl::StrCat(key, "_file"));
    }
    return;
  }
  const size_t encryption_bytes =
      encryption == nullptr ? 0 : size_t{encryption->key_bytes} + encryption->salt_bytes;
  ReadSaKey(map, "encryption_key", Name(sa.suite.encryption), encryption_bytes, sa.encryption_key);
  ReadSaKey(map, "integrity_key", Name(sa.suite.integrity),
            integrity == nullptr ? 0 : integrity->key_bytes, sa.integrity_key);
}

bool IsOurs(const std::vector<PortSettings>& ports, const IpAddress& address) {
  for (const PortSettings& port : ports) {
    for (const InterfaceAddress& ours : port.port.addresses) {
      if (ours.address == address) return true;
    }
  }
  return false;
}

// False, with an error, where the ends are not known.
bool ReadEnds(ConfigMap& map, const std::vector<PortSettings>& ports, ManualSaConfig& sa) {
  const auto local =
      map.Require("local", "the address of ours that the packets go to or come from");
  const auto remote = map.Require("remote", "the address of the peer");
  bool ok = local.has_value() && local->Parse(IpAddress::Parse, sa.local.address);
  if (ok && !ports.empty() && !IsOurs(ports, sa.local.address)) {
    local->Fail(absl::StrCat("found ", sa.local.address.ToString(),
                             ", want an address of one of our ports"));
  }
  ok &= remote.has_value() && remote->Parse(IpAddress::Parse, sa.remote.address);
  if (ok && sa.local.address.family() != sa.remote.address.family()) {
    remote->Fail(absl::StrCat("found ", sa.remote.address.ToString(), ", want the family of ",
                              sa.local.address.ToString()));
    return false;
  }
  return ok;
}

void ReadEncapsulation(ConfigMap& map, ManualSaConfig& sa) {
  const auto node = map.Take("encapsulation");
  if (node.has_value()) node->Parse(ParseEncapsulation, sa.udp_encapsulation);
  uint16_t local = kIkeNatTPort, remote = kIkeNatTPort;
  const auto local_node = map.Take("local_port");
  const auto remote_node = map.Take("remote_port");
  if (local_node.has_value()) local_node->Parse(ParsePort, local);
  if (remote_node.has_value()) remote_node->Parse(ParsePort, remote);
  if (!sa.udp_encapsulation) {
    for (const auto& port : {local_node, remote_node}) {
      if (port.has_value()) port->Fail("found a port, want it only with encapsulation: udp");
    }
    return;
  }
  if (sa.protocol == IpsecProtocol::kAh) {
    node->Fail("found udp with AH, want esp: AH covers the addresses that a NAT changes");
  }
  if (local != kIkeNatTPort) {
    local_node->Fail(absl::StrCat("found ", local, ", want ", kIkeNatTPort,
                                  ", the port on which ESP is taken (RFC 3948, 2.1)"));
  }
  sa.local.port = local;
  sa.remote.port = remote;
}

// In transport mode, by default, everything between the two ends.
void ReadSelectors(ConfigMap& map, bool ends_known, ManualSaConfig& sa) {
  for (const bool local : {true, false}) {
    TrafficSelectors& selectors = local ? sa.local_selectors : sa.remote_selectors;
    const IpAddress& end = local ? sa.local.address : sa.remote.address;
    const char* key = local ? "local_selectors" : "remote_selectors";
    std::optional<ConfigNode> node;
    if (sa.mode == IpsecMode::kTunnel) {
      node = map.Require(key, "traffic selectors such as 10.10.0.0/24");
    } else {
      node = map.Take(key);
      if (!node.has_value() && ends_known) {
        selectors = {TrafficSelector{.addresses = IpRange::Single(end)}};
      }
    }
    if (!node.has_value()) continue;
    node->ParseList(TrafficSelector::Parse, selectors);
    if (node->Items().empty()) node->Fail("found no selector, want at least one");
  }
  CheckFamilies(map.node(), sa.local_selectors, sa.remote_selectors);
}

template <typename Value>
void CheckOrder(const ConfigNode& node, absl::string_view what, Value soft, Value hard) {
  if (soft == Value() || hard == Value() || soft < hard) return;
  node.Fail(absl::StrCat("found soft_", what, " that is not below hard_", what,
                         ", want it below: a warning before the end"));
}

void ReadLifetimes(ConfigMap& map, ManualSaConfig& sa) {
  const auto section = map.Take("lifetimes");
  if (!section.has_value()) return;
  ConfigMap lifetimes(*section);
  fastpath::SaLifetimes& limits = sa.lifetimes;
  lifetimes.Read("soft_bytes", ParseSize, limits.soft_bytes);
  lifetimes.Read("hard_bytes", ParseSize, limits.hard_bytes);
  lifetimes.Read("soft_packets", ParseCount, limits.soft_packets);
  lifetimes.Read("hard_packets", ParseCount, limits.hard_packets);
  lifetimes.Read("soft_time", ParseLifetime, sa.soft_time);
  lifetimes.Read("hard_time", ParseLifetime, sa.hard_time);
  lifetimes.Finish();
  CheckOrder(*section, "bytes", limits.soft_bytes, limits.hard_bytes);
  CheckOrder(*section, "packets", limits.soft_packets, limits.hard_packets);
  CheckOrder(*section, "time", sa.soft_time, sa.hard_time);
}

void ReadNesting(ConfigMap& map, ManualSaConfig& sa) {
  const bool inbound = sa.direction == Direction::kInbound;
  for (const bool within : {true, false}) {
    const auto node = map.Take(within ? "within" : "then");
    if (!node.has_value() || !node->Parse(ParseText, within ? sa.within : sa.then)) continue;
    if (within != inbound || sa.protocol != IpsecProtocol::kEsp) {
      node->Fail(absl::StrCat("found it on ", Name(sa.protocol),
                              " with direction: ", inbound ? "in" : "out",
                              ", want it on esp with direction: ", within ? "in" : "out"));
    }
    if (sa.udp_encapsulation)
      node->Fail("found it with encapsulation: udp, want the one without the other");
  }
}

// What `then` and `within` name must be an SA of AH between the same ends.
void CheckNesting(const ConfigNode& node, const ManualSaConfig& sa,
                  const std::vector<ManualSaConfig>& sas) {
  const std::string& name = sa.then.empty() ? sa.within : sa.then;
  if (name.empty()) return;
  const auto found = std::find_if(sas.begin(), sas.end(),
                                  [&](const ManualSaConfig& other) { return other.name == name; });
  const char* key = sa.then.empty() ? "within" : "then";
  if (found == sas.end() || found->protocol != IpsecProtocol::kAh ||
      found->direction != sa.direction) {
    return node.Fail(absl::StrCat("found ", key, " '", name,
                                  "', want the name of an SA with "
                                  "protocol: ah and the same direction"));
  }
  if (found->local.address != sa.local.address || found->remote.address != sa.remote.address) {
    node.Fail(absl::StrCat("found ", key, " '", name, "', which has other ends, want one between ",
                           sa.local.address.ToString(), " and ", sa.remote.address.ToString()));
  }
}

ManualSaConfig ReadManualSa(const ConfigNode& node, const std::vector<PortSettings>& ports) {
  ManualSaConfig sa;
  ConfigMap map(node);
  if (const auto name = map.Require("name", "a name for it")) name->Parse(ParseText, sa.name);
  if (const auto direction = map.Require("direction", "in or out")) {
    direction->Parse(ParseDirection, sa.direction);
  }
  if (const auto spi = map.Require("spi", "an SPI from 256 (0x100) to 4294967295")) {
    spi->Parse(ParseSpi, sa.spi);
  }
  map.Read("protocol", ParseProtocol, sa.protocol);
  map.Read("mode", ParseMode, sa.mode);
  ReadSuite(map, sa);
  ReadKeys(map, sa);
  const bool ends_known = ReadEnds(map, ports, sa);
  ReadEncapsulation(map, sa);
  ReadSelectors(map, ends_known, sa);
  if (const auto anti_replay = map.Take("anti_replay")) {
    anti_replay->Parse(ParseBool, sa.anti_replay);
    if (sa.direction == Direction::kOutbound) {
      anti_replay->Fail("found it on an SA with direction: out, want it on the way in");
    }
  }
  if (sa.suite.esn) {
    node.Warn(
        "extended sequence numbers with typed keys: when one end restarts, the other takes "
        "its packets only after a restart of its own");
  }
  ReadLifetimes(map, sa);
  ReadNesting(map, sa);
  map.Finish();
  return sa;
}

// An SA is known by SPI, protocol and the address that its packets go to (RFC 4301, 4.1).
bool IsTheSame(const ManualSaConfig& a, const ManualSaConfig& b) {
  const bool inbound = a.direction == Direction::kInbound;
  return a.direction == b.direction && a.spi == b.spi && a.protocol == b.protocol &&
         (inbound ? a.local.address == b.local.address : a.remote.address == b.remote.address);
}

}  // namespace

void ReadManualSas(ConfigMap& root, const std::vector<PortSettings>& ports,
                   std::vector<ManualSaConfig>& sas) {
  const auto section = root.Take("sas");
  if (!section.has_value()) return;
  for (const ConfigNode& node : section->Items()) {
    ManualSaConfig sa = ReadManualSa(node, ports);
    for (const ManualSaConfig& earlier : sas) {
      if (!sa.name.empty() && earlier.name == sa.name) {
        node.Fail(absl::StrCat("found name '", sa.name, "' a second time"));
      }
      if (sa.spi.value != 0 && IsTheSame(earlier, sa)) {
        node.Fail(absl::StrCat("found SPI 0x", sa.spi.ToString(), ", which '", earlier.name,
                               "' has for ", Name(sa.protocol), " to the same address already"));
      }
    }
    sas.push_back(std::move(sa));
  }
  const std::vector<ConfigNode> nodes = section->Items();
  for (size_t i = 0; i < sas.size(); ++i) CheckNesting(nodes[i], sas[i], sas);
}

}  // namespace sekisho::slowpath
