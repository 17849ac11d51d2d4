/* SPDX-License-Identifier: MIT */
/* Promises and futures: every way from state to state, callbacks, waiting, references, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

struct pair {
    int64_t left;
    int64_t right;
};

struct shared {
    weir_promise *promise;
    weir_future *future;
    int started;
    int got;
    int won;
    int calls;
    int order[8];
    int expected; /* what a get gives */
};

static struct shared make(void)
{
    struct shared shared = { .started = 0 };
    CHECK_EQ(weir_future_create(&shared.promise, &shared.future, sizeof(struct pair)), 0);
    CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_PENDING);
    return shared;
}

static void destroy(struct shared *shared)
{
    weir_promise_destroy(shared->promise);
    weir_future_release(shared->future);
}

static const struct pair value = { .left = 3, .right = -4 };

static int get(void *arg)
{
    struct shared *shared = arg;
    struct pair got = { .left = 0 };
    bump(&shared->started);
    CHECK_EQ(weir_future_get(shared->future, &got, WEIR_NO_DEADLINE), shared->expected);
    CHECK_EQ(got.left, shared->expected == 0 ? value.left : 0);
    CHECK_EQ(got.right, shared->expected == 0 ? value.right : 0);
    bump(&shared->got);
    return 0;
}

/* -- results ---------------------------------------------------------------------------------- */

RUN(all_takers_get_the_value_whenever_they_come)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    struct pair got;
    CHECK_EQ(weir_future_result(shared.future, &got), WEIR_EAGAIN);
    crowd_start(&crowd, 5, 3, get, &shared);
    await(&shared.started, 8);
    CHECK_EQ(peek(&shared.got), 0);
    CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
    CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_DONE);
    crowd_start(&crowd, 2, 1, get, &shared);
    crowd_join(&crowd);
    CHECK_EQ(shared.got, 11);
    CHECK_EQ(weir_future_result(shared.future, &got), 0);
    CHECK_EQ(got.right, value.right);
    CHECK_EQ(weir_future_result(shared.future, NULL), 0);
    CHECK_EQ(weir_future_get(shared.future, NULL, WEIR_DONT_WAIT), 0);
    destroy(&shared);
    return 0;
}

RUN(all_takers_get_the_error)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    shared.expected = WEIR_ENOSPC;
    crowd_start(&crowd, 3, 2, get, &shared);
    await(&shared.started, 5);
    CHECK_EQ(weir_promise_fail(shared.promise, WEIR_ENOSPC), 0);
    CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_DONE);
    crowd_join(&crowd);
    destroy(&shared);
    return 0;
}

RUN(a_promise_that_is_given_up_breaks)
{
    for (int started = 0; started <= 1; started++) {
        struct shared shared = make();
        struct crowd crowd = { .task_count = 0 };
        shared.expected = WEIR_EBROKEN;
        crowd_start(&crowd, 3, 2, get, &shared);
        await(&shared.started, 5);
        if (started)
            CHECK_EQ(weir_promise_start(shared.promise), 0);
        weir_promise_destroy(shared.promise);
        crowd_join(&crowd);
        CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_DONE);
        CHECK_EQ(weir_future_cancel(shared.future), WEIR_EALREADY);
        weir_future_release(shared.future);
    }
    return 0;
}

RUN(a_promise_is_kept_once)
{
    struct shared shared = make();
    const struct pair other = { .left = 9 };
    CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
    CHECK_EQ(weir_promise_set(shared.promise, &other), WEIR_EALREADY);
    CHECK_EQ(weir_promise_fail(shared.promise, WEIR_EIO), WEIR_EALREADY);
    CHECK_EQ(weir_promise_start(shared.promise), WEIR_EALREADY);
    CHECK_EQ(get(&shared), 0);
    destroy(&shared);
    shared = make();
    CHECK_EQ(weir_promise_fail(shared.promise, WEIR_EIO), 0);
    CHECK_EQ(weir_promise_set(shared.promise, &other), WEIR_EALREADY);
    shared.expected = WEIR_EIO;
    CHECK_EQ(get(&shared), 0);
    destroy(&shared);
    return 0;
}

