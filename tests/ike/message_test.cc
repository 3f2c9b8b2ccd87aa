#include "ike/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ike/message_wire.h"
#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

const Header kHeader = {.initiator_spi = 0x0102030405060708,
                        .responder_spi = 0x1112131415161718,
                        .exchange = ExchangeType::kIkeAuth,
                        .from_initiator = true,
                        .response = false,
                        .message_id = 1};

// One payload of every kind, each with something in it.
std::vector<Payload> EveryPayload() {
  SaPayload sa;
  sa.proposals.push_back({.number = 1,
                          .protocol = ProtocolId::kIke,
                          .spi = Hex("0102030405060708"),
                          .transforms = {{TransformType::kEncryption, 20, 256},
                                         {TransformType::kPrf, 5},
                                         {TransformType::kKeyExchange, 31}}});
  sa.proposals.push_back({.number = 2,
                          .protocol = ProtocolId::kEsp,
                          .spi = Hex("c0000001"),
                          .transforms = {{TransformType::kEncryption, 12, 128}}});
  TsPayload tsi = {.initiator = true,
                   .selectors = {*TrafficSelector::Parse("10.0.0.1[udp/1701]"),
                                 *TrafficSelector::Parse("2001:db8::/32")}};
  TsPayload tsr = {.initiator = false,
                   .selectors = {{.addresses = IpRange::All(IpFamily::kIpv4),
                                  .protocol = 17,
                                  .ports = PortRange::Opaque()}}};
  ConfigurationPayload configuration;
  configuration.attributes = {{ConfigurationAttribute::kInternalIp4Address, Hex("0a630001")},
                              {ConfigurationAttribute::kInternalIp4Dns, {}}};
  return {sa,
          KePayload{KeyExchangeId::kX25519, Bytes(32, 7)},
          IdPayload{true, *Identity::Parse("client1.example.org")},
          IdPayload{false, *Identity::Parse("192.0.2.1")},
          CertPayload{4, Hex("3000")},
          CertReqPayload{4, Bytes(40, 3)},
          AuthPayload{AuthMethod::kSharedKey, Bytes(32, 9)},
          NoncePayload{Bytes(32, 5)},
          NotifyPayload{ProtocolId::kEsp, Hex("c0000001"), NotifyType::kRekeySa, Hex("00ff")},
          DeletePayload{ProtocolId::kEsp, {Spi{0xc0000001}, Spi{0xc0000002}}},
          VendorIdPayload{TextBytes("vendor")},
          tsi,
          tsr,
          configuration};
}

// Header and payloads with lengths that fit what is there, so that the fault is further in.
Bytes Wrap(PayloadType first, ByteSpan payloads) {
  ByteWriter out;
  WriteHeader(kHeader, first, out);
  out.Patch<uint32_t>(kHeaderLengthOffset, static_cast<uint32_t>(kHeaderBytes + payloads.size()));
  out.WriteBytes(payloads);
  return std::move(out).Take();
}
Bytes WrapOne(const std::string& body_hex) {
  ByteWriter out;
  const Bytes body = Hex(body_hex);
  out.WriteU16(0);
  out.WriteU16(static_cast<uint16_t>(body.size() + kGenericHeaderBytes));
  out.WriteBytes(body);
  return std::move(out).Take();
}
// What parsing one payload with this body says.
std::string ErrorOf(PayloadType type, const std::string& body_hex) {
  return std::string(ParseMessage(Wrap(type, WrapOne(body_hex))).status().message());
}
template <typename T>
T ParseOne(PayloadType type, const std::string& body_hex) {
  const auto message = ParseMessage(Wrap(type, WrapOne(body_hex)));
  EXPECT_TRUE(message.ok()) << message.status();
  return *message->Find<T>();
}

TEST(MessageTest, HeaderRoundTrip) {
  for (bool initiator : {false, true}) {
    for (bool response : {false, true}) {
      Header header = kHeader;
      header.from_initiator = initiator;
      header.response = response;
      const auto parsed = ParseHeader(EncodeMessage(header, {}));
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      EXPECT_EQ(parsed->initiator_spi, header.initiator_spi);
      EXPECT_EQ(parsed->responder_spi, header.responder_spi);
      EXPECT_EQ(parsed->exchange, header.exchange);
      EXPECT_EQ(parsed->from_initiator, initiator);
      EXPECT_EQ(parsed->response, response);
      EXPECT_EQ(parsed->message_id, 1u);
    }
  }
}

