/* SPDX-License-Identifier: MIT */
#ifndef WEIR_EXAMPLE_ACCOUNT_H
#define WEIR_EXAMPLE_ACCOUNT_H

/* What the five programs share: a piece of work that costs CPU time, and the account at the end of
 * the processes, threads and cores that were used.  Nothing here is part of weir. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/weir.h>

/* How many primes lie below the limit, found the slow way: every number is divided until it
 * breaks.  Each caller gets the same answer for the same work. */
static inline int count_primes(int limit)
{
    int found = 0;
    for (int number = 2; number < limit; number++) {
        int divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0)
            divisor++;
        if (divisor * divisor > number)
            found++;
    }
    return found;
}

/* Threads of a process now, as the kernel counts them; 0 is the calling process. */
static inline int account_threads(int pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid == 0 ? (int)getpid() : pid);
    FILE *status = fopen(path, "r");
    if (status == NULL)
        return -1;
    char line[256];
    int threads = -1;
    while (threads < 0 && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "Threads:", 8) == 0)
            (void)sscanf(line + 8, "%d", &threads);
    }
    (void)fclose(status);
    return threads;
}

static inline double account_seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* CPU seconds that this process and its ended children have used. */
static inline double account_cpu(void)
{
    double seconds = 0;
    const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        if (getrusage(whose[i], &usage) == 0)
            seconds += account_seconds_of(&usage.ru_utime) + account_seconds_of(&usage.ru_stime);
    }
    return seconds;
}

struct account {
    weir_time began;
    double cpu;
};

static inline struct account account_begin(void)
{
    return (struct account){ .began = weir_now(), .cpu = account_cpu() };
}

static inline double account_elapsed(const struct account *account)
{
    return (double)(weir_now() - account->began) / 1e9;
}

/* One line: what the work took.  Cores is CPU time by the clock on the wall. */
static inline void account_print(const struct account *account, int processes, int threads)
{
    const double elapsed = account_elapsed(account);
    const double cpu = account_cpu() - account->cpu;
    printf("  used: %d process%s, %d thread%s, %.2f of %d cores (%.2f s of CPU time in %.2f s)\n",
           processes, processes == 1 ? "" : "es", threads, threads == 1 ? "" : "s", cpu / elapsed,
           weir_cores(), cpu, elapsed);
}

#endif
