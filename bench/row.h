// bench/row.h: what one row of the throughput bench measures.
#pragma once

#include <cstdint>
#include <string>

#include "common/algorithm.h"

namespace sekisho::bench {

enum class Direction : uint8_t { kOut, kIn, kBoth };
enum class Mode : uint8_t { kTunnel, kTransport, kNatT };
enum class PortKind : uint8_t {
  kMemory,  // prepared packets, copied out of an array
  kPcap,    // net_pcap with infinite_rx, and net_null
};

// Of inner IP packets; 0: IMIX, 7:4:1 of 64, 570 and 1400 bytes.
struct Size {
  uint16_t bytes = 0;
  bool is_imix() const { return bytes == 0; }
  std::string ToString() const { return is_imix() ? "imix" : std::to_string(bytes); }
  uint16_t largest() const { return is_imix() ? 1400 : bytes; }
  friend auto operator<=>(const Size&, const Size&) = default;
};

// What a gateway is made for. Rows that agree in it share one.
struct Setup {
  uint32_t sas = 1;  // pairs
  uint32_t policies = 1;
  IpsecSuite suite;
  Mode mode = Mode::kTunnel;
  std::string backend = "ipsec-mb";  // or "cryptodev:" and a device
  uint32_t workers = 1;
  bool jumbo = false;
  bool keeps_decisions = true;    // fastpath/decision_cache.h
  uint32_t flows_per_sa_max = 1;  // of the rows that share it
  friend auto operator<=>(const Setup&, const Setup&) = default;
};

struct Row {
  Setup setup;
  Direction direction = Direction::kOut;
  Size size;
  uint32_t flows_per_sa = 1;
  // Workers on their own cores start and stop around each pass, which must be long beside that.
  bool long_pass = false;
};

inline const char* Name(Direction direction) {
  switch (direction) {
    case Direction::kOut:
      return "out";
    case Direction::kIn:
      return "in";
    case Direction::kBoth:
      return "both";
  }
  return "?";
}
inline const char* Name(Mode mode) {
  switch (mode) {
    case Mode::kTunnel:
      return "tunnel";
    case Mode::kTransport:
      return "transport";
    case Mode::kNatT:
      return "nat-t";
  }
  return "?";
}
inline const char* Name(PortKind port) { return port == PortKind::kMemory ? "memory" : "pcap"; }

}  // namespace sekisho::bench