RUN(values_of_any_size_arrive_whole)
{
    static const size_t sizes[] = { 0, 1, 7, 4096, WEIR_FUTURE_VALUE_BYTES_MAX };
    static char sent[WEIR_FUTURE_VALUE_BYTES_MAX];
    static char got[WEIR_FUTURE_VALUE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        weir_promise *promise;
        weir_future *future;
        memset(sent, (int)i + 1, sizes[i]);
        memset(got, 0, sizes[i]);
        CHECK_EQ(weir_future_create(&promise, &future, sizes[i]), 0);
        CHECK_EQ(weir_promise_set(promise, sizes[i] > 0 ? sent : NULL), 0);
        weir_promise_destroy(promise);
        CHECK_EQ(weir_future_get(future, got, WEIR_NO_DEADLINE), 0);
        CHECK(memcmp(sent, got, sizes[i]) == 0);
        weir_future_release(future);
    }
    weir_promise *promise;
    weir_future *future;
    CHECK_EQ(weir_future_create(&promise, &future, WEIR_FUTURE_VALUE_BYTES_MAX + 1), WEIR_EINVAL);
    return 0;
}

/* -- cancellation ----------------------------------------------------------------------------- */

RUN(a_pending_one_can_be_canceled_and_more_than_once)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    shared.expected = WEIR_ECANCELED;
    crowd_start(&crowd, 3, 2, get, &shared);
    await(&shared.started, 5);
    CHECK_EQ(weir_future_cancel(shared.future), 0);
    CHECK_EQ(weir_future_cancel(shared.future), 0);
    CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_CANCELED);
    crowd_join(&crowd);
    CHECK_EQ(weir_promise_start(shared.promise), WEIR_ECANCELED);
    CHECK_EQ(weir_promise_set(shared.promise, &value), WEIR_ECANCELED);
    CHECK_EQ(weir_promise_fail(shared.promise, WEIR_EIO), WEIR_ECANCELED);
    destroy(&shared);
    return 0;
}

RUN(a_running_or_done_one_cannot_be_canceled)
{
    struct shared shared = make();
    CHECK_EQ(weir_promise_start(shared.promise), 0);
    CHECK_EQ(weir_promise_start(shared.promise), WEIR_EALREADY);
    CHECK_EQ(weir_future_state(shared.future), WEIR_FUTURE_RUNNING);
    CHECK_EQ(weir_future_cancel(shared.future), WEIR_EINPROGRESS);
    CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
    CHECK_EQ(weir_future_cancel(shared.future), WEIR_EALREADY);
    CHECK_EQ(get(&shared), 0);
    destroy(&shared);
    return 0;
}

static int set_or_cancel(void *arg)
{
    struct shared *shared = arg;
    if (bump(&shared->started) % 2 == 0)
        bump(weir_promise_set(shared->promise, &value) == 0 ? &shared->won : &shared->calls);
    else
        bump(weir_future_cancel(shared->future) == 0 ? &shared->got : &shared->calls);
    return 0;
}

RUN(of_setting_and_canceling_one_wins)
{
    int sets = 0;
    for (int round = 0; round < 100; round++) {
        struct shared shared = make();
        struct crowd crowd = { .task_count = 0 };
        crowd_start(&crowd, 3, round % 2, set_or_cancel, &shared);
        crowd_join(&crowd);
        CHECK_EQ(shared.won > 0, shared.got == 0);
        CHECK(shared.won <= 1);
        CHECK_EQ(weir_future_state(shared.future),
                 shared.won ? WEIR_FUTURE_DONE : WEIR_FUTURE_CANCELED);
        sets += shared.won;
        destroy(&shared);
    }
    printf("%d of 100 were set\n", sets);
    return 0;
}

/* -- waiting ---------------------------------------------------------------------------------- */

