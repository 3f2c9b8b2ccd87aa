#include "bench/setup_check.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sekisho::bench {
namespace {

constexpr double kBusy = 0.1;  // share of its time that a sibling may be

std::string CpuDirectory(const std::string& root, unsigned core) {
  return absl::StrCat(root, "/sys/devices/system/cpu/cpu", core);
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "0,4-6"
std::set<unsigned> ReadList(const std::string& text) {
  std::set<unsigned> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, '-');
    unsigned first = 0, last = 0;
    if (!absl::SimpleAtoi(ends.front(), &first) || !absl::SimpleAtoi(ends.back(), &last)) continue;
    for (unsigned number = first; number <= last; ++number) numbers.insert(number);
  }
  return numbers;
}

std::set<unsigned> SiblingsOf(const std::string& root, unsigned core) {
  std::set<unsigned> siblings =
      ReadList(FirstLine(CpuDirectory(root, core) + "/topology/thread_siblings_list"));
  siblings.erase(core);
  return siblings;
}

struct CpuTime {
  uint64_t busy = 0, all = 0;
};

// proc(5): user nice system idle iowait irq softirq steal ...
std::map<unsigned, CpuTime> ReadCpuTimes(const std::string& root) {
  std::map<unsigned, CpuTime> times;
  std::ifstream file(root + "/proc/stat");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    unsigned core = 0;
    if (name.rfind("cpu", 0) != 0 || !absl::SimpleAtoi(name.substr(3), &core)) continue;
    uint64_t ticks = 0;
    for (int field = 0; field < 8 && words >> ticks; ++field) {
      times[core].all += ticks;
      const bool idle = field == 3 || field == 4;
      if (!idle) times[core].busy += ticks;
    }
  }
  return times;
}

void CheckNodes(const PollingCore& polling, const std::string& root,
                std::vector<std::string>& lies) {
  const int node = NodeOfCore(polling.core, root);
  for (const int port_node : polling.port_nodes) {
    if (node < 0 || port_node < 0 || node == port_node) continue;
    lies.push_back(absl::StrCat("core ", polling.core, " is on NUMA node ", node,
                                " and polls a port on node ", port_node,
                                "; choose a core of the port's node"));
    return;
  }
}

void CheckClock(const PollingCore& polling, const std::string& root,
                std::vector<std::string>& lies) {
  const std::string governor =
      FirstLine(CpuDirectory(root, polling.core) + "/cpufreq/scaling_governor");
  if (governor.empty() || governor == "performance") return;
  lies.push_back(absl::StrCat("the clock of core ", polling.core, " is governed by '", governor,
                              "'; want 'performance'"));
}

}  // namespace

int NodeOfCore(unsigned core, const std::string& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(CpuDirectory(root, core), error)) {
    int node = -1;
    const std::string name = entry.path().filename();
    if (name.rfind("node", 0) == 0 && absl::SimpleAtoi(name.substr(4), &node)) return node;
  }
  return -1;
}

std::vector<std::string> FindLies(const std::vector<PollingCore>& cores, const std::string& root,
                                  const std::function<void()>& wait) {
  std::vector<std::string> lies;
#if !defined(NDEBUG) || !defined(__OPTIMIZE__)
  lies.emplace_back("this is a debug build; want a release build");
#endif
  std::set<unsigned> ours;
  bool any_siblings = false;
  for (const PollingCore& polling : cores) {
    ours.insert(polling.core);
    any_siblings |= !SiblingsOf(root, polling.core).empty();
    CheckNodes(polling, root, lies);
    CheckClock(polling, root, lies);
  }
  if (!any_siblings) return lies;
  std::map<unsigned, CpuTime> before = ReadCpuTimes(root);
  wait();
  std::map<unsigned, CpuTime> after = ReadCpuTimes(root);
  for (const unsigned core : ours) {
    for (const unsigned sibling : SiblingsOf(root, core)) {
      const auto all = static_cast<double>(after[sibling].all - before[sibling].all);
      const auto busy = static_cast<double>(after[sibling].busy - before[sibling].busy);
      if (ours.contains(sibling)) {
        if (sibling > core) {
          lies.push_back(absl::StrCat("cores ", core, " and ", sibling,
                                      " are hyper-threads of one core; choose one of them"));
        }
      } else if (all > 0 && busy > kBusy * all) {
        lies.push_back(absl::StrCat("core ", sibling, ", the hyper-thread sibling of core ", core,
                                    ", is busy; end what runs there"));
      }
    }
  }
  return lies;
}

}  // namespace sekisho::bench
