#include "bench/pcap_source.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "fastpath/eal.h"

namespace sekisho::bench {
namespace {

// The file format of libpcap, in the machine's byte order.
struct FileHeader {
  uint32_t magic = 0xa1b2c3d4;
  uint16_t major = 2, minor = 4;
  int32_t zone = 0;
  uint32_t accuracy = 0;
  uint32_t snap_bytes = 65'535;
  uint32_t link = 1;  // Ethernet
};
struct RecordHeader {
  uint32_t seconds = 0, microseconds = 0;
  uint32_t captured_bytes, bytes;
};

absl::Status Write(int file, std::span<const Frame> frames) {
  FILE* stream = fdopen(file, "wb");
  if (stream == nullptr) return absl::InternalError("pcap: cannot write a temporary file");
  const FileHeader header;
  bool written = std::fwrite(&header, sizeof(header), 1, stream) == 1;
  for (const Frame& frame : frames) {
    const RecordHeader record = {.captured_bytes = frame.bytes, .bytes = frame.bytes};
    written = written && std::fwrite(&record, sizeof(record), 1, stream) == 1 &&
              std::fwrite(frame.data, frame.bytes, 1, stream) == 1;
  }
  written = std::fclose(stream) == 0 && written;
  return written ? absl::OkStatus()
                 : absl::ResourceExhaustedError("pcap: no room for a temporary file");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PcapSource>> PcapSource::Create(std::span<const Frame> frames,
                                                               rte_mempool* pool) {
  static int made = 0;
  const char* directory = std::getenv("TMPDIR");
  std::string path =
      absl::StrCat(directory != nullptr ? directory : "/tmp", "/sekisho-bench-XXXXXX");
  const int file = mkstemp(path.data());
  if (file < 0) return absl::InternalError(absl::StrCat("pcap: cannot make ", path));
  const absl::Cleanup remove = [&path] { unlink(path.c_str()); };
  SEKISHO_RETURN_IF_ERROR(Write(file, frames));

  std::unique_ptr<PcapSource> source(new PcapSource());
  source->name_ = absl::StrCat("net_pcap", made++);
  SEKISHO_RETURN_IF_ERROR(
      fastpath::ProbeDevice(absl::StrCat(source->name_, ",rx_pcap=", path, ",infinite_rx=1")));
  int error = rte_eth_dev_get_port_by_name(source->name_.c_str(), &source->device_);
  const rte_eth_conf conf = {};
  if (error == 0) error = rte_eth_dev_configure(source->device_, 1, 1, &conf);
  if (error == 0) {
    error = rte_eth_rx_queue_setup(source->device_, 0, 512, static_cast<unsigned>(SOCKET_ID_ANY),
                                   nullptr, pool);
  }
  if (error == 0) {
    error = rte_eth_tx_queue_setup(source->device_, 0, 512, static_cast<unsigned>(SOCKET_ID_ANY),
                                   nullptr);
  }
  if (error == 0) error = rte_eth_dev_start(source->device_);
  if (error != 0) {
    return absl::InternalError(absl::StrCat("pcap: net_pcap does not take ", frames.size(),
                                            " frames: ", rte_strerror(-error)));
  }
  source->started_ = true;
  return source;
}

PcapSource::~PcapSource() {
  if (started_) rte_eth_dev_stop(device_);
  rte_eal_hotplug_remove("vdev", name_.c_str());
}

}  // namespace sekisho::bench
