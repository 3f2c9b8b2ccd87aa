#include "tests/ike/rogue_peer.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <utility>

#include "ike/key_exchange.h"
#include "ike/proposal.h"

namespace sekisho::ike {

Header RoguePeer::MakeHeader(ExchangeType exchange, uint32_t id, bool response) const {
  return {.initiator_spi = spi,
          .responder_spi = remote_spi_,
          .exchange = exchange,
          .from_initiator = true,
          .response = response,
          .message_id = id};
}

Bytes RoguePeer::Send(const Bytes& datagram) {
  std::vector<Datagram>& sent = sim_.gateway.sent;
  const size_t before = sent.size();
  sim_.Deliver(sim_.gateway, {{sim_.gateway.address, address.port}, address, datagram});
  sim_.Run(wait);
  for (size_t i = sent.size(); i-- > before;) {
    const auto header = ParseHeader(sent[i].bytes);
    if (header.ok() && header->response && header->initiator_spi == spi) return sent[i].bytes;
  }
  return {};
}

Message RoguePeer::Init() {
  const auto key = *KeyExchange::Generate(ike_proposal.key_exchange.front());
  request_ = EncodeMessage(
      MakeHeader(ExchangeType::kIkeSaInit, 0, false),
      {OfferIke({ike_proposal}, std::nullopt),
       KePayload{ike_proposal.key_exchange.front(), key->public_value()}, NoncePayload{nonce}});
  const Bytes answer = Send(request_);
  auto response = ParseMessage(answer);
  if (!response.ok() || response->Find<KePayload>() == nullptr) {
    return response.ok() ? *response : Message{};
  }
  suite_ = AcceptIke(*response->Find<SaPayload>(), {ike_proposal})->suite;
  remote_spi_ = response->header.responder_spi;
  nonce_r_ = response->Find<NoncePayload>()->data;
  const auto secret = key->SharedSecret(response->Find<KePayload>()->data);
  keys_ = DeriveIkeKeys(suite_, secret->span(), nonce, nonce_r_, spi, remote_spi_);
  UseKeys();
  return *response;
}

Message RoguePeer::Auth(TrafficSelectors ours, TrafficSelectors theirs) {
  const Bytes octets =
      SignedOctets(suite_.prf, request_, nonce_r_, keys_.sk_pi.span(), EncodeIdBody(identity));
  const SecretBytes auth = PskAuth(suite_.prf, psk.span(), octets);
  return Ask(ExchangeType::kIkeAuth,
             {IdPayload{.initiator = true, .identity = identity},
              AuthPayload{AuthMethod::kSharedKey, ToBytes(auth.span())},
              OfferEsp({*AlgorithmProposal::ParseEsp("aes256gcm16")}, Spi{0x1000}, false),
              TsPayload{.initiator = true, .selectors = std::move(ours)},
              TsPayload{.initiator = false, .selectors = std::move(theirs)}});
}

Bytes RoguePeer::Seal(ExchangeType exchange, uint32_t id, const std::vector<Payload>& payloads,
                      bool response) {
  return seal_->Seal(MakeHeader(exchange, id, response), payloads, random_);
}

Bytes RoguePeer::SealRaw(ExchangeType exchange, uint32_t id, uint8_t first,
                         const Bytes& plaintext) {
  constexpr size_t kIvBytes = 8, kIcvBytes = 16, kKeyBytes = 16;
  // A message of the right length, of which the part after the IV is made anew.
  Bytes message = Seal(exchange, id, {VendorIdPayload{Bytes(plaintext.size() - 5)}});
  const size_t at = kHeaderBytes + 4;
  message[kHeaderBytes] = first;
  const ByteSpan key = keys_.sk_ei.span();
  Bytes nonce_bytes = ToBytes(key.subspan(kKeyBytes));
  nonce_bytes.insert(nonce_bytes.end(), message.begin() + at, message.begin() + at + kIvBytes);
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  int written = 0;
  EXPECT_EQ(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, key.data(), nonce_bytes.data()),
            1);
  EXPECT_EQ(EVP_EncryptUpdate(context, nullptr, &written, message.data(), at), 1);
  uint8_t* const ciphertext = message.data() + at + kIvBytes;
  EXPECT_EQ(EVP_EncryptUpdate(context, ciphertext, &written, plaintext.data(),
                              static_cast<int>(plaintext.size())),
            1);
  EXPECT_EQ(EVP_EncryptFinal_ex(context, ciphertext + written, &written), 1);
  EXPECT_EQ(
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kIcvBytes, ciphertext + plaintext.size()),
      1);
  EVP_CIPHER_CTX_free(context);
  return message;
}

bool RoguePeer::Rekey(uint64_t new_spi) {
  const KeyExchangeId method = ike_proposal.key_exchange.front();
  const auto key = *KeyExchange::Generate(method);
  const Bytes own_nonce(32, 0x49);
  const Message response =
      Ask(ExchangeType::kCreateChildSa, {OfferIke({ike_proposal}, new_spi), NoncePayload{own_nonce},
                                         KePayload{method, key->public_value()}});
  const auto* chosen = response.Find<SaPayload>();
  if (chosen == nullptr) return false;
  spi = new_spi;
  remote_spi_ = AcceptIke(*chosen, {ike_proposal})->peer_spi;
  keys_ = DeriveRekeyedIkeKeys(suite_, suite_.prf, keys_.sk_d.span(),
                               key->SharedSecret(response.Find<KePayload>()->data)->span(),
                               own_nonce, response.Find<NoncePayload>()->data, spi, remote_spi_);
  UseKeys();
  next_id = 0;
  return true;
}

void RoguePeer::UseKeys() {
  seal_ = MessageCipher::Create(suite_, keys_.sk_ei.span(), keys_.sk_ai.span());
  open_ = MessageCipher::Create(suite_, keys_.sk_er.span(), keys_.sk_ar.span());
}

Message RoguePeer::Ask(ExchangeType exchange, const std::vector<Payload>& payloads) {
  return Open(Send(Seal(exchange, next_id++, payloads)));
}

Message RoguePeer::Open(const Bytes& datagram) const {
  auto message = open_->Open(datagram);
  return message.ok() ? *std::move(message) : Message{};
}

std::vector<Payload> RoguePeer::NewChild(uint32_t child_spi, Bytes child_nonce) const {
  return {OfferEsp({*AlgorithmProposal::ParseEsp("aes256gcm16")}, Spi{child_spi}, false),
          NoncePayload{std::move(child_nonce)},
          TsPayload{.initiator = true, .selectors = {Selector("192.168.5.0/24")}},
          TsPayload{.initiator = false, .selectors = {Selector("10.10.0.0/24")}}};
}

std::vector<Payload> RoguePeer::NewIkeSa(uint64_t new_spi, Bytes rekey_nonce) const {
  const KeyExchangeId method = ike_proposal.key_exchange.front();
  return {OfferIke({ike_proposal}, new_spi), NoncePayload{std::move(rekey_nonce)},
          KePayload{method, (*KeyExchange::Generate(method))->public_value()}};
}

}  // namespace sekisho::ike
