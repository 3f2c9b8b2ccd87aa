#include "ike/message.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace sekisho::ike {
namespace {

// What tcpdump, Wireshark and other daemons call the notifies of IANA's "IKEv2 Notify Message
// Types" that are met in practice: shortened in Describe(), where many stand in one line.
struct NotifyName {
  uint16_t type;
  absl::string_view name;
  absl::string_view brief;  // empty: `name`
};
constexpr std::array kNotifyNames = {
    NotifyName{1, "UNSUPPORTED_CRITICAL_PAYLOAD", "CRIT"},
    NotifyName{4, "INVALID_IKE_SPI", "INVAL_IKE_SPI"},
    NotifyName{5, "INVALID_MAJOR_VERSION", "INVAL_MAJOR"},
    NotifyName{7, "INVALID_SYNTAX", "INVAL_SYN"},
    NotifyName{9, "INVALID_MESSAGE_ID", "INVAL_MID"},
    NotifyName{11, "INVALID_SPI", "INVAL_SPI"},
    NotifyName{14, "NO_PROPOSAL_CHOSEN", "NO_PROP"},
    NotifyName{17, "INVALID_KE_PAYLOAD", "INVAL_KE"},
    NotifyName{24, "AUTHENTICATION_FAILED", "AUTH_FAILED"},
    NotifyName{34, "SINGLE_PAIR_REQUIRED", "SINGLE_PAIR"},
    NotifyName{35, "NO_ADDITIONAL_SAS", "NO_ADD_SAS"},
    NotifyName{36, "INTERNAL_ADDRESS_FAILURE", "INT_ADDR_FAIL"},
    NotifyName{37, "FAILED_CP_REQUIRED", "FAIL_CP_REQ"},
    NotifyName{38, "TS_UNACCEPTABLE", "TS_UNACCEPT"},
    NotifyName{39, "INVALID_SELECTORS", "INVAL_SEL"},
    NotifyName{40, "UNACCEPTABLE_ADDRESSES", "UNACC_ADDR"},
    NotifyName{41, "UNEXPECTED_NAT_DETECTED", "UNEX_NAT"},
    NotifyName{43, "TEMPORARY_FAILURE", "TEMP_FAIL"},
    NotifyName{44, "CHILD_SA_NOT_FOUND", "NO_CHILD_SA"},
    NotifyName{16384, "INITIAL_CONTACT", "INIT_CONTACT"},
    NotifyName{16385, "SET_WINDOW_SIZE", "SET_WINSIZE"},
    NotifyName{16386, "ADDITIONAL_TS_POSSIBLE", "ADD_TS_POSS"},
    NotifyName{16387, "IPCOMP_SUPPORTED", "IPCOMP_SUP"},
    NotifyName{16388, "NAT_DETECTION_SOURCE_IP", "NATD_S_IP"},
    NotifyName{16389, "NAT_DETECTION_DESTINATION_IP", "NATD_D_IP"},
    NotifyName{16390, "COOKIE", ""},
    NotifyName{16391, "USE_TRANSPORT_MODE", "USE_TRANSP"},
    NotifyName{16392, "HTTP_CERT_LOOKUP_SUPPORTED", "HTTP_CERT_LOOK"},
    NotifyName{16393, "REKEY_SA", ""},
    NotifyName{16394, "ESP_TFC_PADDING_NOT_SUPPORTED", "ESP_TFC_PAD_N"},
    NotifyName{16395, "NON_FIRST_FRAGMENTS_ALSO", "NON_FIRST_FRAG"},
    NotifyName{16396, "MOBIKE_SUPPORTED", "MOBIKE_SUP"},
    NotifyName{16397, "ADDITIONAL_IP4_ADDRESS", "ADD_4_ADDR"},
    NotifyName{16398, "ADDITIONAL_IP6_ADDRESS", "ADD_6_ADDR"},
    NotifyName{16399, "NO_ADDITIONAL_ADDRESSES", "NO_ADD_ADDR"},
    NotifyName{16400, "UPDATE_SA_ADDRESSES", "UPD_SA_ADDR"},
    NotifyName{16401, "COOKIE2", ""},
    NotifyName{16402, "NO_NATS_ALLOWED", "NO_NATS"},
    NotifyName{16404, "MULTIPLE_AUTH_SUPPORTED", "MULT_AUTH"},
    NotifyName{16406, "REDIRECT_SUPPORTED", "REDIR_SUP"},
    NotifyName{16417, "EAP_ONLY_AUTHENTICATION", "EAP_ONLY"},
    NotifyName{16430, "IKEV2_FRAGMENTATION_SUPPORTED", "FRAG_SUP"},
    NotifyName{16431, "SIGNATURE_HASH_ALGORITHMS", "HASH_ALG"},
    NotifyName{16435, "USE_PPK", ""},
    NotifyName{16438, "INTERMEDIATE_EXCHANGE_SUPPORTED", "INTERMEDIATE"},
};

const NotifyName* FindName(NotifyType type) {
  for (const NotifyName& entry : kNotifyNames) {
    if (entry.type == static_cast<uint16_t>(type)) return &entry;
  }
  return nullptr;
}

std::string BriefName(NotifyType type) {
  const NotifyName* entry = FindName(type);
  if (entry == nullptr) return absl::StrCat(static_cast<uint16_t>(type));
  return std::string(entry->brief.empty() ? entry->name : entry->brief);
}

struct TypeVisitor {
  PayloadType operator()(const SaPayload&) const { return PayloadType::kSa; }
  PayloadType operator()(const KePayload&) const { return PayloadType::kKe; }
  PayloadType operator()(const IdPayload& id) const {
    return id.initiator ? PayloadType::kIdi : PayloadType::kIdr;
  }
  PayloadType operator()(const CertPayload&) const { return PayloadType::kCert; }
  PayloadType operator()(const CertReqPayload&) const { return PayloadType::kCertReq; }
  PayloadType operator()(const AuthPayload&) const { return PayloadType::kAuth; }
  PayloadType operator()(const NoncePayload&) const { return PayloadType::kNonce; }
  PayloadType operator()(const NotifyPayload&) const { return PayloadType::kNotify; }
  PayloadType operator()(const DeletePayload&) const { return PayloadType::kDelete; }
  PayloadType operator()(const VendorIdPayload&) const { return PayloadType::kVendorId; }
  PayloadType operator()(const TsPayload& ts) const {
    return ts.initiator ? PayloadType::kTsi : PayloadType::kTsr;
  }
  PayloadType operator()(const ConfigurationPayload&) const { return PayloadType::kConfiguration; }
};

absl::string_view Name(ConfigurationType type) {
  switch (type) {
    case ConfigurationType::kRequest:
      return "CPRQ";
    case ConfigurationType::kReply:
      return "CPRP";
    case ConfigurationType::kSet:
      return "CPS";
    case ConfigurationType::kAck:
      return "CPA";
  }
  return "CP";
}

std::string BriefName(const Payload& payload) {
  if (const auto* notify = std::get_if<NotifyPayload>(&payload)) {
    return absl::StrCat("N(", BriefName(notify->type), ")");
  }
  if (const auto* configuration = std::get_if<ConfigurationPayload>(&payload)) {
    return std::string(Name(configuration->type));
  }
  return std::string(Name(TypeOf(payload)));
}

}  // namespace

