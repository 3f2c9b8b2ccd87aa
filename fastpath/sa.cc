#include "fastpath/sa.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::fastpath {

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

EspLayout LayoutOf(const IpsecSuite& suite, ByteSpan encryption_key, bool udp_encapsulation,
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

}  // namespace sekisho::fastpath
