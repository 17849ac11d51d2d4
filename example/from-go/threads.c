/* SPDX-License-Identifier: MIT */
/* Threads: a task that keeps its own, a call that blocks.  Guide: doc/guide/coming-from-go.md. */

#define _GNU_SOURCE 1

#include <time.h>
#include <unistd.h>

#include "../guide/program.h"

static int keep_thread(void *arg)
{
    (void)arg;
    const pid_t before = gettid();
    must(weir_sleep(weir_in_ms(1)));
    return gettid() == before;
}

static void block(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int program(void *arg)
{
    (void)arg;
    weir_task *task;
    int same;
    must(weir_task_start(&task, keep_thread, NULL, .pinned = true));
    must(weir_task_join(task, &same, WEIR_NO_DEADLINE));
    printf("the same thread after a wait: %s\n", yes_or_no(same));

    must(weir_blocking(NULL, block, NULL, WEIR_NO_DEADLINE)); /* on a thread of a pool */
    printf("blocked for a while\n");
    return 0;
}
