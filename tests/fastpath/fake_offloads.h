// tests/fastpath/fake_offloads.h: devices of a test that can do more than rings can. What a device
// was asked for it does at the far end of its wire, as hardware would: see Gateway::Sent().
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace sekisho::fastpath {

// While it lives, devices that are opened say that they can do this besides
// (RTE_ETH_RX_OFFLOAD_..., RTE_ETH_TX_OFFLOAD_...). One at a time.
class FakeOffloads {
 public:
  FakeOffloads(uint64_t receive, uint64_t transmit);
  ~FakeOffloads();
  FakeOffloads(const FakeOffloads&) = delete;
  FakeOffloads& operator=(const FakeOffloads&) = delete;

  // What the device that was configured last was asked for.
  uint64_t receive_asked() const;
  uint64_t transmit_asked() const;
  // The same of RSS (RTE_ETH_RSS_...), which hash functions it has and which it was asked for.
  void AllowRss(uint64_t hashes);
  uint64_t rss_asked() const;
};

// Does what the flags of a frame ask the device for: its VLAN tag, its TCP or UDP checksum. False
// where they ask for nothing.
bool DoAsDevice(rte_mbuf* frame);

}  // namespace sekisho::fastpath
