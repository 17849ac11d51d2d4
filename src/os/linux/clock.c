/* SPDX-License-Identifier: MIT */
/* Clocks on Linux: clock_gettime(2).  The monotonic and the wall clock come from the vdso without
 * a system call; the CPU clocks cost one. */
#define _GNU_SOURCE 1
#include "os/clock.h"

#include <time.h>

#include "base/check.h"

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    const int rc = clock_gettime(clock, &now);
    wi_bug_unless(rc == 0);
    return (int64_t)now.tv_sec * WEIR_NS_PER_S + now.tv_nsec;
}

weir_time wi_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

weir_time wi_clock_coarse(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t wi_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t wi_clock_thread_cpu(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t wi_clock_process_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
