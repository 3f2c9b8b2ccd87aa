// fastpath/esp_encap.h: outbound ESP in tunnel mode (RFC 4303, 3.3; RFC 3948), in two halves with
// the crypto backend between them.
//
//     EspEncapSubmit   sequence number, padding, IV, outer header, jobs to the backend
//     EspEncapFinish   jobs back, of an asynchronous backend; of any other they are back already
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/packet_list.h"

namespace sekisho::fastpath {

// Takes IP packets with context.outbound_sa set (OutboundSad::LookUp), their TTL already counted
// down and their size checked (EncapsulatedSize in sa.h). Each is afterwards with the backend, or,
// where that is synchronous, in `passed` as EspEncapFinish() says; or in `dropped`, with its
// reason. Requires: burst.size() <= kBurstMax, room for it in both lists.
void EspEncapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped);
// The half of it that AH has, too: hands over jobs of packets that are ready.
void SubmitEncrypt(EspWorker& worker, std::span<const CryptoJob> jobs, PacketList& passed,
                   PacketList& dropped);

// Collects up to kBurstMax packets; returns how many. Those in `passed` have their data at the
// outer IP header, complete but for a UDP checksum over IPv6, which is put off
// (checksum_offload.h): route and send, no SPD. Family and l4_offset describe that header; protocol
// and ports do where DescribeOuter() was called. What goes on into AH is with the backend again,
// and comes out of a later call. To be called like EspDecapFinish.
size_t EspEncapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped);

}  // namespace sekisho::fastpath
