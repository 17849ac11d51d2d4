/* SPDX-License-Identifier: MIT */
/* Records of tasks: small, type-stable, used again, given back when run and handle have let go. */
#include "task/task.h"

#include <pthread.h>
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

static void a_record_is_used_again_once_run_and_handle_let_go(void **state)
{
    (void)state;
    runtime_open(&loop_opts);
    weir_task *first;
    weir_task *second;
    assert_int_equal(weir_task_start(&first, give_nothing, NULL), 0);
    while (wi_task_count_live() > 0 && !wi_task_is(first, WI_TASK_FINISHED))
        IGNORE(weir_turn(WEIR_DONT_WAIT));
    assert_int_equal(weir_task_start(&second, give_nothing, NULL), 0);
    assert_ptr_not_equal(first, second); /* the handle keeps the record */
    const uint64_t number = wi_task_id(first);
    assert_int_equal(weir_task_join(first, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(weir_task_join(second, NULL, WEIR_NO_DEADLINE), 0);
    weir_task *third;
    assert_int_equal(weir_task_start(&third, give_nothing, NULL), 0);
    assert_true(third == first || third == second);
    assert_true(wi_task_id(third) > number);
    assert_int_equal(weir_task_join(third, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(wi_task_count_live(), 0);
    runtime_close();
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

/* Foreign threads and tasks take records and give them back in all combinations. */
static void *start_from_thread(void *arg)
{
    for (int i = 0; i < 500; i++) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, give_nothing, arg), 0);
        if (i % 2 == 0)
            CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        else
            weir_task_release(task);
    }
    return NULL;
}

static int start_from_task(void *arg)
{
    (void)start_from_thread(arg);
    return 0;
}

static void records_travel_between_workers_and_threads(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 2 };
    pthread_t threads[2];
    runtime_open(&opts);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_go(start_from_task, NULL), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, start_from_thread, NULL), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    while (wi_task_count_live() > 0)
        (void)weir_sleep(weir_in_ms(1));
    assert_int_equal(wi_task_count_started(), 2002);
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
        cmocka_unit_test(a_record_is_used_again_once_run_and_handle_let_go),
        cmocka_unit_test(late_wakes_change_nothing),
        cmocka_unit_test(records_travel_between_workers_and_threads),
        cmocka_unit_test(two_joiners_of_one_task_abort_with_its_number),
        cmocka_unit_test(a_handle_that_was_given_back_aborts_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
