// ESP packets for an SA that is there, through decapsulation. The first byte of the input chooses:
//   bit 0  clear: the rest is an ESP packet's bytes after the SPI, with a sequence number, an IV
//   and
//          an ICV as they come; hardly any is authentic
//          set: the rest is what a peer encrypts, trailer and all; every one is authentic
//   bit 1  in UDP
//   bit 2  the SA that has extended sequence numbers
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>

#include "common/check.h"
#include "fastpath/parse.h"
#include "tests/fastpath/esp_harness.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kInputBytesMax = 1400;
constexpr size_t kIvBytes = 8, kIcvBytes = 16, kSaltBytes = 4;

struct Peer {
  Spi spi;
  bool esn;
  uint64_t sequence = 0;  // of the last authentic packet
};

struct Target {
  EspHarness harness;
  std::array<Peer, 2> peers;

  Target() {
    for (const bool esn : {false, true}) {
      TestSa sa;
      sa.suite = SuiteOf(esn ? "aes128gcm16-esn" : "aes128gcm16");
      const Spi spi = *harness.inbound->AllocateSpi();
      harness.InstallInbound(sa, spi);
      peers[esn ? 1 : 0] = {.spi = spi, .esn = esn};
    }
  }
};

// RFC 4106: salt and IV are the nonce; SPI and (extended) sequence number are authenticated, too.
Bytes Sealed(Peer& peer, ByteSpan plain) {
  const SecretBytes key = TestEncryptionKey(SuiteOf("aes128gcm16"));
  ++peer.sequence;
  std::array<uint8_t, 12> aad = {};
  StoreBigEndian<uint32_t>(aad.data(), peer.spi.value);
  if (peer.esn) {
    StoreBigEndian<uint64_t>(aad.data() + 4, peer.sequence);
  } else {
    StoreBigEndian<uint32_t>(aad.data() + 4, static_cast<uint32_t>(peer.sequence));
  }
  const int aad_bytes = peer.esn ? 12 : 8;
  Bytes out(4 + kIvBytes + plain.size() + kIcvBytes);
  StoreBigEndian<uint32_t>(out.data(), static_cast<uint32_t>(peer.sequence));
  StoreBigEndian<uint64_t>(out.data() + 4, peer.sequence);
  std::array<uint8_t, kSaltBytes + kIvBytes> nonce;
  std::memcpy(nonce.data(), key.span().data() + key.size() - kSaltBytes, kSaltBytes);
  std::memcpy(nonce.data() + kSaltBytes, out.data() + 4, kIvBytes);
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  uint8_t* const text = out.data() + 4 + kIvBytes;
  int written = 0;
  SEKISHO_CHECK(EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.span().data(),
                                   nonce.data()) == 1);
  SEKISHO_CHECK(EVP_EncryptUpdate(context.get(), nullptr, &written, aad.data(), aad_bytes) == 1);
  SEKISHO_CHECK(EVP_EncryptUpdate(context.get(), text, &written, plain.data(),
                                  static_cast<int>(plain.size())) == 1);
  SEKISHO_CHECK(EVP_EncryptFinal_ex(context.get(), text + written, &written) == 1);
  SEKISHO_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kIcvBytes,
                                    text + plain.size()) == 1);
  return out;
}

void Receive(Target& target, uint8_t choice, ByteSpan rest) {
  Peer& peer = target.peers[(choice & 4) != 0 ? 1 : 0];
  const unsigned before = BuffersInUse();
  const bool authentic = (choice & 1) != 0;
  Bytes esp(4);
  StoreBigEndian<uint32_t>(esp.data(), peer.spi.value);
  const Bytes body = authentic ? Sealed(peer, rest) : Bytes(rest.begin(), rest.end());
  esp.insert(esp.end(), body.begin(), body.end());
  PacketBuilder packet = Ipv4("198.51.100.7", "203.0.113.1");
  if ((choice & 2) != 0) {
    packet.Udp(40001, 4500).Payload(esp);
  } else {
    packet.Protocol(50).Payload(esp);
  }
  {
    EspResult result = target.harness.Decap(packet.BuildMbuf());
    SEKISHO_CHECK(result.passed.size() + result.dropped.size() == 1);
    for (const DropReason reason : result.Reasons()) {
      SEKISHO_CHECK(reason != DropReason::kNone);
      SEKISHO_CHECK(!authentic || reason != DropReason::kEspIntegrity);
    }
    // What comes out is a packet, and stays one.
    for (const MbufPtr& inner : result.passed) {
      PacketContext context = {};
      SEKISHO_CHECK(ParseIp(inner.get(), context));
    }
  }
  static_cast<void>(target.harness.TakeUp());
  SEKISHO_CHECK(BuffersInUse() == before);
}

}  // namespace
}  // namespace sekisho::fastpath

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sekisho::fastpath;
  if (size == 0 || size > kInputBytesMax) return 0;
  static auto* const target = new Target;
  Receive(*target, bytes[0], {bytes + 1, size - 1});
  return 0;
}
