// slowpath/config_values.h: single values of the configuration file. Each error reads
// "found '...', want ...".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/endpoint.h"
#include "common/secret.h"
#include "fastpath/fast_path.h"
#include "fastpath/policy.h"
#include "slowpath/config.h"

namespace sekisho::slowpath {

absl::Status Wanted(absl::string_view found, absl::string_view wanted);

absl::StatusOr<std::string> ParseText(absl::string_view text);  // anything but empty
absl::StatusOr<bool> ParseBool(absl::string_view text);         // true, false, yes, no, on, off
absl::StatusOr<uint64_t> ParseNumber(absl::string_view text, uint64_t least, uint64_t most);
absl::StatusOr<uint64_t> ParseCount(absl::string_view text);  // 1 or more
// "1500", "64K", "100M", "2G": bytes in powers of 1024.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);
// "500ms", "30s", "5m", "4h", "1d".
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text, absl::Duration least,
                                             absl::Duration most);
std::string DurationText(absl::Duration duration);  // as ParseDuration() reads it

absl::StatusOr<DeviceConfig> ParsePortDevice(absl::string_view text);
absl::StatusOr<DeviceConfig> ParseCryptoDevice(absl::string_view text);
absl::StatusOr<fastpath::PortSide> ParsePortSide(absl::string_view text);
absl::StatusOr<fastpath::PolicyAction> ParsePolicyAction(absl::string_view text);
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text, uint16_t default_port);
// "text", "0x<hex>", "0s<base64>". The error never shows the key.
absl::StatusOr<SecretBytes> ParsePsk(absl::string_view text);
// "0x<hex>". The error never shows the key.
absl::StatusOr<SecretBytes> ParseKey(absl::string_view text);

}  // namespace sekisho::slowpath
