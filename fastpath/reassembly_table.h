// fastpath/reassembly_table.h: fragments that wait for the rest of their packet.
//
// Each worker has its own, and in it one table for each origin of packets: who writes in clear from
// outside must neither put a piece into a packet of an inside host or of a tunnel, nor take one of
// theirs into his own, nor use up their room. Each is bounded in packets, in fragments per packet,
// in fragments per source, and in time; see fastpath/reassemble.h for the stage.
//
// Sources share counters by a hash with a secret: who floods takes no more than one share, and
// cannot choose whose. An IPv6 source is its /64, in which a host has as many addresses as it
// likes.
//
// (librte_ip_frag takes eight fragments for a packet, which is 12 KB of the 64 that UDP may send,
// and a full table of it takes nobody in for as long as its time-out.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

struct rte_mbuf;

namespace sekisho::fastpath {

inline constexpr uint32_t kReassemblyPacketsMax = 1024;  // of each origin
inline constexpr uint32_t kReassemblyTimeoutSeconds = 5;
inline constexpr uint32_t kFragmentsPerPacketMax = 64;  // 65,535 bytes over a link of 1,280 are 53
inline constexpr uint16_t kFragmentsPerSourceMax = 256;
inline constexpr size_t kFragmentSources = 4096;  // counters for each origin

enum class FragmentOrigin : uint8_t { kOutsideClear, kTunnel, kInside };
inline constexpr size_t kFragmentOrigins = 3;

// Source, destination, identification, and of IPv4 the protocol (RFC 791, 2.3; RFC 8200, 4.5).
struct FragmentKey {
  std::array<uint64_t, 5> words = {};
  friend constexpr bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

// A packet of which some fragments are here.
struct FragmentedPacket {
  FragmentKey key;
  uint64_t deadline_tsc = 0;
  rte_mbuf* first = nullptr;  // by offset, without overlaps, linked by rte_mbuf::next
  uint32_t pieces = 0;
  uint32_t bytes = 0;    // of all pieces, without headers
  uint32_t total = 0;    // of the packet; 0: the last fragment has not come
  uint8_t ecn_seen = 0;  // a bit for each of the four codepoints
  bool refused = false;  // what comes of it is dropped (RFC 5722, 4); it holds no piece
  uint32_t next = 0;     // in its bucket
  uint32_t newer = 0, older = 0;
};

// The packets of one origin. The worker's alone; allocates only when it is made.
class FragmentTable {
 public:
  // `secrets`: random; what a stranger would have to know to fill one bucket.
  explicit FragmentTable(const std::array<uint64_t, 5>& secrets);

  FragmentedPacket* Find(const FragmentKey& key);
  FragmentedPacket* Oldest() { return oldest_ == kNone ? nullptr : &packets_[oldest_]; }
  bool full() const { return free_ == kNone; }
  // Requires: not full, and Find(key) has none.
  FragmentedPacket& Add(const FragmentKey& key, uint64_t deadline_tsc);
  // Requires: it holds no piece any more.
  void Remove(FragmentedPacket& packet);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr int kBucketBits = 11;
  size_t BucketOf(const FragmentKey& key) const;

  std::array<uint64_t, 5> secrets_;
  std::vector<FragmentedPacket> packets_;
  std::vector<uint32_t> buckets_;
  uint32_t free_ = 0, oldest_ = kNone, newest_ = kNone;
};

struct ReassemblyTable {
  std::vector<FragmentTable> tables;  // by origin
  uint64_t timeout_tsc = 0;
  uint64_t held = 0;           // fragments in the tables
  uint64_t source_secret = 0;  // odd
  // Fragments in the tables, by origin and hash of their source.
  std::vector<uint16_t> held_by_source;
};

}  // namespace sekisho::fastpath