// RFC 7296, 3.1: the header of an empty IKE_AUTH request, byte by byte.
TEST(MessageTest, HeaderBytes) {
  EXPECT_EQ(ToHex(EncodeMessage(kHeader, {})),
            "01020304050607081112131415161718"
            "00202308"
            "00000001"
            "0000001c");
}

// What comes out of writing and reading is written again to the same bytes, payload by payload and
// all at once.
TEST(MessageTest, EveryPayloadRoundTrips) {
  const std::vector<Payload> all = EveryPayload();
  for (const Payload& payload : all) {
    const Bytes bytes = EncodeMessage(kHeader, {payload});
    const auto message = ParseMessage(bytes);
    ASSERT_TRUE(message.ok()) << Name(TypeOf(payload)) << message.status();
    ASSERT_EQ(message->payloads.size(), 1u);
    EXPECT_EQ(TypeOf(message->payloads[0]), TypeOf(payload));
    EXPECT_EQ(EncodeMessage(message->header, message->payloads), bytes);
  }
  const Bytes bytes = EncodeMessage(kHeader, all);
  const auto message = ParseMessage(bytes);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->payloads.size(), all.size());
  EXPECT_EQ(EncodeMessage(message->header, message->payloads), bytes);
  EXPECT_EQ(message->Find<SaPayload>()->proposals[0].transforms[0].key_bits, 256);
  EXPECT_EQ(message->FindTs(true)->selectors[0].ToString(), "10.0.0.1/32[udp/1701]");
  EXPECT_TRUE(message->FindTs(false)->selectors[0].ports.is_opaque());
  EXPECT_EQ(message->FindId(false)->identity.ToString(), "192.0.2.1");
}

// A datagram that lost its end: the header's length tells.
TEST(MessageTest, EveryPrefixOfADatagramFails) {
  const Bytes bytes = EncodeMessage(kHeader, EveryPayload());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto status = ParseMessage(ByteSpan(bytes).first(size)).status();
    EXPECT_THAT(std::string(status.message()),
                MatchesRegex("header: [a-zA-Z ]+: found .*, want .*"))
        << size;
  }
}

// With the lengths of header and payload made to fit: the error names the payload and its field.
TEST(MessageTest, EveryPrefixOfAPayloadFailsByName) {
  std::set<std::string> fields;
  for (const Payload& payload : EveryPayload()) {
    const Bytes whole = EncodePayloads({payload}).bytes;
    for (size_t size = 1; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      if (size >= kGenericHeaderBytes) {
        StoreBigEndian<uint16_t>(cut.data() + 2, static_cast<uint16_t>(size));
      }
      const auto message = ParseMessage(Wrap(TypeOf(payload), cut));
      if (message.ok()) continue;  // shorter data is data, and half a list a list
      const std::string text(message.status().message());
      EXPECT_THAT(text, HasSubstr(std::string(Name(TypeOf(payload))) + " payload: "));
      EXPECT_THAT(text, HasSubstr(": found "));
      EXPECT_THAT(text, HasSubstr(", want "));
      fields.insert(text.substr(0, text.find(": found")));
    }
  }
  for (const char* field :
       {"KE payload: payload length", "SA payload: proposal 1: proposal",
        "SA payload: proposal 2: proposal length", "KE payload: key exchange method",
        "IDi payload: identification data", "AUTH payload: authentication method",
        "No payload: nonce", "N payload: SPI", "N payload: notify message type",
        "D payload: number of SPIs", "TSi payload: number of selectors",
        "TSi payload: selector 2: selector", "CP payload: attribute value"}) {
    EXPECT_TRUE(fields.count(field)) << field;
  }
}

// No bit of a message makes the parser read where nothing is; what it takes can be described.
TEST(MessageTest, NoFlippedBitCrashes) {
  const Bytes bytes = EncodeMessage(kHeader, EveryPayload());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto message = ParseMessage(flipped);
    if (message.ok()) {
      EXPECT_FALSE(Describe(*message).empty());
    } else {
      EXPECT_FALSE(message.status().message().empty());
    }
  }
}

// RFC 7296, 2.5: reserved bits and the minor version are ignored, a major version is not.
TEST(MessageTest, VersionsAndReservedBits) {
  Bytes bytes = EncodeMessage(kHeader, {});
  bytes[17] = 0x2f;
  bytes[19] |= 0xc7;
  auto message = ParseMessage(bytes);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->header.minor_version, 15);
  bytes[17] = 0x30;
  const auto header = ParseHeader(bytes);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->major_version, 3);
  EXPECT_THAT(ParseMessage(bytes).status().message(), HasSubstr("major version: found 3, want 2"));
}

