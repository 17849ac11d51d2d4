/* SPDX-License-Identifier: MIT */
/* Python's `threading.Thread(target=task)`: a function in an OS thread of its own, with the memory
 * of the process in common.
 *
 * In CPython one thread at a time may run Python code, so threads that compute take as long
 * together as one after the other.  Here there is no such lock: as many threads as there are cores
 * do as many times the work in about the time of one. */

#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "account.h"

#define THREADS_MAX 64
#define LIMIT 1200000

static int primes[THREADS_MAX]; /* one place for each thread, so nothing has to be guarded */

static int task(void *arg)
{
    int *result = arg;
    *result = count_primes(LIMIT);
    return 0;
}

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "thread: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

/* Runs the task in that many threads at once and returns the seconds it took. */
static double run_threads(int count)
{
    const weir_time began = weir_now();
    weir_thread *threads[THREADS_MAX];
    for (int i = 0; i < count; i++) {
        const int rc = weir_thread_start(&threads[i], task, &primes[i]);
        if (rc < 0)
            fail("start", rc);
    }
    for (int i = 0; i < count; i++) {
        int result;
        const int rc = weir_thread_join(threads[i], &result, WEIR_NO_DEADLINE);
        if (rc < 0)
            fail("join", rc);
    }
    return (double)(weir_now() - began) / 1e9;
}

int main(void)
{
    const int cores = weir_cores() < THREADS_MAX ? weir_cores() : THREADS_MAX;
    printf("thread: Python's threading.Thread, without a lock around the interpreter\n");

    const double one = run_threads(1);
    printf("  1 thread counted %d primes in %.2f s\n", primes[0], one);

    const struct account account = account_begin();
    const double all = run_threads(cores);
    for (int i = 0; i < cores; i++) {
        if (primes[i] != primes[0])
            fail("the threads disagree", WEIR_EIO);
    }
    printf("  %d threads each counted the same in %.2f s: speed-up %.2f (CPython: 1.0)\n", cores,
           all, one * cores / all);
    account_print(&account, 1, cores + 1);
    return 0;
}
