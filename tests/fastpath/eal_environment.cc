#include "tests/fastpath/eal_environment.h"

#include <gtest/gtest.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>

#include "fastpath/packet_context.h"

namespace sekisho::fastpath {
namespace {

constexpr unsigned kBuffers = 8191;

// Lcores 0 to 3: the first core that this process may use and the last, in turns.
std::string LcoreMap() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  int first = -1, last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (first < 0) first = cpu;
    last = cpu;
  }
  return "0@" + std::to_string(first) + ",1@" + std::to_string(last) + ",2@" +
         std::to_string(first) + ",3@" + std::to_string(last);
}

class EalEnvironment : public testing::Environment {
 public:
  void SetUp() override { EnsureEal(); }
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new EalEnvironment);

}  // namespace

void EnsureEal() {
  static const bool initialised = [] {
    // --no-shconf, as 22.11 refuses --in-memory together with --no-huge.
    static std::string words[] = {"test",     "--no-huge", "--no-shconf",    "--no-pci",
                                  "-m",       "512",       "--no-telemetry", "--log-level=*:error",
                                  "--lcores", LcoreMap()};
    static char* arguments[std::size(words)];
    for (size_t i = 0; i < std::size(words); ++i) arguments[i] = words[i].data();
    if (rte_eal_init(static_cast<int>(std::size(words)), arguments) < 0) {
      std::fprintf(stderr, "no EAL\n");
      std::abort();
    }
    return true;
  }();
  static_cast<void>(initialised);
  static_cast<void>(kEnvironment);
}

bool CreateVdev(const std::string& name, const std::string& arguments) {
  static std::set<std::string> there;
  if (there.contains(name)) return true;
  if (rte_eal_hotplug_add("vdev", name.c_str(), arguments.c_str()) != 0) return false;
  there.insert(name);
  return true;
}

rte_mempool* TestPool() {
  static rte_mempool* const pool = rte_pktmbuf_pool_create(
      "test_packets", kBuffers, 0, sizeof(PacketPrivate), RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) {
    std::fprintf(stderr, "no packet pool\n");
    std::abort();
  }
  return pool;
}

unsigned BuffersInUse() { return rte_mempool_in_use_count(TestPool()); }

}  // namespace sekisho::fastpath
