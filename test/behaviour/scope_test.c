/* SPDX-License-Identifier: MIT */
/* Scopes: children end before the parent goes on; the first error cancels and is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

struct tally {
    weir_scope *scope;
    int started;
    int ended;
    int canceled;
    int cause;
    int release; /* children of some tests wait for it */
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

static int yield_and_end(void *arg)
{
    struct tally *tally = arg;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_yield(), 0);
    bump(&tally->ended);
    return 0;
}

/* Ends only when canceled; says so. */
static int sleep_until_canceled(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    post(&tally->cause, weir_cancel_cause());
    bump(&tally->canceled);
    return WEIR_ECANCELED;
}

static int fail_with_io(void *arg)
{
    struct tally *tally = arg;
    await(&tally->started, 3);
    return WEIR_EIO;
}

RUN(children_end_before_close_returns)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(weir_go(yield_and_end, &tally), 0);
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.ended, 100);
    return 0;
}

RUN(an_empty_scope_closes_at_once)
{
    CHECK_EQ(weir_scope_close(open_scope(), WEIR_DONT_WAIT), 0);
    return 0;
}

RUN(the_first_error_cancels_the_siblings_and_is_kept)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    CHECK_EQ(weir_go(fail_with_io, &tally), 0);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    CHECK_EQ(tally.canceled, 3);
    CHECK_EQ(tally.cause, WEIR_EIO);
    return 0;
}

static int wait_for_release(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    while (peek(&tally->release) == 0)
        CHECK_EQ(weir_yield(), 0);
    bump(&tally->ended);
    return 0;
}

static int fail_and_release(void *arg)
{
    struct tally *tally = arg;
    await(&tally->started, 2);
    bump(&tally->release);
    return WEIR_EIO;
}

RUN(with_keep_going_an_error_is_kept_and_nobody_canceled)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .keep_going = true }), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(weir_go(wait_for_release, &tally), 0);
    CHECK_EQ(weir_go(fail_and_release, &tally), 0);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    CHECK_EQ(tally.ended, 2);
    return 0;
}

RUN(canceling_reaches_every_child_with_its_cause)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    await(&tally.started, 5);
    weir_scope_cancel(scope, WEIR_EDRAINING);
    weir_scope_cancel(scope, WEIR_EIO); /* the first cause stays */
    CHECK_EQ(weir_go(sleep_until_canceled, &tally), WEIR_ECANCELED);
    CHECK_EQ(close_scope(scope), WEIR_EDRAINING);
    CHECK_EQ(tally.canceled, 5);
    CHECK_EQ(tally.started, 5);
    CHECK_EQ(tally.cause, WEIR_EDRAINING);
    return 0;
}

RUN(close_cancels_at_its_deadline_and_still_waits)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    const weir_time deadline = weir_in_ms(5);
    CHECK_EQ(weir_scope_close(scope, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(tally.canceled, 3);
    CHECK_EQ(tally.cause, WEIR_ETIMEDOUT);
    return 0;
}

/* A child that goes on for a while after it was canceled. */
static int end_slowly(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&tally->canceled);
    await(&tally->release, 1);
    return 0;
}

static int release_later(void *arg)
{
    struct tally *tally = arg;
    (void)weir_sleep(weir_in_ms(20));
    bump(&tally->release);
    return 0;
}

static int fail_after_one(void *arg)
{
    await(&((struct tally *)arg)->started, 1);
    return WEIR_EIO;
}

RUN(an_error_before_the_deadline_is_not_hidden_by_it)
{
    struct tally tally = { .ended = 0 };
    weir_task *releaser;
    CHECK_EQ(weir_task_start(&releaser, release_later, &tally), 0);
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(end_slowly, &tally), 0);
    CHECK_EQ(weir_go(fail_after_one, &tally), 0);
    await(&tally.canceled, 1);
    CHECK_EQ(weir_scope_close(scope, weir_in_ms(1)), WEIR_EIO);
    CHECK_EQ(weir_task_join(releaser, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static int close_while_canceled(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    CHECK_EQ(tally->canceled, 3);
    CHECK_EQ(tally->cause, WEIR_EPERM);
    return 0;
}

RUN(a_canceled_closer_cancels_its_children_and_waits)
{
    struct tally tally = { .ended = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, close_while_canceled, &tally), 0);
    await(&tally.started, 3);
    weir_task_cancel(task, WEIR_EPERM);
    int result = 1;
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 0);
    return 0;
}

