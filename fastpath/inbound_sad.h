// fastpath/inbound_sad.h: the inbound half of the SAD of one worker (RFC 4301, 4.4.2): an array,
// addressed by the low bits of an SPI (common/spi.h), and a small hash for SPIs that a person
// typed, whose SAs take any free slot.
//
// A slot goes round: free -> reserved (AllocateSpi) -> filled (Fill; then kInstallInboundSa) ->
// removed (MarkRemoved; then kRemoveInboundSa) -> free (Release, after kSaRetired). The slow path
// owns the slot except between install and retirement, when it is the worker's. Keys are wiped and
// sessions freed in Release(), never earlier.
#pragma once

#include <rte_prefetch.h>

#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/spi.h"
#include "fastpath/fast_path.h"
#include "fastpath/sa.h"
#include "fastpath/typed_spis.h"

namespace sekisho::fastpath {

class alignas(kCacheLine) InboundSad {
 public:
  // Slow path. Requires: `slots` a power of two up to kSlotsMax, `window_bits` as ReplayWindow's;
  // the backend outlives the SAD. The destructor requires a stopped worker; it frees all sessions.
  static absl::StatusOr<std::unique_ptr<InboundSad>> Create(WorkerId worker, uint32_t slots,
                                                            uint32_t window_bits,
                                                            CryptoBackend& crypto);
  ~InboundSad();
  InboundSad(const InboundSad&) = delete;
  InboundSad& operator=(const InboundSad&) = delete;

  // --- Slow path ---------------------------------------------------------------------------------
  // ResourceExhausted when every slot is taken.
  absl::StatusOr<Spi> AllocateSpi();
  // Of an SPI allocated and not filled; others are ignored.
  void ReleaseSpi(Spi spi);
  // Makes the session and writes the slot of parameters.spi, which AllocateSpi() returned. On
  // failure the SPI stays allocated. Next: send kInstallInboundSa with the handle's slot. With
  // typed_spi nothing is allocated beforehand; AlreadyExists for a second SA of the same SPI,
  // protocol and local address.
  absl::StatusOr<SaHandle> Fill(const InboundSaParameters& parameters);
  // Undoes Fill() where kInstallInboundSa could not be sent; an SPI of ours stays allocated.
  void Unfill(const SaHandle& sa);
  // NotFound for a handle that is stale, or removed already.
  absl::Status CheckInstalled(const SaHandle& sa) const;
  // After kRemoveInboundSa was sent. Requires: CheckInstalled(sa) is OK.
  void MarkRemoved(const SaHandle& sa);
  // On kSaRetired: frees the session, wipes the slot, makes it free.
  void Release(SlotId slot, uint32_t generation);
  // Readable until Release().
  absl::StatusOr<SaCounters> Counters(const SaHandle& sa) const;
  uint32_t installed() const { return installed_; }  // filled and not removed
  size_t free() const { return free_.size(); }       // slots that AllocateSpi() has to give

