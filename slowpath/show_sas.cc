// show ike-sas, child-sas, sas.
#include "absl/strings/str_cat.h"
#include "slowpath/show.h"
#include "slowpath/show_format.h"
#include "slowpath/show_json.h"

namespace sekisho::slowpath {
namespace {

std::string IdText(ike::IkeSaId id) { return absl::StrCat(static_cast<uint64_t>(id)); }
std::string IdText(ike::ChildSaId id) { return absl::StrCat(static_cast<uint64_t>(id)); }

std::string VirtualText(const ike::IkeSaInfo& sa) {
  std::string text;
  if (sa.virtual_ipv4.has_value()) text = sa.virtual_ipv4->ToString();
  if (sa.virtual_ipv6.has_value()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", sa.virtual_ipv6->ToString());
  }
  return text.empty() ? "-" : text;
}

const char* NatText(const ike::IkeSaInfo& sa) {
  if (sa.local_behind_nat) return sa.remote_behind_nat ? "both" : "local";
  return sa.remote_behind_nat ? "remote" : "none";
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string SuiteText(const ike::ChildSaInfo& child) {
  std::string text = child.suite.ToString();
  if (child.pfs.has_value()) absl::StrAppend(&text, "-", Name(*child.pfs));
  return text;
}

std::string TrafficText(const std::optional<fastpath::SaCounters>& counters) {
  if (!counters.has_value()) return "-";
  return absl::StrCat(
      CountText(counters->packets), " packets, ", BytesText(counters->bytes),
      counters->dropped > 0 ? absl::StrCat(", ", CountText(counters->dropped), " dropped") : "");
}

void AppendChild(const StatusView& view, const ike::ChildSaInfo& child, std::string& text) {
  const ChildSaTraffic traffic = view.Traffic(child.id);
  const absl::Time now = view.Now();
  absl::StrAppend(
      &text, "  Child SA ", IdText(child.id), ": ", child.child, ", ", child.state, ", ",
      SuiteText(child), child.mode == IpsecMode::kTransport ? ", transport mode" : "",
      child.udp_encapsulation ? ", in UDP" : "", ", up ", AgeText(now - child.established_at),
      ", rekey in ", UntilText(child.rekey_at, now), "\n");
  absl::StrAppend(&text, "    in   ", child.inbound_spi.ToString(), "  ",
                  TrafficText(traffic.inbound), "\n");
  absl::StrAppend(&text, "    out  ", child.outbound_spi.ToString(), "  ",
                  TrafficText(traffic.outbound), "\n");
  absl::StrAppend(&text, "    ", ToString(child.local), " === ", ToString(child.remote), "\n");
}

Json CountersJson(const std::optional<fastpath::SaCounters>& counters) {
  if (!counters.has_value()) return nullptr;
  return {{"packets", counters->packets},
          {"bytes", counters->bytes},
          {"dropped", counters->dropped},
          {"sequence", counters->sequence},
          {"path_mtu", counters->path_mtu}};
}

Json ChildJson(const StatusView& view, const ike::ChildSaInfo& child) {
  const ChildSaTraffic traffic = view.Traffic(child.id);
  return {{"id", static_cast<uint64_t>(child.id)},
          {"child", child.child},
          {"state", child.state},
          {"inbound_spi", child.inbound_spi.ToString()},
          {"outbound_spi", child.outbound_spi.ToString()},
          {"suite", child.suite.ToString()},
          {"pfs", child.pfs.has_value() ? Json(Name(*child.pfs)) : Json(nullptr)},
          {"mode", Name(child.mode)},
          {"udp_encapsulation", child.udp_encapsulation},
          {"local", Strings(child.local)},
          {"remote", Strings(child.remote)},
          {"established_at", TimeJson(child.established_at)},
          {"rekey_at", TimeJson(child.rekey_at)},
          {"inbound", CountersJson(traffic.inbound)},
          {"outbound", CountersJson(traffic.outbound)}};
}

const char* DirectionText(const ManualSaInfo& sa) {
  return sa.direction == UpMessage::Direction::kInbound ? "in" : "out";
}

void AppendManual(const StatusView& view, std::string& text) {
  const absl::Time now = view.Now();
  for (const ManualSaInfo& sa : view.ManualSas()) {
    absl::StrAppend(&text, "Manual SA ", sa.name, ": ", DirectionText(sa), ", ", sa.state, ", ",
                    Name(sa.protocol), " ", Name(sa.mode), ", ", sa.suite.ToString(),
                    sa.udp_encapsulation ? ", in UDP" : "", ", up ",
                    AgeText(now - sa.installed_at));
    if (sa.expires_at != absl::InfiniteFuture()) {
      absl::StrAppend(&text, ", ends in ", UntilText(sa.expires_at, now));
    }
    absl::StrAppend(&text, "\n    ", sa.local.ToString(), " === ", sa.remote.ToString(), "\n    ",
                    DirectionText(sa),
                    sa.direction == UpMessage::Direction::kInbound ? "   " : "  ",
                    sa.spi.ToString(), "  ", TrafficText(sa.counters), "\n    ",
                    ToString(sa.local_selectors), " === ", ToString(sa.remote_selectors), "\n");
  }
}

Json ManualJson(const StatusView& view) {
  Json list = Json::array();
  for (const ManualSaInfo& sa : view.ManualSas()) {
    const bool ends = sa.expires_at != absl::InfiniteFuture();
    list.push_back({{"name", sa.name},
                    {"direction", DirectionText(sa)},
                    {"state", sa.state},
                    {"protocol", Name(sa.protocol)},
                    {"mode", Name(sa.mode)},
                    {"spi", sa.spi.ToString()},
                    {"suite", sa.suite.ToString()},
                    {"udp_encapsulation", sa.udp_encapsulation},
                    {"local_endpoint", sa.local.ToString()},
                    {"remote_endpoint", sa.remote.ToString()},
                    {"local", Strings(sa.local_selectors)},
                    {"remote", Strings(sa.remote_selectors)},
                    {"installed_at", TimeJson(sa.installed_at)},
                    {"expires_at", ends ? TimeJson(sa.expires_at) : Json(nullptr)},
                    {"traffic", CountersJson(sa.counters)}});
  }
  return list;
}

std::string PathMtuText(const std::optional<fastpath::SaCounters>& outbound) {
  const bool learned = outbound.has_value() && outbound->path_mtu != 0;
  return learned ? absl::StrCat(outbound->path_mtu) : "-";
}

Json AddressJson(const std::optional<IpAddress>& address) {
  return address.has_value() ? Json(address->ToString()) : Json(nullptr);
}

Json IkeSasJson(const StatusView& view) {
  Json list = Json::array();
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    Json children = Json::array();
    for (const ike::ChildSaInfo& child : sa.children) children.push_back(ChildJson(view, child));
    list.push_back({{"id", static_cast<uint64_t>(sa.id)},
                    {"connection", sa.connection},
                    {"state", sa.state},
                    {"initiator", sa.initiator},
                    {"initiator_spi", IkeSpiText(sa.initiator_spi)},
                    {"responder_spi", IkeSpiText(sa.responder_spi)},
                    {"local", sa.local.ToString()},
                    {"remote", sa.remote.ToString()},
                    {"local_identity", sa.local_identity},
                    {"remote_identity", sa.remote_identity},
                    {"suite", sa.suite.ToString()},
                    {"local_behind_nat", sa.local_behind_nat},
                    {"remote_behind_nat", sa.remote_behind_nat},
                    {"virtual_ipv4", AddressJson(sa.virtual_ipv4)},
                    {"virtual_ipv6", AddressJson(sa.virtual_ipv6)},
                    {"established_at", TimeJson(sa.established_at)},
                    {"rekey_at", TimeJson(sa.rekey_at)},
                    {"child_sas", std::move(children)}});
  }
  return list;
}

}  // namespace

std::string ShowIkeSas(const StatusView& view) {
  Table table({">ID", "CONNECTION", "STATE", "PEER", "IDENTITY", "VIRTUAL ADDRESS", "NAT", "SUITE",
               ">CHILDREN", ">AGE", ">REKEY IN"});
  const absl::Time now = view.Now();
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    const bool connecting = sa.state == "connecting";
    table.AddRow({IdText(sa.id), OrDash(sa.connection), sa.state, sa.remote.ToString(),
                  OrDash(sa.remote_identity), VirtualText(sa), NatText(sa), sa.suite.ToString(),
                  absl::StrCat(sa.children.size()),
                  connecting ? "-" : AgeText(now - sa.established_at),
                  connecting ? "-" : UntilText(sa.rekey_at, now)});
  }
  return table.empty() ? "no IKE SAs\n" : table.ToString();
}

