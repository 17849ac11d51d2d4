/* SPDX-License-Identifier: MIT */
/* All that are queued are woken, by a set that comes with or without those that gave up. */
#include "weir/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 4
};

static void wait_for_it(struct queued *self)
{
    CHECK_EQ(weir_event_wait(self->queue->object, WEIR_NO_DEADLINE), 0);
    queued_served(self);
}

static int set_after_some_gave_up(void *unused)
{
    (void)unused;
    weir_event *event;
    struct queued waiters[WAITERS];
    CHECK_EQ(weir_event_create(&event), 0);
    struct queue queue = { .object = event };
    CHECK_EQ(weir_event_wait(event, weir_in_ns(1000)), WEIR_ETIMEDOUT);
    weir_event_set(event);
    CHECK_EQ(weir_event_wait(event, WEIR_DONT_WAIT), 0);
    weir_event_clear(event);
    CHECK_EQ(weir_event_wait(event, weir_in_ns(1000)), WEIR_ETIMEDOUT);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = wait_for_it, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    weir_event_clear(event); /* it is clear: those that wait stay */
    CHECK_EQ(peek(&queue.served), 0);
    weir_event_set(event);
    weir_event_clear(event); /* they were woken all the same */
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, WAITERS);
    CHECK(!weir_event_is_set(event));
    weir_event_destroy(event);
    return 0;
}

static void who_was_woken_goes_on_though_it_is_cleared(void **state)
{
    (void)state;
    under_each_scheduler(set_after_some_gave_up);
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    weir_event *event;
    CHECK_EQ(weir_event_create(&event), 0);
    struct queue queue = { .object = event };
    struct queued waiter = { .queue = &queue, .fn = wait_for_it };
    queued_start(&waiter, true);
    weir_event_destroy(event);
    return 0;
}

static void destroying_it_under_a_waiter_aborts(void **state)
{
    (void)state;
    expect_misuse_of(destroy_awaited, "weir_event_destroy: so many wait for it (1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_woken_goes_on_though_it_is_cleared),
        cmocka_unit_test(destroying_it_under_a_waiter_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