static int nest(void *arg)
{
    struct tally *tally = arg;
    weir_scope *outer = open_scope();
    CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    weir_scope *inner = open_scope();
    CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    CHECK_EQ(weir_go(sleep_until_canceled, tally, .scope = outer), 0);
    await(&tally->started, 3);
    weir_scope_cancel(inner, WEIR_EIO);
    CHECK_EQ(close_scope(inner), WEIR_EIO);
    CHECK_EQ(tally->canceled, 1); /* the others belong to the outer one */
    weir_scope_cancel(outer, WEIR_EPERM);
    CHECK_EQ(close_scope(outer), WEIR_EPERM);
    CHECK_EQ(tally->canceled, 3);
    return 0;
}

RUN(scopes_nest_and_are_canceled_one_by_one)
{
    struct tally tally = { .ended = 0 };
    return nest(&tally);
}

/* Cancelling the top reaches grandchildren through the scopes of the children. */
static int open_below(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    return close_scope(scope);
}

RUN(cancellation_goes_down_the_tree)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weir_go(open_below, &tally), 0);
    await(&tally.started, 16);
    weir_scope_cancel(scope, WEIR_EDRAINING);
    CHECK_EQ(close_scope(scope), WEIR_EDRAINING);
    CHECK_EQ(tally.canceled, 16);
    CHECK_EQ(tally.cause, WEIR_EDRAINING);
    return 0;
}

static int spawn_sibling(void *arg)
{
    struct tally *tally = arg;
    if (bump(&tally->started) < 50)
        CHECK_EQ(weir_go(spawn_sibling, tally), 0);
    bump(&tally->ended);
    return 0;
}

RUN(children_may_spawn_siblings_until_the_last_has_ended)
{
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(spawn_sibling, &tally), 0);
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.ended, 50);
    return 0;
}

static int expect_deadline(void *arg)
{
    const weir_time *deadline = arg;
    CHECK_EQ(weir_deadline(), *deadline);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= *deadline);
    return 0;
}

RUN(a_scopes_deadline_is_its_childrens_ambient_one)
{
    weir_scope *scope;
    weir_time deadline = weir_in_ms(5);
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .deadline = deadline }), 0);
    CHECK_EQ(weir_go(expect_deadline, &deadline), 0);
    CHECK_EQ(close_scope(scope), 0);
    return 0;
}

/* The opening thread is no task and has scopes too. */
static void a_plain_thread_has_scopes(void **state)
{
    (void)state;
    runtime_open(NULL);
    struct tally tally = { .ended = 0 };
    weir_scope *scope = open_scope();
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_go(yield_and_end, &tally), 0);
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.ended, 10);
    scope = open_scope();
    CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    CHECK_EQ(weir_scope_close(scope, weir_in_ms(3)), WEIR_ETIMEDOUT);
    CHECK_EQ(tally.canceled, 1);
    runtime_close();
}

static void without_a_runtime_no_scope_opens(void **state)
{
    (void)state;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), WEIR_ENOTOPEN);
}

/* -- misuse ------------------------------------------------------------------------------------ */

static int leave_open(void *arg)
{
    (void)arg;
    (void)open_scope();
    return 0;
}

static int close_in_wrong_order(void *arg)
{
    (void)arg;
    weir_scope *outer = open_scope();
    (void)open_scope();
    return close_scope(outer);
}

/* -- closing the runtime ---------------------------------------------------------------------- */

static int nap(void *arg)
{
    (void)arg;
    return weir_sleep(weir_in_ns(100000));
}

static int hold_a_scope(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    bump(&tally->release);
    CHECK_EQ(close_scope(scope), WEIR_ECANCELED);
    CHECK_EQ(peek(&tally->canceled), 3);
    return 0;
}

