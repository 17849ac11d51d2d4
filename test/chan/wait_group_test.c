/* SPDX-License-Identifier: MIT */
/* Reaching 0 wakes all that are queued, also after others gave up, and also if more is added. */
#include "weir/wait_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 4
};

static void wait_for_zero(struct queued *self)
{
    CHECK_EQ(weir_wait_group_wait(self->queue->object, WEIR_NO_DEADLINE), 0);
    queued_served(self);
}

static int finish_after_some_gave_up(void *unused)
{
    (void)unused;
    weir_wait_group *group;
    struct queued waiters[WAITERS];
    CHECK_EQ(weir_wait_group_create(&group), 0);
    struct queue queue = { .object = group };
    weir_wait_group_add(group, 1);
    CHECK_EQ(weir_wait_group_wait(group, weir_in_ns(1000)), WEIR_ETIMEDOUT);
    weir_wait_group_done(group);
    weir_wait_group_add(group, 2);
    CHECK_EQ(weir_wait_group_wait(group, weir_in_ns(1000)), WEIR_ETIMEDOUT);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = wait_for_zero, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    weir_wait_group_done(group);
    weir_wait_group_add(group, 1);
    weir_wait_group_add(group, -1);
    CHECK_EQ(peek(&queue.served), 0);
    weir_wait_group_done(group);
    weir_wait_group_add(group, 1); /* they were woken all the same */
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, WAITERS);
    weir_wait_group_done(group);
    weir_wait_group_destroy(group);
    return 0;
}

static void who_was_woken_goes_on_though_more_is_added(void **state)
{
    (void)state;
    under_each_scheduler(finish_after_some_gave_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_woken_goes_on_though_more_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
