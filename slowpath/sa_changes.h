// slowpath/sa_changes.h: SAs removed and moved, at once or, where a down ring is full, a little
// later.
//
// A worker reports each place of a peer once, and what is to go is to go: neither may get lost
// because a worker is behind with its messages. Slow-path thread only.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "fastpath/fast_path.h"

namespace sekisho::slowpath {

class SaChanges {
 public:
  // `fast_path` must outlive this.
  explicit SaChanges(fastpath::FastPath& fast_path) : fast_path_(fast_path) {}

  void Remove(const fastpath::SaHandle& sa);
  // Takes the place of a move of this SA that is still to be made. Ok where it is made or will be.
  absl::Status MovePeer(const fastpath::SaHandle& outbound, const Endpoint& local,
                        const Endpoint& remote);
  // Tries again what a full down ring refused. Called often.
  void RetryPending();

 private:
  struct Ends {
    Endpoint local, remote;
  };

  fastpath::FastPath& fast_path_;
  std::vector<fastpath::SaHandle> removals_;
  absl::flat_hash_map<fastpath::SaHandle, Ends> moves_;
};

}  // namespace sekisho::slowpath
