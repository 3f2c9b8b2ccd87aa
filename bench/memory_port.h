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
#include <memory>
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
  // These come in next; a queue that has given all its frames receives nothing more. Requires: it
  // has given all.
  // The clock of first_received_tsc() starts behind the first `warm_up` of them.
  void Give(uint16_t queue, std::span<const Frame> frames, size_t warm_up = 0);
  bool Exhausted(uint16_t queue) const;
  // Frames sent since ResetSent(), by all queues.
  uint64_t sent() const;
  // By one; when the last of them was, and when the first of those that were given last, but for
  // their warm-up, was received; 0: none was.
  uint64_t sent(uint16_t queue) const;
  uint64_t last_sent_tsc(uint16_t queue) const;
  uint64_t first_received_tsc(uint16_t queue) const;
  void ResetSent();
  // Requires: nobody sends.
  void Keep(bool keep);
  std::vector<Bytes> TakeKept();

 private:
  struct alignas(64) Receiver {
    rte_mempool* pool = nullptr;
    const Frame* frames = nullptr;
    size_t next = 0;              // its thread
    size_t clock_from = 0;        // of `next`; as `end`
    std::atomic<size_t> end = 0;  // Give(): release; its thread: acquire
    std::atomic<size_t> given = 0;
    std::atomic<uint64_t> first_tsc = 0;  // 0: none yet
  };
  struct alignas(64) Sender {
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> last_tsc = 0;
    uint32_t until_kept = kKeepEvery;
    bool keep = false;
    std::vector<Bytes> kept;
  };
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
