// ike/field_reader.h: a ByteReader that remembers which field of a message was cut, so that the
// error of a parser can name it. For the parsers of this folder only.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"

namespace sekisho::ike {

// "transform length: found 3, want 8 or more".
template <typename Found>
absl::Status FieldError(absl::string_view field, const Found& found, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": found ", found, ", want ", want));
}

// "SA payload: proposal 2: " in front of what an inner parser had to say.
inline absl::Status Annotate(absl::string_view where, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
}

// Field names must live as long as the reader: they are literals.
class FieldReader {
 public:
  explicit FieldReader(ByteSpan bytes) : reader_(bytes) {}

  uint8_t U8(absl::string_view field) { return Read<uint8_t>(field); }
  uint16_t U16(absl::string_view field) { return Read<uint16_t>(field); }
  uint32_t U32(absl::string_view field) { return Read<uint32_t>(field); }
  uint64_t U64(absl::string_view field) { return Read<uint64_t>(field); }
  ByteSpan Take(absl::string_view field, size_t count) {
    Expect(field, count);
    return reader_.ReadBytes(count);
  }
  // Reserved fields are sent as zero and ignored when they come (RFC 7296, 2.5).
  void SkipReserved(size_t count) { Take("reserved", count); }
  ByteSpan Rest() { return reader_.ReadRest(); }

  bool ok() const { return reader_.ok(); }
  bool empty() const { return reader_.empty(); }
  size_t remaining() const { return reader_.remaining(); }
  // The first field that was not there whole; OK if all were.
  absl::Status status() const {
    if (ok()) return absl::OkStatus();
    return FieldError(cut_field_, absl::StrCat(found_, " bytes"), absl::StrCat(want_, " bytes"));
  }

 private:
  template <typename T>
  T Read(absl::string_view field) {
    Expect(field, sizeof(T));
    return reader_.Read<T>();
  }
  void Expect(absl::string_view field, size_t count) {
    if (!reader_.ok() || reader_.remaining() >= count) return;
    cut_field_ = field;
    found_ = reader_.remaining();
    want_ = count;
  }

  ByteReader reader_;
  absl::string_view cut_field_;
  size_t found_ = 0, want_ = 0;
};

}  // namespace sekisho::ike
