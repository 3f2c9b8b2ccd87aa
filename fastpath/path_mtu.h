// fastpath/path_mtu.h: how large a packet of an SA may be on its whole way (RFC 4301, 8.2).
//
// Routers say so in ICMP messages that anybody can forge. One is used only if it quotes a packet as
// we send them, from an address of ours, larger than what it asks for; asks for no less than a link
// must carry; and names by its SPI an outbound SA to that peer, which a stranger does not know. The
// worker checks what it can and reports (kPathMtu, rate-limited); the slow path finds the SA and
// tells the worker that owns it (kSetPathMtu). Ten minutes later it is forgotten (RFC 1191, 6.3),
// in case the path became wider.
#pragma once

#include "fastpath/path_mtu_limits.h"
#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes ICMP messages of kind kIcmpTooBig, in clear and for us. Those that are about no packet of
// an SA are for the stack behind the host port, if there is one.
void LearnPathMtu(Worker& worker, Burst burst);

// Of the outer packets of an SA that leave by a port with `port_mtu`.
inline uint16_t PathMtuOf(const OutboundSa& sa, uint16_t port_mtu, uint64_t now_tsc) {
  if (sa.path_mtu == 0 || sa.path_mtu >= port_mtu) [[likely]]
    return port_mtu;
  return now_tsc >> kPathMtuShift < sa.path_mtu_until ? sa.path_mtu : port_mtu;
}

}  // namespace sekisho::fastpath
