/* SPDX-License-Identifier: MIT */
/* A cancellation that waits until something is saved, and a task that is canceled anyway.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include "../guide/program.h"

static int save(void *arg)
{
    weir_event_set((weir_event *)arg);
    must(weir_sleep(weir_in_ms(1)));
    printf("saved\n");
    return 0;
}

static void clean_up(void *arg)
{
    (void)arg;
    printf("cleaned up\n");
}

static int work(void *arg)
{
    must(weir_defer(clean_up, NULL));
    must(weir_shield(save, arg, weir_in_ms(60000))); /* returns when save() has, a bound in time */
    return weir_sleep(weir_in_ms(60000));            /* canceled here, if it was canceled there */
}

static int program(void *arg)
{
    (void)arg;
    weir_event *started;
    weir_task *task;
    int result;
    must(weir_event_create(&started));
    must(weir_task_start(&task, work, started));
    must(weir_event_wait(started, WEIR_NO_DEADLINE));
    weir_task_cancel(task, WEIR_ECANCELED);
    must(weir_task_join(task, &result, WEIR_NO_DEADLINE));
    if (result == WEIR_ECANCELED)
        printf("canceled\n");
    weir_event_destroy(started);
    return 0;
}
