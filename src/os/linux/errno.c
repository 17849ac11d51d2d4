/* SPDX-License-Identifier: MIT */
/* The accessor behind weir.h's errno.  glibc declares its own const, so a compiler may keep one
 * thread's address over a wait after which the task runs on another thread.  noipa keeps link-time
 * optimisation from finding out that this is the same function. */
#include <errno.h>

#include "base/atomic.h"
#include "weir/task.h"

#if defined(__clang__)
__attribute__((noinline, optnone))
#else
__attribute__((noipa))
#endif
int *weir_errno_address(void)
{
    wi_compiler_barrier();
    return &errno;
}
