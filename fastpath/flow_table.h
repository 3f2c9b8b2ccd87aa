// fastpath/flow_table.h: who talks to us from behind one address: the flows that came in, so that
// their answers find the way back.
//
// Several peers in transport mode, and hosts without IPsec, may stand behind one NAT and look alike
// from here: the same address, and in the worst case the same ports, as a peer's ports inside of
// ESP are its own and those of a packet in clear are the NAT's. A flow belongs to one of them.
// Where two would look the same to us, the later one is given another remote port on our side, and
// has its own put back on the way out.
//
// One table per worker (fastpath/home_worker.h says which has a flow), bounded and aged; no
// allocation after Create(). What comes in clear, which anybody can send, has half of it at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/messages.h"
#include "common/spi.h"
#include "fastpath/drop_reason.h"
#include "fastpath/selector_set.h"

namespace sekisho::fastpath {

struct FlowKey {
  WideAddress local, remote;
  uint16_t local_port = 0;   // host order; 0 where the protocol has none, and for ICMP
  uint16_t remote_port = 0;  // ICMP echo: the identifier
  uint8_t family = 0, protocol = 0;
  friend constexpr auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

// Whose flow it is.
struct FlowOwner {
  bool clear = false;  // came without IPsec
  uint64_t peer = 0;   // InboundSaParameters::peer; not where clear
  friend constexpr auto operator<=>(const FlowOwner&, const FlowOwner&) = default;
};

struct Flow {
  FlowKey seen;                                         // on our side
  uint16_t port = 0;                                    // the remote port as the other end knows it
  bool fin_in = false, fin_out = false, reset = false;  // TCP: nearly over
  FlowOwner owner;
  SlotId slot{};  // of the outbound SA that was last found for it, and its generation
  uint32_t generation = 0;
  uint64_t last_tsc = 0;  // a packet of it

  FlowKey sent() const {  // as the other end knows it
    FlowKey key = seen;
    key.remote_port = port;
    return key;
  }
  bool translated() const { return seen.remote_port != port; }
};

class FlowTable {
 public:
  static constexpr size_t kFlowsMax = 1 << 20;
  static constexpr size_t kChainMax = 32;  // flows in one bucket
  static constexpr int kPortTries = 16;    // for one that is free
  static constexpr uint16_t kPortLeast = 1024;

  // Idle for so long, a flow is forgotten: RFC 5382, REQ-5, and RFC 4787, REQ-5.
  static constexpr uint64_t kTcpIdleSeconds = 7440, kTcpClosedSeconds = 120, kIdleSeconds = 300;

  FlowTable() = default;  // holds nothing, ever
  FlowTable(size_t flows_max, uint64_t tsc_hz, uint32_t seed);

  Flow* FindSeen(const FlowKey& key);
  Flow* FindSent(const FlowKey& key, const FlowOwner& owner);

  struct Added {
    Flow* flow;         // null: not added, for this reason
    DropReason reason;  // kFlowTableFull, kFlowConflict
  };
  // A new flow, on our side as it was sent or, where that is taken, with another remote port.
  // Requires: FindSent() does not have it. `may_translate`: the protocol has ports or identifiers.
  Added Add(const FlowKey& sent, const FlowOwner& owner, bool may_translate, uint64_t now_tsc);
  void Remove(Flow& flow);
  // Looks at the next part of the table; all of it in kExpireParts calls, so that one is short for
  // the largest table too.
  void Expire(uint64_t now_tsc);
  static constexpr size_t kExpireParts = 512;

  size_t size() const { return size_; }
  size_t clear_size() const { return clear_size_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    Flow flow;
    bool used = false;
    uint32_t next_seen = kNone, next_sent = kNone;  // next_seen: also of the free ones
  };

  uint32_t HashSeen(const FlowKey& key) const;
  uint32_t HashSent(const FlowKey& key, const FlowOwner& owner) const;
  size_t ChainLength(const std::vector<uint32_t>& buckets, uint32_t bucket,
                     uint32_t Entry::*next) const;
  void Unlink(std::vector<uint32_t>& buckets, uint32_t bucket, uint32_t Entry::*next,
              uint32_t index);
  bool FindFreePort(FlowKey& key);
  bool IsOver(const Flow& flow, uint64_t now_tsc) const;

  std::vector<Entry> entries_;
  std::vector<uint32_t> seen_, sent_;  // buckets: index of the first entry
  uint32_t free_ = kNone;
  uint32_t seed_ = 0;
  uint64_t tsc_hz_ = 1;
  size_t size_ = 0, clear_size_ = 0;
  size_t expire_at_ = 0;
};

}  // namespace sekisho::fastpath
