// fastpath/ipsec_mb_library.h: Intel IPsec-MB, once for each worker.
//
// Each direct call of the library writes its last error, which is one word of the whole process:
// workers on several cores would take that cache line from each other with every packet. So each
// has a copy of the library loaded, which has a word of its own. (Its jobs keep their error in the
// manager, but cost half as much again as direct calls for GCM.)
#pragma once

#include <intel-ipsec-mb.h>

#include <cstdint>
#include <memory>

namespace sekisho::fastpath {

struct IpsecMbLibrary {
  IMB_MGR* (*alloc)(uint64_t flags) = &alloc_mb_mgr;
  void (*free)(IMB_MGR*) = &free_mb_mgr;
  void (*init)(IMB_MGR*, IMB_ARCH*) = &init_mb_mgr_auto;
  bool shared = true;  // the one that the program is linked with
};

// Slow path. Loaded when it is first asked for, and kept until the program ends. Where no copy can
// be loaded (memory that may not be executed; a sanitizer), the shared one.
const IpsecMbLibrary& IpsecMbLibraryOf(uint32_t worker);

// A manager of the instance that made it.
struct FreeIpsecMbManager {
  const IpsecMbLibrary* library = nullptr;
  void operator()(IMB_MGR* manager) const { library->free(manager); }
};
using IpsecMbManagerPtr = std::unique_ptr<IMB_MGR, FreeIpsecMbManager>;

}  // namespace sekisho::fastpath
