// bench/openssl_esp.h: takes ESP packets apart with OpenSSL, to say whether what the fast path made
// is what it should have made. Shares nothing with it.
#pragma once

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "common/bytes.h"

namespace sekisho::bench {

struct OpenedEsp {
  uint32_t spi = 0;
  uint32_t sequence = 0;
  uint8_t next_header = 0;
  Bytes payload;
};

// `esp` from the SPI to the end of the ICV; keys with their salt. With ESN the high half of the
// sequence number is 0. The error says what is wrong with the packet.
absl::StatusOr<OpenedEsp> OpenWithOpenSsl(const IpsecSuite& suite, ByteSpan encryption_key,
                                          ByteSpan integrity_key, ByteSpan esp);

}  // namespace sekisho::bench
