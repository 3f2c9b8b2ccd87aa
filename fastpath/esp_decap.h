// fastpath/esp_decap.h: inbound ESP in tunnel mode (RFC 4303, 3.4; RFC 3948), in two halves with
// the crypto backend between them.
//
//     EspDecapSubmit   SAD look-up, lengths, replay check, jobs to the backend
//     EspDecapFinish   replay window moved, padding, next header, selectors, ECN: of jobs that an
//                      asynchronous backend gives back; of any other, EspDecapSubmit() goes on so
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/packet_list.h"

namespace sekisho::fastpath {

// What EspDecapSubmit() will touch of these packets' SAs, on the way into the cache. Not needed for
// packets that come from recognise_esp.cc.
void EspDecapPrefetch(EspWorker& worker, Burst burst);

// Takes packets of kind kEsp or kEspInUdp. Reads kind, l4_offset (of ESP for kEsp, of UDP for
// kEspInUdp), family; the data ends where the IP packet ends. Sets
// inbound_sa and sequence. Each packet is afterwards with the backend, or, where that is
// synchronous, in `passed` as EspDecapFinish() says; or in `dropped`, with its reason. Requires:
// burst.size() <= kBurstMax, room for it in both lists.
void EspDecapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped);
// The half of it that AH has, too: hands over jobs of packets that are ready.
void SubmitDecrypt(EspWorker& worker, std::span<const CryptoJob> jobs, PacketList& passed,
                   PacketList& dropped);

// Collects up to kBurstMax packets; returns how many. Those in `passed` are inner packets: data at
// the inner IP header, the context as parse fills it (kind kTransit, decapsulated true, reason
// kNone; port_in is kept), checked against the SA's selectors
// (RFC 4301, 5.2, step 4); inbound_sa is nullptr again. To be called after every EspDecapSubmit and
// once per round while packets are in flight, until it returns 0.
size_t EspDecapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped);

// What tunnel mode carried must be the packet that `next_header` says it is, and one that this SA
// is for; the outer header's congestion mark goes into it (RFC 6040). For AH too.
DropReason CheckTunnelled(const InboundSa& sa, rte_mbuf* mbuf, uint8_t next_header,
                          uint8_t outer_class);

}  // namespace sekisho::fastpath
