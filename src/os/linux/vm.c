/* SPDX-License-Identifier: MIT */
/* Pages on Linux: mmap(2) and madvise(2), and the probe that finds out how guards are made here.
 *
 * Kernels before 6.13 refuse MADV_GUARD_INSTALL, but user-mode emulators and sandboxes may answer 0
 * and do nothing.  So the probe believes only a write: the kernel itself, in uname(2), is asked to
 * store into the guarded page, which must give EFAULT, and into the page beside it, which must
 * work.  That needs no descriptor, no signal handler and no right that a sandbox withholds.
 *
 * Threads: the probe's answer is one atomic; two threads that race probe twice and agree. */
#define _GNU_SOURCE 1
#include "os/vm.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/file.h"
#include "os/linux/code.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13; the C library's headers are older */
#endif

enum {
    GUARD_UNKNOWN = 0,
    MAP_COUNT_DEFAULT = 65530
};

static wi_atomic_int old_kernel; /* set before any other thread runs */
static wi_atomic_int guard_kind; /* GUARD_UNKNOWN, or enum wi_vm_guard plus one */

size_t wi_vm_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void check_range(const void *address, size_t bytes)
{
    const size_t mask = wi_vm_page_bytes() - 1;
    wi_bug_unless(((uintptr_t)address & mask) == 0);
    wi_bug_unless((bytes & mask) == 0);
}

static int map(size_t bytes, int flags, void **out)
{
    check_range(NULL, bytes);
    wi_bug_unless(bytes > 0);
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
        return wi_os_code();
    *out = address;
    return 0;
}

int wi_vm_map(size_t bytes, void **out)
{
    const int rc = map(bytes, MAP_PRIVATE | MAP_NORESERVE, out);
    if (rc != 0)
        return rc;
    /* One touch of a stack must not cost 2 MiB.  A kernel built without huge pages refuses the
     * advice and needs none. */
    (void)madvise(*out, bytes, MADV_NOHUGEPAGE);
    return 0;
}

int wi_vm_map_shared(size_t bytes, void **out)
{
    return map(bytes, MAP_SHARED, out);
}

void wi_vm_unmap(void *address, size_t bytes)
{
    check_range(address, bytes);
    const int rc = munmap(address, bytes);
    wi_bug_unless_cmp(rc == 0 ? 0 : errno, ==, 0);
}

void wi_vm_trim(void *address, size_t bytes)
{
    check_range(address, bytes);
    const int rc = madvise(address, bytes, MADV_DONTNEED);
    wi_bug_unless_cmp(rc == 0 ? 0 : errno, ==, 0);
}

static int install(void *address, size_t bytes, enum wi_vm_guard kind)
{
    if (kind == WI_VM_GUARD_INSTALL)
        return madvise(address, bytes, MADV_GUARD_INSTALL);
    return mprotect(address, bytes, PROT_NONE);
}

static bool kernel_can_store(void *address)
{
    return syscall(SYS_uname, address) == 0;
}

static bool guard_works(enum wi_vm_guard kind)
{
    const size_t page = wi_vm_page_bytes();
    wi_bug_unless_cmp(page, >=, sizeof(struct utsname));
    void *pages;
    if (wi_vm_map(2 * page, &pages) != 0)
        return false;
    const bool works = install(pages, page, kind) == 0 && !kernel_can_store(pages) &&
                       kernel_can_store((char *)pages + page);
    wi_vm_unmap(pages, 2 * page);
    return works;
}

static enum wi_vm_guard probe(void)
{
    if (!wi_os_old_kernel_forced() && guard_works(WI_VM_GUARD_INSTALL))
        return WI_VM_GUARD_INSTALL;
    return guard_works(WI_VM_GUARD_MPROTECT) ? WI_VM_GUARD_MPROTECT : WI_VM_GUARD_NONE;
}

enum wi_vm_guard wi_vm_guard_kind(void)
{
    int known = wi_load_relaxed(&guard_kind);
    if (known == GUARD_UNKNOWN) {
        known = (int)probe() + 1;
        wi_store_relaxed(&guard_kind, known);
    }
    return (enum wi_vm_guard)(known - 1);
}

int wi_vm_guard_install(void *address, size_t bytes, enum wi_vm_guard kind)
{
    check_range(address, bytes);
    if (kind == WI_VM_GUARD_NONE)
        return WEIR_ENOTSUP;
    if (install(address, bytes, kind) == 0)
        return 0;
    return errno == EINVAL ? WEIR_ENOTSUP : wi_os_code();
}

size_t wi_vm_map_count_max(void)
{
    char text[32];
    if (wi_file_read_all("/proc/sys/vm/max_map_count", text, sizeof(text)) <= 0)
        return MAP_COUNT_DEFAULT;
    const long count = strtol(text, NULL, 10);
    return count > 0 ? (size_t)count : MAP_COUNT_DEFAULT;
}

void wi_os_force_old_kernel(bool force)
{
    wi_store_relaxed(&old_kernel, force ? 1 : 0);
    wi_store_relaxed(&guard_kind, GUARD_UNKNOWN);
}

bool wi_os_old_kernel_forced(void)
{
    return wi_load_relaxed(&old_kernel) != 0;
}
