/* SPDX-License-Identifier: MIT */
/* Who has waited for a millisecond is handed the mutex, whatever kind of task or thread it is;
 * until then it may be overtaken. */
#include "weir/mutex.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/parker.h"

enum {
    WAITERS = 8,
    FAIR_MS = 1 /* as in mutex.c */
};

struct queue {
    weir_mutex *mutex;
    struct wi_parker *parkers[WAITERS]; /* atomic: each told by its owner before it locks */
    int order[WAITERS];                 /* guarded by mutex */
    int count;                          /* guarded by mutex */
};

struct waiter {
    struct queue *queue;
    int number;
};

static int lock_and_note(void *arg)
{
    struct waiter *self = arg;
    struct queue *queue = self->queue;
    __atomic_store_n(&queue->parkers[self->number], wi_current_parker(), __ATOMIC_SEQ_CST);
    CHECK_EQ(weir_mutex_lock(queue->mutex, WEIR_NO_DEADLINE), 0);
    queue->order[queue->count++] = self->number;
    weir_mutex_unlock(queue->mutex);
    return 0;
}

static void *lock_on_thread(void *arg)
{
    (void)lock_and_note(arg);
    return NULL;
}

/* The mutex is held, so whoever has told its parker and stopped there waits in its queue. */
static void await_stopped(struct queue *queue, int number)
{
    struct wi_parker *parker;
    while ((parker = __atomic_load_n(&queue->parkers[number], __ATOMIC_SEQ_CST)) == NULL ||
           wi_load_seq_cst(&parker->word) < WI_PARKER_PARKED)
        (void)weir_sleep(weir_in_ns(50000));
}

static int hand_over(void *arg)
{
    (void)arg;
    struct queue queue = { .count = 0 };
    struct waiter waiters[WAITERS];
    weir_task *tasks[WAITERS];
    pthread_t threads[WAITERS];
    CHECK_EQ(weir_mutex_create(&queue.mutex), 0);
    CHECK_EQ(weir_mutex_lock(queue.mutex, WEIR_DONT_WAIT), 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ .queue = &queue, .number = i };
        if (i % 2 == 0)
            CHECK_EQ(weir_task_start(&tasks[i], lock_and_note, &waiters[i]), 0);
        else
            CHECK_EQ(pthread_create(&threads[i], NULL, lock_on_thread, &waiters[i]), 0);
        await_stopped(&queue, i);
    }
    IGNORE(weir_sleep(weir_in_ms(FAIR_MS)));
    weir_mutex_unlock(queue.mutex);
    /* The unlocker does not overtake those that have waited long. */
    CHECK_EQ(weir_mutex_lock(queue.mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(queue.count, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(queue.order[i], i);
    weir_mutex_unlock(queue.mutex);
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2 == 0)
            CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
        else
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    weir_mutex_destroy(queue.mutex);
    return 0;
}

struct rival {
    weir_mutex *mutex;
    struct wi_parker *parker; /* atomic: told before it locks */
    bool has_it;              /* guarded by mutex */
};

static int lock_once(void *arg)
{
    struct rival *rival = arg;
    __atomic_store_n(&rival->parker, wi_current_parker(), __ATOMIC_SEQ_CST);
    CHECK_EQ(weir_mutex_lock(rival->mutex, WEIR_NO_DEADLINE), 0);
    rival->has_it = true;
    weir_mutex_unlock(rival->mutex);
    return 0;
}

/* The holder never leaves the mutex alone for longer than it takes to lock it again. */
static int overtake(void *arg)
{
    (void)arg;
    struct rival rival = { .parker = NULL };
    weir_task *task;
    CHECK_EQ(weir_mutex_create(&rival.mutex), 0);
    CHECK_EQ(weir_mutex_lock(rival.mutex, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_task_start(&task, lock_once, &rival), 0);
    struct wi_parker *parker;
    while ((parker = __atomic_load_n(&rival.parker, __ATOMIC_SEQ_CST)) == NULL ||
           wi_load_seq_cst(&parker->word) < WI_PARKER_PARKED)
        IGNORE(weir_yield());
    const weir_time begin = weir_now();
    while (!rival.has_it) {
        weir_mutex_unlock(rival.mutex);
        CHECK_EQ(weir_mutex_lock(rival.mutex, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_mutex_lock(rival.mutex, WEIR_NO_DEADLINE), WEIR_EDEADLK);
        IGNORE(weir_yield());
        CHECK(weir_now() - begin < 20 * WEIR_NS_PER_S);
    }
    weir_mutex_unlock(rival.mutex);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_mutex_destroy(rival.mutex);
    return 0;
}

static void under_each_scheduler(weir_task_fn *body)
{
    const enum weir_scheduler schedulers[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                               WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++) {
        const struct weir_opts opts = { .scheduler = schedulers[i], .workers = 2 };
        run_body_with(&opts, body, NULL);
    }
}

static void it_is_handed_over_first_come_first_served(void **state)
{
    (void)state;
    under_each_scheduler(hand_over);
}

static void who_holds_it_nearly_always_does_not_keep_it_from_others(void **state)
{
    (void)state;
    under_each_scheduler(overtake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_handed_over_first_come_first_served),
        cmocka_unit_test(who_holds_it_nearly_always_does_not_keep_it_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
