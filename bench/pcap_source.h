// bench/pcap_source.h: a net_pcap device with infinite_rx that receives the prepared frames over
// and over, as other programs are measured with.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "bench/frame_store.h"

namespace sekisho::bench {

class PcapSource {
 public:
  // More than so many frames it does not hold.
  static constexpr size_t kFramesMax = 30'000;
  // Every frame takes one buffer of `pool` for good, which outlives this.
  static absl::StatusOr<std::unique_ptr<PcapSource>> Create(std::span<const Frame> frames,
                                                            rte_mempool* pool);
  ~PcapSource();
  PcapSource(const PcapSource&) = delete;
  PcapSource& operator=(const PcapSource&) = delete;

  // Started; its receive function may be called for another device in its place.
  uint16_t device() const { return device_; }

 private:
  PcapSource() = default;
  std::string name_;
  uint16_t device_ = 0;
  bool started_ = false;
};

}  // namespace sekisho::bench