absl::string_view Name(ExchangeType type) {
  switch (type) {
    case ExchangeType::kIkeSaInit:
      return "IKE_SA_INIT";
    case ExchangeType::kIkeAuth:
      return "IKE_AUTH";
    case ExchangeType::kCreateChildSa:
      return "CREATE_CHILD_SA";
    case ExchangeType::kInformational:
      return "INFORMATIONAL";
  }
  return "unknown exchange";
}

absl::string_view Name(PayloadType type) {
  switch (type) {
    case PayloadType::kNone:
      return "none";
    case PayloadType::kSa:
      return "SA";
    case PayloadType::kKe:
      return "KE";
    case PayloadType::kIdi:
      return "IDi";
    case PayloadType::kIdr:
      return "IDr";
    case PayloadType::kCert:
      return "CERT";
    case PayloadType::kCertReq:
      return "CERTREQ";
    case PayloadType::kAuth:
      return "AUTH";
    case PayloadType::kNonce:
      return "No";
    case PayloadType::kNotify:
      return "N";
    case PayloadType::kDelete:
      return "D";
    case PayloadType::kVendorId:
      return "V";
    case PayloadType::kTsi:
      return "TSi";
    case PayloadType::kTsr:
      return "TSr";
    case PayloadType::kEncrypted:
      return "SK";
    case PayloadType::kConfiguration:
      return "CP";
  }
  return "unknown";
}

std::string Name(NotifyType type) {
  const NotifyName* entry = FindName(type);
  if (entry == nullptr) return absl::StrCat("notify-", static_cast<uint16_t>(type));
  return std::string(entry->name);
}

PayloadType TypeOf(const Payload& payload) { return std::visit(TypeVisitor{}, payload); }

const IdPayload* Message::FindId(bool initiator) const {
  for (const Payload& payload : payloads) {
    const auto* id = std::get_if<IdPayload>(&payload);
    if (id != nullptr && id->initiator == initiator) return id;
  }
  return nullptr;
}

const TsPayload* Message::FindTs(bool initiator) const {
  for (const Payload& payload : payloads) {
    const auto* ts = std::get_if<TsPayload>(&payload);
    if (ts != nullptr && ts->initiator == initiator) return ts;
  }
  return nullptr;
}

const NotifyPayload* Message::FindNotify(NotifyType type) const {
  for (const Payload& payload : payloads) {
    const auto* notify = std::get_if<NotifyPayload>(&payload);
    if (notify != nullptr && notify->type == type) return notify;
  }
  return nullptr;
}

const NotifyPayload* Message::FindErrorNotify() const {
  for (const Payload& payload : payloads) {
    const auto* notify = std::get_if<NotifyPayload>(&payload);
    if (notify != nullptr && IsError(notify->type)) return notify;
  }
  return nullptr;
}

std::string Describe(const Message& message) {
  std::string text = absl::StrCat(Name(message.header.exchange),
                                  message.header.response ? " response " : " request ",
                                  message.header.message_id, " {");
  for (const Payload& payload : message.payloads) absl::StrAppend(&text, " ", BriefName(payload));
  if (message.unknown_critical) {
    absl::StrAppend(&text, " unknown critical payload ", *message.unknown_critical);
  }
  return absl::StrCat(text, " }");
}

}  // namespace sekisho::ike
