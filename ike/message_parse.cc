// Reading messages. Each Parse function reads one payload's body, whole, and its error starts with
// the field; ParsePayloads() puts the payload's name in front.

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "ike/field_reader.h"
#include "ike/message.h"
#include "ike/message_wire.h"

namespace sekisho::ike {
namespace {

constexpr size_t kNonceBytesMin = 16, kNonceBytesMax = 256;  // RFC 7296, 3.9
constexpr size_t kAuthorityBytes = 20;                       // SHA-1; RFC 7296, 3.7

// RFC 7296, 3.3.5. The length of an attribute in TLV form is that of the value that follows.
absl::Status ParseAttribute(FieldReader& in, Transform& transform) {
  constexpr uint16_t kShortFormat = 0x8000, kKeyLength = 14;
  const uint16_t format_and_type = in.U16("attribute type");
  const uint16_t value = in.U16("attribute value");
  const bool short_format = (format_and_type & kShortFormat) != 0;
  if (!short_format) in.Take("attribute value", value);
  SEKISHO_RETURN_IF_ERROR(in.status());
  const bool key_length = short_format && (format_and_type & ~kShortFormat) == kKeyLength;
  if (key_length && transform.key_bits == 0 && value != 0) {
    transform.key_bits = value;
  } else {
    transform.unknown_attribute = true;
  }
  return absl::OkStatus();
}

// Substructures say of themselves whether another follows (`more`) or not (0).
absl::Status CheckLast(uint8_t found, uint8_t more, bool is_last) {
  const uint8_t want = is_last ? 0 : more;
  if (found == want) return absl::OkStatus();
  return FieldError("last substructure", found, absl::StrCat(want));
}

absl::Status ParseTransform(FieldReader& in, bool is_last, Transform& transform) {
  constexpr size_t kFixedBytes = 8;
  const uint8_t last = in.U8("last substructure");
  in.SkipReserved(1);
  const uint16_t length = in.U16("transform length");
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (length < kFixedBytes) return FieldError("transform length", length, "8 or more");
  SEKISHO_RETURN_IF_ERROR(CheckLast(last, 3, is_last));
  FieldReader body(in.Take("transform", length - kGenericHeaderBytes));
  SEKISHO_RETURN_IF_ERROR(in.status());
  transform.type = TransformType{body.U8("transform type")};
  body.SkipReserved(1);
  transform.id = body.U16("transform id");
  while (!body.empty()) SEKISHO_RETURN_IF_ERROR(ParseAttribute(body, transform));
  return body.status();
}

absl::Status CheckSpiSize(ProtocolId protocol, size_t size) {
  switch (protocol) {
    case ProtocolId::kIke:
      if (size != 0 && size != 8) return FieldError("SPI size", size, "0 or 8 for IKE");
      return absl::OkStatus();
    case ProtocolId::kAh:
    case ProtocolId::kEsp:
      if (size != 4) return FieldError("SPI size", size, "4 for ESP and AH");
      return absl::OkStatus();
    case ProtocolId::kNone:
      break;
  }
  return absl::OkStatus();  // a protocol we do not know: nobody will choose it
}

absl::Status ParseTransforms(FieldReader& in, size_t count, Proposal& proposal) {
  proposal.transforms.reserve(count);
  for (size_t i = 1; i <= count; ++i) {
    Transform transform = {};
    SEKISHO_RETURN_IF_ERROR(
        Annotate(absl::StrCat("transform ", i), ParseTransform(in, i == count, transform)));
    proposal.transforms.push_back(transform);
  }
  if (in.empty()) return absl::OkStatus();
  return FieldError("number of transforms", count,
                    absl::StrCat("more: ", in.remaining(), " bytes follow them"));
}

absl::Status ParseProposal(FieldReader& in, Proposal& proposal) {
  constexpr size_t kFixedBytes = 8;
  const uint8_t last = in.U8("last substructure");
  in.SkipReserved(1);
  const uint16_t length = in.U16("proposal length");
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (length < kFixedBytes) return FieldError("proposal length", length, "8 or more");
  FieldReader body(in.Take("proposal", length - kGenericHeaderBytes));
  SEKISHO_RETURN_IF_ERROR(in.status());
  SEKISHO_RETURN_IF_ERROR(CheckLast(last, 2, in.empty()));
  proposal.number = body.U8("proposal number");
  proposal.protocol = ProtocolId{body.U8("protocol")};
  const uint8_t spi_bytes = body.U8("SPI size");
  const uint8_t transform_count = body.U8("number of transforms");
  SEKISHO_RETURN_IF_ERROR(CheckSpiSize(proposal.protocol, spi_bytes));
  proposal.spi = ToBytes(body.Take("SPI", spi_bytes));
  SEKISHO_RETURN_IF_ERROR(body.status());
  return ParseTransforms(body, transform_count, proposal);
}

absl::Status ParseSa(FieldReader& in, SaPayload& sa) {
  while (!in.empty()) {
    const std::string where = absl::StrCat("proposal ", sa.proposals.size() + 1);
    if (sa.proposals.size() == kProposalsMax) {
      return FieldError("number of proposals", where, absl::StrCat(kProposalsMax, " or fewer"));
    }
    SEKISHO_RETURN_IF_ERROR(Annotate(where, ParseProposal(in, sa.proposals.emplace_back())));
  }
  if (sa.proposals.empty()) return FieldError("number of proposals", 0, "1 or more");
  return absl::OkStatus();
}

absl::Status ParseKe(FieldReader& in, KePayload& ke) {
  ke.method = KeyExchangeId{in.U16("key exchange method")};
  in.SkipReserved(2);
  ke.data = ToBytes(in.Rest());
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (ke.data.empty()) return FieldError("key exchange data", "0 bytes", "1 or more");
  return absl::OkStatus();
}

absl::Status ParseId(FieldReader& in, IdPayload& id) {
  id.identity.type = IdentityType{in.U8("ID type")};
  in.SkipReserved(3);
  id.identity.data = ToBytes(in.Rest());
  SEKISHO_RETURN_IF_ERROR(in.status());
  const size_t bytes = id.identity.data.size();
  const auto length_error = [bytes](absl::string_view want) {
    return FieldError("identification data", absl::StrCat(bytes, " bytes"), want);
  };
  switch (id.identity.type) {
    case IdentityType::kIpv4Address:
      if (bytes != 4) return length_error("4 for ID_IPV4_ADDR");
      break;
    case IdentityType::kIpv6Address:
      if (bytes != 16) return length_error("16 for ID_IPV6_ADDR");
      break;
    case IdentityType::kFqdn:
    case IdentityType::kRfc822Address:
    case IdentityType::kDerAsn1Dn:
    case IdentityType::kKeyId:
      if (bytes == 0) return length_error("1 or more");
      break;
  }
  return absl::OkStatus();
}

absl::Status ParseCert(FieldReader& in, CertPayload& cert) {
  cert.encoding = in.U8("certificate encoding");
  cert.data = ToBytes(in.Rest());
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (cert.data.empty()) return FieldError("certificate data", "0 bytes", "1 or more");
  return absl::OkStatus();
}

absl::Status ParseCertReq(FieldReader& in, CertReqPayload& request) {
  request.encoding = in.U8("certificate encoding");
  request.authorities = ToBytes(in.Rest());
  SEKISHO_RETURN_IF_ERROR(in.status());
  const size_t bytes = request.authorities.size();
  if (CertificateEncoding{request.encoding} == CertificateEncoding::kX509Signature &&
      bytes % kAuthorityBytes != 0) {
    return FieldError("certification authorities", absl::StrCat(bytes, " bytes"),
                      "a multiple of 20");
  }
  return absl::OkStatus();
}

absl::Status ParseAuth(FieldReader& in, AuthPayload& auth) {
  auth.method = AuthMethod{in.U8("authentication method")};
  in.SkipReserved(3);
  auth.data = ToBytes(in.Rest());
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (auth.data.empty()) return FieldError("authentication data", "0 bytes", "1 or more");
  return absl::OkStatus();
}

absl::Status ParseNonce(FieldReader& in, NoncePayload& nonce) {
  nonce.data = ToBytes(in.Rest());
  const size_t bytes = nonce.data.size();
  if (bytes < kNonceBytesMin || bytes > kNonceBytesMax) {
    return FieldError("nonce", absl::StrCat(bytes, " bytes"), "16 to 256");
  }
  return absl::OkStatus();
}

absl::Status ParseNotify(FieldReader& in, NotifyPayload& notify) {
  notify.protocol = ProtocolId{in.U8("protocol")};
  const uint8_t spi_bytes = in.U8("SPI size");
  notify.type = NotifyType{in.U16("notify message type")};
  notify.spi = ToBytes(in.Take("SPI", spi_bytes));
  notify.data = ToBytes(in.Rest());
  return in.status();
}

absl::Status ParseDelete(FieldReader& in, DeletePayload& payload) {
  payload.protocol = ProtocolId{in.U8("protocol")};
  const uint8_t spi_bytes = in.U8("SPI size");
  const uint16_t count = in.U16("number of SPIs");
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (payload.protocol == ProtocolId::kIke) {
    if (spi_bytes != 0) return FieldError("SPI size", spi_bytes, "0 for IKE");
    if (count != 0) return FieldError("number of SPIs", count, "0 for IKE");
  } else if (spi_bytes != 4) {
    return FieldError("SPI size", spi_bytes, "4 for ESP and AH");
  }
  if (in.remaining() != size_t{count} * spi_bytes) {
    return FieldError("number of SPIs", count,
                      absl::StrCat("as many as ", in.remaining(), " bytes of SPIs are"));
  }
  payload.spis.reserve(count);
  for (size_t i = 0; i < count; ++i) payload.spis.push_back(Spi{in.U32("SPI")});
  return in.status();
}

absl::Status ParseVendorId(FieldReader& in, VendorIdPayload& vendor) {
  vendor.data = ToBytes(in.Rest());
  return absl::OkStatus();
}

absl::Status ParseRange(FieldReader& in, IpFamily family, uint8_t protocol, TsPayload& ts) {
  TrafficSelector selector;
  selector.protocol = protocol;
  selector.ports.first = in.U16("start port");
  selector.ports.last = in.U16("end port");
  const ByteSpan first = in.Take("starting address", AddressBytes(family));
  const ByteSpan last = in.Take("ending address", AddressBytes(family));
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (selector.ports.first > selector.ports.last && !selector.ports.is_opaque()) {
    return FieldError("start port", selector.ports.first,
                      absl::StrCat("no more than the end port, ", selector.ports.last));
  }
  selector.addresses = {IpAddress::FromBytes(family, first), IpAddress::FromBytes(family, last)};
  if (selector.addresses.last < selector.addresses.first) {
    return FieldError(
        "starting address", selector.addresses.first.ToString(),
        absl::StrCat("none after the ending address, ", selector.addresses.last.ToString()));
  }
  ts.selectors.push_back(selector);
  return absl::OkStatus();
}

absl::Status ParseSelector(FieldReader& in, TsPayload& ts) {
  constexpr uint8_t kIpv4Range = 7, kIpv6Range = 8;  // RFC 7296, 3.13.1
  const uint8_t type = in.U8("TS type");
  const uint8_t protocol = in.U8("IP protocol");
  const uint16_t length = in.U16("selector length");
  SEKISHO_RETURN_IF_ERROR(in.status());
  const uint16_t exact = type == kIpv4Range ? 16 : type == kIpv6Range ? 40 : 0;
  if (exact != 0 && length != exact) {
    return FieldError("selector length", length, absl::StrCat(exact, " for TS type ", type));
  }
  if (length < kGenericHeaderBytes) return FieldError("selector length", length, "4 or more");
  FieldReader body(in.Take("selector", length - kGenericHeaderBytes));
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (exact == 0) {
    ts.unknown_type = true;
    return absl::OkStatus();
  }
  return ParseRange(body, type == kIpv4Range ? IpFamily::kIpv4 : IpFamily::kIpv6, protocol, ts);
}

absl::Status ParseTs(FieldReader& in, TsPayload& ts) {
  const uint8_t count = in.U8("number of selectors");
  in.SkipReserved(3);
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (count == 0) return FieldError("number of selectors", 0, "1 or more");
  for (size_t i = 1; i <= count; ++i) {
    SEKISHO_RETURN_IF_ERROR(Annotate(absl::StrCat("selector ", i), ParseSelector(in, ts)));
  }
  if (in.empty()) return absl::OkStatus();
  return FieldError("number of selectors", count,
                    absl::StrCat("more: ", in.remaining(), " bytes follow them"));
}

absl::Status ParseConfiguration(FieldReader& in, ConfigurationPayload& configuration) {
  configuration.type = ConfigurationType{in.U8("CFG type")};
  in.SkipReserved(3);
  while (!in.empty()) {
    ConfigurationPayload::Attribute attribute;
    attribute.type = ConfigurationAttribute(in.U16("attribute type") & 0x7fff);  // bit 15: reserved
    const uint16_t bytes = in.U16("attribute length");
    attribute.value = ToBytes(in.Take("attribute value", bytes));
    SEKISHO_RETURN_IF_ERROR(in.status());
    configuration.attributes.push_back(std::move(attribute));
  }
  return in.status();
}

template <typename T>
absl::Status ParseInto(absl::Status (*parse)(FieldReader&, T&), ByteSpan body, T payload,
                       Message& message) {
  FieldReader in(body);
  SEKISHO_RETURN_IF_ERROR(parse(in, payload));
  message.payloads.emplace_back(std::move(payload));
  return absl::OkStatus();
}

// What stands in a payload that we know.
absl::Status ParseBody(PayloadType type, ByteSpan body, Message& message) {
  switch (type) {
    case PayloadType::kSa:
      return ParseInto(ParseSa, body, SaPayload{}, message);
    case PayloadType::kKe:
      return ParseInto(ParseKe, body, KePayload{}, message);
    case PayloadType::kIdi:
    case PayloadType::kIdr:
      return ParseInto(ParseId, body, IdPayload{.initiator = type == PayloadType::kIdi}, message);
    case PayloadType::kCert:
      return ParseInto(ParseCert, body, CertPayload{}, message);
    case PayloadType::kCertReq:
      return ParseInto(ParseCertReq, body, CertReqPayload{}, message);
    case PayloadType::kAuth:
      return ParseInto(ParseAuth, body, AuthPayload{}, message);
    case PayloadType::kNonce:
      return ParseInto(ParseNonce, body, NoncePayload{}, message);
    case PayloadType::kNotify:
      return ParseInto(ParseNotify, body, NotifyPayload{}, message);
    case PayloadType::kDelete:
      return ParseInto(ParseDelete, body, DeletePayload{}, message);
    case PayloadType::kVendorId:
      return ParseInto(ParseVendorId, body, VendorIdPayload{}, message);
    case PayloadType::kTsi:
    case PayloadType::kTsr:
      return ParseInto(ParseTs, body, TsPayload{.initiator = type == PayloadType::kTsi}, message);
    case PayloadType::kConfiguration:
      return ParseInto(ParseConfiguration, body, ConfigurationPayload{}, message);
    case PayloadType::kEncrypted:
      return absl::InvalidArgumentError("found an SK payload where none may be");
    case PayloadType::kNone:
      break;
  }
  return absl::InternalError("not a payload");
}

bool IsKnown(PayloadType type) {
  return type >= PayloadType::kSa && type <= PayloadType::kConfiguration;
}

// Reads the payload of type `type` and sets `type` to that of the next one.
absl::Status ParsePayload(FieldReader& in, PayloadType& type, Message& message) {
  const PayloadType next{in.U8("next payload")};
  const bool critical = (in.U8("critical bit") & kCriticalBit) != 0;
  const uint16_t length = in.U16("payload length");
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (length < kGenericHeaderBytes) return FieldError("payload length", length, "4 or more");
  const size_t rest = in.remaining() + kGenericHeaderBytes;
  if (length > rest) return FieldError("payload length", length, absl::StrCat(rest, " or less"));
  const ByteSpan body = in.Take("payload", length - kGenericHeaderBytes);
  if (IsKnown(type)) {
    SEKISHO_RETURN_IF_ERROR(ParseBody(type, body, message));
  } else if (critical) {
    message.unknown_critical = static_cast<uint8_t>(type);
  }
  type = next;
  return absl::OkStatus();
}

std::string PayloadName(PayloadType type) {
  if (IsKnown(type)) return absl::StrCat(Name(type), " payload");
  return absl::StrCat("payload of type ", static_cast<int>(type));
}

}  // namespace

absl::StatusOr<Header> ParseHeader(ByteSpan datagram) {
  FieldReader in(datagram);
  Header header;
  header.initiator_spi = in.U64("header: initiator SPI");
  header.responder_spi = in.U64("header: responder SPI");
  in.U8("header: next payload");
  const uint8_t version = in.U8("header: version");
  header.major_version = version >> 4;
  header.minor_version = version & 0xf;
  header.exchange = ExchangeType{in.U8("header: exchange type")};
  const uint8_t flags = in.U8("header: flags");
  header.from_initiator = (flags & kFlagInitiator) != 0;
  header.response = (flags & kFlagResponse) != 0;
  header.message_id = in.U32("header: message id");
  const uint32_t length = in.U32("header: length");
  SEKISHO_RETURN_IF_ERROR(in.status());
  if (length != datagram.size()) {
    return FieldError("header: length", length,
                      absl::StrCat(datagram.size(), ", the bytes of the datagram"));
  }
  return header;
}

absl::StatusOr<Message> ParseMessage(ByteSpan datagram) {
  Message message;
  SEKISHO_ASSIGN_OR_RETURN(message.header, ParseHeader(datagram));
  if (message.header.major_version != 2) {
    return FieldError("header: major version", message.header.major_version, "2");
  }
  if (datagram.size() > kMessageBytesMax) {
    return FieldError("header: length", datagram.size(),
                      absl::StrCat(kMessageBytesMax, " or less"));
  }
  SEKISHO_RETURN_IF_ERROR(ParsePayloads(PayloadType{datagram[kHeaderNextPayloadOffset]},
                                        datagram.subspan(kHeaderBytes), message));
  return message;
}

absl::Status ParsePayloads(PayloadType first, ByteSpan bytes, Message& message) {
  FieldReader in(bytes);
  size_t count = 0;
  for (PayloadType type = first; type != PayloadType::kNone;) {
    const std::string where = PayloadName(type);
    if (++count > kPayloadsMax) {
      return FieldError("number of payloads", count, absl::StrCat(kPayloadsMax, " or fewer"));
    }
    SEKISHO_RETURN_IF_ERROR(Annotate(where, ParsePayload(in, type, message)));
    if (message.unknown_critical) {
      message.payloads.clear();
      return absl::OkStatus();
    }
  }
  if (in.empty()) return absl::OkStatus();
  return FieldError("last payload's next payload", "none",
                    absl::StrCat("one: ", in.remaining(), " bytes follow"));
}

}  // namespace sekisho::ike
