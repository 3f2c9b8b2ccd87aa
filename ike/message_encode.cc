// Writing messages: the mirror of message_parse.cc.

#include "common/check.h"
#include "ike/message.h"
#include "ike/message_wire.h"

namespace sekisho::ike {
namespace {

constexpr uint16_t kKeyLengthAttribute = 0x8000 | 14;  // RFC 7296, 3.3.5: format TV, type 14

// Writes a 16-bit length at `at`: the bytes from `start` to the end.
void PatchLength(ByteWriter& out, size_t at, size_t start) {
  SEKISHO_CHECK(out.size() - start <= 0xffff);
  out.Patch<uint16_t>(at, static_cast<uint16_t>(out.size() - start));
}

void Write(const Transform& transform, bool last, ByteWriter& out) {
  const size_t start = out.size();
  out.WriteU8(last ? 0 : 3);
  out.WriteU8(0);
  out.WriteU16(0);
  out.WriteU8(static_cast<uint8_t>(transform.type));
  out.WriteU8(0);
  out.WriteU16(transform.id);
  if (transform.key_bits != 0) {
    out.WriteU16(kKeyLengthAttribute);
    out.WriteU16(transform.key_bits);
  }
  PatchLength(out, start + 2, start);
}

void Write(const Proposal& proposal, bool last, ByteWriter& out) {
  SEKISHO_CHECK(proposal.spi.size() <= 0xff && proposal.transforms.size() <= 0xff);
  const size_t start = out.size();
  out.WriteU8(last ? 0 : 2);
  out.WriteU8(0);
  out.WriteU16(0);
  out.WriteU8(proposal.number);
  out.WriteU8(static_cast<uint8_t>(proposal.protocol));
  out.WriteU8(static_cast<uint8_t>(proposal.spi.size()));
  out.WriteU8(static_cast<uint8_t>(proposal.transforms.size()));
  out.WriteBytes(proposal.spi);
  for (const Transform& transform : proposal.transforms) {
    Write(transform, &transform == &proposal.transforms.back(), out);
  }
  PatchLength(out, start + 2, start);
}

void Write(const SaPayload& sa, ByteWriter& out) {
  for (const Proposal& proposal : sa.proposals) {
    Write(proposal, &proposal == &sa.proposals.back(), out);
  }
}

void Write(const KePayload& ke, ByteWriter& out) {
  out.WriteU16(static_cast<uint16_t>(ke.method));
  out.WriteU16(0);
  out.WriteBytes(ke.data);
}

void Write(const Identity& identity, ByteWriter& out) {
  out.WriteU8(static_cast<uint8_t>(identity.type));
  out.WriteZeros(3);
  out.WriteBytes(identity.data);
}

void Write(const IdPayload& id, ByteWriter& out) { Write(id.identity, out); }

void Write(const CertPayload& cert, ByteWriter& out) {
  out.WriteU8(cert.encoding);
  out.WriteBytes(cert.data);
}

void Write(const CertReqPayload& request, ByteWriter& out) {
  out.WriteU8(request.encoding);
  out.WriteBytes(request.authorities);
}

void Write(const AuthPayload& auth, ByteWriter& out) {
  out.WriteU8(static_cast<uint8_t>(auth.method));
  out.WriteZeros(3);
  out.WriteBytes(auth.data);
}

void Write(const NoncePayload& nonce, ByteWriter& out) { out.WriteBytes(nonce.data); }

void Write(const NotifyPayload& notify, ByteWriter& out) {
  SEKISHO_CHECK(notify.spi.size() <= 0xff);
  out.WriteU8(static_cast<uint8_t>(notify.protocol));
  out.WriteU8(static_cast<uint8_t>(notify.spi.size()));
  out.WriteU16(static_cast<uint16_t>(notify.type));
  out.WriteBytes(notify.spi);
  out.WriteBytes(notify.data);
}

void Write(const DeletePayload& payload, ByteWriter& out) {
  SEKISHO_CHECK(payload.spis.size() <= 0xffff);
  out.WriteU8(static_cast<uint8_t>(payload.protocol));
  out.WriteU8(payload.protocol == ProtocolId::kIke ? 0 : 4);
  out.WriteU16(static_cast<uint16_t>(payload.spis.size()));
  for (Spi spi : payload.spis) out.WriteU32(spi.value);
}

void Write(const VendorIdPayload& vendor, ByteWriter& out) { out.WriteBytes(vendor.data); }

void Write(const TrafficSelector& selector, ByteWriter& out) {
  const bool v4 = selector.family() == IpFamily::kIpv4;
  out.WriteU8(v4 ? 7 : 8);  // TS_IPV4_ADDR_RANGE, TS_IPV6_ADDR_RANGE
  out.WriteU8(selector.protocol);
  out.WriteU16(v4 ? 16 : 40);
  out.WriteU16(selector.ports.first);
  out.WriteU16(selector.ports.last);
  out.WriteBytes(selector.addresses.first.bytes());
  out.WriteBytes(selector.addresses.last.bytes());
}

void Write(const TsPayload& ts, ByteWriter& out) {
  SEKISHO_CHECK(ts.selectors.size() <= kSelectorsMax);
  out.WriteU8(static_cast<uint8_t>(ts.selectors.size()));
  out.WriteZeros(3);
  for (const TrafficSelector& selector : ts.selectors) Write(selector, out);
}

void Write(const ConfigurationPayload& configuration, ByteWriter& out) {
  out.WriteU8(static_cast<uint8_t>(configuration.type));
  out.WriteZeros(3);
  for (const auto& attribute : configuration.attributes) {
    SEKISHO_CHECK(attribute.value.size() <= 0xffff);
    out.WriteU16(static_cast<uint16_t>(attribute.type) & 0x7fff);
    out.WriteU16(static_cast<uint16_t>(attribute.value.size()));
    out.WriteBytes(attribute.value);
  }
}

// Each payload names the type of the next one, in its first byte (RFC 7296, 3.2).
void WriteChain(const std::vector<Payload>& payloads, ByteWriter& out) {
  for (size_t i = 0; i < payloads.size(); ++i) {
    const size_t start = out.size();
    const PayloadType next = i + 1 < payloads.size() ? TypeOf(payloads[i + 1]) : PayloadType::kNone;
    out.WriteU8(static_cast<uint8_t>(next));
    out.WriteU8(0);  // critical bit: never set on payloads of RFC 7296 (2.5)
    out.WriteU16(0);
    std::visit([&out](const auto& payload) { Write(payload, out); }, payloads[i]);
    PatchLength(out, start + 2, start);
  }
}

PayloadType FirstType(const std::vector<Payload>& payloads) {
  return payloads.empty() ? PayloadType::kNone : TypeOf(payloads.front());
}

}  // namespace

void WriteHeader(const Header& header, PayloadType first, ByteWriter& out) {
  out.WriteU64(header.initiator_spi);
  out.WriteU64(header.responder_spi);
  out.WriteU8(static_cast<uint8_t>(first));
  out.WriteU8(static_cast<uint8_t>(header.major_version << 4 | (header.minor_version & 0xf)));
  out.WriteU8(static_cast<uint8_t>(header.exchange));
  out.WriteU8(static_cast<uint8_t>((header.from_initiator ? kFlagInitiator : 0) |
                                   (header.response ? kFlagResponse : 0)));
  out.WriteU32(header.message_id);
  out.WriteU32(0);
}

Bytes EncodeMessage(const Header& header, const std::vector<Payload>& payloads) {
  ByteWriter out;
  WriteHeader(header, FirstType(payloads), out);
  WriteChain(payloads, out);
  SEKISHO_CHECK(out.size() <= kMessageBytesMax);
  out.Patch<uint32_t>(kHeaderLengthOffset, static_cast<uint32_t>(out.size()));
  return std::move(out).Take();
}

EncodedPayloads EncodePayloads(const std::vector<Payload>& payloads) {
  ByteWriter out;
  WriteChain(payloads, out);
  return {FirstType(payloads), std::move(out).Take()};
}

Bytes EncodeIdBody(const Identity& identity) {
  ByteWriter out;
  Write(identity, out);
  return std::move(out).Take();
}

}  // namespace sekisho::ike
