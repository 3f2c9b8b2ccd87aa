// What a stranger may send before anything is authenticated, and what a peer may send inside SK.
// The first byte of the input chooses: an even one is followed by a datagram, an odd one by the
// plaintext of an SK payload and says its first payload's type.

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/check.h"
#include "ike/message.h"
#include "ike/proposal.h"

namespace sekisho::ike {
namespace {

void Use(const Message& message) {
  SEKISHO_CHECK(!Describe(message).empty());
  for (const Payload& payload : message.payloads) {
    if (const auto* id = std::get_if<IdPayload>(&payload)) {
      for (char c : id->identity.ToString()) SEKISHO_CHECK(c >= ' ' && c <= '~');
      static const auto* const pattern =
          new IdentityPattern(*IdentityPattern::Parse("O=Example, CN=*"));
      static_cast<void>(pattern->Matches(id->identity));
    } else if (const auto* sa = std::get_if<SaPayload>(&payload)) {
      static_cast<void>(Describe(*sa));
      static_cast<void>(ChooseIke(*sa, DefaultIkeProposals(), KeyExchangeId::kX25519));
      static_cast<void>(ChooseEsp(*sa, DefaultEspProposals(), false, KeyExchangeId::kNone));
    }
  }
  // What was read can be written, and is no longer than what it was read from may be.
  SEKISHO_CHECK(EncodePayloads(message.payloads).bytes.size() <= kMessageBytesMax);
}

}  // namespace
}  // namespace sekisho::ike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sekisho::ike;
  if (size == 0 || size > kMessageBytesMax) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    if (const auto message = ParseMessage(rest); message.ok()) Use(*message);
  } else {
    Message message;
    if (ParsePayloads(PayloadType{data[0]}, rest, message).ok()) Use(message);
  }
  return 0;
}
