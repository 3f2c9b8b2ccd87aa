// fastpath/cryptodev_backend.h: the crypto seam over DPDK crypto devices: crypto_aesni_mb,
// crypto_aesni_gcm, crypto_openssl, or hardware.
//
// Each worker has two queue pairs on each device, one per direction, so that what comes back needs
// no sorting. A session lives on the first device whose capabilities run its suite. Operations
// stand in the packets' private areas (packet_context.h).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fastpath/counter.h"
#include "fastpath/crypto_backend.h"

struct rte_mempool;

namespace sekisho::fastpath {

class CryptodevBackend final : public CryptoBackend {
 public:
  static constexpr size_t kDevicesMax = 8;

  struct Config {
    std::vector<std::string> devices;  // DPDK's names, already probed; tried in this order
    uint32_t workers = 1;
    uint32_t sessions_max = 0;   // all directions together
    uint16_t queue_size = 1024;  // operations per queue pair
  };
  // Configures and starts the devices, which nobody else may use. On failure they are left stopped.
  static absl::StatusOr<std::unique_ptr<CryptodevBackend>> Create(const Config& config);
  // Requires: no session and no job left. Stops and closes the devices.
  ~CryptodevBackend() override;
  CryptodevBackend(const CryptodevBackend&) = delete;
  CryptodevBackend& operator=(const CryptodevBackend&) = delete;

  std::string Describe() const override;
  absl::Status CheckSuite(const IpsecSuite& suite) const override;
  absl::StatusOr<CryptoSession> CreateSession(const IpsecSuite& suite, CryptoDirection direction,
                                              ByteSpan encryption_key,
                                              ByteSpan integrity_key) override;
  void FreeSession(const CryptoSession& session) override;
  size_t Submit(WorkerId worker, CryptoDirection direction,
                std::span<const CryptoJob> jobs) override;
  size_t Collect(WorkerId worker, CryptoDirection direction, std::span<rte_mbuf*> mbufs) override;
  uint64_t InFlight(WorkerId worker) const override;

 private:
  struct Device {
    std::string name;
    uint8_t id = 0;
    rte_mempool* sessions = nullptr;
  };
  struct alignas(64) Queue {          // of one worker and direction, over all devices
    std::vector<uint32_t> in_flight;  // per device; worker only
    Counter in_flight_total;          // worker writes, any thread reads
  };

  explicit CryptodevBackend(const Config& config);
  absl::Status StartDevice(const std::string& name);
  bool DeviceRuns(const Device& device, const IpsecSuite& suite) const;
  size_t SubmitTo(size_t device, WorkerId worker, CryptoDirection direction,
                  std::span<rte_crypto_op*> operations);
  static uint16_t QueuePair(WorkerId worker, CryptoDirection direction) {
    return static_cast<uint16_t>(static_cast<uint16_t>(worker) * 2 +
                                 static_cast<uint16_t>(direction));
  }

  const Config config_;
  std::vector<Device> devices_;
  std::vector<Queue> queues_;  // by QueuePair()
};

}  // namespace sekisho::fastpath
