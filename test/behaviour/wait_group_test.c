/* SPDX-License-Identifier: MIT */
/* Wait groups: waiting for 0, use again, deadlines, cancellation, freed at once, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

struct shared {
    weir_wait_group *group;
    int worked;
    int started;
    int returned;
    int expected;
};

static struct shared make(void)
{
    struct shared shared = { .worked = 0 };
    CHECK_EQ(weir_wait_group_create(&shared.group), 0);
    return shared;
}

static int work(void *arg)
{
    struct shared *shared = arg;
    IGNORE(weir_yield());
    bump(&shared->worked);
    weir_wait_group_done(shared->group);
    return 0;
}

static int wait_for_work(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_wait_group_wait(shared->group, WEIR_NO_DEADLINE), 0);
    CHECK(peek(&shared->worked) >= shared->expected);
    bump(&shared->returned);
    return 0;
}

RUN(all_that_wait_go_on_when_all_is_done_again_and_again)
{
    enum {
        WORKERS = 6
    };
    struct shared shared = make();
    CHECK_EQ(weir_wait_group_wait(shared.group, WEIR_DONT_WAIT), 0);
    for (int round = 1; round <= 30; round++) {
        struct crowd crowd = { .task_count = 0 };
        shared.started = 0;
        shared.expected = round * WORKERS;
        weir_wait_group_add(shared.group, WORKERS);
        CHECK_EQ(weir_wait_group_wait(shared.group, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        crowd_start(&crowd, 2, 1, wait_for_work, &shared);
        if (round % 2 == 0)
            await(&shared.started, 3);
        crowd_start(&crowd, WORKERS - 1, 1, work, &shared);
        CHECK_EQ(weir_wait_group_wait(shared.group, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(peek(&shared.worked), shared.expected);
        crowd_join(&crowd);
        CHECK_EQ(shared.returned, round * 3);
    }
    weir_wait_group_destroy(shared.group);
    return 0;
}

static int time_out(void *arg)
{
    struct shared *shared = arg;
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_wait_group_wait(shared->group, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_wait_group_wait(shared->group, 1), WEIR_ETIMEDOUT);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_wait_group_wait(shared->group, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_wait_group_wait(shared->group, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(deadline_and_cancellation_end_the_wait_and_leave_the_count)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    weir_wait_group_add(shared.group, 1);
    crowd_task(&crowd, be_canceled, &shared);
    crowd_start(&crowd, 2, 2, time_out, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    CHECK_EQ(weir_wait_group_wait(shared.group, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_wait_group_done(shared.group);
    CHECK_EQ(weir_wait_group_wait(shared.group, WEIR_DONT_WAIT), 0);
    weir_wait_group_destroy(shared.group);
    return 0;
}

static int finish(void *arg)
{
    weir_wait_group_done(arg);
    return 0;
}

/* The sanitizers see whether the last one touches it after the wait. */
RUN(who_has_waited_may_free_it_at_once)
{
    for (int i = 0; i < 200; i++) {
        weir_wait_group *group;
        struct crowd crowd = { .task_count = 0 };
        CHECK_EQ(weir_wait_group_create(&group), 0);
        weir_wait_group_add(group, 2);
        crowd_task(&crowd, finish, group);
        (i % 4 == 0 ? crowd_thread : crowd_task)(&crowd, finish, group);
        if (i % 3 == 0)
            IGNORE(weir_wait_group_wait(group, weir_in_ns(i * 100)));
        CHECK_EQ(weir_wait_group_wait(group, WEIR_NO_DEADLINE), 0);
        weir_wait_group_destroy(group);
        crowd_join(&crowd);
    }
    return 0;
}

static int finish_what_was_not_begun(void *unused)
{
    (void)unused;
    struct shared shared = make();
    weir_wait_group_add(shared.group, 2);
    weir_wait_group_add(shared.group, -3);
    return 0;
}

static int add_too_much(void *unused)
{
    (void)unused;
    struct shared shared = make();
    weir_wait_group_add(shared.group, INT32_MAX);
    weir_wait_group_add(shared.group, 1);
    return 0;
}

static int destroy_unfinished(void *unused)
{
    (void)unused;
    struct shared shared = make();
    weir_wait_group_add(shared.group, 4);
    weir_wait_group_destroy(shared.group);
    return 0;
}

static void misuse_aborts_and_shows_both_values(void **state)
{
    (void)state;
    expect_misuse_of(finish_what_was_not_begun, "weir_wait_group_add: the count is 2, added -3");
    expect_misuse_of(add_too_much, "weir_wait_group_add: the count is 2147483647, added 1");
    expect_misuse_of(destroy_unfinished, "weir_wait_group_destroy: the count is 4, waiters 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_wait_go_on_when_all_is_done_again_and_again),
        cmocka_unit_test(deadline_and_cancellation_end_the_wait_and_leave_the_count),
        cmocka_unit_test(who_has_waited_may_free_it_at_once),
        cmocka_unit_test(misuse_aborts_and_shows_both_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
