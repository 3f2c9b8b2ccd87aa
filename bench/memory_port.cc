#include "bench/memory_port.h"

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "fastpath/eal.h"

namespace sekisho::bench {
namespace {

constexpr uint16_t kBurst = 64;
// Rounds in which a worker with nothing to receive gets back all that crypto devices have of it.
constexpr uint32_t kPollsBetween = 64;

// As a driver does that was promised buffers of one pool with one reference each: their second line
// is not touched. Others are freed the long way.
void FreeAll(rte_mbuf** mbufs, uint16_t count) {
  rte_mempool* const pool = mbufs[0]->pool;
  bool plain = true;
  for (uint16_t i = 0; i < count; ++i) {
    plain &= mbufs[i]->pool == pool && rte_mbuf_refcnt_read(mbufs[i]) == 1 &&
             mbufs[i]->nb_segs == 1 && RTE_MBUF_DIRECT(mbufs[i]);
  }
  if (plain) {
    rte_mempool_put_bulk(pool, reinterpret_cast<void**>(mbufs), count);
  } else {
    rte_pktmbuf_free_bulk(mbufs, count);
  }
}

}  // namespace

absl::Status MemoryPort::MakeDevice(const std::string& name) {
  return fastpath::ProbeDevice(name + ",no-rx=1");
}

MemoryPort::MemoryPort(const std::string& name, uint16_t queues, rte_mempool* pool) {
  SEKISHO_CHECK(rte_eth_dev_get_port_by_name(name.c_str(), &device_) == 0);
  for (uint16_t i = 0; i < queues; ++i) {
    receivers_.push_back(std::make_unique<Receiver>());
    receivers_.back()->pool = pool;
    receive_queues_.push_back(receivers_.back().get());
    senders_.push_back(std::make_unique<Sender>());
    send_queues_.push_back(senders_.back().get());
  }
  driver_ = rte_eth_fp_ops[device_];
  ReceiveHere();
  SendHere();
}

void MemoryPort::ReceiveHere() {
  rte_eth_fp_ops[device_].rxq.data = receive_queues_.data();
  rte_eth_fp_ops[device_].rx_pkt_burst = &MemoryPort::Receive;
}

void MemoryPort::ReceiveFrom(uint16_t other_device) {
  rte_eth_fp_ops[device_].rxq.data = rte_eth_fp_ops[other_device].rxq.data;
  rte_eth_fp_ops[device_].rx_pkt_burst = rte_eth_fp_ops[other_device].rx_pkt_burst;
}

void MemoryPort::ReceiveNothing() {
  rte_eth_fp_ops[device_].rxq.data = receive_queues_.data();
  rte_eth_fp_ops[device_].rx_pkt_burst = &MemoryPort::Nothing;
}

void MemoryPort::SendHere() {
  rte_eth_fp_ops[device_].txq.data = send_queues_.data();
  rte_eth_fp_ops[device_].tx_pkt_burst = &MemoryPort::Send;
}

void MemoryPort::SendByDriver() {
  rte_eth_fp_ops[device_].txq.data = driver_.txq.data;
  rte_eth_fp_ops[device_].tx_pkt_burst = driver_.tx_pkt_burst;
}

uint16_t MemoryPort::Nothing(void*, rte_mbuf**, uint16_t) { return 0; }

void MemoryPort::Give(uint16_t queue, Feed feed) {
  Receiver& receiver = *receivers_[queue];
  SEKISHO_CHECK(Exhausted(queue));
  receiver.feed_begin = receiver.end.load(std::memory_order_relaxed);
  const size_t end = receiver.feed_begin + feed.passes * feed.frames.size();
  receiver.feed = std::move(feed);
  receiver.end.store(end, std::memory_order_release);
}

bool MemoryPort::Exhausted(uint16_t queue) const {
  const Receiver& receiver = *receivers_[queue];
  return receiver.given.load(std::memory_order_acquire) ==
         receiver.end.load(std::memory_order_relaxed);
}

// False: there is nothing to receive, now or at all.
bool MemoryPort::BeginPass(Receiver& receiver) {
  const size_t end = receiver.end.load(std::memory_order_acquire);
  if (receiver.next == end) return false;
  if (receiver.next != receiver.feed_begin && receiver.feed.between) {
    if (receiver.polls_to_wait == 0) receiver.polls_to_wait = kPollsBetween;
    if (--receiver.polls_to_wait > 0) return false;
    receiver.feed.between();
  }
  receiver.frames = receiver.feed.frames.data() - receiver.next;
  receiver.pass_end = receiver.next + receiver.feed.frames.size();
  if (receiver.pass_end == end)
    receiver.last_pass_tsc.store(rte_rdtsc(), std::memory_order_relaxed);
  return true;
}

uint16_t MemoryPort::Receive(void* queue, rte_mbuf** mbufs, uint16_t count) {
  auto& receiver = *static_cast<Receiver*>(queue);
  if (receiver.next == receiver.pass_end && !BeginPass(receiver)) return 0;
  const size_t left = receiver.pass_end - receiver.next;
  const auto take = static_cast<uint16_t>(std::min<size_t>({left, count, kBurst}));
  if (rte_pktmbuf_alloc_bulk(receiver.pool, mbufs, take) != 0) [[unlikely]]
    return 0;
  const Frame* frame = receiver.frames + receiver.next;
  for (uint16_t i = 0; i < take; ++i, ++frame) {
    rte_mbuf* mbuf = mbufs[i];
    rte_memcpy(rte_pktmbuf_mtod(mbuf, void*), frame->data, frame->bytes);
    mbuf->data_len = static_cast<uint16_t>(frame->bytes);
    mbuf->pkt_len = frame->bytes;
  }
  receiver.next += take;
  receiver.given.store(receiver.next, std::memory_order_release);
  return take;
}

uint16_t MemoryPort::Send(void* queue, rte_mbuf** mbufs, uint16_t count) {
  auto& sender = *static_cast<Sender*>(queue);
  if (count == 0) return 0;
  if (sender.keep) {
    if (sender.until_kept <= count) [[unlikely]] {
      const rte_mbuf* mbuf = mbufs[sender.until_kept - 1];
      const auto* data = rte_pktmbuf_mtod(mbuf, const uint8_t*);
      sender.kept.emplace_back(data, data + mbuf->data_len);
      sender.until_kept += kKeepEvery;
    }
    sender.until_kept -= count;
  }
  FreeAll(mbufs, count);
  sender.last_tsc.store(rte_rdtsc(), std::memory_order_relaxed);
  const uint64_t sent = sender.sent.load(std::memory_order_relaxed) + count;
  sender.sent.store(sent, std::memory_order_release);
  if (sent >= sender.announce_at) [[unlikely]] {
    sender.announce_at = UINT64_MAX;
    sender.done->release();
  }
  return count;
}

uint64_t MemoryPort::sent() const {
  uint64_t sum = 0;
  for (const auto& sender : senders_) sum += sender->sent.load(std::memory_order_acquire);
  return sum;
}

uint64_t MemoryPort::last_sent_tsc(uint16_t queue) const {
  return senders_[queue]->last_tsc.load(std::memory_order_relaxed);
}

uint64_t MemoryPort::last_pass_tsc(uint16_t queue) const {
  return receivers_[queue]->last_pass_tsc.load(std::memory_order_relaxed);
}

void MemoryPort::AnnounceSent(uint16_t queue, uint64_t frames, std::counting_semaphore<>& done) {
  senders_[queue]->announce_at = frames;
  senders_[queue]->done = &done;
}

void MemoryPort::ResetSent() {
  for (const auto& sender : senders_) {
    sender->sent.store(0, std::memory_order_relaxed);
    sender->announce_at = UINT64_MAX;
  }
}

void MemoryPort::Keep(bool keep) {
  for (const auto& sender : senders_) sender->keep = keep;
}

std::vector<Bytes> MemoryPort::TakeKept() {
  std::vector<Bytes> kept;
  for (const auto& sender : senders_) {
    for (Bytes& frame : sender->kept) kept.push_back(std::move(frame));
    sender->kept.clear();
  }
  return kept;
}

}  // namespace sekisho::bench
