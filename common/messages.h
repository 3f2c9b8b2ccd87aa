// common/messages.h: what the slow-path thread and the workers say to each other.
//
// Each worker has one down ring (slow path -> worker) and one up ring (worker -> slow path).
// Messages are fixed-size values that travel by copy and name big objects by slot; what a slot
// holds is written by the slow path before the message that installs it, and is the worker's from
// then on until the worker says kSaRetired. Addresses are in network order inside IpAddress, all
// integers in host order.
#pragma once

#include <cstdint>
#include <type_traits>

#include "common/endpoint.h"
#include "common/ip_address.h"
#include "common/spi.h"

struct rte_mbuf;

namespace sekisho {

enum class PortId : uint16_t {};

using MacAddress = std::array<uint8_t, 6>;

struct DownMessage {
  enum class Kind : uint8_t {
    kInstallInboundSa,  // sa
    kRemoveInboundSa,   // sa: answered by kSaRetired
    kRemoveOutboundSa,  // sa: answered by kSaRetired
    kMovePeer,          // move_peer: a new outer destination for an outbound SA
    kSetPathMtu,        // set_path_mtu: how large the packets of an outbound SA may be, for a time
    kSwapTables,    // swap_tables: a new generation of SPD and routes; answered by kTablesSwapped
    kSetNeighbour,  // neighbour: resolved, or refreshed
    kForgetNeighbour,  // neighbour: unresolvable, or aged; what waits for it is dropped
    kAwaitNeighbour,   // neighbour: another worker asked for it; whoever hears of it says so
    kTransmit,         // transmit: an IP packet of our own, to be routed and sent
    kTransmitOnPort,   // transmit: a whole frame, to be sent as it is on `port`
  };
  struct Sa {
    SlotId slot;          // inbound: Spi::place()
    uint32_t generation;  // of the slot: tells a late message from one meant for the next owner
  };
  struct MovePeer {
    SlotId slot;
    uint32_t generation;
    Endpoint local, remote;
  };
  struct SetPathMtu {
    SlotId slot;
    uint32_t generation;
    uint16_t mtu;  // of outer IP packets
  };
  struct SwapTables {
    uint32_t index;  // of the tables to use from now on
  };
  struct Neighbour {
    PortId port;
    IpAddress address;
    MacAddress mac;  // kSetNeighbour only
  };
  struct Transmit {
    rte_mbuf* mbuf;  // the worker owns it from now on
    PortId port;     // only in kTransmitOnPort
  };

  Kind kind;
  union {
    Sa sa;
    MovePeer move_peer;
    SetPathMtu set_path_mtu;
    SwapTables swap_tables;
    Neighbour neighbour;
    Transmit transmit;
  };
  DownMessage() : kind(), sa() {}
};
static_assert(std::is_trivially_copyable_v<DownMessage>);

struct UpMessage {
  enum class Kind : uint8_t {
    kPacket,         // packet: IKE, or another packet for the slow path
    kPeerMoved,      // peer_moved: an authenticated, newest packet came from a new address or port
    kPathMtu,        // path_mtu: a router says that a packet of an outbound SA was too large
    kAcquire,        // acquire: an outbound packet that a PROTECT policy claims has no SA
    kSoftExpiry,     // sa: rekey soon (packets, bytes or sequence numbers)
    kHardExpiry,     // sa: no longer used by the worker
    kSaRetired,      // sa: the worker let go; the slot may be reused
    kTablesSwapped,  // tables: the worker let go of every earlier generation
    kResolveNeighbour,  // neighbour: a packet waits for this one's link-layer address
    kNeighbourSeen,     // neighbour: said its link-layer address in an ARP or ND packet
  };
  // Why a packet is handed up, and its share of the up ring's rate limits.
  enum class PuntClass : uint8_t {
    kIke,        // UDP 500, or UDP 4500 with the non-ESP marker
    kNeighbour,  // ARP or ND that the worker did not answer itself
    kLocal,      // anything else addressed to us
  };
  enum class Direction : uint8_t { kInbound, kOutbound };
  struct Packet {
    rte_mbuf* mbuf;  // the slow path owns it from now on; data starts at the UDP payload for kIke
                     // (after the non-ESP marker), at the Ethernet header otherwise
    PuntClass punt_class;
    PortId port;
    Endpoint local, remote;  // kIke only
  };
  struct PeerMoved {
    SlotId slot;  // of the inbound SA: Spi::place()
    uint32_t generation;
    Endpoint local, remote;
  };
  struct PathMtu {
    Spi spi;  // that the message quotes; whose it is, is still to be found
    IpAddress local, remote;
    uint16_t mtu;  // plausible for the packet that it quotes
  };
  struct Acquire {
    uint32_t policy;  // index in the SPD's list of policies
    IpAddress source, destination;
  };
  struct Sa {
    SlotId slot;
    uint32_t generation;
    Direction direction;
  };
  struct Tables {
    uint32_t index;  // now in use
  };
  struct Neighbour {
    PortId port;
    IpAddress address;
    MacAddress mac;  // kNeighbourSeen only
  };

  Kind kind;
  WorkerId worker;
  union {
    Packet packet;
    PeerMoved peer_moved;
    PathMtu path_mtu;
    Acquire acquire;
    Sa sa;
    Tables tables;
    Neighbour neighbour;
  };
  UpMessage() : kind(), worker(), sa() {}
};
static_assert(std::is_trivially_copyable_v<UpMessage>);
static_assert(sizeof(DownMessage) <= 64 && sizeof(UpMessage) <= 64);

}  // namespace sekisho
