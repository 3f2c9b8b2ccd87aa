#include "fastpath/sa.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::fastpath {

absl::Status CheckShape(const SaShape& shape) {
  const IpsecSuiteTraits suite = Find(shape.suite);
  if (!suite.exists()) {
    return absl::InvalidArgumentError(absl::StrCat("sa: no such suite: ", shape.suite.ToString()));
  }
  if (shape.encryption_key.size() != suite.encryption_key_bytes() ||
      shape.integrity_key.size() != suite.integrity_key_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sa: keys of ", shape.encryption_key.size(), " and ",
                     shape.integrity_key.size(), " bytes, ", shape.suite.ToString(), " wants ",
                     suite.encryption_key_bytes(), " and ", suite.integrity_key_bytes()));
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

namespace {

NonceForm NonceOf(const IpsecSuiteTraits& suite) {
  if (suite.encryption == nullptr) {
    return suite.integrity->salt_bytes == 0 ? NonceForm::kNone : NonceForm::kSaltAndIv;
  }
  switch (suite.encryption->encryption.id) {
    case EncryptionId::kNone:
    case EncryptionId::kNull:
      return NonceForm::kNone;
    case EncryptionId::k3DesCbc:
    case EncryptionId::kAesCbc:
      return NonceForm::kRandom;
    case EncryptionId::kAesCtr:
      return NonceForm::kCounter;
    case EncryptionId::kAesCcm8:
    case EncryptionId::kAesCcm12:
    case EncryptionId::kAesCcm16:
      return NonceForm::kCcm;
    case EncryptionId::kAesGcm8:
    case EncryptionId::kAesGcm12:
    case EncryptionId::kAesGcm16:
    case EncryptionId::kNullAesGmac:
    case EncryptionId::kChaCha20Poly1305:
      return NonceForm::kSaltAndIv;
  }
  return NonceForm::kNone;
}

CryptoKind KindOf(const IpsecSuiteTraits& suite) {
  if (suite.encryption == nullptr) return CryptoKind::kIntegrity;
  switch (suite.encryption->encryption.id) {
    case EncryptionId::kNull:
    case EncryptionId::kNullAesGmac:
      return CryptoKind::kIntegrity;
    default:
      return suite.encryption->aead ? CryptoKind::kAead : CryptoKind::kChain;
  }
}

}  // namespace

EspLayout LayoutOf(const IpsecSuite& suite, const SuiteKeys& keys, bool udp_encapsulation,
                   IpFamily outer_family) {
  const IpsecSuiteTraits traits = Find(suite);
  SEKISHO_CHECK(traits.exists());
  EspLayout layout;
  size_t salt_bytes = 0;
  if (traits.integrity != nullptr) {
    layout.iv_bytes = traits.integrity->iv_bytes;
    layout.icv_bytes = traits.integrity->icv_bytes;
    salt_bytes = traits.integrity->salt_bytes;
  }
  layout.align_bytes = 4;
  if (traits.encryption != nullptr) {
    layout.iv_bytes = traits.encryption->iv_bytes;
    if (traits.encryption->aead) layout.icv_bytes = traits.encryption->icv_bytes;
    layout.align_bytes = std::max<uint8_t>(4, traits.encryption->block_bytes);
    salt_bytes = traits.encryption->salt_bytes;
  }
  layout.kind = KindOf(traits);
  layout.nonce = NonceOf(traits);
  layout.esn = suite.esn;
  layout.udp_encapsulation = udp_encapsulation;
  layout.outer_family = static_cast<uint8_t>(outer_family);
  const ByteSpan key = traits.encryption != nullptr ? keys.encryption : keys.integrity;
  SEKISHO_CHECK(salt_bytes <= sizeof(layout.salt) && salt_bytes <= key.size());
  if (salt_bytes != 0) std::memcpy(layout.salt, key.last(salt_bytes).data(), salt_bytes);
  return layout;
}

}  // namespace sekisho::fastpath