// RFC 7296, 2.5.
TEST(MessageTest, UnknownPayloadIsSkippedUnlessCritical) {
  Bytes chain = Hex("29000008 aabbccdd 00000008 00004000");  // type 200, then N(INITIAL_CONTACT)
  auto message = ParseMessage(Wrap(PayloadType{200}, chain));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_FALSE(message->unknown_critical);
  EXPECT_NE(message->FindNotify(NotifyType::kInitialContact), nullptr);
  chain[1] = 0x80;
  message = ParseMessage(Wrap(PayloadType{200}, chain));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->unknown_critical, 200);
  EXPECT_TRUE(message->payloads.empty());
}

// The critical bit of a payload that we know says nothing.
TEST(MessageTest, CriticalBitOfKnownPayloadIsIgnored) {
  const auto message = ParseMessage(Wrap(PayloadType::kNotify, Hex("00800008 00004000")));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->payloads.size(), 1u);
}

TEST(MessageTest, ChainsThatLieAreRefused) {
  EXPECT_THAT(ErrorOf(PayloadType::kEncrypted, "0000"), HasSubstr("SK payload where none may be"));
  EXPECT_THAT(ParseMessage(Wrap(PayloadType::kNotify, Hex("00000003"))).status().message(),
              HasSubstr("N payload: payload length: found 3, want 4 or more"));
  EXPECT_THAT(ParseMessage(Wrap(PayloadType::kNotify, Hex("00000010 00004000"))).status().message(),
              HasSubstr("N payload: payload length: found 16, want 8 or less"));
  EXPECT_THAT(ParseMessage(Wrap(PayloadType::kNone, Hex("00"))).status().message(),
              HasSubstr("1 bytes follow"));
  EXPECT_THAT(ParseMessage(Wrap(PayloadType::kNotify, Hex("29000008 00004000"))).status().message(),
              HasSubstr("N payload: next payload: found 0 bytes"));
}

TEST(MessageTest, LimitsHold) {
  const std::vector<Payload> most(kPayloadsMax, NotifyPayload{.type = NotifyType::kCookie});
  EXPECT_TRUE(ParseMessage(EncodeMessage(kHeader, most)).ok());
  auto more = most;
  more.push_back(more[0]);
  EXPECT_THAT(ParseMessage(EncodeMessage(kHeader, more)).status().message(),
              HasSubstr("number of payloads: found 65, want 64 or fewer"));
  SaPayload sa;
  sa.proposals.resize(kProposalsMax);
  EXPECT_TRUE(ParseMessage(EncodeMessage(kHeader, {Payload(sa)})).ok());
  sa.proposals.resize(kProposalsMax + 1);
  EXPECT_THAT(ParseMessage(EncodeMessage(kHeader, {Payload(sa)})).status().message(),
              HasSubstr("number of proposals"));
}

// RFC 7296, 3.3: an attribute that we do not know spoils its transform only.
TEST(SaPayloadTest, UnknownAttributeIsKept) {
  const auto sa = ParseOne<SaPayload>(
      PayloadType::kSa, "00000020 01010002 0300000c 01000014 800f0100 0000000c 01000014 800e0100");
  ASSERT_EQ(sa.proposals[0].transforms.size(), 2u);
  EXPECT_TRUE(sa.proposals[0].transforms[0].unknown_attribute);
  EXPECT_FALSE(sa.proposals[0].transforms[1].unknown_attribute);
  EXPECT_EQ(sa.proposals[0].transforms[1].key_bits, 256);
}

TEST(SaPayloadTest, ErrorsNameTheField) {
  const auto error = [](const std::string& body) { return ErrorOf(PayloadType::kSa, body); };
  EXPECT_THAT(error(""), HasSubstr("number of proposals: found 0"));
  EXPECT_THAT(error("00000007 01010000"), HasSubstr("proposal 1: proposal length: found 7"));
  EXPECT_THAT(error("02000008 01010000"), HasSubstr("proposal 1: last substructure: found 2"));
  EXPECT_THAT(error("00000009 01010100 aa"), HasSubstr("SPI size: found 1, want 0 or 8 for IKE"));
  EXPECT_THAT(error("00000008 01030000"), HasSubstr("SPI size: found 0, want 4 for ESP and AH"));
  EXPECT_EQ(error("02000008 01010000 00000010 02010001 00000003 01000014"),
            "SA payload: proposal 2: transform 1: transform length: found 3, want 8 or more");
  EXPECT_THAT(error("00000010 01010001 03000008 01000014"),
              HasSubstr("transform 1: last substructure: found 3, want 0"));
  EXPECT_THAT(error("00000010 01010000 00000008 01000014"), HasSubstr("8 bytes follow them"));
}