static int time_out(void *arg)
{
    struct shared *shared = arg;
    struct pair got;
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_future_get(shared->future, &got, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_future_get(shared->future, &got, 1), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_future_wait(shared->future, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_future_wait(shared->future, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_future_state(shared->future), WEIR_FUTURE_PENDING);
    CHECK_EQ(weir_future_get(shared->future, NULL, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(deadline_and_cancellation_end_the_wait_not_the_future)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, be_canceled, &shared);
    crowd_start(&crowd, 2, 2, time_out, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
    CHECK_EQ(get(&shared), 0);
    destroy(&shared);
    return 0;
}

/* -- callbacks -------------------------------------------------------------------------------- */

struct note {
    struct shared *shared;
    int number;
};

/* Calls back into the future: no lock is held. */
static void note_call(weir_future *future, void *arg)
{
    struct note *note = arg;
    struct shared *shared = note->shared;
    CHECK(future == shared->future);
    CHECK(weir_future_state(future) >= WEIR_FUTURE_DONE);
    CHECK_EQ(weir_future_result(future, NULL), shared->expected);
    CHECK_EQ(weir_future_cancel(future), shared->expected == WEIR_ECANCELED ? 0 : WEIR_EALREADY);
    shared->order[bump(&shared->calls) - 1] = note->number;
}

static void add_callbacks(struct shared *shared, struct note *notes, int count)
{
    for (int i = 0; i < count; i++) {
        notes[i] = (struct note){ .shared = shared, .number = i };
        CHECK_EQ(weir_future_on_done(shared->future, note_call, &notes[i]), 0);
    }
}

static void call_back(int expected)
{
    struct shared shared = make();
    struct note notes[4];
    struct note late = { .shared = &shared, .number = 7 };
    shared.expected = expected;
    add_callbacks(&shared, notes, 4);
    CHECK_EQ(shared.calls, 0);
    if (expected == 0)
        CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
    else if (expected == WEIR_ECANCELED)
        CHECK_EQ(weir_future_cancel(shared.future), 0);
    else if (expected != WEIR_EBROKEN)
        CHECK_EQ(weir_promise_fail(shared.promise, expected), 0);
    weir_promise_destroy(shared.promise);
    CHECK_EQ(shared.calls, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(shared.order[i], i);
    CHECK_EQ(weir_future_on_done(shared.future, note_call, &late), 0);
    CHECK_EQ(shared.calls, 5);
    CHECK_EQ(shared.order[4], 7);
    weir_future_release(shared.future);
}

RUN(callbacks_run_once_each_in_order_and_late_ones_at_once)
{
    call_back(0);
    call_back(WEIR_EIO);
    call_back(WEIR_EBROKEN);
    call_back(WEIR_ECANCELED);
    return 0;
}

static void count_call(weir_future *future, void *arg)
{
    (void)future;
    bump(arg);
}

static int add_callback(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_future_on_done(shared->future, count_call, &shared->calls), 0);
    return 0;
}

RUN(a_callback_that_races_the_end_runs_once)
{
    for (int round = 0; round < 50; round++) {
        struct shared shared = make();
        struct crowd crowd = { .task_count = 0 };
        crowd_start(&crowd, 2, round % 2, add_callback, &shared);
        for (int i = 0; i < round % 5; i++)
            IGNORE(weir_yield());
        CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
        crowd_join(&crowd);
        CHECK_EQ(shared.calls, 10 * (2 + round % 2));
        destroy(&shared);
    }
    return 0;
}

/* -- references ------------------------------------------------------------------------------- */

static int take_and_release(void *arg)
{
    weir_future *future = arg;
    struct pair got;
    CHECK_EQ(weir_future_get(future, &got, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(got.left, value.left);
    weir_future_release(future);
    return 0;
}

/* The sanitizers see what is left or touched too late. */
RUN(promise_and_futures_may_go_in_any_order)
{
    for (int round = 0; round < 60; round++) {
        struct shared shared = make();
        struct crowd crowd = { .task_count = 0 };
        for (int i = 0; i < 3; i++) {
            weir_future *mine = weir_future_retain(shared.future);
            CHECK(mine == shared.future);
            (i == 0 && round % 4 == 0 ? crowd_thread : crowd_task)(&crowd, take_and_release, mine);
        }
        if (round % 2 == 0)
            weir_future_release(shared.future);
        if (round % 3 == 0)
            IGNORE(weir_yield());
        CHECK_EQ(weir_promise_set(shared.promise, &value), 0);
        weir_promise_destroy(shared.promise);
        crowd_join(&crowd);
        if (round % 2 != 0)
            weir_future_release(shared.future);
    }
    return 0;
}

static int fail_with_success(void *unused)
{
    (void)unused;
    struct shared shared = make();
    return weir_promise_fail(shared.promise, 5);
}

static int set_nothing(void *unused)
{
    (void)unused;
    struct shared shared = make();
    return weir_promise_set(shared.promise, NULL);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    expect_misuse_of(fail_with_success, "expected error < 0, have 5 and 0");
    expect_misuse_of(set_nothing, "expected value != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_takers_get_the_value_whenever_they_come),
        cmocka_unit_test(all_takers_get_the_error),
        cmocka_unit_test(a_promise_that_is_given_up_breaks),
        cmocka_unit_test(a_promise_is_kept_once),
        cmocka_unit_test(values_of_any_size_arrive_whole),
        cmocka_unit_test(a_pending_one_can_be_canceled_and_more_than_once),
        cmocka_unit_test(a_running_or_done_one_cannot_be_canceled),
        cmocka_unit_test(of_setting_and_canceling_one_wins),
        cmocka_unit_test(deadline_and_cancellation_end_the_wait_not_the_future),
        cmocka_unit_test(callbacks_run_once_each_in_order_and_late_ones_at_once),
        cmocka_unit_test(a_callback_that_races_the_end_runs_once),
        cmocka_unit_test(promise_and_futures_may_go_in_any_order),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
