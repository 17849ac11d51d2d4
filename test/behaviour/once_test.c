/* SPDX-License-Identifier: MIT */
/* Once: one call among many, what a failed call means, waiting for it, recursion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

struct shared {
    weir_once once;
    weir_event *go;
    int calls; /* plain: only one caller may be inside */
    int result;
    int started;
    int inside;
};

static struct shared make(int result)
{
    struct shared shared = { .once = WEIR_ONCE_INIT, .result = result };
    CHECK_EQ(weir_event_create(&shared.go), 0);
    return shared;
}

static int initialize(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->inside);
    CHECK_EQ(weir_event_wait(shared->go, WEIR_NO_DEADLINE), 0);
    shared->calls++;
    return shared->result;
}

static int run_it(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    const int rc = weir_once_run(&shared->once, initialize, shared, WEIR_NO_DEADLINE);
    CHECK_EQ(rc, shared->result);
    CHECK_EQ(shared->calls, 1);
    CHECK(weir_once_done(&shared->once));
    return 0;
}

static void run_by_many(int result)
{
    struct shared shared = make(result);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 6, 3, run_it, &shared);
    await(&shared.started, 9);
    await(&shared.inside, 1);
    CHECK(!weir_once_done(&shared.once));
    weir_event_set(shared.go);
    crowd_join(&crowd);
    CHECK_EQ(run_it(&shared), 0);
    CHECK_EQ(weir_once_run(&shared.once, initialize, &shared, WEIR_DONT_WAIT), result);
    CHECK_EQ(shared.calls, 1);
    CHECK_EQ(shared.inside, 1);
    weir_event_destroy(shared.go);
}

RUN(of_many_callers_one_does_it_and_all_get_its_result)
{
    run_by_many(0);
    run_by_many(7);
    return 0;
}

RUN(a_call_that_failed_is_not_tried_again)
{
    run_by_many(WEIR_ENOSPC);
    return 0;
}

static int time_out(void *arg)
{
    struct shared *shared = arg;
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_once_run(&shared->once, initialize, shared, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_once_run(&shared->once, initialize, shared, 1), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_once_run(&shared->once, initialize, shared, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_once_run(&shared->once, initialize, shared, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(who_waits_for_it_may_give_up)
{
    struct shared shared = make(3);
    struct crowd crowd = { .task_count = 0 };
    struct crowd runner = { .task_count = 0 };
    crowd_task(&runner, run_it, &shared);
    await(&shared.inside, 1);
    crowd_task(&crowd, be_canceled, &shared);
    crowd_start(&crowd, 2, 2, time_out, &shared);
    await(&shared.started, 2);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    weir_event_set(shared.go);
    crowd_join(&runner);
    weir_event_destroy(shared.go);
    return 0;
}

static int run_first_when_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    while (weir_cancel_cause() == 0)
        IGNORE(weir_yield());
    CHECK_EQ(weir_once_run(&shared->once, initialize, shared, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(a_canceled_caller_leaves_it_to_others)
{
    struct shared shared = make(5);
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, run_first_when_canceled, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    CHECK(!weir_once_done(&shared.once));
    CHECK_EQ(shared.inside, 0);
    weir_event_set(shared.go);
    CHECK_EQ(run_it(&shared), 0);
    weir_event_destroy(shared.go);
    return 0;
}

static int call_itself(void *arg)
{
    CHECK_EQ(weir_once_run(arg, call_itself, arg, WEIR_NO_DEADLINE), WEIR_EDEADLK);
    CHECK_EQ(weir_once_run(arg, call_itself, arg, WEIR_DONT_WAIT), WEIR_EDEADLK);
    return 9;
}

RUN(a_call_from_inside_is_told_so)
{
    static weir_once once; /* zeroes will do */
    if (!weir_once_done(&once))
        CHECK_EQ(weir_once_run(&once, call_itself, &once, WEIR_NO_DEADLINE), 9);
    CHECK_EQ(weir_once_run(&once, call_itself, &once, WEIR_NO_DEADLINE), 9);
    return 0;
}

static int call_nothing(void *unused)
{
    (void)unused;
    weir_once once = WEIR_ONCE_INIT;
    return weir_once_run(&once, NULL, NULL, WEIR_NO_DEADLINE);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    expect_misuse_of(call_nothing, "expected fn != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_many_callers_one_does_it_and_all_get_its_result),
        cmocka_unit_test(a_call_that_failed_is_not_tried_again),
        cmocka_unit_test(who_waits_for_it_may_give_up),
        cmocka_unit_test(a_canceled_caller_leaves_it_to_others),
        cmocka_unit_test(a_call_from_inside_is_told_so),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
