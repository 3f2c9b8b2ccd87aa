#include "ike/openssl.h"

#include <array>

#include "common/check.h"

namespace sekisho::ike {
namespace {

constexpr std::array kHashNames = {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512"};

struct Digests {
  std::array<EVP_MD*, kHashNames.size()> digest;
  Digests() {
    for (size_t i = 0; i < digest.size(); ++i) {
      digest[i] = EVP_MD_fetch(nullptr, kHashNames[i], nullptr);
      SEKISHO_CHECK(digest[i] != nullptr);
    }
  }
};

// A keyed context per hash: copying it is cheaper than naming the hash to a new one.
struct HmacTemplates {
  std::array<EVP_MAC_CTX*, kHashNames.size()> context;
  HmacTemplates() {
    EVP_MAC* mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    SEKISHO_CHECK(mac != nullptr);
    for (size_t i = 0; i < context.size(); ++i) {
      context[i] = EVP_MAC_CTX_new(mac);
      OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(
                                     OSSL_MAC_PARAM_DIGEST, const_cast<char*>(kHashNames[i]), 0),
                                 OSSL_PARAM_construct_end()};
      const uint8_t any_key = 0;
      SEKISHO_CHECK(EVP_MAC_init(context[i], &any_key, 1, parameters) == 1);
    }
  }
};

}  // namespace

std::string TakeOpensslError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason == nullptr ? "no reason given" : reason;
}

const EVP_MD* Find(Hash hash) {
  static const Digests* const digests = new Digests;
  return digests->digest[static_cast<size_t>(hash)];
}

size_t DigestBytes(Hash hash) { return static_cast<size_t>(EVP_MD_get_size(Find(hash))); }

Hmac::Hmac(Hash hash, ByteSpan key) {
  static const HmacTemplates* const templates = new HmacTemplates;
  context_.reset(EVP_MAC_CTX_dup(templates->context[static_cast<size_t>(hash)]));
  // No key at all means "as before" to OpenSSL; an empty one is an empty one.
  const uint8_t nothing = 0;
  const uint8_t* bytes = key.empty() ? &nothing : key.data();
  SEKISHO_CHECK(context_ != nullptr &&
                EVP_MAC_init(context_.get(), bytes, key.size(), nullptr) == 1);
}

void Hmac::Compute(std::initializer_list<ByteSpan> parts, std::span<uint8_t> digest) {
  SEKISHO_CHECK(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
  for (ByteSpan part : parts) {
    SEKISHO_CHECK(EVP_MAC_update(context_.get(), part.data(), part.size()) == 1);
  }
  size_t written = 0;
  SEKISHO_CHECK(EVP_MAC_final(context_.get(), digest.data(), &written, digest.size()) == 1 &&
                written == digest.size());
}

}  // namespace sekisho::ike
