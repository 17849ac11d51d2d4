/* SPDX-License-Identifier: MIT */
/* The stack of deferred handlers: its bound, and that a full one runs empty. */
#include "weir/defer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/extras.h"
#include "task/task.h"

static int runs;

static void count(void *arg)
{
    (void)arg;
    runs++;
}

static int defer_too_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < WEIR_DEFERS_MAX; i++)
        CHECK_EQ(weir_defer(count, NULL), 0);
    CHECK_EQ(weir_defer(count, NULL), WEIR_EOVERFLOW);
    weir_defer_pop(false);
    CHECK_EQ(weir_defer(count, NULL), 0);
    CHECK_EQ(wi_task_current()->extras->deferred_count, WEIR_DEFERS_MAX);
    return 0;
}

static void a_full_stack_refuses_and_runs_empty(void **state)
{
    (void)state;
    run_body(defer_too_many, NULL);
    assert_int_equal(runs, WEIR_DEFERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_stack_refuses_and_runs_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
