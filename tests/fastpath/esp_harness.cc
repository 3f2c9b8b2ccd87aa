#include "tests/fastpath/esp_harness.h"

#include <netinet/in.h>

#include <utility>

#include "common/check.h"
#include "fastpath/checksum_offload.h"
#include "fastpath/ipsec_mb_backend.h"
#include "fastpath/outer_header.h"
#include "fastpath/parse.h"

namespace sekisho::fastpath {
namespace {

constexpr int kRoundsMax = 1000;

DownMessage SaMessage(DownMessage::Kind kind, const SaHandle& sa) {
  DownMessage message;
  message.kind = kind;
  message.sa = {.slot = sa.slot, .generation = sa.generation};
  return message;
}

SecretBytes Pattern(size_t bytes, uint8_t first) {
  SecretBytes key(bytes);
  for (size_t i = 0; i < bytes; ++i) key.mutable_span()[i] = static_cast<uint8_t>(first + 7 * i);
  return key;
}

void Append(const PacketList& list, std::vector<MbufPtr>& packets) {
  for (rte_mbuf* mbuf : list.burst()) packets.emplace_back(mbuf);
}

// As parse does for what is for us.
void ParseOuter(rte_mbuf* mbuf) {
  PacketContext& context = ContextOf(mbuf);
  SEKISHO_CHECK(ParseIp(mbuf, context));
  context.kind = context.protocol == IPPROTO_UDP ? PacketKind::kEspInUdp : PacketKind::kEsp;
}

// Both directions take the same values.
template <typename Parameters>
Parameters ParametersOf(const TestSa& sa, Spi spi) {
  Parameters parameters;
  parameters.spi = spi;
  parameters.suite = sa.suite;
  parameters.encryption_key =
      sa.encryption_key.empty() ? TestEncryptionKey(sa.suite) : sa.encryption_key;
  parameters.integrity_key =
      sa.integrity_key.empty() ? TestIntegrityKey(sa.suite) : sa.integrity_key;
  parameters.local = sa.local;
  parameters.remote = sa.remote;
  parameters.local_endpoint = sa.local_endpoint;
  parameters.remote_endpoint = sa.remote_endpoint;
  parameters.udp_encapsulation = sa.udp_encapsulation;
  parameters.mode = sa.mode;
  parameters.peer = sa.peer;
  return parameters;
}

}  // namespace

std::vector<std::string> AllSuiteNames() {
  std::vector<IntegrityId> integrity_ids = {IntegrityId::kNone};
  for (const IntegrityTraits& integrity : AllIntegrity()) integrity_ids.push_back(integrity.id);
  std::vector<std::string> names;
  for (const EncryptionTraits& encryption : AllEncryption()) {
    for (const bool esn : {false, true}) {
      for (const IntegrityId integrity : integrity_ids) {
        const IpsecSuite suite = {encryption.encryption, integrity, esn};
        if (Find(suite).exists()) names.push_back(suite.ToString());
      }
    }
  }
  return names;
}

IpsecSuite SuiteOf(const std::string& name) {
  const auto suite = IpsecSuite::Parse(IpsecProtocol::kEsp, name);
  SEKISHO_CHECK(suite.ok());
  return *suite;
}

SecretBytes TestEncryptionKey(const IpsecSuite& suite) {
  const EncryptionTraits* traits = FindEncryption(suite.encryption);
  if (traits == nullptr) return SecretBytes();  // AH
  return Pattern(size_t{traits->key_bytes} + traits->salt_bytes, 0x11);
}

SecretBytes TestIntegrityKey(const IpsecSuite& suite) {
  const IntegrityTraits* traits = FindIntegrity(suite.integrity);
  return traits == nullptr ? SecretBytes() : Pattern(traits->key_bytes, 0x77);
}

InboundSaParameters InboundParameters(const TestSa& sa, Spi spi) {
  auto parameters = ParametersOf<InboundSaParameters>(sa, spi);
  parameters.original_local = sa.original_local;
  parameters.original_remote = sa.original_remote;
  return parameters;
}

OutboundSaParameters OutboundParameters(const TestSa& sa, Spi spi) {
  auto parameters = ParametersOf<OutboundSaParameters>(sa, spi);
  parameters.lifetimes = sa.lifetimes;
  return parameters;
}

TestSa Mirrored(TestSa sa) {
  std::swap(sa.local, sa.remote);
  std::swap(sa.local_endpoint, sa.remote_endpoint);
  return sa;
}

std::vector<DropReason> EspResult::Reasons() const {
  std::vector<DropReason> reasons;
  for (const MbufPtr& mbuf : dropped) reasons.push_back(ContextOf(mbuf.get()).reason);
  return reasons;
}

std::unique_ptr<CryptoBackend> MakeBackend(const std::string& name, uint32_t sessions_max,
                                           uint16_t queue_size) {
  EnsureEal();
  absl::StatusOr<std::unique_ptr<CryptoBackend>> created;
  if (name == "ipsec-mb") {
    created = IpsecMbBackend::Create({.workers = 1});
  } else {
    SEKISHO_CHECK(CreateVdev(name));
    created = CryptodevBackend::Create(
        {.devices = {name}, .workers = 1, .sessions_max = sessions_max, .queue_size = queue_size});
  }
  if (!created.ok()) std::fprintf(stderr, "%s\n", created.status().ToString().c_str());
  SEKISHO_CHECK(created.ok());
  return *std::move(created);
}

EspHarness::EspHarness(const std::string& device, uint32_t window, uint32_t slots,
                       uint16_t queue_size)
    : backend(MakeBackend(device, 2 * slots, queue_size)) {
  inbound = *InboundSad::Create(WorkerId{0}, slots, window, *backend);
  outbound = *OutboundSad::Create(slots, *backend);
  worker.inbound = inbound.get();
  worker.outbound = outbound.get();
  worker.crypto = backend.get();
}

SaHandle EspHarness::InstallInbound(const TestSa& sa, Spi spi) {
  const auto handle = inbound->Fill(InboundParameters(sa, spi));
  if (!handle.ok()) std::fprintf(stderr, "%s\n", handle.status().ToString().c_str());
  SEKISHO_CHECK(handle.ok());
  SEKISHO_CHECK(HandleSaMessage(worker, SaMessage(DownMessage::Kind::kInstallInboundSa, *handle)));
  return *handle;
}

SaHandle EspHarness::InstallOutbound(const TestSa& sa, Spi spi) {
  const auto handle = outbound->Fill(OutboundParameters(sa, spi));
  if (!handle.ok()) std::fprintf(stderr, "%s\n", handle.status().ToString().c_str());
  SEKISHO_CHECK(handle.ok());
  outbound->Publish(*handle);
  return *handle;
}

Spi EspHarness::Loop(const TestSa& sa) {
  const Spi spi = *inbound->AllocateSpi();
  InstallInbound(sa, spi);
  InstallOutbound(Mirrored(sa), spi);
  return spi;
}

void EspHarness::RemoveInbound(const SaHandle& sa) {
  SEKISHO_CHECK(inbound->CheckInstalled(sa).ok());
  inbound->MarkRemoved(sa);
  SEKISHO_CHECK(HandleSaMessage(worker, SaMessage(DownMessage::Kind::kRemoveInboundSa, sa)));
}

void EspHarness::RemoveOutbound(const SaHandle& sa) {
  SEKISHO_CHECK(outbound->CheckInstalled(sa).ok());
  outbound->MarkRemoved(sa);
  SEKISHO_CHECK(HandleSaMessage(worker, SaMessage(DownMessage::Kind::kRemoveOutboundSa, sa)));
}

void EspHarness::TakeSpi(Spi spi) {
  for (int tries = 0; tries < 1'000'000; ++tries) {
    const Spi got = *inbound->AllocateSpi();
    if (got == spi) return;
    inbound->ReleaseSpi(got);
  }
  SEKISHO_CHECK(false && "the SAD never gives out this SPI");
}

EspResult EspHarness::Encap(std::vector<MbufPtr> packets) {
  EspResult result;
  PacketList ready;
  for (MbufPtr& packet : packets) {
    SEKISHO_CHECK(ParseIp(packet.get(), ContextOf(packet.get())));
    ready.Add(packet.release());
  }
  outbound->LookUp(ready.burst());
  PacketList with_sa, dropped, passed;
  for (rte_mbuf* mbuf : ready.burst()) {
    if (ContextOf(mbuf).outbound_sa != nullptr) {
      with_sa.Add(mbuf);
    } else {
      dropped.Add(mbuf, DropReason::kSpdNoSa);
    }
  }
  EspEncapSubmit(worker, with_sa.burst(), passed, dropped);
  for (int i = 0; i < kRoundsMax && backend->InFlight(worker.id) != 0; ++i) {
    EspEncapFinish(worker, passed, dropped);
  }
  for (rte_mbuf* mbuf : passed.burst()) {  // as when it leaves
    PacketContext& context = ContextOf(mbuf);
    if (const OutboundSa* sa = context.outbound_sa; sa != nullptr) {
      DescribeOuter(mbuf, sa->layout.udp_encapsulation, context);
    }
    MakeDueChecksum(mbuf);
  }
  Append(passed, result.passed);
  Append(dropped, result.dropped);
  return result;
}

void EspHarness::Submit(std::vector<MbufPtr> packets, EspResult& result) {
  PacketList ready, passed, dropped;
  for (MbufPtr& packet : packets) {
    ParseOuter(packet.get());
    ready.Add(packet.release());
  }
  EspDecapSubmit(worker, ready.burst(), passed, dropped);
  for (rte_mbuf* mbuf : passed.burst()) MakeDueChecksum(mbuf);  // as when it is delivered
  Append(passed, result.passed);
  Append(dropped, result.dropped);
}

void EspHarness::Finish(EspResult& result) {
  for (int i = 0; i < kRoundsMax && backend->InFlight(worker.id) != 0; ++i) {
    PacketList passed, dropped;
    EspDecapFinish(worker, passed, dropped);
    for (rte_mbuf* mbuf : passed.burst()) MakeDueChecksum(mbuf);  // as when it is delivered
    Append(passed, result.passed);
    Append(dropped, result.dropped);
  }
}

EspResult EspHarness::Decap(std::vector<MbufPtr> packets) {
  EspResult result;
  Submit(std::move(packets), result);
  Finish(result);
  return result;
}

EspResult EspHarness::Encap(MbufPtr packet) {
  std::vector<MbufPtr> packets;
  packets.push_back(std::move(packet));
  return Encap(std::move(packets));
}

EspResult EspHarness::Decap(MbufPtr packet) {
  std::vector<MbufPtr> packets;
  packets.push_back(std::move(packet));
  return Decap(std::move(packets));
}

std::vector<UpMessage> EspHarness::TakeUp() {
  const auto messages = worker.up.messages();
  std::vector<UpMessage> result(messages.begin(), messages.end());
  worker.up.Remove(static_cast<uint16_t>(result.size()));
  return result;
}

}  // namespace sekisho::fastpath
