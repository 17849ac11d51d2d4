/* SPDX-License-Identifier: MIT */
/* Timeouts: around several waits, around one, nested, moved, and a cancellation from outside.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include "../guide/program.h"

#define HOUR_MS 3600000

static int hang(weir_time deadline)
{
    weir_event *never;
    must(weir_event_create(&never));
    const int rc = weir_event_wait(never, deadline);
    weir_event_destroy(never);
    return rc;
}

static int in_time(void)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(HOUR_MS));
    return weir_timeout_end(&timeout, weir_sleep(weir_in_ms(1)));
}

static void nested(void)
{
    struct weir_timeout outer, inner;
    weir_timeout_begin(&outer, weir_in_ms(1));
    weir_timeout_begin(&inner, weir_in_ms(HOUR_MS));
    int rc = weir_timeout_end(&inner, hang(WEIR_NO_DEADLINE));
    if (rc == WEIR_ETIMEDOUT)
        printf("the inner one: wrong\n");
    rc = weir_timeout_end(&outer, rc);
    if (rc == WEIR_ETIMEDOUT)
        printf("the outer one passed\n");
}

static int moved(void)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(HOUR_MS));
    must(weir_timeout_move(&timeout, weir_in_ms(1)));
    return weir_timeout_end(&timeout, hang(WEIR_NO_DEADLINE));
}

static int canceled_in_a_timeout(void *arg)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(HOUR_MS));
    weir_event_set((weir_event *)arg);
    return weir_timeout_end(&timeout, hang(WEIR_NO_DEADLINE));
}

static int program(void *arg)
{
    (void)arg;
    if (hang(weir_in_ms(1)) == WEIR_ETIMEDOUT) /* every call that waits has a deadline */
        printf("timed out\n");
    if (in_time() == 0)
        printf("in time\n");
    nested();
    if (moved() == WEIR_ETIMEDOUT)
        printf("moved, and passed\n");

    weir_event *started;
    weir_task *task;
    int result;
    must(weir_event_create(&started));
    must(weir_task_start(&task, canceled_in_a_timeout, started));
    must(weir_event_wait(started, WEIR_NO_DEADLINE));
    weir_task_cancel(task, WEIR_ECANCELED);
    must(weir_task_join(task, &result, WEIR_NO_DEADLINE));
    if (result == WEIR_ECANCELED)
        printf("canceled, not timed out\n");
    weir_event_destroy(started);
    return 0;
}
