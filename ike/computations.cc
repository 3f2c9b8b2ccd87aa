#include "ike/computations.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::ike {
namespace {

absl::Status Check(const CheckSignature& input) {
  if (input.certificates.empty()) {
    return absl::InvalidArgumentError("the peer sent no certificate");
  }
  std::vector<std::shared_ptr<const Certificate>> chain;
  for (const Bytes& der : input.certificates) {
    SEKISHO_ASSIGN_OR_RETURN(auto certificate, Certificate::FromDer(der));
    chain.push_back(std::move(certificate));
  }
  const std::shared_ptr<const Certificate> leaf = chain.front();
  chain.erase(chain.begin());
  if (!leaf->Matches(input.identity)) {
    return absl::PermissionDeniedError(absl::StrCat("certificate '", leaf->SubjectText(),
                                                    "' does not speak for identity ",
                                                    input.identity.ToString()));
  }
  SEKISHO_RETURN_IF_ERROR(input.trust_store->Verify(*leaf, chain, input.now));
  return Verify(*leaf, input.auth, input.octets, input.peer_hashes);
}

}  // namespace

void GenerateKey::Run() { result = KeyExchange::Generate(method); }

void AnswerKey::Run() {
  auto key = KeyExchange::Generate(method);
  if (!key.ok()) {
    shared_secret = key.status();
    return;
  }
  public_value = (*key)->public_value();
  shared_secret = (*key)->SharedSecret(peer_public_value);
}

void AgreeKey::Run() { shared_secret = key_exchange->SharedSecret(peer_public_value); }

void MakeSignature::Run() { result = Sign(*key, peer_hashes, octets); }

void CheckSignature::Run() { result = Check(*this); }

}  // namespace sekisho::ike
