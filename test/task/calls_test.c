/* SPDX-License-Identifier: MIT */
/* What a task says of itself: the budget of calls that do not wait, and the same calls outside
 * tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/parker.h"

static const struct weir_opts loop_opts = { .scheduler = WEIR_SCHEDULER_LOOP };

static int set(void *arg)
{
    post(arg, 1);
    return 0;
}

static int spend_the_budget(void *arg)
{
    (void)arg;
    int ran = 0;
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .cap_elems = 1 }), 0);
    CHECK_EQ(weir_yield(), 0); /* a full budget */
    CHECK_EQ(weir_go(set, &ran), 0);
    /* Tries are no waits, whatever their number. */
    for (int i = 0; i < 2 * WI_PARKER_BUDGET; i++) {
        CHECK_EQ(weir_chan_send(ch, NULL, WEIR_DONT_WAIT), 0);
        CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_DONT_WAIT), 0);
    }
    CHECK_EQ(ran, 0);
    int calls = 0;
    while (ran == 0) {
        CHECK_EQ(weir_chan_send(ch, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_NO_DEADLINE), 0);
        calls += 2;
    }
    CHECK(calls >= WI_PARKER_BUDGET - 2 && calls <= WI_PARKER_BUDGET + 2);
    weir_chan_destroy(ch);
    return 0;
}

static void others_run_when_the_budget_of_calls_is_spent(void **state)
{
    (void)state;
    run_body_with(&loop_opts, spend_the_budget, NULL);
}

static int give_seven(void *arg)
{
    (void)arg;
    return 7;
}

static void calls_outside_tasks_do_what_can_be_done(void **state)
{
    (void)state;
    for (int open = 0; open < 2; open++) {
        if (open)
            runtime_open(NULL);
        assert_int_equal(weir_yield(), 0);
        assert_int_equal(weir_cancel_cause(), 0);
        assert_int_equal(weir_shield(give_seven, NULL, WEIR_NO_DEADLINE), 7);
        assert_true(weir_deadline() == WEIR_NO_DEADLINE);
        assert_int_equal(weir_task_id(), 0);
        assert_string_equal(weir_task_name(), "");
        const weir_time until = weir_in_ms(1);
        assert_int_equal(weir_sleep(until), 0);
        assert_true(weir_now() >= until);
        if (open)
            runtime_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_run_when_the_budget_of_calls_is_spent),
        cmocka_unit_test(calls_outside_tasks_do_what_can_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
