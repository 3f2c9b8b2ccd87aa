// fastpath/tables.h: one generation of what the operator decided: the SPD and the routes.
//
// The slow path builds a generation in a free slot, and sends kSwapTables with the slot's index. A
// worker uses it from then on and answers kTablesSwapped; the slow path frees every earlier
// generation when all workers have answered.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "fastpath/counter.h"
#include "fastpath/route_table.h"
#include "fastpath/spd.h"

namespace sekisho::fastpath {

struct alignas(64) Tables {
  uint64_t generation = 0;   // counted from 1, never the same twice
  std::unique_ptr<Spd> spd;  // never null
  RouteTable routes;
  // Packets per policy, for each worker one array; each worker adds to its own. What was under way
  // when its tables were swapped, and is dropped later, counts by its place in the new list.
  mutable std::array<CounterArray, kWorkersMax> hits;
  mutable std::array<CounterArray, kWorkersMax> drops;  // of the hits
};

// One in use, and some that were swapped in before the worker came round to say so.
inline constexpr uint32_t kTablesSlots = 4;
using TablesSlots = std::array<std::unique_ptr<Tables>, kTablesSlots>;

}  // namespace sekisho::fastpath
