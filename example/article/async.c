/* SPDX-License-Identifier: MIT */
/* Python's `async def task()` with asyncio.gather: several waits at the same time on one thread.
 *
 * No function is marked async and no call is marked await: a task is plain C, and every weir call
 * that waits lets the others run.  The scope is the gather: it ends when its tasks have ended, and
 * the first failure cancels the rest. */

#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "account.h"

struct fetch {
    const char *what;
    int ms;
    int result;
};

/* As a query to a service that takes its time. */
static int fetch(void *arg)
{
    struct fetch *fetch = arg;
    const int rc = weir_sleep(weir_in_ms(fetch->ms));
    if (rc < 0) {
        printf("    %s: %s\n", fetch->what, weir_err_text(rc));
        return rc;
    }
    printf("    %s: there after %d ms\n", fetch->what, fetch->ms);
    fetch->result = fetch->ms;
    return 0;
}

/* Runs them all at once and returns when each has ended: gather. */
static int gather(struct fetch *fetches, int count, weir_time deadline)
{
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = weir_go(fetch, &fetches[i], .name = "fetch");
    const int closed = weir_scope_close(scope, deadline);
    return rc < 0 ? rc : closed;
}

static int main_task(void *arg)
{
    (void)arg;
    struct fetch fetches[] = { { "user", 100, 0 }, { "orders", 200, 0 }, { "news", 300, 0 } };
    const struct account account = account_begin();
    int rc = gather(fetches, 3, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += fetches[i].result;
    printf("  %d ms of waiting took %.0f ms\n", sum, account_elapsed(&account) * 1000);
    account_print(&account, 1, account_threads(0));

    struct fetch slow[] = { { "weather", 50, 0 }, { "a service that hangs", 3600000, 0 } };
    rc = gather(slow, 2, weir_in_ms(150));
    printf("  with a deadline of 150 ms for both: %s\n", weir_err_text(rc));
    return rc == WEIR_ETIMEDOUT ? 0 : WEIR_EIO;
}

int main(void)
{
    printf("async: Python's async def and gather, on one thread\n");
    int rc = weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP });
    int result = 0;
    if (rc == 0)
        rc = weir_run(main_task, NULL, &result);
    if (rc == 0)
        rc = weir_close(weir_in_ms(1000));
    if (rc == 0)
        rc = result;
    if (rc < 0) {
        fprintf(stderr, "async: %s\n", weir_err_text(rc));
        return 1;
    }
    return 0;
}
