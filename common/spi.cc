#include "common/spi.h"

#include "absl/strings/str_format.h"

namespace sekisho {

std::string Spi::ToString() const { return absl::StrFormat("%08x", value); }

}  // namespace sekisho
