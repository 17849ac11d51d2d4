/* SPDX-License-Identifier: MIT */
/* Those that wait are told before the callbacks run; the promise keeps the value for them. */
#include "weir/future.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 4
};

static void get(struct queued *self)
{
    int value = 0;
    CHECK_EQ(weir_future_get(self->queue->object, &value, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(value, 6);
    queued_served(self);
}

/* Returns only once all that waited have gone on. */
static void outwait(weir_future *future, void *arg)
{
    struct queue *queue = arg;
    CHECK(future == queue->object);
    await(&queue->served, WAITERS);
}

static int set_with_waiters_and_callbacks(void *unused)
{
    (void)unused;
    weir_promise *promise;
    weir_future *future;
    struct queued waiters[WAITERS];
    const int value = 6;
    CHECK_EQ(weir_future_create(&promise, &future, sizeof(value)), 0);
    struct queue queue = { .object = future };
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = get, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    CHECK_EQ(weir_future_on_done(future, outwait, &queue), 0);
    CHECK_EQ(weir_promise_set(promise, &value), 0);
    CHECK_EQ(queue.served, WAITERS);
    crowd_join(&queue.crowd);
    weir_promise_destroy(promise);
    weir_future_release(future);
    return 0;
}

static void a_callback_may_wait_for_those_that_waited(void **state)
{
    (void)state;
    under_each_scheduler(set_with_waiters_and_callbacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_may_wait_for_those_that_waited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
