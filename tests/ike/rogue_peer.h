// tests/ike/rogue_peer.h: a peer with the right keys and no manners: it says whatever a test puts
// into its mouth, whether an engine would say so or not. It calls the gateway of a Simulation.
#pragma once

#include <memory>
#include <vector>

#include "ike/message.h"
#include "ike/message_cipher.h"
#include "ike/prf.h"
#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"

namespace sekisho::ike {

class RoguePeer {
 public:
  explicit RoguePeer(Simulation& sim) : sim_(sim) {}

  Endpoint address = {*IpAddress::Parse("10.0.0.2"), kIkePort};
  Identity identity = Id("client1.example.org");
  SecretBytes psk = Psk("secret of client 1");
  AlgorithmProposal ike_proposal = *AlgorithmProposal::ParseIke("aes128gcm16-prfsha256-x25519");
  uint64_t spi = 0x1111;
  Bytes nonce = Bytes(32, 0x4e);
  absl::Duration wait = absl::Seconds(1);  // for an answer

  // IKE_SA_INIT { SAi1, KEi, Ni } --> and what came back; keys are ready afterwards if it worked.
  Message Init();
  // IKE_AUTH { IDi, AUTH, SAi2, TSi, TSr } -->
  Message Auth(TrafficSelectors ours = {Selector("192.168.5.0/24")},
               TrafficSelectors theirs = {Selector("10.10.0.0/24")});
  // One protected request and its answer; the message has no payloads if none came.
  Message Ask(ExchangeType exchange, const std::vector<Payload>& payloads);
  // The bytes of a request, numbered `id`, that is not sent.
  Bytes Seal(ExchangeType exchange, uint32_t id, const std::vector<Payload>& payloads,
             bool response = false);
  // The same with a plaintext made by hand: payloads from type `first` on, padding, its length.
  // Requires: AES-128-GCM.
  Bytes SealRaw(ExchangeType exchange, uint32_t id, uint8_t first, const Bytes& plaintext);
  // Whatever is sent, and the last datagram that came back in time; empty: none.
  Bytes Send(const Bytes& datagram);
  // CREATE_CHILD_SA { SA, Ni, TSi, TSr } for one more pair.
  std::vector<Payload> NewChild(uint32_t child_spi, Bytes child_nonce = Bytes(32, 0x43)) const;
  // CREATE_CHILD_SA { SA, Ni, KEi } for a successor.
  std::vector<Payload> NewIkeSa(uint64_t new_spi, Bytes rekey_nonce = Bytes(32, 0x49)) const;
  // Rekeys the IKE SA and goes on with the new one; false: refused.
  bool Rekey(uint64_t new_spi);
  Message Open(const Bytes& datagram) const;

  uint32_t next_id = 1;

 private:
  void UseKeys();
  Header MakeHeader(ExchangeType exchange, uint32_t id, bool response) const;

  Simulation& sim_;
  SeededRandom random_{7};
  uint64_t remote_spi_ = 0;
  IkeSuite suite_;
  Bytes request_;
  Bytes nonce_r_;
  IkeKeys keys_;
  std::unique_ptr<MessageCipher> seal_, open_;
};

}  // namespace sekisho::ike
