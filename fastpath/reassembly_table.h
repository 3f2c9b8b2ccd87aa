// fastpath/reassembly_table.h: fragments that wait for the rest of their packet (librte_ip_frag).
//
// Each worker has its own. Bounded in packets, in fragments per packet
// (RTE_LIBRTE_IP_FRAG_MAX_FRAG) and in time; see fastpath/reassemble.h for the stage.
#pragma once

#include <rte_ip_frag.h>

#include <cstdint>
#include <memory>

namespace sekisho::fastpath {

inline constexpr uint32_t kReassemblyPacketsMax = 1024;
inline constexpr uint32_t kReassemblyTimeoutSeconds = 5;

struct ReassemblyTable {
  struct Free {
    void operator()(rte_ip_frag_tbl* freed) const { rte_ip_frag_table_destroy(freed); }
  };
  std::unique_ptr<rte_ip_frag_tbl, Free> table;
  rte_ip_frag_death_row given_up = {};  // fragments that the table let go of
  uint64_t held = 0;                    // fragments in the table
};

}  // namespace sekisho::fastpath
