#include "fastpath/recognise_esp.h"

#include <netinet/in.h>

#include <cstring>

#include "fastpath/esp_trailer.h"
#include "fastpath/martian.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/plain_frame.h"

namespace sekisho::fastpath {
namespace {

// Where ESP is, from the IP header; 0: this is none, or too short to be told.
struct Place {
  size_t esp = 0, packet_bytes = 0;
  bool udp = false;
};

// RFC 3948, 2.2: on port 4500 four zero bytes say that it is IKE. `length` of UDP may be less than
// the packet's.
Place PlaceOfEsp(const uint8_t* ip, uint8_t protocol, size_t header_bytes, size_t packet_bytes) {
  if (protocol == IPPROTO_ESP) {
    if (packet_bytes < header_bytes + kEspHeaderBytes) return {};
    return {header_bytes, packet_bytes, false};
  }
  const size_t upper_bytes = packet_bytes - header_bytes;
  if (protocol != IPPROTO_UDP || upper_bytes < kUdpHeaderBytes + kEspHeaderBytes) return {};
  const uint8_t* udp = ip + header_bytes;
  const size_t length = LoadBigEndian<uint16_t>(udp + 4);
  if (LoadBigEndian<uint16_t>(udp + 2) != kIkeNatTPort || LoadRaw<uint32_t>(udp + 8) == 0 ||
      length < kUdpHeaderBytes + kEspHeaderBytes || length > upper_bytes) {
    return {};
  }
  return {header_bytes + kUdpHeaderBytes, header_bytes + length, true};
}

struct Header {
  uint8_t family = 0, protocol = 0;
  size_t bytes = 0, packet_bytes = 0;
};

Header HeaderOf(const uint8_t* ip, IpFamilyOrNone family) {
  if (family == IpFamilyOrNone::kIpv4) {
    return {4, ip[9], kIpv4HeaderBytes, LoadBigEndian<uint16_t>(ip + 2)};
  }
  return {6, ip[6], kIpv6HeaderBytes, kIpv6HeaderBytes + LoadBigEndian<uint16_t>(ip + 4)};
}

// A source that parse.cc or ClassifyLocal() would refuse.
bool IsDubiousSource(const LocalAddresses& local, const uint8_t* ip, uint8_t family) {
  if (family == 4) {
    return IsMartianV4(LoadBigEndian<uint32_t>(ip + 12), LoadBigEndian<uint32_t>(ip + 16)) ||
           local.Holds(ip + 12, 4);
  }
  return IsMartianV6(ip + 8, ip + 24) || local.Holds(ip + 8, 6);
}

ShortCutVerdict Recognise(Worker& worker, const WorkerPort& in, PortId port, rte_mbuf* mbuf) {
  const IpFamilyOrNone family = PlainFrame(mbuf, in);
  if (family == IpFamilyOrNone::kNone) return ShortCutVerdict::kUnclear;
  const uint8_t* ip = DataOf(mbuf) + kEthernetHeaderBytes;
  const Header header = HeaderOf(ip, family);
  const Place place = PlaceOfEsp(ip, header.protocol, header.bytes, header.packet_bytes);
  if (place.esp == 0) return ShortCutVerdict::kOther;
  const auto spi = LoadRaw<Be32>(ip + place.esp);
  InboundSad& sad = *worker.esp.inbound;
  // Another worker's; or to be dropped.
  if (!sad.IsOwn(spi) || IsDubiousSource(*worker.local, ip, header.family)) {
    return ShortCutVerdict::kOther;
  }
  sad.Prefetch(spi, LoadBigEndian<uint32_t>(ip + place.esp + 4), place.udp);

  PacketContext& context = ContextOf(mbuf);
  ClearContext(context);
  context.port_in = port;
  context.policy = kNoPolicy;
  context.kind = place.udp ? PacketKind::kEspInUdp : PacketKind::kEsp;
  context.family = header.family;
  context.protocol = header.protocol;
  context.l4_offset = static_cast<uint16_t>(header.bytes);
  if (place.udp) {
    context.source_port = LoadBigEndian<uint16_t>(ip + header.bytes);
    context.destination_port = kIkeNatTPort;
  }
  StripFront(mbuf, kEthernetHeaderBytes);
  TrimTo(mbuf, place.packet_bytes);
  return ShortCutVerdict::kTaken;
}

}  // namespace

void RecogniseEsp(Worker& worker, PortId port, Burst frames, PacketList& esp, PacketList& rest) {
  StageTimer timer(worker.esp.stages, Stage::kParse);
  const WorkerPort& in = PortAt(worker, port);
  // Of a typed SPI only a look-up knows whose it is.
  const bool clear = !worker.esp.inbound->has_typed();
  TakeInOrder(frames, clear, rest, [&](rte_mbuf* mbuf) {
    const ShortCutVerdict verdict = Recognise(worker, in, port, mbuf);
    if (verdict == ShortCutVerdict::kTaken) esp.Add(mbuf);
    return verdict;
  });
}

}  // namespace sekisho::fastpath
