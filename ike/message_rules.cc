#include "ike/message_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sekisho::ike {
namespace {

enum class Direction : uint8_t { kRequest, kResponse };

struct Rule {
  ExchangeType exchange;
  Direction direction;
  PayloadType payload;
  int least, most;
};

constexpr int kMany = 1000;
constexpr Rule kRules[] = {
    // clang-format off
    {ExchangeType::kIkeSaInit, Direction::kRequest,  PayloadType::kSa,            1, 1},
    {ExchangeType::kIkeSaInit, Direction::kRequest,  PayloadType::kKe,            1, 1},
    {ExchangeType::kIkeSaInit, Direction::kRequest,  PayloadType::kNonce,         1, 1},
    {ExchangeType::kIkeSaInit, Direction::kResponse, PayloadType::kSa,            1, 1},
    {ExchangeType::kIkeSaInit, Direction::kResponse, PayloadType::kKe,            1, 1},
    {ExchangeType::kIkeSaInit, Direction::kResponse, PayloadType::kNonce,         1, 1},
    {ExchangeType::kIkeSaInit, Direction::kResponse, PayloadType::kCertReq,       0, kMany},
    // A request without AUTH is allowed: it asks for EAP (RFC 7296, 2.16).
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kIdi,           1, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kIdr,           0, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kCert,          0, 16},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kCertReq,       0, kMany},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kAuth,          0, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kConfiguration, 0, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kSa,            1, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kTsi,           1, 1},
    {ExchangeType::kIkeAuth,   Direction::kRequest,  PayloadType::kTsr,           1, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kIdr,           1, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kCert,          0, 16},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kAuth,          1, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kConfiguration, 0, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kSa,            0, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kTsi,           0, 1},
    {ExchangeType::kIkeAuth,   Direction::kResponse, PayloadType::kTsr,           0, 1},
    // Selectors are there for Child SAs only: create_child_sa.cc asks for them.
    {ExchangeType::kCreateChildSa, Direction::kRequest,  PayloadType::kSa,        1, 1},
    {ExchangeType::kCreateChildSa, Direction::kRequest,  PayloadType::kNonce,     1, 1},
    {ExchangeType::kCreateChildSa, Direction::kRequest,  PayloadType::kKe,        0, 1},
    {ExchangeType::kCreateChildSa, Direction::kRequest,  PayloadType::kTsi,       0, 1},
    {ExchangeType::kCreateChildSa, Direction::kRequest,  PayloadType::kTsr,       0, 1},
    {ExchangeType::kCreateChildSa, Direction::kResponse, PayloadType::kSa,        1, 1},
    {ExchangeType::kCreateChildSa, Direction::kResponse, PayloadType::kNonce,     1, 1},
    {ExchangeType::kCreateChildSa, Direction::kResponse, PayloadType::kKe,        0, 1},
    {ExchangeType::kCreateChildSa, Direction::kResponse, PayloadType::kTsi,       0, 1},
    {ExchangeType::kCreateChildSa, Direction::kResponse, PayloadType::kTsr,       0, 1},
    {ExchangeType::kInformational, Direction::kRequest,  PayloadType::kDelete,    0, kMany},
    {ExchangeType::kInformational, Direction::kResponse, PayloadType::kDelete,    0, kMany},
    // clang-format on
};

int Count(const Message& message, PayloadType type) {
  return static_cast<int>(
      std::count_if(message.payloads.begin(), message.payloads.end(),
                    [type](const Payload& payload) { return TypeOf(payload) == type; }));
}

// An IKE_AUTH response that has AUTH is complete even though it may carry the error of a Child SA.
bool IsErrorAnswer(const Message& message) {
  if (!message.header.response || message.Find<AuthPayload>() != nullptr) return false;
  // COOKIE is no error by number, but stands alone like one (RFC 7296, 2.6).
  return message.FindErrorNotify() != nullptr ||
         (message.header.responder_spi == 0 && message.FindNotify(NotifyType::kCookie));
}

}  // namespace

absl::Status CheckRules(const Message& message) {
  const Direction direction = message.header.response ? Direction::kResponse : Direction::kRequest;
  const bool error_answer = IsErrorAnswer(message);
  for (const Rule& rule : kRules) {
    if (rule.exchange != message.header.exchange || rule.direction != direction) continue;
    const int count = Count(message, rule.payload);
    const int least = error_answer ? 0 : rule.least;
    if (count < least || count > rule.most) {
      return absl::InvalidArgumentError(
          absl::StrCat(Name(message.header.exchange),
                       message.header.response ? " response" : " request", ": found ", count, " ",
                       Name(rule.payload), " payloads, want ", rule.least, " to ", rule.most));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNonce(const Message& message, PrfId prf) {
  const auto* nonce = message.Find<NoncePayload>();
  const size_t least = FindPrf(prf)->output_bytes / size_t{2};
  if (nonce == nullptr || nonce->data.size() >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(Name(message.header.exchange), ": nonce: found ",
                                                 nonce->data.size(), " bytes, want ", least,
                                                 " or more with ", Name(prf)));
}

}  // namespace sekisho::ike
