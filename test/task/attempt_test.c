/* SPDX-License-Identifier: MIT */
/* The number of the attempt: children take it over, siblings and callers do not see it. */
#include "task/attempt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"

static int see(void *arg)
{
    int *seen = arg;
    *seen = wi_attempt();
    /* What a child sets is its own. */
    CHECK_EQ(wi_attempt_set(7), 0);
    CHECK_EQ(wi_attempt(), 7);
    return 0;
}

static int child_sees(void)
{
    int seen = -1;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, see, &seen), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return seen;
}

RUN(children_take_it_over_and_nobody_else)
{
    CHECK_EQ(wi_attempt(), 0);
    CHECK_EQ(child_sees(), 0);
    CHECK_EQ(wi_attempt(), 0);
    CHECK_EQ(wi_attempt_set(2), 0);
    CHECK_EQ(child_sees(), 2);
    CHECK_EQ(wi_attempt(), 2);
    CHECK_EQ(wi_attempt_set(0), 0);
    CHECK_EQ(child_sees(), 0);
    return 0;
}

static void see_in_a_pool(void *arg)
{
    *(int *)arg = wi_attempt();
}

RUN(blocking_code_has_it_too)
{
    int seen = -1;
    CHECK_EQ(wi_attempt_set(3), 0);
    CHECK_EQ(weir_blocking(NULL, see_in_a_pool, &seen, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(seen, 3);
    return 0;
}

RUN(large_numbers_are_cut)
{
    CHECK_EQ(wi_attempt_set(1000000), 0);
    CHECK_EQ(wi_attempt(), WI_ATTEMPT_MAX);
    return 0;
}

static void a_thread_has_its_own(void **state)
{
    (void)state;
    assert_int_equal(wi_attempt(), 0);
    assert_int_equal(wi_attempt_set(1), 0);
    assert_int_equal(wi_attempt(), 1);
    assert_int_equal(wi_attempt_set(0), 0);
    assert_int_equal(wi_attempt(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_take_it_over_and_nobody_else),
        cmocka_unit_test(blocking_code_has_it_too),
        cmocka_unit_test(large_numbers_are_cut),
        cmocka_unit_test(a_thread_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
