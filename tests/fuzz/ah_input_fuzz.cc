// AH packets for an SA that is there, through decapsulation. The input:
//   byte 0  bit 0  clear: AH as it comes, but for the SPI; hardly any packet is authentic
//                  set: what a peer authenticates, whatever it is; every packet is authentic
//           bit 1  IPv6
//           bit 2  the SA in transport mode
//           bit 3  the SA that has extended sequence numbers
//   byte 1  how many bytes of options (IPv4) or extension headers (IPv6) stand in front of AH
//   byte 2  IPv6: the type of the first of these, with some
//   then    these; then AH and what it carries or, where authentic, next header and payload
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/check.h"
#include "fastpath/ah_decap.h"
#include "fastpath/ah_mutable_fields.h"
#include "fastpath/ah_wire.h"
#include "fastpath/checksum.h"
#include "fastpath/esp_decap.h"
#include "fastpath/ip_header.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kInputBytesMax = 1400;
constexpr size_t kIcvBytes = 16;

struct Peer {
  Spi spi;
  uint64_t sequence = 0;  // of the last authentic packet
};

struct Target {
  EspHarness harness;
  IpsecSuite suites[2] = {*IpsecSuite::Parse(IpsecProtocol::kAh, "sha256"),
                          *IpsecSuite::Parse(IpsecProtocol::kAh, "sha256-esn")};
  std::array<Peer, 16> peers;  // by the bits of byte 0

  Target() {
    for (size_t choice = 0; choice < peers.size(); choice += 2) {
      const bool v6 = (choice & 2) != 0;
      TestSa sa;
      sa.suite = suites[(choice & 8) != 0 ? 1 : 0];
      sa.integrity_key = TestIntegrityKey(sa.suite);
      sa.mode = (choice & 4) != 0 ? IpsecMode::kTransport : IpsecMode::kTunnel;
      sa.local_endpoint = {Address(v6 ? "2001:db8:113::1" : "203.0.113.1"), 0};
      sa.remote_endpoint = {Address(v6 ? "2001:db8:7::7" : "198.51.100.7"), 0};
      const Spi spi = *harness.inbound->AllocateSpi();
      InboundSaParameters parameters = InboundParameters(sa, spi);
      parameters.protocol = IpsecProtocol::kAh;
      const auto filled = harness.inbound->Fill(parameters);
      SEKISHO_CHECK(filled.ok());
      SEKISHO_CHECK(harness.inbound->Activate(filled->slot, filled->generation));
      peers[choice].spi = spi;
    }
  }
};

// The IP header and `extra`, with room for `upper` bytes of AH behind them.
Bytes Headers(bool v6, ByteSpan extra, uint8_t extension, size_t upper) {
  Bytes packet = v6 ? Ipv6("2001:db8:7::7", "2001:db8:113::1").Protocol(IPPROTO_AH).Build()
                    : Ipv4("198.51.100.7", "203.0.113.1").Protocol(IPPROTO_AH).Build();
  packet.insert(packet.end(), extra.begin(), extra.end());
  const size_t total = packet.size() + upper;
  if (v6) {
    StoreBigEndian<uint16_t>(&packet[4], static_cast<uint16_t>(total - kIpv6HeaderBytes));
    if (!extra.empty()) packet[6] = extension;
  } else {
    packet[0] = static_cast<uint8_t>(0x40 | packet.size() / 4);
    StoreBigEndian<uint16_t>(&packet[2], static_cast<uint16_t>(total));
    packet[10] = packet[11] = 0;
    const uint16_t checksum = ChecksumFrom(OnesSum(packet));
    std::memcpy(&packet[10], &checksum, sizeof checksum);
  }
  return packet;
}

