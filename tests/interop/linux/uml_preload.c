// What Debian's linux.uml (6.1) cannot be told, as a library to preload.
//
// 1. CPUs whose XSAVE area is larger than the one it was compiled for. It saves and restores the
// guest's FP state with a buffer of fixed size; on CPUs with AMX the host kernel wants the whole
// area (about 11 KiB) on PTRACE_SETREGSET and answers EFAULT, and the guest dies ("ptrace set fp
// regs failed, errno = 14"). Here a short area is padded with zeroes to what the host wants, and
// the XSTATE_BV bits of components that did not fit are cleared, so that those (AMX tiles, which
// nothing in the guest uses) return to their initial state. Where the host takes the short area,
// nothing changes.
//
// 2. NICs given as file descriptors (vecN:transport=fd) are closed when the guest takes the
// interface down, and are gone for good. Descriptors from kKeepFirst up stay open, so that down and
// up works. (Its own TAP transport leaves checksums and segmentation to the host, which nobody can
// turn off: a reader of raw frames would see wrong checksums and packets larger than the MTU.)
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
  kKeepFirst = 200,  // lib/guest.sh passes the NICs from here up
  kXstateBv = 512,   // where the XSAVE header begins
  kHeaderBytes = 64,
};

typedef long ptrace_fn(int, pid_t, void*, void*);

static ptrace_fn* real_ptrace;
static size_t full_size;    // what the host wants; 0 until the first EFAULT
static uint64_t keep_mask;  // components that fit in UML's buffer
static unsigned char area[64 * 1024] __attribute__((aligned(64)));

static int learn(pid_t pid, void* type, size_t have) {
  struct iovec all = {area, sizeof(area)};
  unsigned int size, off, ecx, edx;
  int i;

  if (real_ptrace(PTRACE_GETREGSET, pid, type, &all) != 0) return -1;
  keep_mask = 3;  // x87 and SSE: the legacy area, always there
  for (i = 2; i < 63; i++) {
    __cpuid_count(13, i, size, off, ecx, edx);
    if (size != 0 && (size_t)off + size <= have) keep_mask |= (uint64_t)1 << i;
  }
  full_size = all.iov_len;
  return 0;
}

static long set_xstate(pid_t pid, void* type, struct iovec* in) {
  struct iovec all;
  uint64_t bv;

  if (full_size == 0) {
    long r = real_ptrace(PTRACE_SETREGSET, pid, type, in);

    if (r == 0 || errno != EFAULT || in->iov_len < kXstateBv + kHeaderBytes) return r;
    if (learn(pid, type, in->iov_len) != 0) return -1;
  }
  if (in->iov_len >= full_size || in->iov_len < kXstateBv + kHeaderBytes)
    return real_ptrace(PTRACE_SETREGSET, pid, type, in);
  memcpy(area, in->iov_base, in->iov_len);
  memset(area + in->iov_len, 0, full_size - in->iov_len);
  memcpy(&bv, area + kXstateBv, sizeof(bv));
  bv &= keep_mask;
  memcpy(area + kXstateBv, &bv, sizeof(bv));
  all.iov_base = area;
  all.iov_len = full_size;
  return real_ptrace(PTRACE_SETREGSET, pid, type, &all);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list ap;
  pid_t pid;
  void *addr, *data;

  va_start(ap, request);
  pid = va_arg(ap, pid_t);
  addr = va_arg(ap, void*);
  data = va_arg(ap, void*);
  va_end(ap);
  if (real_ptrace == NULL) {
    void* sym = dlsym(RTLD_NEXT, "ptrace");

    memcpy(&real_ptrace, &sym, sizeof(sym));
  }
  if (request == PTRACE_SETREGSET && (uintptr_t)addr == NT_X86_XSTATE)
    return set_xstate(pid, addr, data);
  return real_ptrace(request, pid, addr, data);
}

int close(int fd) {
  static int (*real_close)(int);

  if (fd >= kKeepFirst) return 0;
  if (real_close == NULL) {
    void* sym = dlsym(RTLD_NEXT, "close");

    memcpy(&real_close, &sym, sizeof(sym));
  }
  return real_close(fd);
}
