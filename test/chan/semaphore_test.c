/* SPDX-License-Identifier: MIT */
/* Permits go to those that wait in the order of their coming, also past one that gave up. */
#include "weir/semaphore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 6
};

static const int wants[WAITERS] = { 1, 4, 1, 2, 1, 3 };

static void acquire(struct queued *self)
{
    CHECK_EQ(weir_semaphore_acquire(self->queue->object, wants[self->number], WEIR_NO_DEADLINE), 0);
    queued_served(self);
}

static void queue_all(struct queue *queue, struct queued *waiters)
{
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = queue, .fn = acquire, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
}

static int release_one_by_one(void *unused)
{
    (void)unused;
    weir_semaphore *semaphore;
    struct queued waiters[WAITERS];
    CHECK_EQ(weir_semaphore_create(&semaphore, NULL), 0);
    struct queue queue = { .object = semaphore };
    queue_all(&queue, waiters);
    for (int i = 0; i < WAITERS; i++) {
        for (int n = 0; n < wants[i]; n++) {
            CHECK_EQ(peek(&queue.served), i);
            CHECK_EQ(weir_semaphore_available(semaphore), n);
            CHECK_EQ(weir_semaphore_acquire(semaphore, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
            weir_semaphore_release(semaphore, 1);
        }
        await(&queue.served, i + 1);
        CHECK_EQ(queue.order[i], i);
    }
    crowd_join(&queue.crowd);
    CHECK_EQ(weir_semaphore_available(semaphore), 0);
    weir_semaphore_destroy(semaphore);
    return 0;
}

static void one_that_wants_many_is_not_overtaken(void **state)
{
    (void)state;
    under_each_scheduler(release_one_by_one);
}

static int release_all(void *unused)
{
    (void)unused;
    weir_semaphore *semaphore;
    struct queued waiters[WAITERS];
    CHECK_EQ(weir_semaphore_create(&semaphore, NULL), 0);
    struct queue queue = { .object = semaphore };
    queue_all(&queue, waiters);
    weir_semaphore_release(semaphore, 14);
    CHECK_EQ(weir_semaphore_available(semaphore), 2);
    CHECK_EQ(weir_semaphore_acquire(semaphore, 2, WEIR_DONT_WAIT), 0);
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, WAITERS);
    weir_semaphore_destroy(semaphore);
    return 0;
}

static void one_release_serves_as_many_as_it_suffices_for(void **state)
{
    (void)state;
    under_each_scheduler(release_all);
}

static void acquire_in_vain(struct queued *self)
{
    CHECK_EQ(weir_semaphore_acquire(self->queue->object, 4, WEIR_NO_DEADLINE), WEIR_ECANCELED);
}

static int cancel_the_first(void *unused)
{
    (void)unused;
    weir_semaphore *semaphore;
    struct queued waiters[3];
    const struct weir_semaphore_opts opts = { .permits = 3 };
    CHECK_EQ(weir_semaphore_create(&semaphore, &opts), 0);
    struct queue queue = { .object = semaphore };
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct queued){ .queue = &queue,
                                      .fn = i == 0 ? acquire_in_vain : acquire,
                                      .number = 2 * i }; /* those behind it want 1 each */
        queued_start(&waiters[i], i == 2);
    }
    CHECK_EQ(peek(&queue.served), 0);
    weir_task_cancel(queue.crowd.tasks[0], WEIR_EPERM);
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, 2);
    CHECK_EQ(weir_semaphore_available(semaphore), 1);
    CHECK_EQ(weir_semaphore_acquire(semaphore, 1, WEIR_DONT_WAIT), 0);
    weir_semaphore_destroy(semaphore);
    return 0;
}

static void who_is_canceled_lets_those_behind_it_go(void **state)
{
    (void)state;
    under_each_scheduler(cancel_the_first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_wants_many_is_not_overtaken),
        cmocka_unit_test(one_release_serves_as_many_as_it_suffices_for),
        cmocka_unit_test(who_is_canceled_lets_those_behind_it_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
