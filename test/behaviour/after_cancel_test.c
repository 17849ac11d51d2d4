/* SPDX-License-Identifier: MIT */
/* Functions that wait for a cancellation: they run once, whatever cancels, as a task of their own
 * that is not canceled; who stops one in time is told so. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"

struct tally {
    weir_scope *scope;
    weir_after *after;
    int ready;
    int runs;
    int canceled;
    int cause; /* within the function */
    int proceed;
    uint64_t task_id;
    weir_time left_ns; /* of its ambient deadline */
};

static weir_scope *open_scope(void)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    return scope;
}

static int close_scope(weir_scope *scope)
{
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void count(void *arg)
{
    bump(&((struct tally *)arg)->runs);
}

static int sleep_until_canceled(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->ready);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&tally->canceled);
    return WEIR_ECANCELED;
}

static int give_error(void *arg)
{
    (void)arg;
    return WEIR_EIO;
}

RUN(it_runs_once_when_its_scope_is_canceled)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, scope, count, &tally), 0);
    CHECK_EQ(weir_after_cancel(NULL, NULL, count, &tally), 0); /* the innermost, which is that */
    CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(peek(&tally.runs), 0);
    weir_scope_cancel(scope, WEIR_EPERM);
    weir_scope_cancel(scope, WEIR_EIO);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 2); /* and the close has waited for them */
    return 0;
}

RUN(it_does_not_run_when_the_scope_ends_well)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(weir_after_cancel(NULL, scope, count, &tally), 0);
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.runs, 0);
    return 0;
}

RUN(the_first_error_and_the_closers_deadline_are_cancellations)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, scope, count, &tally), 0);
    CHECK_EQ(weir_go(give_error, NULL), 0);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    CHECK_EQ(tally.runs, 1);
    scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, scope, count, &tally), 0);
    CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    CHECK_EQ(weir_scope_close(scope, weir_in_ms(1)), WEIR_ETIMEDOUT);
    CHECK_EQ(tally.runs, 2);
    return 0;
}

/* Waits for what only its function brings about. */
static int wait_for_the_function(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, NULL, count, tally), 0);
    bump(&tally->ready);
    await(&tally->runs, 1);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    return 0;
}

RUN(it_runs_when_the_task_is_canceled_that_has_the_scope_open)
{
    struct tally tally = { .runs = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, wait_for_the_function, &tally), 0);
    await(&tally.ready, 1);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

static int stand_between(void *arg)
{
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(wait_for_the_function, arg), 0);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    return 0;
}

RUN(it_runs_when_what_lies_farther_out_is_canceled)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(stand_between, &tally), 0);
    await(&tally.ready, 1);
    weir_scope_cancel(scope, WEIR_EPERM);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

RUN(it_runs_at_once_when_the_scope_is_canceled_already)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    weir_scope_cancel(scope, WEIR_EPERM);
    CHECK_EQ(weir_after_cancel(&tally.after, scope, count, &tally), 0);
    CHECK(!weir_after_stop(tally.after));
    await(&tally.runs, 1);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

static void look_around(void *arg)
{
    struct tally *tally = arg;
    tally->cause = weir_cancel_cause();
    tally->task_id = weir_task_id();
    tally->left_ns = weir_deadline() - weir_now();
    CHECK_EQ(weir_sleep(weir_in_ms(1)), 0); /* it may wait */
    CHECK_EQ(weir_go(sleep_until_canceled, tally), WEIR_ECANCELED);
    count(tally);
}

RUN(it_is_a_task_that_is_not_canceled_and_is_waited_for)
{
    struct tally tally = { .cause = 1 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, scope, look_around, &tally), 0);
    weir_scope_cancel(scope, WEIR_EPERM);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    CHECK_EQ(tally.cause, 0);
    CHECK(tally.task_id != 0 && tally.task_id != weir_task_id());
    CHECK(tally.left_ns <= WEIR_DEFER_NS);
    return 0;
}

RUN(one_that_is_stopped_in_time_does_not_run)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    weir_after *other;
    CHECK_EQ(weir_after_cancel(&tally.after, scope, count, &tally), 0);
    CHECK_EQ(weir_after_cancel(&other, scope, count, &tally), 0);
    CHECK(weir_after_stop(tally.after));
    weir_scope_cancel(scope, WEIR_EPERM);
    CHECK(!weir_after_stop(other));
    CHECK(!weir_after_stop(other));
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

