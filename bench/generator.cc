#include "bench/generator.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/byte_order.h"
#include "common/status_macros.h"
#include "fastpath/mbuf.h"
#include "fastpath/packet_context.h"

namespace sekisho::bench {
namespace {

using fastpath::DataOf;
using fastpath::kBurstMax;

constexpr unsigned kBuffers = 16'383;
constexpr size_t kRoomAround = 256;  // more than Ethernet, any suite and any mode add
constexpr uint16_t kDescriptors = 1024;
constexpr size_t kEthernetBytes = 14;
constexpr size_t kPacketsMin = 4096;
constexpr uint64_t kMarksPerSecond = 5000;  // so that a mark is not used again within 12 ms
constexpr double kDrainSeconds = 0.1;

// Requires: room in front.
void PrependEthernet(rte_mbuf* mbuf, const MacAddress& to, const MacAddress& from) {
  auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, kEthernetBytes));
  std::memcpy(frame, to.data(), 6);
  std::memcpy(frame + 6, from.data(), 6);
  StoreBigEndian<uint16_t>(frame + 12, RTE_ETHER_TYPE_IPV4);
}

void SetMark(uint8_t* packet, uint8_t mark) {
  auto* header = reinterpret_cast<rte_ipv4_hdr*>(packet);
  header->type_of_service = static_cast<uint8_t>(mark << 2);
  header->hdr_checksum = 0;
  header->hdr_checksum = rte_ipv4_cksum(header);
}

}  // namespace

Generator::Generator(const Workload& workload, const Row& row, const Target& target, Peer* peer,
                     uint64_t seed)
    : workload_(workload),
      direction_(row.direction),
      target_(target),
      peer_(peer),
      packets_(
          Workload::Packets(row, std::max<size_t>(kPacketsMin, size_t{2} * row.setup.sas), seed)) {}

absl::StatusOr<std::unique_ptr<Generator>> Generator::Create(const Workload& workload,
                                                             const Row& row, const Wiring& wiring,
                                                             const Target& target, Peer* peer,
                                                             uint64_t seed) {
  std::unique_ptr<Generator> generator(new Generator(workload, row, target, peer, seed));
  generator->rings_ = wiring.rings;
  constexpr auto kPrivate =
      static_cast<uint16_t>(RTE_ALIGN_CEIL(sizeof(fastpath::PacketPrivate), RTE_MBUF_PRIV_ALIGN));
  const auto room = static_cast<uint16_t>(std::max<size_t>(
      RTE_MBUF_DEFAULT_BUF_SIZE, row.size.largest() + kRoomAround + RTE_PKTMBUF_HEADROOM));
  generator->pool_.reset(
      rte_pktmbuf_pool_create("generator", kBuffers, 256, kPrivate, room, SOCKET_ID_ANY));
  if (generator->pool_ == nullptr) {
    return absl::ResourceExhaustedError("generator: no memory for buffers");
  }
  SEKISHO_RETURN_IF_ERROR(generator->OpenPort(wiring.outside, generator->outside_));
  SEKISHO_RETURN_IF_ERROR(generator->OpenPort(wiring.inside, generator->inside_));
  return generator;
}

Generator::~Generator() {
  for (const uint16_t device : {outside_, inside_}) {
    // Not closed: the next generator goes on with it.
    if (device != UINT16_MAX) rte_eth_dev_stop(device);
  }
}

absl::Status Generator::OpenPort(const std::string& name, uint16_t& device) {
  const std::string known = name.substr(0, name.find(','));
  uint16_t found = 0;
  if (rte_eth_dev_get_port_by_name(known.c_str(), &found) != 0) {
    return absl::NotFoundError(absl::StrCat("generator: DPDK has no device ", known));
  }
  const rte_eth_conf conf = {};
  uint16_t receive = kDescriptors, transmit = kDescriptors;
  int error = rte_eth_dev_configure(found, 1, 1, &conf);
  if (error == 0) error = rte_eth_dev_adjust_nb_rx_tx_desc(found, &receive, &transmit);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(found));
  if (error == 0) error = rte_eth_rx_queue_setup(found, 0, receive, socket, nullptr, pool_.get());
  if (error == 0) error = rte_eth_tx_queue_setup(found, 0, transmit, socket, nullptr);
  if (error == 0) error = rte_eth_dev_start(found);
  if (error != 0) {
    return absl::InternalError(
        absl::StrCat("generator: device ", known, " does not start: ", rte_strerror(-error)));
  }
  device = found;
  // What the gateway sends goes to a router's address, which is not the port's.
  rte_eth_promiscuous_enable(device);
  return absl::OkStatus();
}

