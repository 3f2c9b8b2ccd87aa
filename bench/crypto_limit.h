// bench/crypto_limit.h: what the cryptography alone costs: Intel IPsec-MB called directly, in the
// way that is best for the suite, on packets of a row's sizes in their order, with one key and a
// burst of buffers that stay in the cache.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/algorithm.h"
#include "fastpath/crypto_backend.h"

namespace sekisho::bench {

class CryptoLimit {
 public:
  // `encrypted_bytes`: of the packets, in turn; what each has between IV and ICV.
  static absl::StatusOr<std::unique_ptr<CryptoLimit>> Create(
      const IpsecSuite& suite, fastpath::CryptoDirection direction,
      const std::vector<uint32_t>& encrypted_bytes);
  virtual ~CryptoLimit() = default;

  // All packets once, one after the other.
  virtual void RunOnce() = 0;
  size_t packets() const { return packets_; }
  // TSC cycles per packet over at least `packets` packets.
  double Measure(size_t packets);

 protected:
  explicit CryptoLimit(size_t packets) : packets_(packets) {}

 private:
  const size_t packets_;  // in RunOnce()
};

}  // namespace sekisho::bench
