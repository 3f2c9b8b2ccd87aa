// bench/generate.h: --generate: rates and latency between real ports.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "bench/options.h"
#include "bench/row.h"

namespace sekisho::bench {

// Requires: an EAL that knows the devices. `rows` share one setup.
absl::Status Generate(const Options& options, const std::vector<Row>& rows);

}  // namespace sekisho::bench
