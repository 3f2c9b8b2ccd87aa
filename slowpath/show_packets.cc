// show policies, drops, accounting, ike-counters, log-level.
#include "absl/strings/str_cat.h"
#include "slowpath/show.h"
#include "slowpath/show_format.h"
#include "slowpath/show_json.h"

namespace sekisho::slowpath {
namespace {

const char* ActionName(fastpath::PolicyAction action) {
  switch (action) {
    case fastpath::PolicyAction::kDiscard:
      return "discard";
    case fastpath::PolicyAction::kBypass:
      return "bypass";
    case fastpath::PolicyAction::kProtect:
      return "protect";
  }
  return "discard";
}

struct NamedCount {
  const char* name;
  uint64_t count;
};

std::vector<NamedCount> NamedCounters(const IkeCounters& counters) {
  const ike::EngineCounters& engine = counters.engine;
  return {{"datagrams_received", engine.datagrams_received},
          {"datagrams_sent", engine.datagrams_sent},
          {"retransmits_sent", engine.retransmits_sent},
          {"retransmits_answered", engine.retransmits_answered},
          {"malformed", engine.malformed},
          {"integrity_failed", engine.integrity_failed},
          {"unknown_ike_spi", engine.unknown_ike_spi},
          {"unexpected_message_id", engine.unexpected_message_id},
          {"cookies_asked", engine.cookies_asked},
          {"half_open_refused", engine.half_open_refused},
          {"no_proposal_chosen", engine.no_proposal_chosen},
          {"invalid_ke", engine.invalid_ke},
          {"authentication_failed", engine.authentication_failed},
          {"ts_unacceptable", engine.ts_unacceptable},
          {"ike_sas_established", engine.ike_sas_established},
          {"ike_sas_rekeyed", engine.ike_sas_rekeyed},
          {"ike_sas_timed_out", engine.ike_sas_timed_out},
          {"child_sas_established", engine.child_sas_established},
          {"child_sas_rekeyed", engine.child_sas_rekeyed},
          {"half_open", counters.half_open},
          {"computations_pending", counters.computations_pending}};
}

}  // namespace

std::string ShowPolicies(const StatusView& view) {
  Table table({">NO", "NAME", "ACTION", "LOCAL", "REMOTE", ">PACKETS", ">DROPPED"});
  size_t number = 0;
  for (const PolicyStatus& status : view.Policies()) {
    const fastpath::Policy& policy = status.policy;
    table.AddRow({absl::StrCat(++number), policy.name, ActionName(policy.action),
                  ToString(policy.local), ToString(policy.remote), CountText(status.hits),
                  CountText(status.drops)});
  }
  uint64_t unmatched = 0;
  for (const auto& [reason, count] : view.Drops()) {
    if (reason == fastpath::DropReason::kSpdNoPolicy) unmatched = count;
  }
  table.AddRow(
      {"-", "(all the rest)", "discard", "any", "any", CountText(unmatched), CountText(unmatched)});
  return table.ToString();
}

std::string ShowPoliciesJson(const StatusView& view) {
  Json list = Json::array();
  for (const PolicyStatus& status : view.Policies()) {
    list.push_back({{"name", status.policy.name},
                    {"action", ActionName(status.policy.action)},
                    {"local", Strings(status.policy.local)},
                    {"remote", Strings(status.policy.remote)},
                    {"packets", status.hits},
                    {"dropped", status.drops}});
  }
  return Dump({{"policies", list}});
}

std::string ShowDrops(const StatusView& view, bool all) {
  Table table({"REASON", ">PACKETS", "MEANING"});
  uint64_t sum = 0;
  for (const auto& [reason, count] : view.Drops()) {
    if (reason == fastpath::DropReason::kNone) continue;
    sum += count;
    if (count > 0 || all) table.AddRow({Name(reason), CountText(count), Meaning(reason)});
  }
  if (table.empty()) return "no drops\n";
  table.AddRow({"sum", CountText(sum), ""});
  return table.ToString();
}

std::string ShowDropsJson(const StatusView& view, bool all) {
  Json drops = Json::object();
  for (const auto& [reason, count] : view.Drops()) {
    if (reason != fastpath::DropReason::kNone && (count > 0 || all)) drops[Name(reason)] = count;
  }
  return Dump({{"drops", drops}});
}

std::string ShowAccounting(const StatusView& view) {
  const fastpath::Accounting account = view.GetAccounting();
  const uint64_t in = account.received + account.made_here;
  const uint64_t out = account.sent + account.delivered + account.punted + account.consumed +
                       account.dropped + account.held;
  Table table({"", ">PACKETS", "MEANING"});
  table.AddRow({"received", CountText(account.received), "frames taken from all ports"});
  table.AddRow({"made here", CountText(account.made_here), "packets of our own"});
  table.AddRow({"= in", CountText(in), ""});
  table.AddRow({"sent", CountText(account.sent), "frames given to the other ports"});
  table.AddRow({"delivered", CountText(account.delivered), "frames given to the host port"});
  table.AddRow({"punted", CountText(account.punted), "handed to the slow path"});
  table.AddRow({"consumed", CountText(account.consumed), "answered or learned from"});
  table.AddRow({"dropped", CountText(account.dropped), "under a name: show drops"});
  table.AddRow({"held", CountText(account.held), "waiting in a queue or device"});
  table.AddRow({"= out", CountText(out), ""});
  const std::string verdict =
      in == out ? "in and out agree\n"
                : absl::StrCat("in and out differ by ", CountText(in > out ? in - out : out - in),
                               ": packets that were on their way while this was counted, or a "
                               "bug if it stays\n");
  return table.ToString() + verdict;
}

std::string ShowAccountingJson(const StatusView& view) {
  const fastpath::Accounting account = view.GetAccounting();
  const uint64_t in = account.received + account.made_here;
  const uint64_t out = account.sent + account.delivered + account.punted + account.consumed +
                       account.dropped + account.held;
  return Dump({{"received", account.received},
               {"made_here", account.made_here},
               {"sent", account.sent},
               {"delivered", account.delivered},
               {"punted", account.punted},
               {"consumed", account.consumed},
               {"dropped", account.dropped},
               {"held", account.held},
               {"in", in},
               {"out", out},
               {"agrees", in == out}});
}

std::string ShowIkeCounters(const StatusView& view) {
  Table table({"COUNTER", ">COUNT"});
  for (const NamedCount& counter : NamedCounters(view.GetIkeCounters())) {
    std::string name = counter.name;
    for (char& c : name) {
      if (c == '_') c = '-';
    }
    table.AddRow({name, CountText(counter.count)});
  }
  return table.ToString();
}

std::string ShowIkeCountersJson(const StatusView& view) {
  Json json = Json::object();
  for (const NamedCount& counter : NamedCounters(view.GetIkeCounters())) {
    json[counter.name] = counter.count;
  }
  return Dump({{"ike_counters", json}});
}

std::string ShowLogLevel(const StatusView& view) {
  return absl::StrCat(Name(view.GetLogLevel()), "\n");
}

std::string ShowLogLevelJson(const StatusView& view) {
  return Dump({{"log_level", std::string(Name(view.GetLogLevel()))}});
}

}  // namespace sekisho::slowpath
