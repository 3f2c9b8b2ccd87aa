#include "ike/prf.h"

#include <algorithm>
#include <array>

#include "common/check.h"
#include "ike/openssl.h"

namespace sekisho::ike {
namespace {

Hash HashOf(PrfId id) {
  switch (id) {
    case PrfId::kHmacSha2_256:
      return Hash::kSha2_256;
    case PrfId::kHmacSha2_384:
      return Hash::kSha2_384;
    case PrfId::kHmacSha2_512:
      return Hash::kSha2_512;
    case PrfId::kNone:
      break;
  }
  SEKISHO_CHECK(false && "a PRF we have");
  return Hash::kSha2_256;
}

SecretBytes TakeKey(ByteSpan& rest, size_t bytes) {
  SEKISHO_CHECK(bytes <= rest.size());
  SecretBytes key(rest.first(bytes));
  rest = rest.subspan(bytes);
  return key;
}

struct SaKeySizes {
  size_t encryption, integrity;
};

SaKeySizes KeySizes(Encryption encryption, IntegrityId integrity) {
  const EncryptionTraits* cipher = FindEncryption(encryption);
  SEKISHO_CHECK(cipher != nullptr);
  const IntegrityTraits* mac = FindIntegrity(integrity);
  SEKISHO_CHECK(cipher->aead == (mac == nullptr));
  return {.encryption = size_t{cipher->key_bytes} + cipher->salt_bytes,
          .integrity = mac == nullptr ? 0 : size_t{mac->key_bytes}};
}

std::array<uint8_t, 8> BigEndianBytes(uint64_t value) {
  std::array<uint8_t, 8> bytes;
  StoreBigEndian<uint64_t>(bytes.data(), value);
  return bytes;
}

// {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr)
IkeKeys ExpandIkeKeys(const IkeSuite& suite, const SecretBytes& skeyseed, ByteSpan nonce_i,
                      ByteSpan nonce_r, uint64_t spi_i, uint64_t spi_r) {
  const SaKeySizes sizes = KeySizes(suite.encryption, suite.integrity);
  const size_t prf_bytes = FindPrf(suite.prf)->output_bytes;
  const auto spi_i_bytes = BigEndianBytes(spi_i), spi_r_bytes = BigEndianBytes(spi_r);
  const SecretBytes material =
      PrfPlus(suite.prf, skeyseed.span(), {nonce_i, nonce_r, spi_i_bytes, spi_r_bytes},
              3 * prf_bytes + 2 * sizes.integrity + 2 * sizes.encryption);
  ByteSpan rest = material.span();
  IkeKeys keys;
  keys.sk_d = TakeKey(rest, prf_bytes);
  keys.sk_ai = TakeKey(rest, sizes.integrity);
  keys.sk_ar = TakeKey(rest, sizes.integrity);
  keys.sk_ei = TakeKey(rest, sizes.encryption);
  keys.sk_er = TakeKey(rest, sizes.encryption);
  keys.sk_pi = TakeKey(rest, prf_bytes);
  keys.sk_pr = TakeKey(rest, prf_bytes);
  return keys;
}

}  // namespace

SecretBytes Prf(PrfId id, ByteSpan key, std::initializer_list<ByteSpan> parts) {
  const Hash hash = HashOf(id);
  SecretBytes output(DigestBytes(hash));
  Hmac(hash, key).Compute(parts, output.mutable_span());
  return output;
}

// T1 = prf (K, S | 0x01), Tn = prf (K, Tn-1 | S | n).
SecretBytes PrfPlus(PrfId id, ByteSpan key, std::initializer_list<ByteSpan> seed, size_t bytes) {
  const Hash hash = HashOf(id);
  const size_t block_bytes = DigestBytes(hash);
  SEKISHO_CHECK(bytes <= 255 * block_bytes);
  Bytes joined;
  for (ByteSpan part : seed) joined.insert(joined.end(), part.begin(), part.end());
  Hmac hmac(hash, key);
  SecretBytes output(bytes), block(block_bytes);
  uint8_t round = 0;
  for (size_t done = 0; done < bytes; done += block_bytes) {
    const ByteSpan previous = round == 0 ? ByteSpan{} : block.span();
    ++round;
    hmac.Compute({previous, joined, ByteSpan(&round, 1)}, block.mutable_span());
    const size_t take = std::min(block_bytes, bytes - done);
    std::copy_n(block.data(), take, output.mutable_span().begin() + done);
  }
  return output;
}

IkeKeys DeriveIkeKeys(const IkeSuite& suite, ByteSpan shared_secret, ByteSpan nonce_i,
                      ByteSpan nonce_r, uint64_t spi_i, uint64_t spi_r) {
  Bytes nonces = ToBytes(nonce_i);
  nonces.insert(nonces.end(), nonce_r.begin(), nonce_r.end());
  const SecretBytes skeyseed = Prf(suite.prf, nonces, {shared_secret});
  return ExpandIkeKeys(suite, skeyseed, nonce_i, nonce_r, spi_i, spi_r);
}

IkeKeys DeriveRekeyedIkeKeys(const IkeSuite& suite, PrfId old_prf, ByteSpan old_sk_d,
                             ByteSpan shared_secret, ByteSpan nonce_i, ByteSpan nonce_r,
                             uint64_t spi_i, uint64_t spi_r) {
  const SecretBytes skeyseed = Prf(old_prf, old_sk_d, {shared_secret, nonce_i, nonce_r});
  return ExpandIkeKeys(suite, skeyseed, nonce_i, nonce_r, spi_i, spi_r);
}

ChildKeys DeriveChildKeys(const IpsecSuite& suite, PrfId prf, ByteSpan sk_d, ByteSpan shared_secret,
                          ByteSpan nonce_i, ByteSpan nonce_r) {
  const SaKeySizes sizes = KeySizes(suite.encryption, suite.integrity);
  const SecretBytes material = PrfPlus(prf, sk_d, {shared_secret, nonce_i, nonce_r},
                                       2 * (sizes.encryption + sizes.integrity));
  ByteSpan rest = material.span();
  ChildKeys keys;
  keys.encryption_i = TakeKey(rest, sizes.encryption);
  keys.integrity_i = TakeKey(rest, sizes.integrity);
  keys.encryption_r = TakeKey(rest, sizes.encryption);
  keys.integrity_r = TakeKey(rest, sizes.integrity);
  return keys;
}

SecretBytes PskAuth(PrfId prf, ByteSpan psk, ByteSpan signed_octets) {
  constexpr absl::string_view kPad = "Key Pad for IKEv2";  // 17 characters, no terminator
  const ByteSpan pad(reinterpret_cast<const uint8_t*>(kPad.data()), kPad.size());
  const SecretBytes key = Prf(prf, psk, {pad});
  return Prf(prf, key.span(), {signed_octets});
}

Bytes SignedOctets(PrfId prf, ByteSpan own_init_message, ByteSpan other_nonce, ByteSpan own_sk_p,
                   ByteSpan own_id_body) {
  const SecretBytes maced_id = Prf(prf, own_sk_p, {own_id_body});
  Bytes octets;
  octets.reserve(own_init_message.size() + other_nonce.size() + maced_id.size());
  for (ByteSpan part : {own_init_message, other_nonce, maced_id.span()}) {
    octets.insert(octets.end(), part.begin(), part.end());
  }
  return octets;
}

}  // namespace sekisho::ike
