/* SPDX-License-Identifier: MIT */
/* Those that wait are told by the one that runs, whatever kind of task or thread they are. */
#include "weir/once.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 4
};

static weir_once once;
static struct queue queue;
static struct queued waiters[WAITERS];

static int never(void *unused)
{
    (void)unused;
    CHECK(false);
    return 0;
}

static void wait_for_it(struct queued *self)
{
    CHECK_EQ(weir_once_run(&once, never, NULL, WEIR_NO_DEADLINE), 12);
    CHECK(weir_once_done(&once));
    queued_served(self);
}

/* Returns only when all others wait for it. */
static int gather_waiters(void *unused)
{
    (void)unused;
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = wait_for_it, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    CHECK_EQ(peek(&queue.served), 0);
    CHECK(!weir_once_done(&once));
    return 12;
}

static int run_before_others(void *unused)
{
    (void)unused;
    once = (weir_once)WEIR_ONCE_INIT;
    queue = (struct queue){ .object = NULL };
    CHECK_EQ(weir_once_run(&once, gather_waiters, NULL, WEIR_NO_DEADLINE), 12);
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, WAITERS);
    return 0;
}

static void all_that_wait_get_what_the_first_call_gave(void **state)
{
    (void)state;
    under_each_scheduler(run_before_others);
}

static int give_up(void *unused)
{
    (void)unused;
    CHECK_EQ(weir_once_run(&once, never, NULL, weir_in_ms(1)), WEIR_ETIMEDOUT);
    return 0;
}

static int outlast_a_waiter(void *unused)
{
    (void)unused;
    crowd_start(&queue.crowd, 1, 1, give_up, NULL);
    crowd_join(&queue.crowd);
    return 5;
}

static int run_while_others_give_up(void *unused)
{
    (void)unused;
    once = (weir_once)WEIR_ONCE_INIT;
    queue = (struct queue){ .object = NULL };
    CHECK_EQ(weir_once_run(&once, outlast_a_waiter, NULL, WEIR_NO_DEADLINE), 5);
    CHECK_EQ(weir_once_run(&once, never, NULL, WEIR_DONT_WAIT), 5);
    return 0;
}

static void it_ends_though_all_that_waited_gave_up(void **state)
{
    (void)state;
    under_each_scheduler(run_while_others_give_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_wait_get_what_the_first_call_gave),
        cmocka_unit_test(it_ends_though_all_that_waited_gave_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
