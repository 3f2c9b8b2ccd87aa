#include "ike/message_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/notify.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

Message Make(ExchangeType exchange, bool response, std::vector<Payload> payloads) {
  Message message;
  message.header.exchange = exchange;
  message.header.response = response;
  message.payloads = std::move(payloads);
  return message;
}

TEST(MessageRules, IkeSaInitNeedsSaKeAndNonce) {
  const std::vector<Payload> all = {SaPayload{}, KePayload{}, NoncePayload{}};
  EXPECT_TRUE(CheckRules(Make(ExchangeType::kIkeSaInit, false, all)).ok());
  for (size_t missing = 0; missing < all.size(); ++missing) {
    std::vector<Payload> some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_FALSE(CheckRules(Make(ExchangeType::kIkeSaInit, false, some)).ok()) << missing;
  }
}

TEST(MessageRules, ErrorNamesThePayload) {
  const absl::Status status =
      CheckRules(Make(ExchangeType::kIkeSaInit, false, {SaPayload{}, SaPayload{}, KePayload{}}));
  EXPECT_THAT(std::string(status.message()), HasSubstr("found 2 SA payloads, want 1 to 1"));
}

TEST(MessageRules, NotifiesAndVendorIdsMayStandAnywhere) {
  EXPECT_TRUE(CheckRules(Make(ExchangeType::kIkeSaInit, false,
                              {VendorIdPayload{}, SaPayload{}, Notify(NotifyType::kCookie),
                               KePayload{}, NoncePayload{}, VendorIdPayload{}}))
                  .ok());
}

TEST(MessageRules, ErrorResponseNeedsNothingElse) {
  EXPECT_TRUE(
      CheckRules(Make(ExchangeType::kCreateChildSa, true, {Notify(NotifyType::kTemporaryFailure)}))
          .ok());
  EXPECT_FALSE(
      CheckRules(Make(ExchangeType::kCreateChildSa, false, {Notify(NotifyType::kTemporaryFailure)}))
          .ok());
}

// An IKE_AUTH response with AUTH is held to its rules even where it tells of a failed Child SA.
TEST(MessageRules, AuthWithoutIdentityIsRefused) {
  EXPECT_FALSE(CheckRules(Make(ExchangeType::kIkeAuth, true,
                               {AuthPayload{}, Notify(NotifyType::kTsUnacceptable)}))
                   .ok());
  EXPECT_TRUE(CheckRules(Make(ExchangeType::kIkeAuth, true,
                              {IdPayload{.initiator = false}, AuthPayload{},
                               Notify(NotifyType::kTsUnacceptable)}))
                  .ok());
}

TEST(MessageRules, EmptyInformationalIsALivenessCheck) {
  EXPECT_TRUE(CheckRules(Make(ExchangeType::kInformational, false, {})).ok());
}

}  // namespace
}  // namespace sekisho::ike
