// tests/fastpath/eal_environment.h: one EAL for a test program: ordinary memory, no devices but the
// vdevs that tests ask for, no root. Linking the .cc is enough: it is a GoogleTest environment.
#pragma once

#include <rte_mbuf.h>

#include <memory>
#include <string>

namespace sekisho::fastpath {

// Lcores 1 to 3 are worker lcores, on whatever cores there are. Requires: called before any DPDK
// function; the environment calls it before the first test, a benchmark calls it itself.
// Idempotent.
void EnsureEal();

// Makes a vdev unless it is there already: CreateVdev("crypto_aesni_mb0"). False where the driver
// is not installed or refuses.
bool CreateVdev(const std::string& name, const std::string& arguments = "");

// The test program's packet pool, with private areas of PacketPrivate.
rte_mempool* TestPool();

struct FreeMbuf {
  void operator()(rte_mbuf* mbuf) const { rte_pktmbuf_free(mbuf); }
};
using MbufPtr = std::unique_ptr<rte_mbuf, FreeMbuf>;

// How many buffers of TestPool() are out: equal before and after whatever must not leak.
unsigned BuffersInUse();

}  // namespace sekisho::fastpath
