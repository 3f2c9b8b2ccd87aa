#include "fastpath/ipsec_mb_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <deque>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/sanitizer.h"

namespace sekisho::fastpath {
namespace {

// The loader gives a file that it knows only once, so the copy is another file: one in memory. It
// stays open, as the loader also knows files by their paths, which another would have again.
void* LoadCopy() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&alloc_mb_mgr), &info) == 0) return nullptr;
  const int from = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
  if (from < 0) return nullptr;
  const absl::Cleanup close_from = [from] { close(from); };
  const int copy = memfd_create("ipsec-mb", MFD_CLOEXEC);
  if (copy < 0) return nullptr;
  constexpr size_t kChunk = size_t{1} << 30;
  ssize_t copied;
  while ((copied = sendfile(copy, from, nullptr, kChunk)) > 0) {
  }
  if (copied < 0) return nullptr;
  return dlopen(absl::StrCat("/proc/self/fd/", copy).c_str(),
                RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

IpsecMbLibrary Load() {
  IpsecMbLibrary library;
  // RTLD_DEEPBIND, without which a copy would call the original, is nothing for sanitizers.
  void* const handle = kSanitized ? nullptr : LoadCopy();
  if (handle == nullptr) return library;
  void* const alloc = dlsym(handle, "alloc_mb_mgr");
  void* const free = dlsym(handle, "free_mb_mgr");
  void* const init = dlsym(handle, "init_mb_mgr_auto");
  // The same address: it is not a copy after all.
  if (alloc == nullptr || free == nullptr || init == nullptr ||
      alloc == reinterpret_cast<void*>(&alloc_mb_mgr)) {
    return library;
  }
  library.alloc = reinterpret_cast<decltype(library.alloc)>(alloc);
  library.free = reinterpret_cast<decltype(library.free)>(free);
  library.init = reinterpret_cast<decltype(library.init)>(init);
  library.shared = false;
  return library;
}

}  // namespace

const IpsecMbLibrary& IpsecMbLibraryOf(uint32_t worker) {
  static std::deque<IpsecMbLibrary> libraries;  // whose elements stay where they are
  while (libraries.size() <= worker) libraries.push_back(Load());
  return libraries[worker];
}

}  // namespace sekisho::fastpath
