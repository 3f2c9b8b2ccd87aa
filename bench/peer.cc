#include "bench/peer.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/esp_encap.h"
#include "fastpath/ipsec_mb_backend.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"

namespace sekisho::bench {
namespace {

using fastpath::ContextOf;

constexpr unsigned kBuffers = 255;
constexpr uint16_t kRoom = 10'240;

}  // namespace

absl::StatusOr<std::unique_ptr<Peer>> Peer::Create(const Workload& workload,
                                                   std::span<const Spi> inbound_spis) {
  static std::atomic<uint32_t> made = 0;
  std::unique_ptr<Peer> peer(new Peer(workload));
  constexpr auto kPrivate =
      static_cast<uint16_t>(RTE_ALIGN_CEIL(sizeof(fastpath::PacketPrivate), RTE_MBUF_PRIV_ALIGN));
  peer->pool_.reset(rte_pktmbuf_pool_create(absl::StrCat("peer", made.fetch_add(1)).c_str(),
                                            kBuffers, 0, kPrivate, kRoom, SOCKET_ID_ANY));
  if (peer->pool_ == nullptr) return absl::ResourceExhaustedError("peer: no memory for buffers");
  SEKISHO_ASSIGN_OR_RETURN(peer->crypto_, fastpath::IpsecMbBackend::Create({.workers = 1}));
  const auto slots = std::bit_ceil(static_cast<uint32_t>(inbound_spis.size()));
  SEKISHO_ASSIGN_OR_RETURN(peer->outbound_, fastpath::OutboundSad::Create(slots, *peer->crypto_));
  peer->worker_.outbound = peer->outbound_.get();
  peer->worker_.crypto = peer->crypto_.get();
  for (uint32_t sa = 0; sa < inbound_spis.size(); ++sa) {
    fastpath::OutboundSaParameters parameters = workload.PeerOutbound(sa, inbound_spis[sa]);
    parameters.worker = WorkerId{0};
    SEKISHO_ASSIGN_OR_RETURN(const fastpath::SaHandle handle, peer->outbound_->Fill(parameters));
    peer->outbound_->Publish(handle);
    peer->sas_.push_back(peer->outbound_->Owned(WorkerId{0}, handle.slot, handle.generation));
  }
  return peer;
}

Peer::~Peer() = default;

void Peer::ResetSequences() {
  for (fastpath::OutboundSa* sa : sas_) sa->sequence_next.store(1, std::memory_order_relaxed);
}

absl::Status Peer::EncryptBurst(std::span<const PacketSpec> packets, rte_mbuf* const* mbufs) {
  for (size_t i = 0; i < packets.size(); ++i) {
    fastpath::PacketContext& context = ContextOf(mbufs[i]);
    context = {};
    if (!fastpath::ParseIp(mbufs[i], context)) return absl::InternalError("peer: bad packet");
    context.outbound_sa = sas_[packets[i].sa];
  }
  fastpath::PacketList passed, dropped;
  fastpath::EspEncapSubmit(worker_, {mbufs, packets.size()}, passed, dropped);
  if (dropped.empty() && passed.size() == packets.size()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("peer: ", dropped.size(), " packets not encrypted"));
}

absl::Status Peer::Encrypt(std::span<const PacketSpec> packets,
                           const std::function<void(ByteSpan packet)>& take) {
  ResetSequences();
  std::array<rte_mbuf*, fastpath::kBurstMax> burst;
  for (size_t first = 0; first < packets.size(); first += burst.size()) {
    const auto specs = packets.subspan(first, std::min(burst.size(), packets.size() - first));
    const auto count = static_cast<unsigned>(specs.size());
    if (rte_pktmbuf_alloc_bulk(pool_.get(), burst.data(), count) != 0) {
      return absl::InternalError("peer: no buffer");
    }
    for (size_t i = 0; i < specs.size(); ++i) {
      auto* data = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(burst[i], specs[i].bytes));
      workload_.WritePacket(specs[i], /*from_user=*/true, static_cast<uint32_t>(first + i), data);
    }
    SEKISHO_RETURN_IF_ERROR(EncryptBurst(specs, burst.data()));
    for (size_t i = 0; i < specs.size(); ++i) take(fastpath::SpanOf(burst[i]));
    rte_pktmbuf_free_bulk(burst.data(), count);
  }
  return absl::OkStatus();
}

}  // namespace sekisho::bench
