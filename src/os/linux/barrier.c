/* SPDX-License-Identifier: MIT */
/* Barriers on demand: membarrier(2), to which a process registers once; a forked child inherits
 * that.  Missing before Linux 4.14, and forbidden by some seccomp filters. */
#define _GNU_SOURCE 1
#include "os/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"

static wi_atomic_u32 registered;

bool wi_barrier_register(void)
{
    if (wi_load_relaxed(&registered) == 0 &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        wi_store_relaxed(&registered, 1);
    /* The call itself may be forbidden where registering is not. */
    if (wi_load_relaxed(&registered) != 0 &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        wi_store_relaxed(&registered, 0);
    return wi_load_relaxed(&registered) != 0;
}

void wi_barrier_all_threads(void)
{
    if (wi_load_relaxed(&registered) != 0)
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}
