// ike/message.h: an IKEv2 message as a value (RFC 7296, 3). Parsed whole or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"
#include "common/ip_address.h"
#include "common/spi.h"
#include "common/traffic_selector.h"
#include "ike/identity.h"

namespace sekisho::ike {

enum class ExchangeType : uint8_t {
  kIkeSaInit = 34,
  kIkeAuth = 35,
  kCreateChildSa = 36,
  kInformational = 37,
};
absl::string_view Name(ExchangeType type);  // "IKE_SA_INIT"

enum class PayloadType : uint8_t {
  kNone = 0,
  kSa = 33,
  kKe = 34,
  kIdi = 35,
  kIdr = 36,
  kCert = 37,
  kCertReq = 38,
  kAuth = 39,
  kNonce = 40,
  kNotify = 41,
  kDelete = 42,
  kVendorId = 43,
  kTsi = 44,
  kTsr = 45,
  kEncrypted = 46,
  kConfiguration = 47,
};
absl::string_view Name(PayloadType type);  // "SA", "KE", "IDi"

enum class ProtocolId : uint8_t { kNone = 0, kIke = 1, kAh = 2, kEsp = 3 };

// RFC 7296, 3.10.1. Below 16384: errors.
enum class NotifyType : uint16_t {
  kUnsupportedCriticalPayload = 1,
  kInvalidIkeSpi = 4,
  kInvalidMajorVersion = 5,
  kInvalidSyntax = 7,
  kInvalidMessageId = 9,
  kInvalidSpi = 11,
  kNoProposalChosen = 14,
  kInvalidKePayload = 17,
  kAuthenticationFailed = 24,
  kSinglePairRequired = 34,
  kNoAdditionalSas = 35,
  kInternalAddressFailure = 36,
  kFailedCpRequired = 37,
  kTsUnacceptable = 38,
  kInvalidSelectors = 39,
  kTemporaryFailure = 43,
  kChildSaNotFound = 44,
  kInitialContact = 16384,
  kSetWindowSize = 16385,
  kAdditionalTsPossible = 16386,
  kNatDetectionSourceIp = 16388,
  kNatDetectionDestinationIp = 16389,
  kCookie = 16390,
  kUseTransportMode = 16391,
  kHttpCertLookupSupported = 16392,
  kRekeySa = 16393,
  kEspTfcPaddingNotSupported = 16394,
  kNonFirstFragmentsAlso = 16395,
  kSignatureHashAlgorithms = 16431,  // RFC 7427
};
std::string Name(NotifyType type);  // "NO_PROPOSAL_CHOSEN"; "notify-40961" for one we do not know
inline bool IsError(NotifyType type) { return static_cast<uint16_t>(type) < 16384; }

struct Header {  // RFC 7296, 3.1
  uint64_t initiator_spi = 0, responder_spi = 0;
  uint8_t major_version = 2, minor_version = 0;
  ExchangeType exchange = ExchangeType::kIkeSaInit;
  bool from_initiator = false;  // the I flag: sent by the original initiator
  bool response = false;        // the R flag
  uint32_t message_id = 0;
};
inline constexpr size_t kHeaderBytes = 28;

// One transform as the wire has it; `key_bits` from the key length attribute, 0 without one.
// An attribute we do not know makes the transform unusable (RFC 7296, 3.3.6).
struct Transform {
  TransformType type;
  uint16_t id;
  uint16_t key_bits = 0;
  bool unknown_attribute = false;
  friend auto operator<=>(const Transform&, const Transform&) = default;
};
struct Proposal {
  uint8_t number = 1;
  ProtocolId protocol = ProtocolId::kIke;
  Bytes spi;  // 0 or 8 bytes for IKE, 4 for ESP and AH
  std::vector<Transform> transforms;
};
struct SaPayload {
  std::vector<Proposal> proposals;
};
struct KePayload {
  KeyExchangeId method = KeyExchangeId::kNone;
  Bytes data;
};
struct IdPayload {
  bool initiator = true;  // IDi or IDr
  Identity identity;
};
enum class CertificateEncoding : uint8_t { kX509Signature = 4 };
struct CertPayload {
  uint8_t encoding = 4;
  Bytes data;
};
struct CertReqPayload {
  uint8_t encoding = 4;
  Bytes authorities;  // SHA-1 hashes of SubjectPublicKeyInfo, 20 bytes each
};
enum class AuthMethod : uint8_t {
  kRsaSignature = 1,  // RSASSA-PKCS1-v1_5 with SHA-1
  kSharedKey = 2,
  kEcdsaSha256P256 = 9,  // RFC 4754
  kEcdsaSha384P384 = 10,
  kEcdsaSha512P521 = 11,
  kDigitalSignature = 14,  // RFC 7427
};
struct AuthPayload {
  AuthMethod method = AuthMethod::kSharedKey;
  Bytes data;
};
struct NoncePayload {
  Bytes data;
};
struct NotifyPayload {
  ProtocolId protocol = ProtocolId::kNone;
  Bytes spi;
  NotifyType type;
  Bytes data;
};
struct DeletePayload {
  ProtocolId protocol = ProtocolId::kIke;
  std::vector<Spi> spis;  // none for IKE
};
struct VendorIdPayload {
  Bytes data;
};
struct TsPayload {
  bool initiator = true;  // TSi or TSr
  TrafficSelectors selectors;
  bool unknown_type = false;  // held a selector of a type we do not know (skipped)
};
enum class ConfigurationType : uint8_t { kRequest = 1, kReply = 2, kSet = 3, kAck = 4 };
enum class ConfigurationAttribute : uint16_t {  // RFC 7296, 3.15.1
  kInternalIp4Address = 1,
  kInternalIp4Netmask = 2,
  kInternalIp4Dns = 3,
  kInternalIp4Subnet = 13,
  kApplicationVersion = 7,
  kInternalIp6Address = 8,
  kInternalIp6Dns = 10,
  kSupportedAttributes = 14,
  kInternalIp6Subnet = 15,
};
struct ConfigurationPayload {
  struct Attribute {
    ConfigurationAttribute type;
    Bytes value;
  };
  ConfigurationType type = ConfigurationType::kRequest;
  std::vector<Attribute> attributes;
};

using Payload = std::variant<SaPayload, KePayload, IdPayload, CertPayload, CertReqPayload,
                             AuthPayload, NoncePayload, NotifyPayload, DeletePayload,
                             VendorIdPayload, TsPayload, ConfigurationPayload>;
PayloadType TypeOf(const Payload& payload);

// Limits on what a stranger may make us hold.
inline constexpr size_t kMessageBytesMax = 65535;
inline constexpr size_t kPayloadsMax = 64;
inline constexpr size_t kProposalsMax = 64;
inline constexpr size_t kTransformsMax = 256;  // in one proposal
inline constexpr size_t kSelectorsMax = 255;

struct Message {
  Header header;
  std::vector<Payload> payloads;
  // Payload types skipped because we do not know them and they are not critical.
  // Set, and nothing else than the header usable, when one was critical (RFC 7296, 2.5).
  std::optional<uint8_t> unknown_critical;

