// bench/memory_port.h: an Ethernet port that costs as little as one can: what it receives is copied
// out of an array of prepared frames, what it sends is freed.
//
// It takes the place of a net_null device that is started: the device's own receive and transmit
// functions give way to these until the device is stopped. With several workers each polls a queue
// of its own, while the thread that made the port gives frames and reads counts.
#pragma once

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <semaphore>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/frame_store.h"
#include "common/bytes.h"

namespace sekisho::bench {

class MemoryPort {
 public:
  // What is kept of the frames that were sent: one of every `kKeepEvery`.
  static constexpr uint32_t kKeepEvery = 1021;  // a prime: every place of a burst has its turn

  // Has DPDK make the net_null device; what opens a port uses this name.
  static absl::Status MakeDevice(const std::string& name);
  // Requires: the device is started, and nobody polls it yet. Buffers come from `pool`.
  MemoryPort(const std::string& name, uint16_t queues, rte_mempool* pool);

  // Who receives and who sends: this, another device's driver, or (receiving) nobody. Requires:
  // nobody polls the device.
  void ReceiveHere();
  void ReceiveFrom(uint16_t other_device);
  void ReceiveNothing();
  void SendHere();
  void SendByDriver();
  MemoryPort(const MemoryPort&) = delete;
  MemoryPort& operator=(const MemoryPort&) = delete;

  uint16_t device() const { return device_; }
  struct Feed {
    std::span<const Frame> frames;
    size_t passes = 1;  // so many times they come
    // Who polls the queue does this before each pass but the first, when what came before has had
    // the time to go all its way; empty: nothing.
    std::function<void()> between;
  };
  // That comes in next; a queue that has given all its frames receives nothing more. Requires: it
  // has given all.
  void Give(uint16_t queue, Feed feed);
  bool Exhausted(uint16_t queue) const;
  // Who sends as many as that by the queue, counted since ResetSent(), releases `done` once.
  // Another ResetSent() takes it back. Requires: nobody sends; `done` lives as long as anybody may.
  void AnnounceSent(uint16_t queue, uint64_t frames, std::counting_semaphore<>& done);
  // Frames sent since ResetSent(), by all queues.
  uint64_t sent() const;
  // When the last of them was, and when the first of the last pass was received, by one queue.
  uint64_t last_sent_tsc(uint16_t queue) const;
  uint64_t last_pass_tsc(uint16_t queue) const;
  void ResetSent();
  // Requires: nobody sends.
  void Keep(bool keep);
  std::vector<Bytes> TakeKept();

 private:
  struct alignas(64) Receiver {
    rte_mempool* pool = nullptr;
    // Its thread's own; all are counted from the first frame ever.
    const Frame* frames = nullptr;  // the one of number `next` is frames[next]
    size_t next = 0, pass_end = 0;
    uint32_t polls_to_wait = 0;
    // Give(): release; its thread: acquire; and with it `feed`.
    std::atomic<size_t> end = 0;
    std::atomic<size_t> given = 0;
    std::atomic<uint64_t> last_pass_tsc = 0;
    Feed feed;
    size_t feed_begin = 0;
  };
  struct alignas(64) Sender {
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> last_tsc = 0;
    uint64_t announce_at = UINT64_MAX;
    std::counting_semaphore<>* done = nullptr;
    uint32_t until_kept = kKeepEvery;
    bool keep = false;
    std::vector<Bytes> kept;
  };
  static bool BeginPass(Receiver& receiver);
  static uint16_t Receive(void* queue, rte_mbuf** mbufs, uint16_t count);
  static uint16_t Send(void* queue, rte_mbuf** mbufs, uint16_t count);

  static uint16_t Nothing(void* queue, rte_mbuf** mbufs, uint16_t count);

  uint16_t device_ = 0;
  struct rte_eth_fp_ops driver_;  // as it was
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<void*> receive_queues_, send_queues_;  // as DPDK wants them
};

}  // namespace sekisho::bench
