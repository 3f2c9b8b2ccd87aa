// fastpath/packet_list.h: packets on their way from one stage to the next. Fixed size, on the stack
// or in a worker; holds pointers, owns nothing by itself.
#pragma once

#include <array>
#include <cstdint>

#include "common/check.h"
#include "fastpath/packet_context.h"

namespace sekisho::fastpath {

class PacketList {
 public:
  // Room for what one burst can become.
  static constexpr uint16_t kCapacity = 2 * kBurstMax;

  void Add(rte_mbuf* mbuf) {
    SEKISHO_DCHECK(count_ < kCapacity);
    mbufs_[count_++] = mbuf;
  }
  // Names the reason and adds.
  void Add(rte_mbuf* mbuf, DropReason reason) {
    ContextOf(mbuf).reason = reason;
    Add(mbuf);
  }
  void Clear() { count_ = 0; }
  uint16_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  uint16_t room() const { return static_cast<uint16_t>(kCapacity - count_); }
  Burst burst() const { return {mbufs_.data(), count_}; }

 private:
  std::array<rte_mbuf*, kCapacity> mbufs_;
  uint16_t count_ = 0;
};

}  // namespace sekisho::fastpath
