#include "ike/nat_detection.h"

#include <openssl/evp.h>

#include "common/bytes.h"
#include "common/check.h"
#include "ike/notify.h"

namespace sekisho::ike {
namespace {

// SHA-1 is what the RFC says; nothing here is secret.
Bytes Hash(const Header& spis, const Endpoint& endpoint) {
  ByteWriter input;
  input.WriteU64(spis.initiator_spi);
  input.WriteU64(spis.responder_spi);
  input.WriteBytes(endpoint.address.bytes());
  input.WriteU16(endpoint.port);
  Bytes digest(20);
  unsigned int length = 0;
  SEKISHO_CHECK(EVP_Digest(input.span().data(), input.size(), digest.data(), &length, EVP_sha1(),
                           nullptr) == 1);
  return digest;
}

struct Seen {
  bool there = false, fits = false;
};

// A host with several addresses sends several of one kind; one that fits is enough.
Seen Look(const Message& message, NotifyType type, const Endpoint& endpoint) {
  Seen seen;
  const Bytes want = Hash(message.header, endpoint);
  for (const Payload& payload : message.payloads) {
    const auto* notify = std::get_if<NotifyPayload>(&payload);
    if (notify == nullptr || notify->type != type) continue;
    seen.there = true;
    seen.fits = seen.fits || notify->data == want;
  }
  return seen;
}

}  // namespace

void BuildNatDetection(const IkeSa& sa, std::vector<Payload>& payloads) {
  const Header spis{.initiator_spi = sa.initiator_spi(), .responder_spi = sa.responder_spi()};
  payloads.push_back(Notify(NotifyType::kNatDetectionSourceIp, Hash(spis, sa.local)));
  payloads.push_back(Notify(NotifyType::kNatDetectionDestinationIp, Hash(spis, sa.remote)));
}

void ProcessNatDetection(const Message& message, IkeSa& sa) {
  const Seen remote = Look(message, NotifyType::kNatDetectionSourceIp, sa.remote);
  const Seen local = Look(message, NotifyType::kNatDetectionDestinationIp, sa.local);
  sa.remote_behind_nat = remote.there && !remote.fits;
  sa.local_behind_nat = local.there && !local.fits;
}

void MoveToNatPort(IkeSa& sa) {
  if (!sa.behind_nat()) return;
  if (sa.local.port == kIkePort) sa.local.port = kIkeNatTPort;
  if (sa.remote.port == kIkePort) sa.remote.port = kIkeNatTPort;
}

}  // namespace sekisho::ike
