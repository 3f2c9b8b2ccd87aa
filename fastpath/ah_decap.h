// fastpath/ah_decap.h: inbound AH in tunnel and transport mode (RFC 4302, 3.4), in two halves with
// the crypto backend between them, where its packets are among those of ESP.
//
//     AhDecapSubmit   SAD look-up, lengths, replay check, mutable fields, jobs to the backend
//     FinishAh        one packet back: replay window moved, AH taken off, selectors, ECN
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/packet_list.h"

namespace sekisho::fastpath {

// Takes packets of kind kAh, as EspDecapSubmit() takes those of ESP. l4_offset is where AH stands.
void AhDecapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped);

// For esp_decap.cc: a packet of this SA came back. kNone: the data is now the packet that AH
// covered (tunnel mode: the inner one), parsed, and checked against the SA's selectors.
DropReason FinishAh(EspWorker& worker, InboundSa& sa, rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
