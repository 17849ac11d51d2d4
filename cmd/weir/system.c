/* SPDX-License-Identifier: MIT */
/* The tool's own door to the operating system: this file and those that begin with system_.
 *
 * The tool stands where a user's program stands: above the public API, outside src/, so src/os is
 * not open to it, and what these functions ask is nothing that a runtime should offer.  They
 * are kept apart so that the rest of the tool is the C library and weir alone. */

#define _POSIX_C_SOURCE 200809L

#include "system.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t thread_cpu_ns(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

void block_thread_ns(int64_t ns)
{
    struct timespec left = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    /* A signal interrupts the sleep and leaves the rest; any other failure would repeat. */
    struct timespec before;
    do {
        before = left;
        if (nanosleep(&left, &left) == 0)
            return;
    } while (left.tv_sec != before.tv_sec || left.tv_nsec != before.tv_nsec);
}

void kill_own_process(void)
{
    (void)raise(SIGKILL);
}

void occupy_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

bool stderr_is_terminal(void)
{
    return isatty(STDERR_FILENO) != 0;
}

void sharpen_timers(void)
{
    /* Refused, timers are as they were. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

int64_t raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    const rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = soft;
    return limit.rlim_cur > 1000000 ? 1000000 : (int64_t)limit.rlim_cur;
}
