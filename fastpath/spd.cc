#include "fastpath/spd.h"

#include <rte_acl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/ip_prefix.h"
#include "common/status_macros.h"
#include "fastpath/mbuf.h"
#include "fastpath/route_table.h"

namespace sekisho::fastpath {
namespace {

// What a trie is asked, in network order. The first field of rte_acl is one byte, all others come
// in groups of four; source and destination are the packet's.
template <size_t kAddressWords>
struct Query {
  uint8_t protocol;
  uint8_t unused[3];
  uint8_t source[kAddressWords * 4];
  uint8_t destination[kAddressWords * 4];
  Be16 source_port, destination_port;
};
static_assert(sizeof(Query<1>) == 16 && sizeof(Query<4>) == 40);

template <size_t kAddressWords>
constexpr size_t kFields = 1 + 2 * kAddressWords + 2;

template <size_t kAddressWords>
struct Rule {
  rte_acl_rule_data data;
  rte_acl_field field[kFields<kAddressWords>];
};
RTE_ACL_RULE_DEF(AclRuleIpv4, 5);
RTE_ACL_RULE_DEF(AclRuleIpv6, 11);
static_assert(sizeof(Rule<1>) == sizeof(AclRuleIpv4) && sizeof(Rule<4>) == sizeof(AclRuleIpv6));

template <size_t kAddressWords>
void SetField(rte_acl_config& config, size_t index, uint8_t type, uint8_t size, size_t input,
              size_t offset) {
  config.defs[index] = {.type = type,
                        .size = size,
                        .field_index = static_cast<uint8_t>(index),
                        .input_index = static_cast<uint8_t>(input),
                        .offset = static_cast<uint32_t>(offset)};
}

template <size_t kAddressWords>
rte_acl_config MakeConfig() {
  using Q = Query<kAddressWords>;
  rte_acl_config config = {};
  config.num_categories = 1;
  config.num_fields = kFields<kAddressWords>;
  SetField<kAddressWords>(config, 0, RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0);
  for (size_t word = 0; word < 2 * kAddressWords; ++word) {
    SetField<kAddressWords>(config, 1 + word, RTE_ACL_FIELD_TYPE_MASK, 4, 1 + word,
                            offsetof(Q, source) + 4 * word);
  }
  // Both ports are one group of four bytes.
  const size_t port = 1 + 2 * kAddressWords;
  SetField<kAddressWords>(config, port, RTE_ACL_FIELD_TYPE_RANGE, 2, port,
                          offsetof(Q, source_port));
  SetField<kAddressWords>(config, port + 1, RTE_ACL_FIELD_TYPE_RANGE, 2, port,
                          offsetof(Q, destination_port));
  return config;
}

void SetAddress(rte_acl_field* fields, const IpPrefix& prefix) {
  const ByteSpan bytes = prefix.address().bytes();
  for (size_t word = 0; word < bytes.size() / 4; ++word) {
    const int bits = std::clamp(prefix.length() - static_cast<int>(word) * 32, 0, 32);
    fields[word].value.u32 = LoadBigEndian<uint32_t>(&bytes[word * 4]);
    fields[word].mask_range.u32 = static_cast<uint32_t>(bits);
  }
}

void SetPorts(rte_acl_field& field, const PortRange& ports) {
  field.value.u16 = ports.first;
  field.mask_range.u16 = ports.last;
}

// Protocols that have the bits of `value` where `mask` has ones.
struct Protocols {
  uint8_t value, mask;
};
constexpr Protocols kEveryProtocol = {0, 0};

// Those that show ports, or those that show none.
std::vector<Protocols> ProtocolsWith(bool ports, IpFamily family) {
  std::vector<Protocols> result;
  for (int protocol = 0; protocol <= 0xff; ++protocol) {
    if (HasPorts(family, static_cast<uint8_t>(protocol)) != ports) continue;
    result.push_back({static_cast<uint8_t>(protocol), 0xff});
    // Two neighbours that differ in the last bit of their mask are one of half the mask.
    while (result.size() > 1) {
      const Protocols last = result.back(), before = result[result.size() - 2];
      const auto bit = static_cast<uint8_t>(-last.mask & 0xff);
      if (last.mask != before.mask || (last.value ^ before.value) != bit) break;
      result.pop_back();
      result.back() = {static_cast<uint8_t>(before.value & ~bit),
                       static_cast<uint8_t>(before.mask & ~bit)};
    }
  }
  return result;
}

// A pair of selectors that some packet can match, and the pairs of prefixes it becomes.
struct Pair {
  uint32_t policy;
  std::vector<Protocols> protocols;
  std::vector<IpPrefix> source_prefixes, destination_prefixes;
  PortRange source_ports, destination_ports;
};

// Of whole packets that both selectors can match; none: no packet at all.
std::vector<Protocols> ProtocolsOf(const TrafficSelector& source,
                                   const TrafficSelector& destination) {
  const uint8_t protocol = std::max(source.protocol, destination.protocol);
  if (source.protocol != kAnyProtocol && destination.protocol != kAnyProtocol &&
      source.protocol != destination.protocol) {
    return {};
  }
  const bool opaque = source.ports.is_opaque() || destination.ports.is_opaque();
  const auto names = [](const PortRange& ports) { return !ports.is_all() && !ports.is_opaque(); };
  const bool ports = names(source.ports) || names(destination.ports);
  if (opaque && ports) return {};
  if (protocol == kAnyProtocol) {
    if (!opaque && !ports) return {kEveryProtocol};
    return ProtocolsWith(ports, source.family());
  }
  const bool has_ports = HasPorts(source.family(), protocol);
  if (has_ports ? opaque : ports) return {};
  return {{protocol, 0xff}};
}

PortRange Matched(const PortRange& ports) { return ports.is_opaque() ? PortRange::All() : ports; }

void AppendPairs(const Policy& policy, uint32_t index, IpFamily family, bool inbound,
                 std::vector<Pair>& pairs) {
  const TrafficSelectors& sources = inbound ? policy.remote : policy.local;
  const TrafficSelectors& destinations = inbound ? policy.local : policy.remote;
  for (const TrafficSelector& source : sources) {
    for (const TrafficSelector& destination : destinations) {
      if (source.family() != family || destination.family() != family) continue;
      std::vector<Protocols> protocols = ProtocolsOf(source, destination);
      if (protocols.empty()) continue;
      pairs.push_back({.policy = index,
                       .protocols = std::move(protocols),
                       .source_prefixes = IpPrefix::Cover(source.addresses),
                       .destination_prefixes = IpPrefix::Cover(destination.addresses),
                       .source_ports = Matched(source.ports),
                       .destination_ports = Matched(destination.ports)});
    }
  }
}

template <size_t kAddressWords>
void AppendRules(const Pair& pair, std::vector<Rule<kAddressWords>>& rules) {
  Rule<kAddressWords> rule = {};
  rule.data.category_mask = 1;
  rule.data.priority = static_cast<int32_t>(uint32_t{RTE_ACL_MAX_PRIORITY} - pair.policy);
  rule.data.userdata = pair.policy + 1;  // 0 says that nothing matched
  constexpr size_t kPort = 1 + 2 * kAddressWords;
  SetPorts(rule.field[kPort], pair.source_ports);
  SetPorts(rule.field[kPort + 1], pair.destination_ports);
  for (const IpPrefix& source : pair.source_prefixes) {
    SetAddress(&rule.field[1], source);
    for (const IpPrefix& destination : pair.destination_prefixes) {
      SetAddress(&rule.field[1 + kAddressWords], destination);
      for (const Protocols& protocols : pair.protocols) {
        rule.field[0].value.u8 = protocols.value;
        rule.field[0].mask_range.u8 = protocols.mask;
        rules.push_back(rule);
      }
    }
  }
}

// rte_acl hands out an existing context for a name it knows, so no two tries share one. (Not a
// local of the template below: each of its instances would count on its own.)
std::string NextAclName() {
  static std::atomic<uint64_t> serial = 0;
  return absl::StrCat("spd-", serial.fetch_add(1, std::memory_order_relaxed));
}

// The trie for one family and direction; null where no rule is in it.
template <size_t kAddressWords>
absl::StatusOr<rte_acl_ctx*> BuildAcl(const std::vector<Policy>& policies,
                                      const std::vector<uint32_t>& members, bool inbound) {
  constexpr IpFamily kFamily = kAddressWords == 1 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  std::vector<Rule<kAddressWords>> rules;
  std::vector<Pair> pairs;
  for (const uint32_t index : members) {
    pairs.clear();
    AppendPairs(policies[index], index, kFamily, inbound, pairs);
    for (const Pair& pair : pairs) {
      const size_t more =
          pair.source_prefixes.size() * pair.destination_prefixes.size() * pair.protocols.size();
      if (rules.size() + more > Spd::kRulesMax) {
        return absl::ResourceExhaustedError(
            absl::StrCat("spd: policy '", policies[index].name, "' takes the list over ",
                         Spd::kRulesMax, " rules; write its ranges as prefixes, or fewer of them"));
      }
      AppendRules<kAddressWords>(pair, rules);
    }
  }
  if (rules.empty()) return nullptr;

  const std::string name = NextAclName();
  const rte_acl_param parameters = {.name = name.c_str(),
                                    .socket_id = SOCKET_ID_ANY,
                                    .rule_size = RTE_ACL_RULE_SZ(kFields<kAddressWords>),
                                    .max_rule_num = static_cast<uint32_t>(rules.size())};
  rte_acl_ctx* acl = rte_acl_create(&parameters);
  const rte_acl_config config = MakeConfig<kAddressWords>();
  if (acl == nullptr ||
      rte_acl_add_rules(acl, reinterpret_cast<const rte_acl_rule*>(rules.data()),
                        static_cast<uint32_t>(rules.size())) != 0 ||
      rte_acl_build(acl, &config) != 0) {
    rte_acl_free(acl);
    return absl::ResourceExhaustedError(absl::StrCat("spd: no memory to compile ", rules.size(),
                                                     " rules; give the EAL more memory"));
  }
  return acl;
}

// The policies that stand on a port.
std::vector<uint32_t> MembersOn(const std::vector<Policy>& policies, size_t port) {
  std::vector<uint32_t> members;
  for (uint32_t index = 0; index < policies.size(); ++index) {
    const std::vector<PortId>& ports = policies[index].ports;
    const PortId id{static_cast<uint16_t>(port)};
    if (ports.empty() || std::find(ports.begin(), ports.end(), id) != ports.end()) {
      members.push_back(index);
    }
  }
  return members;
}

template <size_t kAddressWords>
void FillQuery(rte_mbuf* mbuf, const PacketContext& context, Query<kAddressWords>& query) {
  constexpr size_t kOffset = kAddressWords == 1 ? 12 : 8;  // of the source in the IP header
  // Type and code of ICMP are one selector, which either side may name (RFC 7296, 3.13.1).
  const bool types = HasTypes(context.protocol);
  query.protocol = context.protocol;
  std::memcpy(query.source, DataOf(mbuf) + kOffset, 8 * kAddressWords);
  query.source_port = Be16::FromHost(context.source_port);
  query.destination_port = Be16::FromHost(types ? context.source_port : context.destination_port);
}

template <size_t kAddressWords>
void ClassifyFamily(const rte_acl_ctx* acl, Burst burst) {
  Query<kAddressWords> queries[kBurstMax];
  const uint8_t* data[kBurstMax];
  uint32_t results[kBurstMax];
  for (size_t i = 0; i < burst.size(); ++i) {
    FillQuery(burst[i], ContextOf(burst[i]), queries[i]);
    data[i] = reinterpret_cast<const uint8_t*>(&queries[i]);
  }
  rte_acl_classify(acl, data, results, static_cast<uint32_t>(burst.size()), 1);
  // 0, nothing matched, becomes kNoPolicy.
  static_assert(kNoPolicy == UINT32_MAX);
  for (size_t i = 0; i < burst.size(); ++i) ContextOf(burst[i]).policy = results[i] - 1;
}

}  // namespace

void Spd::FreeAcl::operator()(rte_acl_ctx* acl) const { rte_acl_free(acl); }

Spd::Spd(std::vector<Policy> policies)
    : policies_(std::move(policies)),
      handlings_((policies_.size() + kHandlingsPerLine - 1) / kHandlingsPerLine) {
  for (size_t i = 0; i < policies_.size(); ++i) {
    handlings_[i / kHandlingsPerLine].of[i % kHandlingsPerLine] = policies_[i].handling;
  }
  for (const Policy& policy : policies_) {
    actions_.push_back(policy.action);
    optional_.push_back(policy.action == PolicyAction::kProtect && policy.optional);
    has_optional_ |= optional_.back();
    clamps_mss_ |= policy.handling.tcp_mss_max != 0;
  }
}

Spd::~Spd() = default;

absl::StatusOr<std::unique_ptr<Spd>> Spd::Compile(std::vector<Policy> policies) {
  if (policies.size() >= kRulesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("spd: ", policies.size(), " policies, at most ", kRulesMax - 1));
  }
  std::unique_ptr<Spd> spd(new Spd(std::move(policies)));
  std::map<Members, uint8_t> compiled;
  for (size_t port = 0; port <= kPortsNamed; ++port) {
    const Members members = MembersOn(spd->policies_, port);
    const auto [list, is_new] =
        compiled.try_emplace(members, static_cast<uint8_t>(spd->lists_.size()));
    if (is_new) SEKISHO_RETURN_IF_ERROR(spd->CompileList(members));
    spd->list_of_port_[port] = list->second;
  }
  return spd;
}