std::vector<int> Generator::PortNodes() const {
  return {rte_eth_dev_socket_id(outside_), rte_eth_dev_socket_id(inside_)};
}

absl::StatusOr<uint16_t> Generator::SendBurst(uint16_t count) {
  const bool out = direction_ == Direction::kOut;
  std::array<rte_mbuf*, kBurstMax> mbufs;
  std::array<PacketSpec, kBurstMax> specs;
  if (rte_pktmbuf_alloc_bulk(pool_.get(), mbufs.data(), count) != 0) return uint16_t{0};
  const uint64_t now = rte_rdtsc();
  const bool mark = now >= next_mark_tsc_;
  for (uint16_t i = 0; i < count; ++i) {
    specs[i] = packets_[next_];
    auto* packet = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbufs[i], specs[i].bytes));
    workload_.WritePacket(specs[i], !out, static_cast<uint32_t>(next_), packet);
    if (mark && i == 0) SetMark(packet, next_mark_);
    next_ = (next_ + 1) % packets_.size();
  }
  if (!out) SEKISHO_RETURN_IF_ERROR(peer_->EncryptBurst({specs.data(), count}, mbufs.data()));
  const MacAddress& to = out ? target_.inside_mac : target_.outside_mac;
  for (uint16_t i = 0; i < count; ++i) PrependEthernet(mbufs[i], to, kRouterMac);
  if (mark) {
    marked_tsc_[next_mark_] = rte_rdtsc();
    next_mark_ = static_cast<uint8_t>(next_mark_ % (kMarks - 1) + 1);
    next_mark_tsc_ = now + rte_get_tsc_hz() / kMarksPerSecond;
  }
  const uint16_t sent = rte_eth_tx_burst(out ? inside_ : outside_, 0, mbufs.data(), count);
  rte_pktmbuf_free_bulk(mbufs.data() + sent, count - sent);
  return rings_ ? count : sent;
}

void Generator::NoteMark(uint8_t mark, uint64_t now, TrialResult& result) {
  const uint64_t sent = marked_tsc_[mark];
  if (sent == 0) return;
  marked_tsc_[mark] = 0;
  result.latencies_us.push_back(1e6 * static_cast<double>(now - sent) /
                                static_cast<double>(rte_get_tsc_hz()));
}

void Generator::Receive(TrialResult& result) {
  const uint16_t from = direction_ == Direction::kOut ? outside_ : inside_;
  std::array<rte_mbuf*, kBurstMax> mbufs;
  const uint16_t count = rte_eth_rx_burst(from, 0, mbufs.data(), kBurstMax);
  if (count == 0) return;
  const uint64_t now = rte_rdtsc();
  for (uint16_t i = 0; i < count; ++i) {
    const uint8_t* frame = DataOf(mbufs[i]);
    // Other machines' chatter on a real link, ARP and the like, is none of ours.
    if (mbufs[i]->data_len < kEthernetBytes + kPacketBytesMin ||
        std::memcmp(frame, kRouterMac.data(), kRouterMac.size()) != 0) {
      continue;
    }
    ++result.received;
    const uint8_t mark = frame[kEthernetBytes + 1] >> 2;
    if (mark != 0) [[unlikely]]
      NoteMark(mark, now, result);
  }
  rte_pktmbuf_free_bulk(mbufs.data(), count);
}

absl::StatusOr<TrialResult> Generator::Run(const Trial& trial) {
  TrialResult result;
  marked_tsc_ = {};
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  // Small bursts at small rates: a burst is not to make a queue of its own.
  const auto burst = static_cast<uint16_t>(std::clamp<double>(trial.rate / 100'000, 1, kBurstMax));
  const double cycles_per_burst = hz / trial.rate * burst;
  const uint64_t start = rte_rdtsc();
  const uint64_t end = start + static_cast<uint64_t>(trial.seconds * hz);
  double due = static_cast<double>(start);
  uint64_t now = start;
  while (now < end) {
    if (static_cast<double>(now) >= due) {
      SEKISHO_ASSIGN_OR_RETURN(const uint16_t sent, SendBurst(burst));
      result.sent += sent;
      // What could not be sent in time is not sent in a heap later.
      due = std::max(due + cycles_per_burst, static_cast<double>(now) - 4 * cycles_per_burst);
    }
    Receive(result);
    now = rte_rdtsc();
  }
  result.sent_rate = static_cast<double>(result.sent) * hz / static_cast<double>(now - start);
  const uint64_t drained = now + static_cast<uint64_t>(kDrainSeconds * hz);
  while (rte_rdtsc() < drained) Receive(result);
  return result;
}

}  // namespace sekisho::bench
