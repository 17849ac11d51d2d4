/* SPDX-License-Identifier: MIT */
/* An index is the place in the order of coming; destroying tells how many wait. */
#include "weir/barrier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    PARTIES = 5
};

static int indexes[PARTIES];

static void come(struct queued *self)
{
    indexes[self->number] = weir_barrier_wait(self->queue->object, WEIR_NO_DEADLINE);
}

static int come_in_order(void *unused)
{
    (void)unused;
    weir_barrier *barrier;
    struct queued parties[PARTIES];
    CHECK_EQ(weir_barrier_create(&barrier, PARTIES), 0);
    struct queue queue = { .object = barrier };
    for (int i = 0; i < PARTIES - 1; i++) {
        parties[i] = (struct queued){ .queue = &queue, .fn = come, .number = i };
        queued_start(&parties[i], i % 2 == 1);
    }
    CHECK_EQ(weir_barrier_wait(barrier, WEIR_DONT_WAIT), PARTIES - 1);
    weir_barrier_destroy(barrier); /* the others have not run yet, or only return */
    crowd_join(&queue.crowd);
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(indexes[i], i);
    return 0;
}

static void the_last_to_come_may_free_it_before_the_others_return(void **state)
{
    (void)state;
    under_each_scheduler(come_in_order);
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    weir_barrier *barrier;
    CHECK_EQ(weir_barrier_create(&barrier, PARTIES), 0);
    struct queue queue = { .object = barrier };
    struct queued party = { .queue = &queue, .fn = come };
    queued_start(&party, false);
    weir_barrier_destroy(barrier);
    return 0;
}

static void destroying_it_under_a_waiter_aborts(void **state)
{
    (void)state;
    expect_misuse_of(destroy_awaited, "weir_barrier_destroy: waiting 1, of 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_to_come_may_free_it_before_the_others_return),
        cmocka_unit_test(destroying_it_under_a_waiter_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
