/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_VM_H
#define WI_OS_VM_H

/* Contract: pages.  Addresses and sizes are multiples of wi_vm_page_bytes(). */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

size_t wi_vm_page_bytes(void);

/* Maps zeroed private pages, never huge ones, committed on first touch.
 * 0 or WEIR_ENOMEM. */
WEIR_CHECK int wi_vm_map(size_t bytes, void **out);

/* Maps zeroed pages that forked children share. */
WEIR_CHECK int wi_vm_map_shared(size_t bytes, void **out);

void wi_vm_unmap(void *address, size_t bytes);

/* Gives the pages back to the kernel; the next touch finds zeroes. */
void wi_vm_trim(void *address, size_t bytes);

/* How a guard region is made, best first. */
enum wi_vm_guard {
    WI_VM_GUARD_INSTALL,  /* MADV_GUARD_INSTALL: no extra mapping (Linux 6.13) */
    WI_VM_GUARD_MPROTECT, /* two extra mappings for each guard */
    WI_VM_GUARD_NONE,     /* neither works: callers rely on canaries */
};

/* The best kind that works here, probed once by a write that must fail.  Callers: any thread. */
enum wi_vm_guard wi_vm_guard_kind(void);

/* Makes any access to the region fault with SIGSEGV. 0, WEIR_ENOMEM (too many mappings) or
 * WEIR_ENOTSUP. */
WEIR_CHECK int wi_vm_guard_install(void *address, size_t bytes, enum wi_vm_guard kind);

/* The most mappings that this process may have (vm.max_map_count). */
size_t wi_vm_map_count_max(void);

/* Treats the features of kernels after 5.10 as missing.  Call before any other thread runs. */
void wi_os_force_old_kernel(bool force);
bool wi_os_old_kernel_forced(void);

#endif
