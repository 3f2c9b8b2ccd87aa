// bench/traffic.h: the frames of one row, ready to be received, and what must come out of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/frame_store.h"
#include "bench/gateway.h"
#include "bench/peer.h"
#include "bench/workload.h"

namespace sekisho::bench {

// One direction of a row: kOut or kIn.
class Traffic {
 public:
  struct Wants {
    const Row& row;
    Direction direction;
    PortKind port;
    uint64_t seed;
  };
  // `peer` only for what comes in. All of them outlive the traffic.
  static absl::StatusOr<Traffic> Create(const Wants& wants, const Workload& workload,
                                        Gateway& gateway, Peer* peer);

  MemoryPort& from() const { return *from_; }
  MemoryPort& to() const { return *to_; }
  Direction direction() const { return direction_; }
  // What a worker's queue receives: packets of the SAs that it owns.
  std::span<const Frame> frames(uint16_t queue) const { return stores_[queue].frames(); }
  uint16_t queues() const { return static_cast<uint16_t>(stores_.size()); }
  // Part `part` of `parts` of them. Parts begin and end with whole bursts.
  std::span<const Frame> Part(uint16_t queue, size_t part, size_t parts) const;
  size_t PacketsIn(size_t part, size_t parts) const;
  // Of inner IP packets, on average.
  double inner_bytes() const { return inner_bytes_; }
  // What is encrypted of packets like these, for CryptoLimit.
  std::vector<uint32_t> EncryptedBytes() const;

  // Is this frame what the fast path must make of the one whose number is in it? Outbound it is
  // decrypted by OpenSSL. The error says what is wrong.
  absl::Status Check(ByteSpan frame) const;

 private:
  Traffic(const Wants& wants, const Workload& workload, Gateway& gateway);
  absl::Status MakeFrames(Gateway& gateway, Peer* peer);
  absl::Status CheckInner(ByteSpan packet, bool forwarded) const;
  absl::Status CheckOutbound(ByteSpan packet) const;

  const Workload* workload_;
  Direction direction_;
  Size size_;
  MemoryPort* from_;
  MemoryPort* to_;
  std::vector<PacketSpec> packets_;  // by number
  std::vector<FrameStore> stores_;   // by queue
  double inner_bytes_ = 0;
};

// How many frames a row plays in turn: enough that SAs come back in no order that a cache could
// learn, not so many that copying them were all there is to see. With net_pcap, which keeps each in
// a buffer of its own, one of each SA, as other programs are measured with.
size_t FramesFor(const Row& row, PortKind port);

}  // namespace sekisho::bench
