// fastpath/outbound_sad.h: the outbound half of the SAD: SAs found by the packet.
//
// One for all workers: any of them may receive a packet for any SA. Every worker looks up; each SA
// is owned by one of them, which alone touches what moves in it, so that the others only learn its
// slot and hand the packet over (fastpath/worker_hand_over.h).
//
// A PROTECT policy says that a packet needs an SA; which one is found here, by the longest prefix
// of the SAs' remote selectors that holds the destination, then by all selectors of the SAs under
// that prefix, newest first (so that a rekeyed SA takes over at once). Remote ranges are split into
// prefixes; each is a key in a chained hash table whose nodes the slow path allocates with the SA,
// links with one release store, and unlinks with another while workers read.
//
// Workers may keep what a look-up found, with the SA's version as it was before (recall.h): the
// version changes after an SA was unlinked, and after one was linked that could take packets from
// it, as it stands under the same prefix or a longer one.
//
// A slot goes round: free -> filled (Fill) -> published (Publish) -> removed (MarkRemoved, then
// kRemoveOutboundSa to the owner) -> retired (Release, on kSaRetired) -> free, as soon as every
// worker has ended the round in which it could have met a node of it (quiescence.h). Keys, nodes
// and selectors are freed at the last step, never earlier.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ip_prefix.h"
#include "fastpath/fast_path.h"
#include "fastpath/packet_context.h"
#include "fastpath/quiescence.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

class alignas(kCacheLine) OutboundSad {
 public:
  // SAs that one that is published looks at, at most, to change their versions.
  static constexpr int kSupersededMax = 64;
  // Prefixes that the remote selectors of one SA may split into.
  static constexpr size_t kPrefixesMax = 256;

  // Of all workers together.
  static constexpr uint32_t kOutboundSlotsMax = 1u << 22;

  // Slow path. Requires: `slots` a power of two up to kOutboundSlotsMax; the backend outlives the
  // SAD. The destructor requires stopped workers; it frees all sessions.
  static absl::StatusOr<std::unique_ptr<OutboundSad>> Create(uint32_t slots, CryptoBackend& crypto,
                                                             uint32_t workers = 1);
  ~OutboundSad();
  OutboundSad(const OutboundSad&) = delete;
  OutboundSad& operator=(const OutboundSad&) = delete;

  // --- Slow path ---------------------------------------------------------------------------------
  // Takes a slot, makes the session, writes the SA, which `parameters.worker` will own (the first
  // where it names none).
  absl::StatusOr<SaHandle> Fill(const OutboundSaParameters& parameters);
  // From now on workers find it. Requires: Fill() returned `sa`.
  void Publish(const SaHandle& sa);
  absl::Status CheckInstalled(const SaHandle& sa) const;  // NotFound: stale, or removed already
  // Are these ends possible for this SA (family, port)? Next: send kMovePeer.
  absl::Status CheckMove(const SaHandle& sa, const Endpoint& local, const Endpoint& remote) const;
  void NoteMoved(const SaHandle& sa, const IpAddress& remote);  // after kMovePeer was sent
  // An installed SA with this SPI towards this address: whose packet an ICMP message quotes.
  std::optional<SaHandle> FindBySpi(Spi spi, const IpAddress& remote) const;
  void NotePathMtu(const SaHandle& sa, uint16_t mtu, uint64_t now_tsc);  // kSetPathMtu was sent
  uint16_t PathMtu(const SaHandle& sa, uint64_t now_tsc) const;          // 0: none, or no longer
  // From now on no worker finds it anew. Next, and before anything is said to that worker on the
  // matter: kRemoveOutboundSa to its owner.
  void MarkRemoved(const SaHandle& sa);
  // On kSaRetired: the owner let go. The slot is free when the other workers did, too.
  void Release(SlotId slot, uint32_t generation);
  // Frees what was released and no worker can hold any more. Cheap; from time to time.
  void FreeReleased();
  WorkerId OwnerOf(const SaHandle& sa) const;  // Requires: CheckInstalled(sa) is OK.
  absl::StatusOr<SaCounters> Counters(const SaHandle& sa) const;
  uint32_t installed() const { return installed_; }
  uint32_t installed(WorkerId owner) const { return owned_[static_cast<size_t>(owner)]; }

