// tests/ike/hex.h: bytes written as hex, spaces allowed: "00 01 0203".
#pragma once

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"

namespace sekisho::ike {

inline Bytes Hex(absl::string_view text) {
  const std::string bytes = absl::HexStringToBytes(absl::StrReplaceAll(text, {{" ", ""}}));
  return Bytes(bytes.begin(), bytes.end());
}

inline std::string ToHex(ByteSpan bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

inline Bytes TextBytes(absl::string_view text) { return Bytes(text.begin(), text.end()); }

}  // namespace sekisho::ike
