/* SPDX-License-Identifier: MIT */
/* Control blocks: small, and late wakes and handles that were given back do no harm. */
#include "task/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static const struct weir_opts loop_opts = { .scheduler = WEIR_SCHEDULER_LOOP };

static int give_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void a_control_block_is_four_cache_lines(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer() || built_with_address_sanitizer()) {
        print_message("SKIP: the sanitizers keep records of their own in it\n");
        skip();
    }
    assert_int_equal(sizeof(struct weir_task), 256);
}

/* A wake for an ended task, or for its successor in the record, is spurious. */
static int sleep_for_a_while(void *arg)
{
    const weir_time until = weir_in_ms(3);
    CHECK_EQ(weir_sleep(until), 0);
    CHECK(weir_now() >= until);
    bump(arg);
    return 0;
}

static void late_wakes_change_nothing(void **state)
{
    (void)state;
    int slept = 0;
    runtime_open(&loop_opts);
    weir_task *task;
    assert_int_equal(weir_task_start(&task, give_nothing, NULL), 0);
    struct wi_parker *parker = &task->parker;
    assert_int_equal(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    wi_wake(parker);
    for (int i = 0; i < 5; i++)
        assert_int_equal(weir_go(sleep_for_a_while, &slept), 0);
    while (slept < 5) {
        wi_wake(parker);
        IGNORE(weir_turn(weir_in_ns(100000)));
    }
    runtime_close();
}

static int join_twice_body(void *arg)
{
    int result = 0;
    return weir_task_join(arg, &result, WEIR_NO_DEADLINE);
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_NO_DEADLINE);
}

static void join_one_task_twice(void)
{
    runtime_open(&loop_opts);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, wait_for_ever, NULL), 0);
    CHECK_EQ(weir_go(join_twice_body, task), 0);
    CHECK_EQ(weir_go(join_twice_body, task), 0);
    while (weir_turn(weir_in_ms(10)) >= 0) {
    }
}

static void two_joiners_of_one_task_abort_with_its_number(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(join_one_task_twice, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "two callers join one task"));
}

/* The record of a task that runs on must not be given back under it. */
static void release_twice(void)
{
    int slept = 0;
    weir_task *task;
    runtime_open(&loop_opts);
    CHECK_EQ(weir_task_start(&task, sleep_for_a_while, &slept), 0);
    weir_task_release(task);
    weir_task_release(task);
}

static void join_again(void)
{
    weir_task *task;
    runtime_open(&loop_opts);
    CHECK_EQ(weir_task_start(&task, give_nothing, NULL), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    IGNORE(weir_task_join(task, NULL, WEIR_NO_DEADLINE));
}

static void cancel_after_join(void)
{
    weir_task *task;
    runtime_open(&loop_opts);
    CHECK_EQ(weir_task_start(&task, give_nothing, NULL), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    /* The record is that of a task without a handle now. */
    CHECK_EQ(weir_go(give_nothing, NULL), 0);
    weir_task_cancel(task, WEIR_ECANCELED);
}

static void a_handle_that_was_given_back_aborts_its_user(void **state)
{
    (void)state;
    static const struct {
        void (*misuse)(void);
        const char *call;
    } cases[] = {
        { release_twice, "weir_task_release" },
        { join_again, "weir_task_join" },
        { cancel_after_join, "weir_task_cancel" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        assert_int_equal(run_in_child(cases[i].misuse, text, sizeof(text)), 128 + 6);
        assert_non_null(strstr(text, cases[i].call));
        assert_non_null(strstr(text, "the handle was given back before"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_control_block_is_four_cache_lines),
        cmocka_unit_test(late_wakes_change_nothing),
        cmocka_unit_test(two_joiners_of_one_task_abort_with_its_number),
        cmocka_unit_test(a_handle_that_was_given_back_aborts_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