static void hold(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->ready);
    await(&tally->proceed, 1);
    count(tally);
}

RUN(stop_does_not_wait_for_one_that_runs)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(&tally.after, scope, hold, &tally), 0);
    weir_scope_cancel(scope, WEIR_EPERM);
    await(&tally.ready, 1);
    CHECK(!weir_after_stop(tally.after));
    CHECK_EQ(peek(&tally.runs), 0);
    post(&tally.proceed, 1);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

static int cancel_scope(void *arg)
{
    weir_scope_cancel(((struct tally *)arg)->scope, WEIR_EPERM);
    return 0;
}

RUN(either_it_was_stopped_or_it_runs)
{
    int stopped = 0;
    for (int round = 0; round < 200; round++) {
        struct tally tally = { .scope = open_scope() };
        weir_task *task;
        CHECK_EQ(weir_after_cancel(&tally.after, tally.scope, count, &tally), 0);
        CHECK_EQ(weir_task_start(&task, cancel_scope, &tally, .detached = true), 0);
        for (int i = round % 4; i > 0; i--)
            (void)weir_yield();
        const bool was_stopped = weir_after_stop(tally.after);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(close_scope(tally.scope), WEIR_EPERM);
        CHECK_EQ(tally.runs, was_stopped ? 0 : 1);
        stopped += was_stopped;
    }
    CHECK(stopped > 0 || model_is_parallel());
    return 0;
}

/* A cancellation that comes as the last child has ended and the scope closes. */
static int close_soon(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_after_cancel(NULL, scope, count, tally), 0);
    bump(&tally->ready);
    const int rc = close_scope(scope);
    CHECK(rc == 0 || rc == WEIR_EPERM);
    tally->cause = rc;
    return 0;
}

RUN(a_cancellation_beside_the_close_runs_it_once_or_not_at_all)
{
    for (int round = 0; round < 200; round++) {
        struct tally tally = { .runs = 0 };
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, close_soon, &tally), 0);
        for (int i = round % 3; i > 0; i--)
            (void)weir_yield();
        weir_task_cancel(task, WEIR_EPERM);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK(tally.runs <= 1);
        CHECK(tally.runs == 0 || tally.cause == WEIR_EPERM);
    }
    return 0;
}

RUN(a_limited_scope_has_room_for_all_of_them)
{
    struct tally tally = { .runs = 0 };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .limit = 1 }), 0);
    CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_after_cancel(NULL, scope, count, &tally), 0);
    weir_scope_cancel(scope, WEIR_EPERM);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 10);
    return 0;
}

RUN(without_a_scope_there_is_nothing_to_wait_for)
{
    struct tally tally = { .runs = 0 };
    CHECK_EQ(weir_after_cancel(&tally.after, NULL, count, &tally), WEIR_ENOTSUP);
    return 0;
}

static void *register_from_a_thread(void *arg)
{
    struct tally *tally = arg;
    CHECK_EQ(weir_after_cancel(NULL, tally->scope, count, tally), 0);
    weir_scope_cancel(tally->scope, WEIR_EPERM);
    return NULL;
}

RUN(plain_threads_register_and_cancel)
{
    struct tally tally = { .scope = open_scope() };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, register_from_a_thread, &tally), 0);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(close_scope(tally.scope), WEIR_EPERM);
    CHECK_EQ(tally.runs, 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_once_when_its_scope_is_canceled),
        cmocka_unit_test(it_does_not_run_when_the_scope_ends_well),
        cmocka_unit_test(the_first_error_and_the_closers_deadline_are_cancellations),
        cmocka_unit_test(it_runs_when_the_task_is_canceled_that_has_the_scope_open),
        cmocka_unit_test(it_runs_when_what_lies_farther_out_is_canceled),
        cmocka_unit_test(it_runs_at_once_when_the_scope_is_canceled_already),
        cmocka_unit_test(it_is_a_task_that_is_not_canceled_and_is_waited_for),
        cmocka_unit_test(one_that_is_stopped_in_time_does_not_run),
        cmocka_unit_test(stop_does_not_wait_for_one_that_runs),
        cmocka_unit_test(either_it_was_stopped_or_it_runs),
        cmocka_unit_test(a_cancellation_beside_the_close_runs_it_once_or_not_at_all),
        cmocka_unit_test(a_limited_scope_has_room_for_all_of_them),
        cmocka_unit_test(without_a_scope_there_is_nothing_to_wait_for),
        cmocka_unit_test(plain_threads_register_and_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
