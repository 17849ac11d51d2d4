/* SPDX-License-Identifier: MIT */
/* Go's `go handleRequest()`: ten thousand tasks, each written as plain blocking code, on as many
 * threads as there are cores.
 *
 * Each task waits as on a backend, computes a little, and waits again.  While it waits it occupies
 * no thread; while it computes, a worker runs it, and idle workers steal from busy ones. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "account.h"

#define TASKS 10000
#define WAIT_MS 100
#define LIMIT 4000

static atomic_int waiting_now;
static atomic_int waiting_most;
static atomic_int done;

static void wait_as_on_a_backend(void)
{
    const int now = atomic_fetch_add(&waiting_now, 1) + 1;
    int most = atomic_load(&waiting_most);
    while (now > most && !atomic_compare_exchange_weak(&waiting_most, &most, now))
        ;
    (void)!weir_sleep(weir_in_ms(WAIT_MS));
    atomic_fetch_sub(&waiting_now, 1);
}

static int handle_request(void *arg)
{
    (void)arg;
    wait_as_on_a_backend();
    const int primes = count_primes(LIMIT);
    wait_as_on_a_backend();
    atomic_fetch_add(&done, 1);
    return primes;
}

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "go: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

int main(void)
{
    printf("go: Go's go statement, %d tasks\n", TASKS);
    int rc = weir_open(NULL); /* the default: M:N tasks over all cores */
    if (rc < 0)
        fail("open", rc);

    const struct account account = account_begin();
    weir_scope *scope;
    rc = weir_scope_open(&scope, NULL);
    if (rc < 0)
        fail("scope", rc);
    for (int i = 0; i < TASKS; i++) {
        rc = weir_go(handle_request, NULL);
        if (rc < 0)
            fail("go", rc);
    }
    rc = weir_scope_close(scope, WEIR_NO_DEADLINE); /* waits for all of them */
    if (rc < 0)
        fail("a task", rc);

    const int threads = account_threads(0);
    struct weir_runtime_stats stats = { .size = sizeof stats };
    weir_runtime_stats_read(&stats);
    printf("  %d tasks ran to their ends, at most %d of them waiting at the same time,\n"
           "  on %d workers: one for each core, whatever the number of tasks\n",
           atomic_load(&done), atomic_load(&waiting_most), (int)stats.workers);
    account_print(&account, 1, threads);

    rc = weir_close(weir_in_ms(5000));
    if (rc < 0)
        fail("close", rc);
    return 0;
}
