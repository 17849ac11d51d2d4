/* SPDX-License-Identifier: MIT */
/* Code that blocks, and a thread of somebody else that calls in.
 * Guide: doc/guide/coming-from-asyncio.md. */

#define _GNU_SOURCE 1

#include <pthread.h>
#include <time.h>

#include "../guide/program.h"

static void block(void *arg)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    ++*(int *)arg;
}

static int double_it(void *arg)
{
    must(weir_yield());
    return *(int *)arg * 2;
}

/* A thread that weir knows nothing of: every call works here, and blocks the thread. */
static void *outside(void *arg)
{
    weir_task *task;
    int n = 21, result;
    must(weir_task_start(&task, double_it, &n));
    must(weir_task_join(task, &result, WEIR_NO_DEADLINE));
    printf("from another thread: %d\n", result);
    return arg;
}

static void join(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
}

static int program(void *arg)
{
    (void)arg;
    int n = 6;
    must(weir_blocking(NULL, block, &n, WEIR_NO_DEADLINE)); /* the task waits, no worker does */
    printf("blocked: %d\n", n);

    pthread_t thread;
    if (pthread_create(&thread, NULL, outside, NULL) != 0)
        return WEIR_EAGAIN;
    return weir_blocking(NULL, join, &thread, WEIR_NO_DEADLINE);
}