static void closing_the_runtime_ends_what_threads_have_in_scopes(void **state)
{
    (void)state;
    struct tally tally = { .scope = NULL };
    runtime_open(NULL);
    weir_thread *thread;
    CHECK_EQ(weir_thread_start(&thread, hold_a_scope, &tally), 0);
    while (peek(&tally.release) == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    runtime_close();
    CHECK_EQ(peek(&tally.canceled), 3);
    CHECK_EQ(weir_thread_join(thread, NULL, WEIR_NO_DEADLINE), 0);
}

static int refuse_to_end(void *arg)
{
    struct tally *tally = arg;
    while (peek(&tally->release) == 0)
        IGNORE(weir_shield(nap, NULL, WEIR_NO_DEADLINE));
    return 0;
}

static int hold_a_stubborn_scope(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(refuse_to_end, tally), 0);
    bump(&tally->started);
    CHECK_EQ(close_scope(scope), WEIR_ECANCELED);
    scope = open_scope(); /* the runtime is closing: nothing starts any more */
    CHECK_EQ(weir_go(sleep_until_canceled, tally), WEIR_ECANCELED);
    CHECK_EQ(close_scope(scope), WEIR_ECANCELED);
    return 0;
}

static void the_runtime_stays_open_while_a_threads_scope_has_a_child(void **state)
{
    (void)state;
    struct tally tally = { .scope = NULL };
    runtime_open(NULL);
    weir_thread *thread;
    CHECK_EQ(weir_thread_start(&thread, hold_a_stubborn_scope, &tally), 0);
    while (peek(&tally.started) == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    CHECK_EQ(weir_close(weir_in_ms(5)), WEIR_ETIMEDOUT);
    bump(&tally.release);
    CHECK_EQ(weir_thread_join(thread, NULL, WEIR_NO_DEADLINE), 0);
    runtime_close();
}

static void run_close_within(void)
{
    runtime_open(NULL);
    (void)open_scope();
    IGNORE(weir_close(WEIR_NO_DEADLINE));
}

static int close_the_runtime(void *arg)
{
    (void)arg;
    return weir_close(WEIR_DONT_WAIT);
}

static void run_close_from_a_task(void)
{
    run_body(close_the_runtime, NULL);
}

static void run_leave_open(void)
{
    run_body(leave_open, NULL);
}

static void run_wrong_order(void)
{
    run_body(close_in_wrong_order, NULL);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(run_leave_open, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "ended with a scope open"));
    assert_int_equal(run_in_child(run_wrong_order, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "reverse order"));
    assert_int_equal(run_in_child(run_close_within, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "the caller has a scope open"));
    assert_int_equal(run_in_child(run_close_from_a_task, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "misuse of weir_close"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_end_before_close_returns),
        cmocka_unit_test(an_empty_scope_closes_at_once),
        cmocka_unit_test(the_first_error_cancels_the_siblings_and_is_kept),
        cmocka_unit_test(with_keep_going_an_error_is_kept_and_nobody_canceled),
        cmocka_unit_test(canceling_reaches_every_child_with_its_cause),
        cmocka_unit_test(close_cancels_at_its_deadline_and_still_waits),
        cmocka_unit_test(an_error_before_the_deadline_is_not_hidden_by_it),
        cmocka_unit_test(a_canceled_closer_cancels_its_children_and_waits),
        cmocka_unit_test(scopes_nest_and_are_canceled_one_by_one),
        cmocka_unit_test(cancellation_goes_down_the_tree),
        cmocka_unit_test(children_may_spawn_siblings_until_the_last_has_ended),
        cmocka_unit_test(a_scopes_deadline_is_its_childrens_ambient_one),
        cmocka_unit_test(a_plain_thread_has_scopes),
        cmocka_unit_test(closing_the_runtime_ends_what_threads_have_in_scopes),
        cmocka_unit_test(the_runtime_stays_open_while_a_threads_scope_has_a_child),
        cmocka_unit_test(without_a_runtime_no_scope_opens),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
