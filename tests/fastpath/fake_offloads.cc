#include "tests/fastpath/fake_offloads.h"

#include <rte_ethdev.h>
#include <rte_ip.h>

#include <cstring>

#include "common/bytes.h"
#include "common/check.h"
#include "fastpath/mbuf.h"

namespace {

struct Abilities {
  uint64_t receive = 0, transmit = 0;
  uint64_t receive_asked = 0, transmit_asked = 0;
  uint64_t hashes = 0, hashes_asked = 0;
};
Abilities* abilities = nullptr;

}  // namespace

// The linker has these called where the program asks DPDK (--wrap).
extern "C" {
int __real_rte_eth_dev_info_get(uint16_t port, rte_eth_dev_info* info);
int __wrap_rte_eth_dev_info_get(uint16_t port, rte_eth_dev_info* info);
int __real_rte_eth_dev_configure(uint16_t port, uint16_t receive, uint16_t transmit,
                                 const rte_eth_conf* conf);
int __wrap_rte_eth_dev_configure(uint16_t port, uint16_t receive, uint16_t transmit,
                                 const rte_eth_conf* conf);

int __wrap_rte_eth_dev_info_get(uint16_t port, rte_eth_dev_info* info) {
  const int result = __real_rte_eth_dev_info_get(port, info);
  if (result == 0 && abilities != nullptr) {
    info->rx_offload_capa |= abilities->receive;
    info->tx_offload_capa |= abilities->transmit;
    info->flow_type_rss_offloads = abilities->hashes;
  }
  return result;
}

int __wrap_rte_eth_dev_configure(uint16_t port, uint16_t receive, uint16_t transmit,
                                 const rte_eth_conf* conf) {
  if (abilities == nullptr) return __real_rte_eth_dev_configure(port, receive, transmit, conf);
  abilities->receive_asked = conf->rxmode.offloads;
  abilities->transmit_asked = conf->txmode.offloads;
  const bool rss = (conf->rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) != 0;
  abilities->hashes_asked = rss ? conf->rx_adv_conf.rss_conf.rss_hf : 0;
  rte_eth_conf real = *conf;
  real.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
  real.rx_adv_conf.rss_conf.rss_hf = 0;
  real.rxmode.offloads &= ~abilities->receive;
  real.txmode.offloads &= ~abilities->transmit;
  return __real_rte_eth_dev_configure(port, receive, transmit, &real);
}
}

namespace sekisho::fastpath {

FakeOffloads::FakeOffloads(uint64_t receive, uint64_t transmit) {
  SEKISHO_CHECK(abilities == nullptr);
  abilities = new Abilities{.receive = receive, .transmit = transmit};
}

FakeOffloads::~FakeOffloads() {
  delete abilities;
  abilities = nullptr;
}

uint64_t FakeOffloads::receive_asked() const { return abilities->receive_asked; }
uint64_t FakeOffloads::transmit_asked() const { return abilities->transmit_asked; }
void FakeOffloads::AllowRss(uint64_t hashes) { abilities->hashes = hashes; }
uint64_t FakeOffloads::rss_asked() const { return abilities->hashes_asked; }

namespace {

// The one's complement sum from the upper-layer header to the end of the packet, onto what stands
// in the field. Short frames end in zeros, which add nothing.
void MakeChecksum(rte_mbuf* frame, size_t field) {
  const size_t upper = frame->l2_len + size_t{frame->l3_len};
  SEKISHO_CHECK(upper + field + 2 <= frame->data_len);
  uint32_t sum = rte_raw_cksum(DataOf(frame) + upper, frame->data_len - upper);
  auto checksum = static_cast<uint16_t>(~sum);
  if (checksum == 0 && field == 6) checksum = 0xffff;
  std::memcpy(DataOf(frame) + upper + field, &checksum, sizeof checksum);
}

void InsertTag(rte_mbuf* frame) {
  uint8_t* start = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(frame, 4));
  SEKISHO_CHECK(start != nullptr);
  std::memmove(start, start + 4, 12);
  StoreBigEndian<uint16_t>(start + 12, 0x8100);
  StoreBigEndian<uint16_t>(start + 14, frame->vlan_tci);
}

}  // namespace

bool DoAsDevice(rte_mbuf* frame) {
  const uint64_t flags = frame->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
  const uint64_t checksum = flags & RTE_MBUF_F_TX_L4_MASK;
  const size_t link = frame->l2_len;
  if (checksum != 0) {
    const uint64_t family = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6;
    const bool v4 = DataOf(frame)[link] >> 4 == 4;
    SEKISHO_CHECK((flags & family) == (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6));
    MakeChecksum(frame, checksum == RTE_MBUF_F_TX_TCP_CKSUM ? 16 : 6);
  }
  if ((flags & RTE_MBUF_F_TX_VLAN) != 0) InsertTag(frame);
  return flags != 0;
}

}  // namespace sekisho::fastpath