std::string ShowChildSas(const StatusView& view) {
  Table table({">ID", ">IKE SA", "CHILD", "STATE", "SPI IN", "SPI OUT", "SUITE", "UDP",
               ">PACKETS IN", ">BYTES IN", ">PACKETS OUT", ">BYTES OUT", ">PMTU", ">AGE",
               ">REKEY IN", "LOCAL === REMOTE"});
  const absl::Time now = view.Now();
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    for (const ike::ChildSaInfo& child : sa.children) {
      const ChildSaTraffic traffic = view.Traffic(child.id);
      const auto packets = [](const auto& counters) {
        return counters.has_value() ? CountText(counters->packets) : std::string("-");
      };
      const auto bytes = [](const auto& counters) {
        return counters.has_value() ? BytesText(counters->bytes) : std::string("-");
      };
      table.AddRow({IdText(child.id), IdText(sa.id), child.child, child.state,
                    child.inbound_spi.ToString(), child.outbound_spi.ToString(), SuiteText(child),
                    child.udp_encapsulation ? "yes" : "no", packets(traffic.inbound),
                    bytes(traffic.inbound), packets(traffic.outbound), bytes(traffic.outbound),
                    PathMtuText(traffic.outbound), AgeText(now - child.established_at),
                    UntilText(child.rekey_at, now),
                    absl::StrCat(ToString(child.local), " === ", ToString(child.remote))});
    }
  }
  return table.empty() ? "no Child SAs\n" : table.ToString();
}

