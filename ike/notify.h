// ike/notify.h: making notify payloads.
#pragma once

#include <utility>
#include <vector>

#include "common/bytes.h"
#include "ike/message.h"

namespace sekisho::ike {

inline NotifyPayload Notify(NotifyType type, Bytes data = {}) {
  return {.protocol = ProtocolId::kNone, .spi = {}, .type = type, .data = std::move(data)};
}

// About one Child SA, named by the SPI that its sender receives on (RFC 7296, 3.10).
inline NotifyPayload NotifyAbout(NotifyType type, Spi spi) {
  ByteWriter writer;
  writer.WriteU32(spi.value);
  return {.protocol = ProtocolId::kEsp, .spi = std::move(writer).Take(), .type = type, .data = {}};
}

// The group that would have been right (RFC 7296, 1.3).
inline NotifyPayload NotifyInvalidKe(KeyExchangeId wanted) {
  ByteWriter writer;
  writer.WriteU16(static_cast<uint16_t>(wanted));
  return Notify(NotifyType::kInvalidKePayload, std::move(writer).Take());
}

// The SPI field of an ESP notify; 0 if it is not one.
inline Spi SpiOf(const NotifyPayload& notify) {
  ByteReader reader(notify.spi);
  const uint32_t value = reader.ReadU32();
  return {reader.ok() && reader.empty() ? value : 0};
}

inline KeyExchangeId WantedGroup(const NotifyPayload& invalid_ke) {
  ByteReader reader(invalid_ke.data);
  const uint16_t value = reader.ReadU16();
  return reader.ok() ? KeyExchangeId{value} : KeyExchangeId::kNone;
}

}  // namespace sekisho::ike
