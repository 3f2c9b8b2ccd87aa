// fastpath/outbound_sad.h: the outbound half of the SAD of one worker: SAs found by the packet.
//
// A PROTECT policy says that a packet needs an SA; which one is found here, by the longest prefix
// of the SAs' remote selectors that holds the destination, then by all selectors of the SAs under
// that prefix, newest first (so that a rekeyed SA takes over at once). Remote ranges are split into
// prefixes; each is a key in a chained hash table whose nodes the slow path allocates with the SA,
// so that linking and unlinking on the worker allocates nothing and cannot fail.
//
// Slots go round as in fastpath/inbound_sad.h.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ip_prefix.h"
#include "fastpath/fast_path.h"
#include "fastpath/packet_context.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

class OutboundSad {
 public:
  // Prefixes that the remote selectors of one SA may split into.
  static constexpr size_t kPrefixesMax = 256;

  // Slow path. Requires: `slots` a power of two up to kSlotsMax; the backend outlives the SAD. The
  // destructor requires a stopped worker; it frees all sessions.
  static absl::StatusOr<std::unique_ptr<OutboundSad>> Create(uint32_t slots, CryptoBackend& crypto);
  ~OutboundSad();
  OutboundSad(const OutboundSad&) = delete;
  OutboundSad& operator=(const OutboundSad&) = delete;

  // --- Slow path ---------------------------------------------------------------------------------
  // Takes a slot, makes the session, writes the SA. Next: send kInstallOutboundSa.
  absl::StatusOr<SaHandle> Fill(const OutboundSaParameters& parameters);
  // Undoes Fill() where kInstallOutboundSa could not be sent.
  void Unfill(const SaHandle& sa);
  absl::Status CheckInstalled(const SaHandle& sa) const;  // NotFound: stale, or removed already
  // Are these ends possible for this SA (family, port)? Next: send kMovePeer.
  absl::Status CheckMove(const SaHandle& sa, const Endpoint& local, const Endpoint& remote) const;
  void MarkRemoved(const SaHandle& sa);            // after kRemoveOutboundSa was sent
  void Release(SlotId slot, uint32_t generation);  // on kSaRetired
  absl::StatusOr<SaCounters> Counters(const SaHandle& sa) const;
  uint32_t installed() const { return installed_; }

  // --- Worker ------------------------------------------------------------------------------------
  // False for a message that came too late for its slot.
  bool Activate(SlotId slot, uint32_t generation);
  bool Deactivate(SlotId slot, uint32_t generation);
  bool Move(SlotId slot, uint32_t generation, const Endpoint& local, const Endpoint& remote);
  // Sets context.outbound_sa of each packet: the SA that protects it, or nullptr. Reads the IP
  // header at the start of the data, family, protocol and ports.
  void LookUp(Burst burst) const;
  // The newest SA of this peer that the packet may leave by, or nullptr.
  OutboundSa* FindOfPeer(const PacketSelectors& packet, uint64_t peer) const;
  // The SA in this slot while it is this generation's and active, or nullptr.
  OutboundSa* FindActive(SlotId slot, uint32_t generation) const;
  OutboundSa* TakeIdleRemoved();  // as InboundSad's

 private:
  enum class SlotState : uint8_t { kFree, kFilled, kRemoved };
  struct Key {
    WideAddress address;  // masked to `length`
    uint8_t family = 0, length = 0;
    friend constexpr auto operator<=>(const Key&, const Key&) = default;
  };
  struct Node {
    Key key;
    OutboundSa* sa = nullptr;
    Node* next = nullptr;  // in its bucket; newest first
  };
  struct SlotRecord {  // the slow path's own; `nodes` is linked and unlinked by the worker
    SlotState state = SlotState::kFree;
    uint32_t generation = 0;
    std::unique_ptr<SelectorSet> selectors;
    std::vector<Node> nodes;
    CryptoSession session;
  };
  // Prefix lengths with at least one node, longest first, so that look-up probes no others.
  struct Lengths {
    std::array<uint32_t, 129> count = {};
    std::array<uint8_t, 129> in_use = {};
    uint8_t in_use_count = 0;
  };
  struct FreeSas {
    void operator()(OutboundSa* memory) const;
  };

  OutboundSad(uint32_t slots, CryptoBackend& crypto);
  const SlotRecord* Record(const SaHandle& sa) const;
  absl::Status Write(SlotId slot, const OutboundSaParameters& parameters);
  void Clear(SlotId slot);
  size_t BucketOf(const Key& key) const;
  void Link(Node& node);
  void Unlink(Node& node);
  void CountLength(const Key& key, int change);
  template <typename Accept>
  OutboundSa* FindIf(const PacketSelectors& packet, Accept accept) const;

  const uint32_t mask_;
  CryptoBackend& crypto_;
  std::unique_ptr<OutboundSa[], FreeSas> sas_;
  std::vector<Node*> buckets_;      // worker
  std::array<Lengths, 2> lengths_;  // worker; IPv4, IPv6
  uint32_t removed_head_ = 0;       // worker: slot + 1; 0: none

  std::vector<SlotRecord> records_;
  std::deque<SlotId> free_;
  uint32_t installed_ = 0;
};

}  // namespace sekisho::fastpath
