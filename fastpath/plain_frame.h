// fastpath/plain_frame.h: is a received frame as nearly all are? One look, before parse.cc's many.
//
// Plain is: one segment, addressed to the port's own MAC address, without VLAN tag, IPv4 without
// options or IPv6 whose upper layer follows at once, not a fragment, lengths that agree, and the
// checksum of IPv4 holds. What is plain, parse.cc would accept, too, as far as this looks: not at
// the addresses, and not behind the IP header.
#pragma once

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <cstdint>

#include "common/byte_order.h"
#include "fastpath/mbuf.h"
#include "fastpath/packet_list.h"
#include "fastpath/parse.h"
#include "fastpath/plain_ip.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

enum class IpFamilyOrNone : uint8_t { kNone = 0, kIpv4 = 4, kIpv6 = 6 };

// What a short cut says of a frame. Packets of one flow stay in order: behind one that might belong
// to any, because it was not understood, nothing of its burst takes the short cut.
enum class ShortCutVerdict : uint8_t {
  kTaken,
  kOther,    // surely of no flow that takes it
  kUnclear,  // not understood
};

// Gives one frame after the other to `take`, until it does not understand one (or at once, unless
// `clear`). What it did not take goes into `rest`.
template <typename Take>
void TakeInOrder(Burst frames, bool clear, PacketList& rest, Take take) {
  for (size_t i = 0; i < frames.size(); ++i) {
    if (i + 4 < frames.size()) rte_prefetch0(DataOf(frames[i + 4]));
    const ShortCutVerdict verdict = clear ? take(frames[i]) : ShortCutVerdict::kUnclear;
    if (verdict != ShortCutVerdict::kTaken) rest.Add(frames[i]);
    clear = verdict != ShortCutVerdict::kUnclear;
  }
}

// What the port says of it counts (fastpath/checksum_offload.h).
inline bool HeaderChecksumHolds(const rte_mbuf* mbuf, const uint8_t* ip) {
  const uint64_t port_says = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (port_says == RTE_MBUF_F_RX_IP_CKSUM_GOOD) return true;
  return port_says != RTE_MBUF_F_RX_IP_CKSUM_BAD && Ipv4ChecksumHolds(ip);
}

inline IpFamilyOrNone PlainFrame(rte_mbuf* mbuf, const WorkerPort& in) {
  constexpr uint64_t kMacMask = 0xffff'ffff'ffff;
  const uint8_t* frame = DataOf(mbuf);
  const size_t bytes = mbuf->data_len;
  if (bytes < kEthernetHeaderBytes + kIpv4HeaderBytes || mbuf->nb_segs != 1 ||
      ((LoadRaw<uint64_t>(frame) ^ in.mac_raw) & kMacMask) != 0 ||
      (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
    return IpFamilyOrNone::kNone;
  }
  const uint8_t* ip = frame + kEthernetHeaderBytes;
  const size_t room = bytes - kEthernetHeaderBytes;
  const auto type = LoadBigEndian<uint16_t>(frame + 12);
  if (type == RTE_ETHER_TYPE_IPV4 && IsPlainIpv4(ip, room) && HeaderChecksumHolds(mbuf, ip)) {
    return IpFamilyOrNone::kIpv4;
  }
  if (type == RTE_ETHER_TYPE_IPV6 && IsPlainIpv6(ip, room)) return IpFamilyOrNone::kIpv6;
  return IpFamilyOrNone::kNone;
}

}  // namespace sekisho::fastpath