  // --- Worker ------------------------------------------------------------------------------------
  // What Activate() and Deactivate() touch.
  void PrefetchSlot(SlotId slot) const {
    const InboundSa* sa = At(slot);
    rte_prefetch0(sa);
    rte_prefetch0(&sa->generation);
  }
  // False for a message that came too late for its slot.
  bool Activate(SlotId slot, uint32_t generation);
  bool Deactivate(SlotId slot, uint32_t generation);
  // What a packet with this SPI and sequence number will touch of its SA, if it is the next.
  // `in_udp`: who sent it is looked at.
  void Prefetch(Be32 spi, uint32_t sequence, bool in_udp) const {
    const InboundSa* sa = At(Spi{spi.host()}.slot());
    rte_prefetch0(sa);
    rte_prefetch0(&sa->window);
    if (in_udp) rte_prefetch0(&sa->remote);
    if (ReplayWindow::OpensWord(sequence)) {
      rte_prefetch0(reinterpret_cast<const std::byte*>(sa + 1) +
                    (sequence & (window_bits_ - 1)) / 8);
    }
    if (!typed_.empty()) [[unlikely]]
      typed_.Prefetch(spi);
  }
  // Does the SPI say that it is of this worker? (Not: is there an SA.) Typed ones do not say.
  bool IsOwn(Be32 spi) const { return Spi{spi.host()}.worker() == worker_; }
  bool has_typed() const { return !typed_.empty(); }
  // The active SA with this SPI that we chose, or nullptr.
  InboundSa* Find(Be32 spi) const {
    InboundSa* sa = At(Spi{spi.host()}.slot());
    return sa->active_spi == spi && spi.raw() != 0 && !sa->typed_spi ? sa : nullptr;
  }
  // The active SA of this protocol with this SPI, chosen or typed. Of several with the same typed
  // SPI the one for `destination`, an address of 4 or 16 bytes, where there is one.
  InboundSa* Find(Be32 spi, IpsecProtocol protocol, ByteSpan destination) const {
    InboundSa* sa = Find(spi);
    if (sa == nullptr && !typed_.empty()) [[unlikely]] {
      return FindTyped(spi, protocol, destination);
    }
    return sa != nullptr && sa->protocol == protocol ? sa : nullptr;
  }
  // Removed SAs of which packets may be in flight; takes one of which none is. nullptr: none.
  InboundSa* TakeIdleRemoved();

 private:
  enum class SlotState : uint8_t { kFree, kReserved, kFilled, kRemoved };
  struct SlotRecord {  // the slow path's own
    SlotState state = SlotState::kFree;
    uint32_t generation = 0;
    Spi spi;             // also the previous owner's while free
    bool typed = false;  // not made by AllocateSpi()
    std::unique_ptr<SelectorSet> selectors;
    CryptoSession session = {};
  };
  struct FreeMemory {
    void operator()(std::byte* memory) const;
  };

  InboundSad(WorkerId worker, uint32_t slots, uint32_t window_bits, CryptoBackend& crypto);
  // Bits of the SPI beyond the array fall away here; Find() compares them whole.
  InboundSa* At(SlotId slot) const {
    return reinterpret_cast<InboundSa*>(memory_.get() +
                                        (static_cast<uint32_t>(slot) & mask_) * slot_bytes_);
  }
  // A slot is named by its Spi::place() outside, by its index in here.
  static uint32_t IndexOf(SlotId place) { return static_cast<uint32_t>(place) & (kSlotsMax - 1); }
  const SlotRecord* Record(const SaHandle& sa) const;
  // A slot for an SPI that a person typed; the record is then as AllocateSpi() leaves it.
  absl::StatusOr<SlotId> TakeSlotFor(const InboundSaParameters& parameters);
  absl::Status CheckAllocated(Spi spi) const;
  bool IsTyped(Spi spi) const;
  absl::Status CheckNotTwice(const InboundSaParameters& parameters) const;
  void MakeFree(SlotRecord& record, SlotId slot);
  InboundSa* FindTyped(Be32 spi, IpsecProtocol protocol, ByteSpan destination) const;
  absl::Status Write(SlotId slot, const InboundSaParameters& parameters);
  void Clear(SlotRecord& record, SlotId slot);

  const WorkerId worker_;
  const uint32_t mask_;
  const uint32_t window_bits_;
  const size_t slot_bytes_;
  CryptoBackend& crypto_;
  std::unique_ptr<std::byte, FreeMemory> memory_;
  uint32_t removed_head_ = 0;  // worker: slot + 1 of the first of the removed; 0: none
  TypedSpis typed_;            // its two halves say whose they are

  std::vector<SlotRecord> records_;  // slow path
  std::deque<SlotId> free_;  // slow path; first in, first out: late packets meet no successor
  uint32_t installed_ = 0;
};

}  // namespace sekisho::fastpath
