#include "fastpath/nd.h"

#include <netinet/in.h>
#include <rte_ether.h>

#include <cstring>
#include <optional>

#include "fastpath/checksum.h"
#include "fastpath/dispose.h"
#include "fastpath/ip_header.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/punt.h"
#include "fastpath/transmit.h"

namespace sekisho::fastpath {
namespace {

constexpr uint8_t kSolicitation = 135;
constexpr uint8_t kAdvertisement = 136;
constexpr uint8_t kOptionSourceLinkLayer = 1;
constexpr uint8_t kOptionTargetLinkLayer = 2;
constexpr size_t kMessageBytes = 24;  // up to the options
constexpr size_t kLinkLayerOptionBytes = 8;
constexpr uint8_t kFlagRouter = 0x80, kFlagSolicited = 0x40, kFlagOverride = 0x20;
constexpr uint8_t kHopLimit = 255;  // proves that no router forwarded it

struct Message {
  uint8_t type;
  uint8_t flags;  // of an advertisement
  IpAddress source, destination, target;
  std::optional<MacAddress> link_layer;  // the option that belongs to the type
};

// RFC 4861, 4.6 and 7.1: an option of length 0 makes the whole message invalid.
bool ReadOptions(ByteSpan options, Message& message) {
  const uint8_t wanted =
      message.type == kSolicitation ? kOptionSourceLinkLayer : kOptionTargetLinkLayer;
  while (!options.empty()) {
    if (options.size() < 2) return false;
    const size_t length = size_t{options[1]} * 8;
    if (length == 0 || length > options.size()) return false;
    if (options[0] == wanted && length == kLinkLayerOptionBytes) {
      message.link_layer.emplace();
      std::memcpy(message.link_layer->data(), &options[2], 6);
    }
    options = options.subspan(length);
  }
  return true;
}

// RFC 4861, 7.1.1 and 7.1.2: what must hold, or the message is ignored.
std::optional<Message> Read(rte_mbuf* mbuf, const PacketContext& context) {
  const ByteSpan packet = SpanOf(mbuf);
  const ByteSpan icmp = packet.subspan(context.l4_offset);
  if (packet[7] != kHopLimit || icmp.size() < kMessageBytes || icmp[1] != 0) return std::nullopt;
  if (OnesSumWithPseudoHeader(packet.subspan(8, 16), packet.subspan(24, 16), IPPROTO_ICMPV6,
                              icmp) != 0xffff) {
    return std::nullopt;
  }
  Message message = {.type = icmp[0],
                     .flags = icmp[4],
                     .source = SourceOf(mbuf, context),
                     .destination = DestinationOf(mbuf, context),
                     .target = IpAddress::V6(icmp.subspan(8, 16)),
                     .link_layer = std::nullopt};
  if (message.target.is_multicast() || !ReadOptions(icmp.subspan(kMessageBytes), message)) {
    return std::nullopt;
  }
  if (message.link_layer.has_value() && ((*message.link_layer)[0] & 1) != 0) return std::nullopt;
  if (message.type == kSolicitation) {
    const bool nobody = message.source.is_any();
    if (nobody && (message.link_layer.has_value() ||
                   message.destination != SolicitedNodeAddress(message.target))) {
      return std::nullopt;
    }
  } else if (message.destination.is_multicast() && (message.flags & kFlagSolicited) != 0) {
    return std::nullopt;
  }
  return message;
}

MacAddress EthernetSource(rte_mbuf* mbuf) {
  // The frame's header still stands before the IP header.
  MacAddress mac;
  std::memcpy(mac.data(), DataOf(mbuf) - kEthernetHeaderBytes + 6, mac.size());
  return mac;
}

void WriteAdvertisement(rte_mbuf* mbuf, const IpAddress& source, const IpAddress& destination,
                        uint8_t flags, const MacAddress& mac) {
  constexpr size_t kBytes = kMessageBytes + kLinkLayerOptionBytes;
  uint8_t* packet = DataOf(mbuf);
  WriteIpHeader(packet, {.source = source,
                         .destination = destination,
                         .protocol = IPPROTO_ICMPV6,
                         .ttl = kHopLimit,
                         .payload_bytes = kBytes});
  uint8_t* icmp = packet + kIpv6HeaderBytes;
  std::memset(icmp, 0, kBytes);
  icmp[0] = kAdvertisement;
  icmp[4] = flags;
  std::memcpy(icmp + 8, source.bytes().data(), 16);
  icmp[24] = kOptionTargetLinkLayer;
  icmp[25] = 1;
  std::memcpy(icmp + 26, mac.data(), mac.size());
  const uint16_t checksum = ChecksumFrom(
      OnesSumWithPseudoHeader(source.bytes(), destination.bytes(), IPPROTO_ICMPV6, {icmp, kBytes}));
  std::memcpy(icmp + 2, &checksum, sizeof checksum);
}

void Answer(Worker& worker, rte_mbuf* mbuf, PortId port, const Message& message) {
  constexpr size_t kBytes = kIpv6HeaderBytes + kMessageBytes + kLinkLayerOptionBytes;
  MacAddress to = message.link_layer.value_or(EthernetSource(mbuf));
  IpAddress destination = message.source;
  uint8_t flags = kFlagRouter | kFlagOverride | kFlagSolicited;
  if (message.source.is_any()) {
    // RFC 4861, 7.2.4: somebody wants our address for itself; everybody is told that it is ours.
    static constexpr uint8_t kAllNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    destination = IpAddress::V6(kAllNodes);
    to = {0x33, 0x33, 0, 0, 0, 1};
    flags = kFlagRouter | kFlagOverride;
  }
  TurnIntoOwn(worker, mbuf);
  ContextOf(mbuf).family = 6;
  if (mbuf->data_len < kBytes &&
      rte_pktmbuf_append(mbuf, static_cast<uint16_t>(kBytes - mbuf->data_len)) == nullptr) {
    return Drop(worker, mbuf, DropReason::kBug);
  }
  TrimTo(mbuf, kBytes);
  WriteAdvertisement(mbuf, message.target, destination, flags, PortAt(worker, port).mac);
  SendTo(worker, port, to, mbuf);
}

void NdOne(Worker& worker, rte_mbuf* mbuf) {
  const PacketContext& context = ContextOf(mbuf);
  const PortId port = context.port_in;
  const std::optional<Message> message = Read(mbuf, context);
  if (!message.has_value()) return Drop(worker, mbuf, DropReason::kNdMalformed);
  const bool solicitation = message->type == kSolicitation;
  const IpAddress& neighbour = solicitation ? message->source : message->target;
  // The machine's own stack asks for the way to anybody: we are it. That it looks for duplicates of
  // our addresses is its right, and no other one has them there.
  const bool host = port == worker.host.port;
  const bool on_link =
      !host && worker.local->IsOnLink(port, neighbour) && worker.local->Find(neighbour) == nullptr;
  const bool asks_us = host ? worker.local->Find(message->target) == nullptr && !neighbour.is_any()
                            : worker.local->IsOnPort(port, message->target);
  if (solicitation && !asks_us) return Drop(worker, mbuf, DropReason::kLocalUnwanted);
  if (solicitation && !host && !on_link && !neighbour.is_any()) {
    return Drop(worker, mbuf, DropReason::kNdMalformed);
  }
  // RFC 4861, 7.2.5: an advertisement tells us about a neighbour that we asked for or have, and
  // without the override flag it does not replace the address that we know.
  const Neighbour* known = worker.neighbours.Find(port, neighbour);
  const bool may_replace = (message->flags & kFlagOverride) != 0;
  const bool wanted =
      solicitation ||
      (known != nullptr && (!known->resolved || may_replace ||
                            known->mac == message->link_layer.value_or(EthernetSource(mbuf))));
  // An answer to a unicast solicitation may leave its option out.
  const bool says = message->link_layer.has_value() || !solicitation;
  if (on_link && wanted && says) {
    ReportNeighbour(worker, port, neighbour, message->link_layer.value_or(EthernetSource(mbuf)));
  }
  if (!solicitation) return Consume(worker, mbuf);
  Answer(worker, mbuf, port, *message);
}

}  // namespace

void Nd(Worker& worker, Burst burst) {
  for (rte_mbuf* mbuf : burst) NdOne(worker, mbuf);
}

}  // namespace sekisho::fastpath
