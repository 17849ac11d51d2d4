/* SPDX-License-Identifier: MIT */
/* Python's `multiprocessing.Process(target=task)`: a function in a process of its own.
 *
 * Nothing is shared: each child works on a copy of the memory as it was at the start, and what it
 * changes there its parent never sees.  In return a crash costs one child.  The result that comes
 * back is the exit status, as in Python. */

#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "account.h"

#define PROCESSES_MAX 64
#define LIMIT 600000

static int primes; /* a global, to show whose it is */

static int task(void *arg)
{
    (void)arg;
    primes = count_primes(LIMIT);
    return primes % 100;
}

static int crash(void *arg)
{
    (void)arg;
    abort();
}

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "process: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static weir_process *start(int (*fn)(void *))
{
    fflush(stdout); /* a child must not print what its parent has buffered */
    weir_process *process;
    const int rc = weir_process_start(&process, fn, NULL);
    if (rc < 0)
        fail("start", rc);
    return process;
}

static int join(weir_process *process)
{
    int status;
    const int rc = weir_process_join(process, &status, WEIR_NO_DEADLINE);
    if (rc < 0)
        fail("join", rc);
    return status;
}

int main(void)
{
    const int cores = weir_cores() < PROCESSES_MAX ? weir_cores() : PROCESSES_MAX;
    printf("process: Python's multiprocessing.Process\n");

    const struct account account = account_begin();
    weir_process *processes[PROCESSES_MAX];
    for (int i = 0; i < cores; i++) {
        processes[i] = start(task);
        printf("  process %d started\n", weir_process_id(processes[i]));
    }
    int threads = account_threads(0);
    for (int i = 0; i < cores; i++)
        threads += account_threads(weir_process_id(processes[i]));
    int status = 0;
    for (int i = 0; i < cores; i++)
        status = join(processes[i]);
    printf("  each counted primes and came back with their last two digits: %02d;\n"
           "  the parent's own count is still %d: no memory is shared\n",
           status, primes);
    account_print(&account, 1 + cores, threads);

    status = join(start(crash));
    printf("  one more crashed (signal %d) and took nobody with it\n", -status);
    return status < 0 ? 0 : 1;
}
