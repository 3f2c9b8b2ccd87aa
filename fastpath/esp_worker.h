// fastpath/esp_worker.h: what the IPsec stages of one worker need, handed to each of them. The
// worker owns it, by value; everything in it is the worker's alone.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/messages.h"
#include "fastpath/crypto_backend.h"
#include "fastpath/inbound_sad.h"
#include "fastpath/outbound_sad.h"
#include "fastpath/stage_cycles.h"

namespace sekisho::fastpath {

// What the IPsec stages want to tell the slow path. Bounded: what finds no room is said again by a
// later packet (soft expiry, moved peers) or in a later round (retired SAs); nothing is lost.
class UpEvents {
 public:
  static constexpr uint16_t kCapacity = 64;

  bool full() const { return count_ == kCapacity; }
  // False, and nothing done, when full.
  bool Add(const UpMessage& message) {
    if (full()) return false;
    messages_[count_++] = message;
    return true;
  }
  std::span<const UpMessage> messages() const { return {messages_.data(), count_}; }
  // Forgets the first `count`, which are on the up ring now.
  void Remove(uint16_t count);

 private:
  std::array<UpMessage, kCapacity> messages_;
  uint16_t count_ = 0;
};

struct EspWorker {
  WorkerId id{};
  InboundSad* inbound = nullptr;    // this worker's; the FastPath owns them
  OutboundSad* outbound = nullptr;  // of all workers
  CryptoBackend* crypto = nullptr;  // shared by all workers, each on its own queues
  uint64_t now_tsc = 0;             // set by the worker once per round
  uint64_t move_quiet_tsc = 0;      // least time between two kPeerMoved of one SA
  uint64_t path_mtu_tsc = 0;        // for how long a learned path MTU counts
  uint32_t adjacency_epoch = 1;     // what was noted under another is wrong (adjacency.h)
  [[no_unique_address]] StageCycles stages;
  UpEvents up;  // emptied by the worker into its up ring, every few rounds
};

// CryptoBackend::Submit(), of jobs of which the first were prepared where there are many.
inline void SubmitTo(EspWorker& worker, CryptoDirection direction,
                     std::span<const CryptoJob> jobs) {
  if (jobs.size() < CryptoBackend::kPreparedMax) worker.crypto->Prepare(jobs);
  StageTimer timer(worker.stages, Stage::kCrypto);
  worker.crypto->Submit(worker.id, direction, jobs);
}

// Packets that the crypto backend has finished with: CryptoBackend::Collect().
inline size_t CollectFrom(EspWorker& worker, CryptoDirection direction,
                          std::span<rte_mbuf*> mbufs) {
  StageTimer timer(worker.stages, Stage::kCrypto);
  return worker.crypto->Collect(worker.id, direction, mbufs);
}

// What HandleSaMessage() will touch of the SA that the message is about.
void PrefetchSaOf(const EspWorker& worker, const DownMessage& message);
// Obeys kInstallInboundSa, kRemoveInboundSa, kRemoveOutboundSa, kMovePeer, kSetPathMtu; false for
// any other kind. Between bursts only: no packet may hold a context.inbound_sa or
// context.outbound_sa except those that are with the crypto backend.
bool HandleSaMessage(EspWorker& worker, const DownMessage& message);
// Once per round, at its end: kSaRetired for each removed SA of which no packet is with the backend
// any more. Says, too, that nothing is held that a look-up found in this round.
void ReportRetired(EspWorker& worker);

}  // namespace sekisho::fastpath
