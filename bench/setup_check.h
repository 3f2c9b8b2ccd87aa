// bench/setup_check.h: would figures that are taken on this machine, so, mean what they seem to?
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sekisho::bench {

// One core that polls, and the NUMA nodes of the ports that it polls (-1: the device does not say).
struct PollingCore {
  unsigned core = 0;
  std::vector<int> port_nodes;
};

// One sentence for each thing that would falsify the figures: ports and core on different NUMA
// nodes, a clock that saves power, a hyper-thread sibling that is ours or busy, a debug build.
// None: fine. `root` stands before /sys and /proc; while `wait` runs siblings are watched.
std::vector<std::string> FindLies(const std::vector<PollingCore>& cores, const std::string& root,
                                  const std::function<void()>& wait);

int NodeOfCore(unsigned core, const std::string& root);  // -1: unknown

}  // namespace sekisho::bench
