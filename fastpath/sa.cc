#include "fastpath/sa.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "fastpath/ip_header.h"

namespace sekisho::fastpath {
namespace {

constexpr size_t kIpv4Bytes = 20;
constexpr size_t kIpv6Bytes = 40;
constexpr uint8_t kHopLimit = 64;

uint8_t OuterProtocol(const EspLayout& layout) {
  return layout.udp_encapsulation ? IPPROTO_UDP : IPPROTO_ESP;
}

// DSCP, length, identification, DF and checksum are the packet's, and zero here.
size_t WriteIpv4(uint8_t* at, uint8_t protocol, const IpAddress& source, const IpAddress& to) {
  std::memset(at, 0, kIpv4Bytes);
  at[0] = 0x45;
  at[8] = kHopLimit;
  at[9] = protocol;
  std::memcpy(at + 12, source.bytes().data(), 4);
  std::memcpy(at + 16, to.bytes().data(), 4);
  return kIpv4Bytes;
}

// Traffic class and length are the packet's; the flow label is 0 (RFC 6437, 2: not known here).
size_t WriteIpv6(uint8_t* at, uint8_t protocol, const IpAddress& source, const IpAddress& to) {
  std::memset(at, 0, kIpv6Bytes);
  at[0] = 0x60;
  at[6] = protocol;
  at[7] = kHopLimit;
  std::memcpy(at + 8, source.bytes().data(), 16);
  std::memcpy(at + 24, to.bytes().data(), 16);
  return kIpv6Bytes;
}

uint32_t SumWords(const uint8_t* at, size_t bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes; i += 2) sum += LoadBigEndian<uint16_t>(at + i);
  return sum;
}

}  // namespace

absl::Status CheckShape(const SaShape& shape) {
  const EncryptionTraits* encryption = FindEncryption(shape.suite.encryption);
  const IntegrityTraits* integrity = FindIntegrity(shape.suite.integrity);
  if (encryption == nullptr || encryption->aead == (integrity != nullptr)) {
    return absl::InvalidArgumentError(absl::StrCat("sa: no such suite: ", shape.suite.ToString()));
  }
  const size_t key_bytes = size_t{encryption->key_bytes} + encryption->salt_bytes;
  const size_t integrity_bytes = integrity == nullptr ? 0 : integrity->key_bytes;
  if (shape.encryption_key.size() != key_bytes || shape.integrity_key.size() != integrity_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sa: keys of ", shape.encryption_key.size(), " and ", shape.integrity_key.size(),
        " bytes, ", shape.suite.ToString(), " wants ", key_bytes, " and ", integrity_bytes));
  }
  if (shape.local_endpoint.address.family() != shape.remote_endpoint.address.family()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sa: ends of two families: ", shape.local_endpoint.ToString(), " and ",
                     shape.remote_endpoint.ToString()));
  }
  if (std::max(shape.local.size(), shape.remote.size()) > SelectorSet::kSelectorsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sa: ", std::max(shape.local.size(), shape.remote.size()),
                     " traffic selectors on one side, at most ", SelectorSet::kSelectorsMax));
  }
  return absl::OkStatus();
}

EspLayout LayoutOf(const EspSuite& suite, ByteSpan encryption_key, bool udp_encapsulation,
                   IpFamily outer_family) {
  const EncryptionTraits* encryption = FindEncryption(suite.encryption);
  const IntegrityTraits* integrity = FindIntegrity(suite.integrity);
  SEKISHO_CHECK(encryption != nullptr && encryption->aead == (integrity == nullptr));
  EspLayout layout;
  layout.iv_bytes = encryption->iv_bytes;
  layout.icv_bytes = encryption->aead ? encryption->icv_bytes : integrity->icv_bytes;
  layout.align_bytes = std::max<uint8_t>(4, encryption->block_bytes);
  layout.aead = encryption->aead;
  layout.esn = suite.esn;
  layout.udp_encapsulation = udp_encapsulation;
  layout.outer_family = static_cast<uint8_t>(outer_family);
  if (encryption->aead) {
    SEKISHO_CHECK(encryption->salt_bytes == sizeof(layout.salt) &&
                  encryption_key.size() >= sizeof(layout.salt));
    std::memcpy(layout.salt, encryption_key.last(sizeof(layout.salt)).data(), sizeof(layout.salt));
  }
  return layout;
}

void WriteOuterHeader(OutboundSa& sa, const Endpoint& local, const Endpoint& remote) {
  const uint8_t protocol = OuterProtocol(sa.layout);
  size_t bytes;
  if (local.address.is_v4()) {
    bytes = WriteIpv4(sa.outer_header, protocol, local.address, remote.address);
    sa.checksum_part = SumWords(sa.outer_header, kIpv4Bytes);
  } else {
    bytes = WriteIpv6(sa.outer_header, protocol, local.address, remote.address);
  }
  if (sa.layout.udp_encapsulation) {
    StoreBigEndian<uint16_t>(sa.outer_header + bytes, local.port);
    StoreBigEndian<uint16_t>(sa.outer_header + bytes + 2, remote.port);
    StoreBigEndian<uint32_t>(sa.outer_header + bytes + 4, 0);
    bytes += kUdpHeaderBytes;
  }
  sa.outer_bytes = static_cast<uint8_t>(bytes);
  sa.layout.outer_family = static_cast<uint8_t>(local.address.family());
  sa.local = local;
  sa.remote = remote;
}

}  // namespace sekisho::fastpath
