/* SPDX-License-Identifier: MIT */
/* A signal goes to the one that has waited longest, whatever kind of task or thread it is. */
#include "weir/cond.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 6
};

static weir_mutex *mutex;

static void wait_for_signal(struct queued *self)
{
    CHECK_EQ(weir_mutex_lock(mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_cond_wait(self->queue->object, mutex, WEIR_NO_DEADLINE), 0);
    queued_served(self);
    weir_mutex_unlock(mutex);
}

static int signal_each(void *unused)
{
    (void)unused;
    weir_cond *cond;
    struct queued waiters[WAITERS];
    CHECK_EQ(weir_mutex_create(&mutex), 0);
    CHECK_EQ(weir_cond_create(&cond), 0);
    struct queue queue = { .object = cond };
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = wait_for_signal, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(peek(&queue.served), i);
        weir_cond_signal(cond);
        await(&queue.served, i + 1);
        CHECK_EQ(queue.order[i], i);
    }
    crowd_join(&queue.crowd);
    weir_cond_destroy(cond);
    weir_mutex_destroy(mutex);
    return 0;
}

static void a_signal_wakes_who_has_waited_longest(void **state)
{
    (void)state;
    under_each_scheduler(signal_each);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_wakes_who_has_waited_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