// RFC 4302, 3.3.3: over the packet with zeros in mutable fields and ICV, and the high half of an
// extended sequence number behind it.
void Authenticate(Target& target, bool esn, Bytes& packet, size_t ah) {
  Bytes covered = packet;
  if (!ZeroMutableFields({covered.data(), ah})) return;
  if (esn) covered.insert(covered.end(), 4, 0);
  const SecretBytes key = TestIntegrityKey(target.suites[esn ? 1 : 0]);
  uint8_t icv[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  SEKISHO_CHECK(HMAC(EVP_sha256(), key.span().data(), static_cast<int>(key.size()), covered.data(),
                     covered.size(), icv, &bytes) != nullptr);
  std::memcpy(&packet[ah + kAhHeaderBytes], icv, kIcvBytes);
}

Bytes PacketOf(Target& target, uint8_t choice, ByteSpan extra, uint8_t extension, ByteSpan rest) {
  Peer& peer = target.peers[choice & 0xe];
  const bool v6 = (choice & 2) != 0, authentic = (choice & 1) != 0;
  Bytes ah(rest.begin(), rest.end());
  if (authentic) {
    // Behind IPv6 headers, a multiple of eight bytes (RFC 4302, 2.2).
    const size_t bytes = kAhHeaderBytes + kIcvBytes + (v6 ? 4 : 0);
    Bytes header(bytes);
    header[0] = rest.empty() ? uint8_t{IPPROTO_NONE} : rest[0];
    header[1] = static_cast<uint8_t>(bytes / 4 - 2);
    StoreBigEndian<uint32_t>(&header[8], static_cast<uint32_t>(++peer.sequence));
    if (!ah.empty()) ah.erase(ah.begin());
    ah.insert(ah.begin(), header.begin(), header.end());
  }
  if (ah.size() >= 8) StoreBigEndian<uint32_t>(&ah[4], peer.spi.value);
  Bytes packet = Headers(v6, extra, extension, ah.size());
  const size_t at = packet.size();
  packet.insert(packet.end(), ah.begin(), ah.end());
  if (authentic) Authenticate(target, (choice & 8) != 0, packet, at);
  return packet;
}

void Receive(Target& target, const Bytes& packet, bool authentic) {
  const unsigned before = BuffersInUse();
  {
    MbufPtr owned = MakeMbuf(packet);
    rte_mbuf* mbuf = owned.get();
    PacketContext& context = ContextOf(mbuf);
    if (!ParseIp(mbuf, context) || context.fragment || context.protocol != IPPROTO_AH) return;
    context.kind = PacketKind::kAh;
    PacketList passed, dropped;
    AhDecapSubmit(target.harness.worker, {&mbuf, 1}, passed, dropped);
    while (target.harness.backend->InFlight(target.harness.worker.id) != 0) {
      EspDecapFinish(target.harness.worker, passed, dropped);
    }
    SEKISHO_CHECK(passed.size() + dropped.size() == 1);
    if (!dropped.empty()) {
      SEKISHO_CHECK(context.reason != DropReason::kNone);
      SEKISHO_CHECK(!authentic || (context.reason != DropReason::kAhIntegrity &&
                                   context.reason != DropReason::kAhReplayed));
    } else {
      // What comes out is a packet, and stays one.
      PacketContext inner = {};
      SEKISHO_CHECK(ParseIp(mbuf, inner));
    }
  }
  static_cast<void>(target.harness.TakeUp());
  SEKISHO_CHECK(BuffersInUse() == before);
}

void Run(Target& target, ByteSpan input) {
  const bool v6 = (input[0] & 2) != 0;
  const size_t most = v6 ? 96 : 40;
  const size_t unit = v6 ? 8 : 4;
  const ByteSpan rest = input.subspan(3);
  const size_t extra = std::min({size_t{input[1]}, most, rest.size()}) / unit * unit;
  const bool authentic = (input[0] & 1) != 0;
  Receive(target, PacketOf(target, input[0], rest.first(extra), input[2], rest.subspan(extra)),
          authentic);
}

}  // namespace
}  // namespace sekisho::fastpath

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sekisho::fastpath;
  if (size < 3 || size > kInputBytesMax) return 0;
  static auto* const target = new Target;
  Run(*target, {bytes, size});
  return 0;
}
