// tests/fastpath/esp_harness.h: the IPsec half of one worker with its SADs and a crypto backend,
// driven packet by packet as the worker and the slow path would.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fastpath/cryptodev_backend.h"
#include "fastpath/esp_decap.h"
#include "fastpath/esp_encap.h"
#include "fastpath/esp_worker.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {

// Every suite there is, by the name that IpsecSuite::ToString() gives it, without and with "-esn".
std::vector<std::string> AllSuiteNames();
IpsecSuite SuiteOf(const std::string& name);
// Keys of the right size for a suite, always the same.
SecretBytes TestEncryptionKey(const IpsecSuite& suite);
SecretBytes TestIntegrityKey(const IpsecSuite& suite);

// What an SA of a test is made from; both directions, seen from us. Inbound and outbound SA of one
// of these fit each other only where local and remote are swapped, so Loop() exists.
struct TestSa {
  IpsecSuite suite = SuiteOf("aes128gcm16");
  SecretBytes encryption_key, integrity_key;  // empty: TestEncryptionKey() and so on
  TrafficSelectors local = {TrafficSelector::All(IpFamily::kIpv4),
                            TrafficSelector::All(IpFamily::kIpv6)};
  TrafficSelectors remote = local;
  Endpoint local_endpoint = {Address("203.0.113.1"), 4500};
  Endpoint remote_endpoint = {Address("198.51.100.7"), 40001};
  bool udp_encapsulation = false;
  IpsecMode mode = IpsecMode::kTunnel;
  std::optional<IpAddress> original_local, original_remote;  // inbound
  uint64_t peer = 0;
  SaLifetimes lifetimes;
};
OutboundSaParameters OutboundParameters(const TestSa& sa, Spi spi);
InboundSaParameters InboundParameters(const TestSa& sa, Spi spi);
// The other end of the same tunnel.
TestSa Mirrored(TestSa sa);

struct EspResult {
  std::vector<MbufPtr> passed, dropped;
  std::vector<DropReason> Reasons() const;
};

// A backend by name: "ipsec-mb", or the crypto vdev of that name, which it makes.
std::unique_ptr<CryptoBackend> MakeBackend(const std::string& name, uint32_t sessions_max,
                                           uint16_t queue_size = 1024);

class EspHarness {
 public:
  explicit EspHarness(const std::string& device = "crypto_aesni_mb0", uint32_t window = 64,
                      uint32_t slots = 64, uint16_t queue_size = 1024);
  EspHarness(const EspHarness&) = delete;
  EspHarness& operator=(const EspHarness&) = delete;

  bool Runs(const IpsecSuite& suite) const { return backend->CheckSuite(suite).ok(); }

  // As the slow path does, down message included. Die where it fails.
  SaHandle InstallInbound(const TestSa& sa, Spi spi);
  SaHandle InstallOutbound(const TestSa& sa, Spi spi);
  // An inbound SA and, with its SPI, the outbound SA of the other end.
  Spi Loop(const TestSa& inbound);
  void RemoveInbound(const SaHandle& sa);
  void RemoveOutbound(const SaHandle& sa);
  // Allocates until it gets this one.
  void TakeSpi(Spi spi);

  // Inner packets to ESP packets. One without an SA is dropped as kSpdNoSa.
  EspResult Encap(std::vector<MbufPtr> packets);
  // ESP packets, data at the outer IP header, to inner packets.
  EspResult Decap(std::vector<MbufPtr> packets);
  EspResult Encap(MbufPtr packet);
  EspResult Decap(MbufPtr packet);
  // Only the halves before and after the crypto device.
  void Submit(std::vector<MbufPtr> packets, EspResult& result);
  void Finish(EspResult& result);

  std::vector<UpMessage> TakeUp();

  std::unique_ptr<CryptoBackend> backend;
  std::unique_ptr<InboundSad> inbound;
  std::unique_ptr<OutboundSad> outbound;
  EspWorker worker;
};

}  // namespace sekisho::fastpath