  // The first payload of a kind; nullptr if there is none.
  template <typename T>
  const T* Find() const {
    for (const Payload& payload : payloads) {
      if (const T* found = std::get_if<T>(&payload)) return found;
    }
    return nullptr;
  }
  const IdPayload* FindId(bool initiator) const;
  const TsPayload* FindTs(bool initiator) const;
  const NotifyPayload* FindNotify(NotifyType type) const;
  const NotifyPayload* FindErrorNotify() const;  // the first error notify
};

// The header alone; fails on fewer than 28 bytes or a length field that differs from the bytes.
absl::StatusOr<Header> ParseHeader(ByteSpan datagram);

// A message without an SK payload (IKE_SA_INIT). The error names the field that was wrong.
absl::StatusOr<Message> ParseMessage(ByteSpan datagram);
// The payloads inside an SK payload, `first` being the type of the first one.
absl::Status ParsePayloads(PayloadType first, ByteSpan bytes, Message& message);

// Requires: sizes within the wire's limits.
Bytes EncodeMessage(const Header& header, const std::vector<Payload>& payloads);
// The chain of payloads without a header, and the type of the first one: plaintext of an SK
// payload.
struct EncodedPayloads {
  PayloadType first = PayloadType::kNone;
  Bytes bytes;
};
EncodedPayloads EncodePayloads(const std::vector<Payload>& payloads);
// The body of an ID payload (type, three reserved bytes, data): what AUTH covers.
Bytes EncodeIdBody(const Identity& identity);

// "IKE_AUTH request 1 { IDi CERT CERTREQ AUTH CPRQ SA TSi TSr N(MOBIKE_SUP) }" for the debug log.
std::string Describe(const Message& message);

}  // namespace sekisho::ike