  // --- Worker ------------------------------------------------------------------------------------
  // Any. Sets context.outbound_sa of each packet: the SA that protects it, or nullptr; with it
  // sa_owner, sa_slot and sa_generation. Reads the IP header at the start of the data, family,
  // protocol and ports. Who does not own the SA may not look into it.
  void LookUp(Burst burst) const;
  // The SA that another worker found for a packet; nullptr: removed in the meantime, or not
  // `worker`'s.
  OutboundSa* Owned(WorkerId worker, SlotId slot, uint32_t generation) const;
  // Any. The SA in a slot that LookUp() gave, whoever is in it now.
  OutboundSa& At(uint32_t slot) const { return sas_[slot]; }
  // What Deactivate() touches.
  void PrefetchSlot(SlotId slot) const {
    const OutboundSa& sa = sas_[static_cast<uint32_t>(slot)];
    rte_prefetch0(&sa);
    rte_prefetch0(&sa.retiring_next);
    rte_prefetch0(&sa.owner);
  }
  // The owner. False for a message that came too late for its slot.
  bool Deactivate(SlotId slot, uint32_t generation);
  bool Move(SlotId slot, uint32_t generation, const Endpoint& local, const Endpoint& remote);
  bool SetPathMtu(SlotId slot, uint32_t generation, uint16_t mtu, uint64_t until_tsc);
  // Any. The newest SA of this peer that the packet may leave by, or nullptr.
  OutboundSa* FindOfPeer(const PacketSelectors& packet, uint64_t peer) const;
  // Any. The SA in this slot while it is this generation's and active, or nullptr.
  OutboundSa* FindActive(SlotId slot, uint32_t generation) const;
  // The owner, of both. The SA that the packets of this one go into; nullptr: it was removed.
  // Requires: there is one.
  OutboundSa* Then(const OutboundSa& sa) const;
  // The owner: as InboundSad's, of the SAs that `worker` owns.
  OutboundSa* TakeIdleRemoved(WorkerId worker);
  // Any. Do packets belong to it by their flows (flow_table.h), as another's may look the same?
  static bool HasFlows(const OutboundSa& sa) {
    return sa.layout.transport && sa.layout.udp_encapsulation;
  }
  // Any. Is there such an SA?
  bool has_flows() const { return with_flows_.load(std::memory_order_relaxed) != 0; }
  // Any. As if every SA had another version when this has changed.
  uint32_t all_versions() const { return all_versions_.load(std::memory_order_acquire); }
  // Any, between rounds: no packet holds an SA that LookUp() found for it, except with the backend.
  void ReportQuiescent(WorkerId worker) { quiescence_.Report(worker); }

 private:
  enum class SlotState : uint8_t { kFree, kFilled, kRemoved, kReleased };
  struct Key {
    WideAddress address;  // masked to `length`
    uint8_t family = 0, length = 0;
    friend constexpr auto operator<=>(const Key&, const Key&) = default;
  };
  struct Node;
  using Link = std::atomic<Node*>;  // slow path: release; workers: acquire
  // Constant from Publish() until it is freed, except the links.
  struct Node {
    Key key;
    OutboundSa* sa = nullptr;
    const SelectorSet* selectors = nullptr;
    SlotId slot{};
    uint32_t generation = 0;
    WorkerId owner{};
    Link next = nullptr;        // in its bucket; newest first
    Link* linked_by = nullptr;  // slow path: the link that leads here
  };
  struct SlotRecord {  // the slow path's own
    SlotState state = SlotState::kFree;
    WorkerId owner{};
    uint32_t generation = 0;
    uint32_t node_count = 0;
    uint64_t unlinked_at = 0;  // what quiescence_ said then
    std::unique_ptr<SelectorSet> selectors;
    std::unique_ptr<const OutboundLife> life;
    std::unique_ptr<Node[]> nodes;
    CryptoSession session = {};
    Spi spi;
    IpAddress remote;
    uint16_t path_mtu = 0;
    uint64_t path_mtu_until_tsc = 0;
  };
  // Prefix lengths with at least one node, one bit each, so that look-up probes no others.
  struct Lengths {
    std::array<uint32_t, 129> count = {};         // slow path
    std::array<std::atomic<uint64_t>, 3> in_use;  // slow path: release; workers: acquire
  };
  struct Removed {
    alignas(64) uint32_t head = 0;  // its worker: slot + 1; 0: none
  };
  struct FreeSas {
    void operator()(OutboundSa* memory) const;
  };

  OutboundSad(uint32_t slots, CryptoBackend& crypto, uint32_t workers);
  const SlotRecord* Record(const SaHandle& sa) const;
  absl::Status CheckThen(const SaHandle& then, WorkerId owner) const;
  absl::Status Write(SlotId slot, const OutboundSaParameters& parameters);
  void Clear(SlotId slot);
  size_t BucketOf(const Key& key) const;
  void LinkNode(Node& node);
  void UnlinkNode(Node& node);
  void Supersede(const Node& newer);
  static void NextVersion(OutboundSa& sa);
  void CountLength(const Key& key, int change);
  template <typename Accept>
  const Node* FindIf(const PacketSelectors& packet, Accept accept) const;

  const uint32_t mask_;
  std::atomic<uint32_t> with_flows_ = 0;    // slow path writes
  std::atomic<uint32_t> all_versions_ = 0;  // slow path: release; workers: acquire
  CryptoBackend& crypto_;
  std::unique_ptr<OutboundSa[], FreeSas> sas_;
  std::vector<Link> buckets_;
  std::array<Lengths, 2> lengths_;  // IPv4, IPv6
  std::vector<Removed> removed_;    // by worker
  Quiescence quiescence_;

  // Slow path.
  std::vector<SlotRecord> records_;
  std::unordered_multimap<uint32_t, SlotId> by_spi_;  // peers choose SPIs: two may be equal
  std::deque<SlotId> free_;
  std::deque<SlotId> released_;  // and not yet quiescent; oldest first
  std::vector<uint32_t> owned_;  // installed, by owner
  uint32_t installed_ = 0;
};

}  // namespace sekisho::fastpath
