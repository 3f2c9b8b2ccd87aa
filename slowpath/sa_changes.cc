#include "slowpath/sa_changes.h"

namespace sekisho::slowpath {

void SaChanges::Remove(const fastpath::SaHandle& sa) {
  moves_.erase(sa);
  if (absl::IsResourceExhausted(fast_path_.Remove(sa))) removals_.push_back(sa);
}

absl::Status SaChanges::MovePeer(const fastpath::SaHandle& outbound, const Endpoint& local,
                                 const Endpoint& remote) {
  moves_.erase(outbound);
  const absl::Status status = fast_path_.MovePeer(outbound, local, remote);
  if (!absl::IsResourceExhausted(status)) return status;
  moves_[outbound] = {local, remote};
  return absl::OkStatus();
}

void SaChanges::RetryPending() {
  std::erase_if(removals_, [&](const fastpath::SaHandle& sa) {
    return !absl::IsResourceExhausted(fast_path_.Remove(sa));
  });
  absl::erase_if(moves_, [&](const auto& move) {
    return !absl::IsResourceExhausted(
        fast_path_.MovePeer(move.first, move.second.local, move.second.remote));
  });
}

}  // namespace sekisho::slowpath
