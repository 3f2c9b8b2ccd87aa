// fastpath/recognise_esp.h: ESP for us, straight from the port to its SA.
//
// In front of parse.cc, for ports with side kOutside: plain ESP and ESP in UDP 4500 (RFC 3948) in a
// frame that is as nearly all are (plain_frame.h), with an SPI of this worker's SAD. What parse.cc
// and ClassifyLocal() find out about such a packet is written down here at once; that it is for us,
// its SA says, whose local address is compared with its destination (esp_decap.cc). All else is
// left as it was, and so that packets of an SA stay in order, what is behind a frame that could be
// ESP and is not plain, too.
#pragma once

#include "fastpath/packet_list.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Frames as received. `esp`: kind, addresses and lengths are as after ClassifyLocal(). `rest`:
// those that are parsed.
void RecogniseEsp(Worker& worker, PortId port, Burst frames, PacketList& esp, PacketList& rest);

}  // namespace sekisho::fastpath