TEST(TsPayloadTest, UnknownTypesAreSkippedAndFlagged) {
  const auto ts = ParseOne<TsPayload>(
      PayloadType::kTsi, "02000000 09000008 00000000 07000010 0000ffff 0a000000 0a0000ff");
  EXPECT_TRUE(ts.unknown_type);
  ASSERT_EQ(ts.selectors.size(), 1u);
  EXPECT_EQ(ts.selectors[0].ToString(), "10.0.0.0/24");
}

TEST(TsPayloadTest, ErrorsNameTheField) {
  const auto error = [](const std::string& body) { return ErrorOf(PayloadType::kTsr, body); };
  EXPECT_THAT(error("00000000"), HasSubstr("number of selectors: found 0"));
  EXPECT_THAT(error("01000000 07000010 0000ffff 0a000001 0a000000"),
              HasSubstr("selector 1: starting address: found 10.0.0.1, want none after"));
  EXPECT_THAT(error("01000000 07060010 00020001 0a000000 0a000001"),
              HasSubstr("start port: found 2"));
  EXPECT_THAT(error("01000000 07000014 0000ffff 0a000000 0a000001 00000000"),
              HasSubstr("selector length: found 20, want 16"));
  EXPECT_THAT(error("01000000 07000010 0000ffff 0a000000 0a000001 00"),
              HasSubstr("1 bytes follow"));
}

// RFC 7296, 3.10: what is not known is for the engine to ignore, not for the parser.
TEST(NotifyPayloadTest, UnknownTypeAndProtocolAreKept) {
  const auto notify = ParseOne<NotifyPayload>(PayloadType::kNotify, "0902a001 aabb 01");
  EXPECT_EQ(notify.protocol, ProtocolId{9});
  EXPECT_EQ(ToHex(notify.spi), "aabb");
  EXPECT_EQ(Name(notify.type), "notify-40961");
  EXPECT_EQ(ToHex(notify.data), "01");
}

TEST(OtherPayloadsTest, ErrorsNameTheField) {
  EXPECT_EQ(ErrorOf(PayloadType::kNonce, "00"), "No payload: nonce: found 1 bytes, want 16 to 256");
  EXPECT_THAT(ErrorOf(PayloadType::kIdi, "01000000 0a0000"), HasSubstr("want 4 for ID_IPV4_ADDR"));
  EXPECT_THAT(ErrorOf(PayloadType::kIdr, "02000000"),
              HasSubstr("IDr payload: identification data"));
  EXPECT_THAT(ErrorOf(PayloadType::kCertReq, "04 0000"), HasSubstr("want a multiple of 20"));
  EXPECT_THAT(ErrorOf(PayloadType::kDelete, "03040002 c0000001"), HasSubstr("number of SPIs"));
  EXPECT_THAT(ErrorOf(PayloadType::kDelete, "01080001 0102030405060708"), HasSubstr("0 for IKE"));
  EXPECT_THAT(ErrorOf(PayloadType::kConfiguration, "01000000 00010004 0a"),
              HasSubstr("CP payload: attribute value: found 1 bytes, want 4 bytes"));
}

TEST(DescribeTest, ReadsAsTheRfcDoes) {
  auto message = ParseMessage(EncodeMessage(
      kHeader, {IdPayload{true, *Identity::Parse("a")}, AuthPayload{AuthMethod::kSharedKey, {1}},
                ConfigurationPayload{}, NotifyPayload{.type = NotifyType{16396}},
                NotifyPayload{.type = NotifyType{40961}}}));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(Describe(*message), "IKE_AUTH request 1 { IDi AUTH CPRQ N(MOBIKE_SUP) N(40961) }");
  EXPECT_EQ(Name(NotifyType::kNoProposalChosen), "NO_PROPOSAL_CHOSEN");
}

}  // namespace
}  // namespace sekisho::ike