absl::Status Spd::CompileList(const Members& members) {
  List& list = lists_.emplace_back();
  for (const bool inbound : {false, true}) {
    SEKISHO_ASSIGN_OR_RETURN(rte_acl_ctx * ipv4, BuildAcl<1>(policies_, members, inbound));
    list.ipv4[inbound].reset(ipv4);
    SEKISHO_ASSIGN_OR_RETURN(rte_acl_ctx * ipv6, BuildAcl<4>(policies_, members, inbound));
    list.ipv6[inbound].reset(ipv6);
  }
  return absl::OkStatus();
}

void Spd::Classify(Burst burst, bool inbound) const {
  SEKISHO_DCHECK(burst.size() <= kBurstMax);
  uint8_t lists[kBurstMax];
  for (size_t i = 0; i < burst.size(); ++i) {
    PacketContext& context = ContextOf(burst[i]);
    context.policy = kNoPolicy;
    const size_t port = inbound                       ? static_cast<size_t>(context.port_in)
                        : context.next_hop == nullptr ? kPortsNamed
                                                      : static_cast<size_t>(context.next_hop->port);
    lists[i] = list_of_port_[std::min(port, kPortsNamed)];
  }
  for (size_t list = 0; list < lists_.size(); ++list) {
    rte_mbuf* by_family[2][kBurstMax];
    size_t count[2] = {0, 0};
    for (size_t i = 0; i < burst.size(); ++i) {
      if (lists[i] != list) continue;
      const size_t family = ContextOf(burst[i]).family == 4 ? 0 : 1;
      by_family[family][count[family]++] = burst[i];
    }
    const rte_acl_ctx* ipv4 = lists_[list].ipv4[inbound].get();
    const rte_acl_ctx* ipv6 = lists_[list].ipv6[inbound].get();
    if (count[0] != 0 && ipv4 != nullptr) ClassifyFamily<1>(ipv4, {by_family[0], count[0]});
    if (count[1] != 0 && ipv6 != nullptr) ClassifyFamily<4>(ipv6, {by_family[1], count[1]});
  }
}

}  // namespace sekisho::fastpath
