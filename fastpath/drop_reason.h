// fastpath/drop_reason.h: why a packet was dropped. The one list behind the enumerator, the name in
// the shell and in telemetry, and the line of help.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sekisho::fastpath {

// X(enumerator, shell name, meaning)
#define SEKISHO_DROP_REASONS(X)                                                                   \
  X(kEthernetTruncated, "ethernet-truncated", "frame shorter than an Ethernet header")            \
  X(kEthernetNotForUs, "ethernet-not-for-us",                                                     \
    "for another MAC address, or unicast IP to a group's")                                        \
  X(kEthernetUnknownType, "ethernet-unknown-type", "EtherType other than IPv4, IPv6, ARP")        \
  X(kEthernetVlan, "ethernet-vlan", "of another VLAN than the port's, or of none")                \
  X(kArpMalformed, "arp-malformed", "ARP packet that is cut, or not Ethernet and IPv4")           \
  X(kArpNotForUs, "arp-not-for-us", "ARP request for an address that is not ours")                \
  X(kIpv4Malformed, "ipv4-malformed", "IPv4 header cut, or with lengths or version that lie")     \
  X(kIpv4Checksum, "ipv4-checksum", "IPv4 header checksum wrong")                                 \
  X(kIpv6Malformed, "ipv6-malformed", "IPv6 header or extension header cut, or lengths that lie") \
  X(kIpMartian, "ip-martian",                                                                     \
    "source or destination that may not be on a wire, or our own source")                         \
  X(kIpSpoofed, "ip-spoofed", "from outside, in clear, with a source that is inside")             \
  X(kIpSourceRoute, "ip-source-route",                                                            \
    "names routers to pass: its addresses are not where it comes from or goes to")                \
  X(kIpTtlExceeded, "ip-ttl-exceeded", "TTL or hop limit ran out")                                \
  X(kIpFragment, "ip-fragment", "fragment in transit, whose ports cannot be seen by a policy")    \
  X(kReassemblyFailed, "reassembly-failed", "fragments for us that overlap or are malformed")     \
  X(kReassemblyTimeout, "reassembly-timeout", "fragments for us of which some never came")        \
  X(kReassemblyFull, "reassembly-full", "fragments that had to make room for newer ones")         \
  X(kReassemblySource, "reassembly-source", "fragment of a source of which as many wait as may")  \
  X(kUdpMalformed, "udp-malformed", "UDP header cut, length that lies, or wrong checksum")        \
  X(kIcmpMalformed, "icmp-malformed", "ICMP message cut or with a wrong checksum")                \
  X(kIcmpNotAboutUs, "icmp-not-about-us",                                                         \
    "ICMP \"too big\" that quotes no packet as we send them, or asks for the impossible")         \
  X(kNdMalformed, "nd-malformed", "neighbour discovery message that RFC 4861 says to ignore")     \
  X(kLocalUnwanted, "local-unwanted", "addressed to us, and nobody here wants it")                \
  X(kPuntRateLimited, "punt-rate-limited", "for the slow path, above its share of the up ring")   \
  X(kUpRingFull, "up-ring-full", "for the slow path, which does not keep up")                     \
  X(kNatTKeepaliveMalformed, "natt-malformed", "on UDP 4500, and neither IKE, ESP nor keepalive") \
  X(kEspMalformed, "esp-malformed", "ESP packet too short for its SA, or not aligned")            \
  X(kEspUnknownSpi, "esp-unknown-spi", "no SA has this SPI")                                      \
  X(kEspWrongDestination, "esp-wrong-destination", "SPI of an SA with another of our addresses")  \
  X(kEspWrongEncapsulation, "esp-wrong-encapsulation",                                            \
    "plain ESP where NAT makes the SA's packets come in UDP")                                     \
  X(kEspReplayed, "esp-replayed", "sequence number seen before, or left of the window")           \
  X(kEspIntegrity, "esp-integrity", "ICV does not verify: forged, damaged or wrong key")          \
  X(kEspPadding, "esp-padding", "padding or pad length wrong after decryption")                   \
  X(kEspNextHeader, "esp-next-header",                                                            \
    "decrypted to something that is not the SA's kind of packet")                                 \
  X(kEspInnerMalformed, "esp-inner-malformed", "decrypted to an IP packet that is malformed")     \
  X(kEspSelectors, "esp-selectors", "decrypted to a packet outside the SA's traffic selectors")   \
  X(kEspCongestion, "esp-congestion",                                                             \
    "congestion mark around a packet that knows no ECN (RFC 6040)")                               \
  X(kEspDummy, "esp-dummy", "dummy packet (next header 59), swallowed as RFC 4303, 2.6 says")     \
  X(kEspTransportEnds, "esp-transport-ends",                                                      \
    "for a transport mode SA, and not between the ends of that")                                  \
  X(kEspTransportFragment, "esp-transport-fragment", "a fragment for a transport mode SA")        \
  X(kEspSequenceExhausted, "esp-sequence-exhausted", "outbound SA used up its sequence numbers")  \
  X(kEspNoRoom, "esp-no-room", "packet too large for its buffer once encapsulated")               \
  X(kAhMalformed, "ah-malformed", "AH whose length is not its SA's, or behind headers that lie")  \
  X(kAhUnknownSpi, "ah-unknown-spi", "no SA of AH has this SPI")                                  \
  X(kAhWrongDestination, "ah-wrong-destination", "SPI of an SA with another of our addresses")    \
  X(kAhReplayed, "ah-replayed", "AH sequence number seen before, or left of the window")          \
  X(kAhIntegrity, "ah-integrity", "AH's ICV does not verify: forged, damaged or wrong key")       \
  X(kAhNextHeader, "ah-next-header", "AH in tunnel mode around something that is no IP packet")   \
  X(kAhInnerMalformed, "ah-inner-malformed", "malformed IP packet inside of AH")                  \
  X(kAhSelectors, "ah-selectors", "authentic, and outside the traffic selectors of its SA of AH") \
  X(kAhCongestion, "ah-congestion",                                                               \
    "congestion mark around a packet that knows no ECN (RFC 6040), in AH")                        \
  X(kAhTransportEnds, "ah-transport-ends",                                                        \
    "AH in transport mode for a fragment, or a packet that is not between its two ends")          \
  X(kAhNoRoom, "ah-no-room", "headers too long for AH, or packet too large for its buffer")       \
  X(kIpsecLayerMissing, "ipsec-layer-missing", "came with one of two nested SAs, not the other")  \
  X(kSaLifetime, "sa-lifetime", "its SA has carried all the bytes or packets that it may")        \
  X(kCryptoFailed, "crypto-failed", "the crypto device failed an operation")                      \
  X(kCryptoQueueFull, "crypto-queue-full", "the crypto device does not keep up")                  \
  X(kSpdDiscard, "spd-discard", "a DISCARD policy")                                               \
  X(kSpdNoPolicy, "spd-no-policy", "no policy matches: the implicit DISCARD at the end")          \
  X(kSpdClearInbound, "spd-clear-inbound",                                                        \
    "came in clear, and a PROTECT policy wants it protected")                                     \
  X(kSpdNoSa, "spd-no-sa", "a PROTECT policy claims it, and no SA stands for it")                 \
  X(kFlowTableFull, "flow-table-full",                                                            \
    "a new flow of peers behind NAT or under an optional policy, and no room for more")           \
  X(kFlowConflict, "flow-conflict",                                                               \
    "looks like another peer's behind the same NAT, and has no port to tell them apart by")       \
  X(kHostSource, "host-source", "from the host port, and its source is no address of ours")       \
  X(kNoRoute, "no-route", "no route to the destination")                                          \
  X(kNeighbourUnresolved, "neighbour-unresolved", "the next hop does not answer ARP or ND")       \
  X(kNeighbourQueueFull, "neighbour-queue-full",                                                  \
    "too many packets wait for the next hop's address")                                           \
  X(kTooBig, "too-big", "larger than the way out allows; the sender was told the MTU")            \
  X(kTransmitFull, "transmit-full", "the port's transmit queue is full")                          \
  X(kTransmitRefused, "transmit-refused", "the port cannot do what a packet would leave to it")   \
  X(kPortDown, "port-down", "the port out has no link")                                           \
  X(kHandOverFull, "hand-over-full", "for another worker, which does not keep up")                \
  X(kNoMbuf, "no-mbuf", "no packet buffer free")                                                  \
  X(kBug, "bug", "an invariant of ours did not hold")

enum class DropReason : uint8_t {
  kNone,  // not dropped
#define SEKISHO_ENUMERATOR(enumerator, name, meaning) enumerator,
  SEKISHO_DROP_REASONS(SEKISHO_ENUMERATOR)
#undef SEKISHO_ENUMERATOR
      kCount,
};
inline constexpr size_t kDropReasons = static_cast<size_t>(DropReason::kCount);

const char* Name(DropReason reason);     // "esp-replayed"
const char* Meaning(DropReason reason);  // "sequence number seen before, or left of the window"

}  // namespace sekisho::fastpath
