// fastpath/esp_encap.h: outbound ESP in tunnel mode (RFC 4303, 3.3; RFC 3948), in two halves with
// the crypto backend between them.
//
//     EspEncapSubmit   sequence number, padding, IV, outer header, jobs to the backend
//     EspEncapFinish   jobs back; the outer UDP checksum over IPv6 is put off
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/packet_list.h"

namespace sekisho::fastpath {

// Takes IP packets with context.outbound_sa set (OutboundSad::LookUp), their TTL already counted
// down and their size checked (EncapsulatedSize in sa.h). Each is afterwards either with the
// backend or in `dropped`, with its reason. Requires: burst.size() <= kBurstMax, room for it in
// `dropped`.
void EspEncapSubmit(EspWorker& worker, Burst burst, PacketList& dropped);

// Collects up to kBurstMax packets; returns how many. Those in `passed` have their data at the
// outer IP header, complete but for a checksum that is put off (checksum_offload.h); family,
// protocol and l4_offset describe it, outbound_sa is nullptr again: route and send, no SPD. What
// goes on into AH is with the backend again, and comes out of a later call, as does what
// AhEncapSubmit() gave it. To be called like EspDecapFinish.
size_t EspEncapFinish(EspWorker& worker, PacketList& passed, PacketList& dropped);

}  // namespace sekisho::fastpath
