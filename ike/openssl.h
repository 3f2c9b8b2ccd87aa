// ike/openssl.h: OpenSSL's objects as owners, and what this folder needs of it in several places.
// For the .cc files of this folder only.
//
// Algorithms are fetched once, at first use, and kept for the life of the program: a fetch by name
// costs more than hashing an IKE message.
#pragma once

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "common/bytes.h"

namespace sekisho::ike {

template <auto kFree>
struct OpensslDelete {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BignumPtr = std::unique_ptr<BIGNUM, OpensslDelete<BN_clear_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslDelete<BIO_free_all>>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslDelete<EVP_CIPHER_CTX_free>>;
using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, OpensslDelete<EVP_MAC_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, OpensslDelete<EVP_MD_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDelete<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslDelete<EVP_PKEY_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDelete<X509_free>>;
using X509NamePtr = std::unique_ptr<X509_NAME, OpensslDelete<X509_NAME_free>>;

// "unsupported algorithm": the reason of the first error in this thread's queue, which is emptied.
std::string TakeOpensslError();

enum class Hash : uint8_t { kSha1, kSha2_256, kSha2_384, kSha2_512 };
const EVP_MD* Find(Hash hash);
size_t DigestBytes(Hash hash);

// HMAC over the parts, one after the other. Requires: digest.size() == DigestBytes(hash).
// `Hmac` keeps the key, so that prf+ does not pay for it in each round.
class Hmac {
 public:
  Hmac(Hash hash, ByteSpan key);  // not kSha1
  void Compute(std::initializer_list<ByteSpan> parts, std::span<uint8_t> digest);

 private:
  MacContextPtr context_;
};

}  // namespace sekisho::ike
