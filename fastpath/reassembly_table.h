// fastpath/reassembly_table.h: fragments that wait for the rest of their packet (librte_ip_frag).
//
// Each worker has its own, and in it one table for each origin of packets: who writes in clear from
// outside must neither put a piece into a packet of an inside host or of a tunnel, nor take one of
// theirs into his own, nor use up their room. Each is bounded in packets, in fragments per packet
// (RTE_LIBRTE_IP_FRAG_MAX_FRAG), in fragments per source, and in time; see fastpath/reassemble.h
// for the stage.
//
// Sources share counters by a hash with a secret: who floods takes no more than one share, and
// cannot choose whose. An IPv6 source is its /64, in which a host has as many addresses as it
// likes.
#pragma once

#include <rte_ip_frag.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace sekisho::fastpath {

inline constexpr uint32_t kReassemblyPacketsMax = 1024;
inline constexpr uint32_t kReassemblyTimeoutSeconds = 5;
inline constexpr uint16_t kFragmentsPerSourceMax = 64;
inline constexpr size_t kFragmentSources = 4096;  // counters for each origin

enum class FragmentOrigin : uint8_t { kOutsideClear, kTunnel, kInside };
inline constexpr size_t kFragmentOrigins = 3;

struct ReassemblyTable {
  struct Free {
    void operator()(rte_ip_frag_tbl* freed) const { rte_ip_frag_table_destroy(freed); }
  };
  std::array<std::unique_ptr<rte_ip_frag_tbl, Free>, kFragmentOrigins> tables;  // by origin
  rte_ip_frag_death_row given_up = {};  // fragments that the table let go of
  uint64_t held = 0;                    // fragments in the tables
  uint64_t source_secret = 0;           // odd
  // Fragments in the tables, by origin and hash of their source.
  std::vector<uint16_t> held_by_source;
};

}  // namespace sekisho::fastpath
