#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/fast_path_impl.h"

namespace sekisho::fastpath {
namespace {

absl::StatusOr<std::unique_ptr<Tables>> Compile(const std::string& name,
                                                std::span<const PortConfig> ports,
                                                std::vector<Policy> policies,
                                                std::vector<Route> routes, size_t workers) {
  std::vector<Route> all = ConnectedRoutes(ports);
  all.insert(all.end(), routes.begin(), routes.end());
  auto tables = std::make_unique<Tables>();
  const size_t policy_count = policies.size();
  SEKISHO_ASSIGN_OR_RETURN(tables->spd, Spd::Compile(std::move(policies)));
  SEKISHO_ASSIGN_OR_RETURN(tables->routes, RouteTable::Build(name, std::move(all), ports.size()));
  for (size_t i = 0; i < workers; ++i) {
    tables->hits[i] = CounterArray(policy_count);
    tables->drops[i] = CounterArray(policy_count);
  }
  return tables;
}

}  // namespace

absl::Status FastPath::SetTables(std::vector<Policy> policies, std::vector<Route> routes) {
  Impl& impl = *impl_;
  uint32_t index = 0;
  while (index < kTablesSlots && impl.tables_age[index] != 0) ++index;
  if (index == kTablesSlots) {
    return absl::ResourceExhaustedError(
        "policies and routes: earlier ones are not in use yet; try again");
  }
  SEKISHO_ASSIGN_OR_RETURN(impl.tables[index],
                           Compile(absl::StrCat(impl.name, "t", index), impl.config.ports,
                                   std::move(policies), std::move(routes), impl.worker_count()));
  impl.tables[index]->generation = impl.tables_set + 1;
  DownMessage message;
  message.kind = DownMessage::Kind::kSwapTables;
  message.swap_tables = {index};
  if (absl::Status sent = impl.Broadcast(message); !sent.ok()) {
    impl.tables[index].reset();
    return sent;
  }
  impl.tables_age[index] = ++impl.tables_set;
  impl.newest = impl.tables[index].get();
  return absl::OkStatus();
}

const std::vector<Policy>& FastPath::policies() const {
  static const std::vector<Policy> none;
  return impl_->newest != nullptr ? impl_->newest->spd->policies() : none;
}

std::vector<uint64_t> FastPath::PolicyHits() const {
  std::vector<uint64_t> hits(policies().size());
  for (size_t worker = 0; worker < impl_->worker_count() && impl_->newest != nullptr; ++worker) {
    for (size_t i = 0; i < hits.size(); ++i) hits[i] += impl_->newest->hits[worker][i].Get();
  }
  return hits;
}

std::vector<uint64_t> FastPath::PolicyDrops() const {
  std::vector<uint64_t> drops(policies().size());
  for (size_t worker = 0; worker < impl_->worker_count() && impl_->newest != nullptr; ++worker) {
    for (size_t i = 0; i < drops.size(); ++i) drops[i] += impl_->newest->drops[worker][i].Get();
  }
  return drops;
}

absl::StatusOr<IpAddress> FastPath::SourceFor(const IpAddress& remote) const {
  const NextHop* hop = impl_->newest != nullptr ? impl_->newest->routes.LookUp(remote) : nullptr;
  if (hop == nullptr) return absl::NotFoundError(absl::StrCat("no route to ", remote.ToString()));
  const IpAddress* source = impl_->local.SourceOn(hop->port, remote.family());
  if (source == nullptr || (source->is_v6() && source->is_link_local())) {
    return absl::NotFoundError(
        absl::StrCat("port ", impl_->config.ports[static_cast<size_t>(hop->port)].name,
                     " has no address to reach ", remote.ToString(), " from"));
  }
  return *source;
}

}  // namespace sekisho::fastpath
