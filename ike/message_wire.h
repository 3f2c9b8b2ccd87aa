// ike/message_wire.h: the fixed parts of a message on the wire (RFC 7296, 3.1, 3.2), for those who
// read and write messages: message_parse.cc, message_encode.cc, message_cipher.cc.
#pragma once

#include "common/bytes.h"
#include "ike/message.h"

namespace sekisho::ike {

inline constexpr size_t kHeaderNextPayloadOffset = 16;
inline constexpr size_t kHeaderLengthOffset = 24;
inline constexpr size_t kGenericHeaderBytes = 4;  // of every payload
inline constexpr uint8_t kFlagInitiator = 0x08;
inline constexpr uint8_t kFlagResponse = 0x20;
inline constexpr uint8_t kCriticalBit = 0x80;

// Writes the 28 bytes of the header; the length is patched when it is known.
void WriteHeader(const Header& header, PayloadType first, ByteWriter& out);

}  // namespace sekisho::ike
