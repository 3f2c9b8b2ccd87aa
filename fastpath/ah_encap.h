// fastpath/ah_encap.h: outbound AH in tunnel and transport mode (RFC 4302, 3.3), in two halves with
// the crypto backend between them, where its packets are among those of ESP.
//
//     AhEncapSubmit   sequence number, AH put in, mutable fields, jobs to the backend
//     FinishAhOut     one packet back: the fields as they were
#pragma once

#include "fastpath/esp_worker.h"
#include "fastpath/packet_list.h"

namespace sekisho::fastpath {

// Takes whole IP packets with context.outbound_sa set to an SA of AH, as EspEncapSubmit() takes
// those of ESP: also what ESP has just made, where the one goes into the other.
void AhEncapSubmit(EspWorker& worker, Burst burst, PacketList& passed, PacketList& dropped);

// For esp_encap.cc: a packet of this SA came back, with its ICV. The data is at the IP header,
// complete; family, protocol and l4_offset describe it, outbound_sa is nullptr again.
void FinishAhOut(rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
