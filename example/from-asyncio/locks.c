/* SPDX-License-Identifier: MIT */
/* Mutex, semaphore, event, condition, barrier.  Guide: doc/guide/coming-from-asyncio.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static weir_mutex *mutex;
static int count; /* guarded by mutex */
static bool ready;
static atomic_int inside, most;

static int add_100(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
        const int before = count;
        must(weir_yield()); /* others run, and wait for the mutex */
        count = before + 1;
        weir_mutex_unlock(mutex);
    }
    return 0;
}

static int be_inside(void *arg)
{
    weir_semaphore *semaphore = arg;
    must(weir_semaphore_acquire(semaphore, 1, WEIR_NO_DEADLINE));
    const int now = atomic_fetch_add(&inside, 1) + 1;
    int seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        ;
    must(weir_sleep(weir_in_ms(1)));
    atomic_fetch_sub(&inside, 1);
    weir_semaphore_release(semaphore, 1);
    return 0;
}

static int wait_for_event(void *arg)
{
    return weir_event_wait((weir_event *)arg, WEIR_NO_DEADLINE);
}

static int make_ready(void *arg)
{
    must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
    ready = true;
    weir_cond_signal((weir_cond *)arg);
    weir_mutex_unlock(mutex);
    return 0;
}

static int wait_at_barrier(void *arg)
{
    return weir_barrier_wait((weir_barrier *)arg, WEIR_NO_DEADLINE);
}

/* Runs fn(arg) in so many tasks; which results from 0 to 7 there were, as bits. */
static unsigned run(weir_task_fn *fn, void *arg, size_t tasks)
{
    struct weir_call calls[8];
    for (size_t i = 0; i < tasks; i++)
        calls[i] = (struct weir_call){ .fn = fn, .arg = arg };
    must(weir_gather(calls, tasks, NULL, WEIR_NO_DEADLINE));
    unsigned results = 0;
    for (size_t i = 0; i < tasks; i++)
        results |= 1U << calls[i].result;
    return results;
}

static void be_woken(weir_event *event)
{
    weir_scope *waiters;
    must(weir_scope_open(&waiters, NULL));
    must(weir_go(wait_for_event, event));
    must(weir_go(wait_for_event, event));
    weir_event_set(event);
    must(weir_scope_close(waiters, WEIR_NO_DEADLINE));
    printf("both woken, still set: %s\n", weir_event_is_set(event) ? "True" : "False");
}

static void wait_for_ready(weir_cond *cond)
{
    weir_task *task;
    must(weir_task_start(&task, make_ready, cond));
    must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
    while (!ready)
        must(weir_cond_wait(cond, mutex, WEIR_NO_DEADLINE));
    weir_mutex_unlock(mutex);
    must(weir_task_join(task, NULL, WEIR_NO_DEADLINE));
    printf("ready: %s\n", ready ? "True" : "False");
}

static int program(void *arg)
{
    (void)arg;
    weir_semaphore *semaphore;
    weir_event *event;
    weir_cond *cond;
    weir_barrier *barrier;
    must(weir_mutex_create(&mutex));
    must(weir_semaphore_create(&semaphore, &(struct weir_semaphore_opts){ .permits = 2 }));
    must(weir_event_create(&event));
    must(weir_cond_create(&cond));
    must(weir_barrier_create(&barrier, 3));

    run(add_100, NULL, 4);
    printf("count: %d\n", count);
    run(be_inside, semaphore, 6);
    printf("at most 2 inside: %s\n", atomic_load(&most) <= 2 ? "True" : "False");
    be_woken(event);
    wait_for_ready(cond);
    if (run(wait_at_barrier, barrier, 3) == 7) /* each of 0, 1, 2 came out */
        printf("places: 0 1 2\n");

    weir_barrier_destroy(barrier);
    weir_cond_destroy(cond);
    weir_event_destroy(event);
    weir_semaphore_destroy(semaphore);
    weir_mutex_destroy(mutex);
    return 0;
}
