#include "ike/core.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sekisho::ike {

Core::Core(EngineOptions options_in, Random& random_in, SpiAllocator& spis_in)
    : options(std::move(options_in)), random(random_in), spis(spis_in), cookies(random_in) {}

namespace {
constexpr uint64_t kStrangerLinesPerSecond = 10;
}  // namespace

IkeSa& Core::Create(IkeSaId id, uint64_t local_spi) {
  auto sa = std::make_unique<IkeSa>();
  sa->local_spi = local_spi == 0 ? NewIkeSpi() : local_spi;
  sa->id = id;
  if (id == IkeSaId{0}) {
    sa->id = IkeSaId{next_ike_sa_id++};
    current[sa->id] = sa->local_spi;
  }
  sa->last_heard = now;
  IkeSa& result = *sa;
  ike_sas[result.local_spi] = std::move(sa);
  Touch(result);
  return result;
}

IkeSa* Core::Find(uint64_t local_spi) {
  const auto found = ike_sas.find(local_spi);
  return found == ike_sas.end() ? nullptr : found->second.get();
}

IkeSa* Core::FindCurrent(IkeSaId id) {
  const auto found = current.find(id);
  return found == current.end() ? nullptr : Find(found->second);
}

IkeSa* Core::FindOwner(ChildSaId id) {
  const auto found = owners.find(id);
  return found == owners.end() ? nullptr : Find(found->second);
}

bool Core::IsCurrent(const IkeSa& sa) const {
  const auto found = current.find(sa.id);
  return found != current.end() && found->second == sa.local_spi;
}

// Not inline: where GCC 12 sees which alternative it is, it warns of the members of all others.
void Core::Emit(Action action) { actions->push_back(std::move(action)); }

void Core::Log(LogEvent::Level level, absl::string_view name, LogFields fields) {
  Emit(LogEvent{.level = level, .name = std::string(name), .fields = std::move(fields)});
}

void Core::Log(LogEvent::Level level, absl::string_view name, const IkeSa& sa, LogFields fields) {
  LogFields all = {{"ike-sa", absl::StrCat(static_cast<uint64_t>(sa.id))},
                   {"peer", sa.remote.ToString()}};
  if (sa.have_remote_identity) all.emplace_back("identity", sa.remote_identity.ToString());
  if (sa.connection != nullptr) all.emplace_back("connection", sa.connection->name);
  all.insert(all.end(), std::make_move_iterator(fields.begin()),
             std::make_move_iterator(fields.end()));
  Log(level, name, std::move(all));
}

bool Core::MayLogStranger() {
  if (now >= stranger_second_ + absl::Seconds(1)) {
    if (stranger_lines_ > kStrangerLinesPerSecond) {
      Log(LogEvent::Level::kWarning, "strangers-not-logged",
          {{"lines", absl::StrCat(stranger_lines_ - kStrangerLinesPerSecond)}});
    }
    stranger_second_ = now;
    stranger_lines_ = 0;
  }
  return ++stranger_lines_ <= kStrangerLinesPerSecond;
}

void Core::LogStranger(absl::string_view name, LogFields fields) {
  if (MayLogStranger()) Log(LogEvent::Level::kWarning, name, std::move(fields));
}

void Core::Run(IkeSa& sa, std::unique_ptr<Computation> computation, AfterComputation after) {
  const ComputationId id{next_computation_id++};
  computations[id] = {sa.local_spi, after};
  Emit(RunComputation{id, std::move(computation)});
}

Bytes Core::RandomBytes(size_t count) {
  Bytes bytes(count);
  random.Fill(bytes);
  return bytes;
}

uint64_t Core::NewIkeSpi() {
  uint64_t spi;
  do {
    spi = random.NextU64();
  } while (spi == 0 || ike_sas.contains(spi));
  return spi;
}

absl::Duration Core::Jittered(absl::Duration duration) {
  return duration - duration * (static_cast<double>(random.Below(1000)) / 10000);
}

absl::Duration Core::RetryDelay() {
  return absl::Seconds(2) + absl::Milliseconds(static_cast<int64_t>(random.Below(6000)));
}

void Core::Settle() {
  while (!touched.empty()) {
    const uint64_t local_spi = *touched.begin();
    touched.erase(touched.begin());
    IkeSa* sa = Find(local_spi);
    if (sa == nullptr) continue;
    if (sa->state != IkeSaState::kDead) StartNextTask(*this, *sa);
    SweepChildren(*this, *sa);
    if (sa->state == IkeSaState::kDead) {
      Bury(*sa);
      continue;
    }
    const absl::Time at = NextDeadline(*sa);
    if (at == sa->scheduled_at) continue;
    timers.erase({sa->scheduled_at, local_spi});
    if (at != absl::InfiniteFuture()) timers.insert({at, local_spi});
    sa->scheduled_at = at;
  }
}

void Core::Bury(IkeSa& sa) {
  timers.erase({sa.scheduled_at, sa.local_spi});
  if (!sa.request_digest.empty()) seen_inits.erase(sa.request_digest);
  ike_sas.erase(sa.local_spi);
}

}  // namespace sekisho::ike