std::string ShowChildSasJson(const StatusView& view) {
  Json list = Json::array();
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    for (const ike::ChildSaInfo& child : sa.children) {
      Json json = ChildJson(view, child);
      json["ike_sa"] = static_cast<uint64_t>(sa.id);
      list.push_back(std::move(json));
    }
  }
  return Dump({{"child_sas", list}});
}

std::string ShowSas(const StatusView& view) {
  const absl::Time now = view.Now();
  std::string text;
  for (const ike::IkeSaInfo& sa : view.IkeSas()) {
    absl::StrAppend(&text, "IKE SA ", IdText(sa.id), ": ", OrDash(sa.connection), ", ", sa.state);
    if (sa.state != "connecting") {
      absl::StrAppend(&text, ", up ", AgeText(now - sa.established_at), ", rekey in ",
                      UntilText(sa.rekey_at, now));
    }
    absl::StrAppend(&text, "\n  local    ", sa.local.ToString(), "  ", OrDash(sa.local_identity),
                    sa.local_behind_nat ? "  behind NAT" : "", "\n  remote   ",
                    sa.remote.ToString(), "  ", OrDash(sa.remote_identity),
                    sa.remote_behind_nat ? "  behind NAT" : "", "\n");
    if (sa.virtual_ipv4.has_value() || sa.virtual_ipv6.has_value()) {
      absl::StrAppend(&text, "  virtual  ", VirtualText(sa), "\n");
    }
    absl::StrAppend(&text, "  suite    ", sa.suite.ToString(), "\n  SPIs     ",
                    IkeSpiText(sa.initiator_spi), sa.initiator ? " (ours)" : "", " ",
                    IkeSpiText(sa.responder_spi), sa.initiator ? "" : " (ours)", "\n");
    for (const ike::ChildSaInfo& child : sa.children) AppendChild(view, child, text);
  }
  AppendManual(view, text);
  return text.empty() ? "no SAs\n" : text;
}

std::string ShowIkeSasJson(const StatusView& view) { return Dump({{"ike_sas", IkeSasJson(view)}}); }

std::string ShowSasJson(const StatusView& view) {
  return Dump({{"ike_sas", IkeSasJson(view)}, {"manual_sas", ManualJson(view)}});
}

}  // namespace sekisho::slowpath
