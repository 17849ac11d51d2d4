/* SPDX-License-Identifier: MIT */
/* A scope and its body: an error cancels both children and body, the scope says who failed, what
 * came from outside stays, and a limit makes spawners wait. */
#include <pthread.h>
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
    int release;
    int running;
    int most; /* that ever ran at a time */
    int cause;
    int refused;
};

static weir_scope *open_scope(void)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    return scope;
}

static weir_scope *open_limited(int64_t limit)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .limit = limit }), 0);
    return scope;
}

static int close_scope(weir_scope *scope)
{
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int fail_with(void *arg)
{
    return *(const int *)arg;
}

static int sleep_until_canceled(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&tally->canceled);
    return WEIR_ECANCELED;
}

static int wait_for_release(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    while (peek(&tally->release) == 0)
        (void)weir_yield();
    bump(&tally->ended);
    return 0;
}

/* -- the body ---------------------------------------------------------------------------------- */

/* As a task and as a plain thread. */
static int be_canceled_by_a_child(void *arg)
{
    struct tally *tally = arg;
    int eio = WEIR_EIO;
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    CHECK_EQ(weir_go(fail_with, &eio), 0);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_EIO);
    CHECK_EQ(weir_yield(), WEIR_ECANCELED);
    CHECK_EQ(weir_go(sleep_until_canceled, tally), WEIR_ECANCELED);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK_EQ(weir_yield(), 0);
    return 0;
}

RUN(the_first_error_cancels_the_body_until_the_scope_is_closed)
{
    struct tally tally = { .started = 0 };
    for (int i = 0; i < 30; i++)
        CHECK_EQ(be_canceled_by_a_child(&tally), 0);
    /* One that had not run when it was canceled does run. */
    CHECK_EQ(tally.canceled, 30);
    return 0;
}

static void *body_on_a_thread(void *arg)
{
    for (int i = 0; i < 10; i++)
        CHECK_EQ(be_canceled_by_a_child(arg), 0);
    return NULL;
}

static void the_body_may_be_a_plain_thread(void **state)
{
    (void)state;
    struct tally tally = { .started = 0 };
    pthread_t thread;
    runtime_open(NULL);
    (void)body_on_a_thread(&tally);
    if (model_scheduler() != WEIR_SCHEDULER_LOOP) { /* whose opener has to turn it */
        assert_int_equal(pthread_create(&thread, NULL, body_on_a_thread, &tally), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(tally.canceled, 20);
    }
    runtime_close();
}

RUN(with_keep_going_the_body_goes_on)
{
    struct tally tally = { .started = 0 };
    int eio = WEIR_EIO;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .keep_going = true }), 0);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, fail_with, &eio), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_yield(), 0);
    post(&tally.release, 1);
    CHECK_EQ(weir_go(wait_for_release, &tally), 0);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    return 0;
}

RUN(an_inner_scope_ends_with_the_outer_ones_cancellation)
{
    struct tally tally = { .started = 0 };
    int eio = WEIR_EIO;
    weir_scope *outer = open_scope();
    weir_scope *inner = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    await(&tally.started, 3);
    CHECK_EQ(weir_go(fail_with, &eio, .scope = outer), 0);
    CHECK_EQ(close_scope(inner), WEIR_EIO); /* the cause came from outside of it */
    CHECK_EQ(tally.canceled, 3);
    CHECK_EQ(weir_yield(), WEIR_ECANCELED);
    CHECK_EQ(close_scope(outer), WEIR_EIO);
    CHECK_EQ(weir_yield(), 0);
    return 0;
}

static int canceled_inside(void *arg)
{
    struct tally *tally = arg;
    int eio = WEIR_EIO;
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(sleep_until_canceled, tally), 0);
    await(&tally->started, 1);
    CHECK_EQ(weir_go(fail_with, &eio), 0);
    await(&tally->release, 1);
    CHECK_EQ(close_scope(scope), WEIR_EIO);
    post(&tally->cause, weir_cancel_cause());
    CHECK_EQ(weir_yield(), WEIR_ECANCELED);
    return 0;
}

/* asyncio: the parent's cancel count is preserved. */
RUN(a_cancel_from_outside_outlasts_the_scopes_own)
{
    struct tally tally = { .started = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, canceled_inside, &tally), 0);
    await(&tally.canceled, 1);
    weir_task_cancel(task, WEIR_EPERM);
    post(&tally.release, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(tally.cause, WEIR_EPERM);
    return 0;
}

static int close_an_empty_one(void *arg)
{
    struct tally *tally = arg;
    weir_scope *scope = open_scope();
    bump(&tally->started);
    while (peek(&tally->release) == 0)
        (void)weir_yield();
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    return 0;
}

RUN(a_cancel_from_outside_wins_over_the_children_having_ended)
{
    struct tally tally = { .started = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, close_an_empty_one, &tally), 0);
    await(&tally.started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    post(&tally.release, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

RUN(a_canceled_child_is_no_error_and_its_siblings_go_on)
{
    struct tally tally = { .started = 0 };
    weir_scope *scope = open_scope();
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, sleep_until_canceled, &tally), 0);
    CHECK_EQ(weir_go(wait_for_release, &tally), 0);
    await(&tally.started, 2);
    weir_task_cancel(task, WEIR_EPERM);
    int result = 0;
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, WEIR_ECANCELED);
    CHECK_EQ(weir_yield(), 0);
    post(&tally.release, 1);
    struct weir_scope_error error = { .size = sizeof(error) };
    CHECK_EQ(weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(error.code, 0);
    CHECK_EQ(error.failed, 0);
    CHECK_EQ(tally.ended, 1);
    return 0;
}

/* -- inheritance ------------------------------------------------------------------------------- */

static int note_cause(void *arg)
{
    struct tally *tally = arg;
    tally->cause = weir_cancel_cause();
    CHECK_EQ(weir_yield(), tally->cause != 0 ? WEIR_ECANCELED : 0);
    return 0;
}

static int bear_when_canceled(void *arg)
{
    struct tally *tally = arg;
    CHECK_EQ(sleep_until_canceled(tally), WEIR_ECANCELED);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, note_cause, tally), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(tally->cause, WEIR_EPERM);
    CHECK_EQ(weir_task_start(&task, note_cause, tally, .detached = true), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(tally->cause, 0);
    return 0;
}

RUN(the_child_of_a_canceled_task_is_born_canceled_unless_detached)
{
    struct tally tally = { .started = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, bear_when_canceled, &tally), 0);
    await(&tally.started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static int note_deadline(void *arg)
{
    *(weir_time *)arg = weir_deadline();
    return 0;
}

RUN(a_detached_task_outlives_the_scope_and_has_no_deadline)
{
    struct tally tally = { .started = 0 };
    struct weir_timeout timeout;
    weir_time deadline = 0;
    weir_task *task;
    weir_timeout_begin(&timeout, weir_in_ms(3600000));
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_task_start(&task, wait_for_release, &tally, .detached = true), 0);
    CHECK_EQ(close_scope(scope), 0); /* without waiting for it */
    CHECK_EQ(tally.ended, 0);
    post(&tally.release, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&task, note_deadline, &deadline, .detached = true), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(deadline, WEIR_NO_DEADLINE);
    CHECK_EQ(weir_timeout_end(&timeout, 0), 0);
    return 0;
}

/* -- the first error --------------------------------------------------------------------------- */

static int fail_in_cleanup(void *arg)
{
    CHECK_EQ(sleep_until_canceled(arg), WEIR_ECANCELED);
    return WEIR_EPROTO;
}

RUN(the_error_names_the_child_that_failed_first)
{
    struct tally tally = { .started = 0 };
    int eio = WEIR_EIO;
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(fail_in_cleanup, &tally, .name = "late"), 0);
    await(&tally.started, 3);
    const struct weir_task_opts first = { .name = "first", .site = "here:1" };
    CHECK_EQ(weir_go_with(fail_with, &eio, &first), 0);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    struct weir_scope_error error = { .size = sizeof(error) };
    CHECK_EQ(weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE), WEIR_EIO);
    CHECK_EQ(error.code, WEIR_EIO);
    CHECK(error.task_id != 0);
    CHECK_EQ(strcmp(error.name, "first"), 0);
    CHECK_EQ(strcmp(error.site, "here:1"), 0);
    CHECK_EQ(error.failed, 4);
    return 0;
}

RUN(an_error_after_a_cancel_is_told_but_is_not_the_result)
{
    struct tally tally = { .started = 0 };
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(fail_in_cleanup, &tally, .name = "late"), 0);
    await(&tally.started, 1);
    weir_scope_cancel(scope, WEIR_EDRAINING);
    struct weir_scope_error error = { .size = sizeof(error) };
    CHECK_EQ(weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE), WEIR_EDRAINING);
    CHECK_EQ(error.code, WEIR_EPROTO);
    CHECK_EQ(error.failed, 1);
    return 0;
}

/* -- limits ------------------------------------------------------------------------------------ */

static int run_a_little(void *arg)
{
    struct tally *tally = arg;
    const int now = bump(&tally->running);
    int most = peek(&tally->most);
    while (now > most && !__atomic_compare_exchange_n(&tally->most, &most, now, false,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weir_yield(), 0);
    __atomic_sub_fetch(&tally->running, 1, __ATOMIC_SEQ_CST);
    bump(&tally->ended);
    return 0;
}

RUN(a_limit_is_never_exceeded_and_everybody_runs)
{
    for (int limit = 1; limit <= 4; limit++) {
        struct tally tally = { .started = 0 };
        weir_scope *scope = open_limited(limit);
        for (int i = 0; i < 60; i++)
            CHECK_EQ(weir_go(run_a_little, &tally), 0);
        CHECK_EQ(close_scope(scope), 0);
        CHECK_EQ(tally.ended, 60);
        CHECK(tally.most <= limit);
    }
    return 0;
}

static int spawn_into(void *arg)
{
    struct tally *tally = arg;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_go(run_a_little, tally, .scope = tally->scope), 0);
    return 0;
}

static void *spawn_from_a_thread(void *arg)
{
    CHECK_EQ(spawn_into(arg), 0);
    return NULL;
}

RUN(many_spawners_share_the_slots)
{
    struct tally tally = { .scope = open_limited(3) };
    weir_task *tasks[4];
    pthread_t thread;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weir_task_start(&tasks[i], spawn_into, &tally, .detached = true), 0);
    CHECK_EQ(pthread_create(&thread, NULL, spawn_from_a_thread, &tally), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
    await(&tally.ended, 100);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(close_scope(tally.scope), 0);
    CHECK_EQ(tally.ended, 100);
    CHECK(tally.most <= 3);
    return 0;
}

RUN(a_try_never_waits)
{
    struct tally tally = { .started = 0 };
    weir_scope *scope = open_limited(2);
    CHECK_EQ(weir_try_go(wait_for_release, &tally), 0);
    CHECK_EQ(weir_try_go(wait_for_release, &tally, .name = "second"), 0);
    CHECK_EQ(weir_try_go(wait_for_release, &tally), WEIR_EAGAIN);
    post(&tally.release, 1);
    await(&tally.ended, 2);
    while (weir_try_go(wait_for_release, &tally) == WEIR_EAGAIN)
        (void)weir_yield(); /* its slot is free a moment after it has ended */
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.ended, 3);
    return 0;
}

static int spawn_one_more(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->running);
    tally->refused = weir_go(wait_for_release, tally, .scope = tally->scope);
    return 0;
}

RUN(who_waits_for_a_slot_is_refused_when_the_scope_is_canceled)
{
    struct tally tally = { .scope = open_limited(1) };
    CHECK_EQ(weir_go(sleep_until_canceled, &tally), 0);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, spawn_one_more, &tally, .detached = true), 0);
    await(&tally.running, 1);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_yield(), 0);
    weir_scope_cancel(tally.scope, WEIR_EDRAINING);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(tally.refused, WEIR_ECANCELED);
    CHECK_EQ(close_scope(tally.scope), WEIR_EDRAINING);
    CHECK_EQ(tally.canceled, 1);
    return 0;
}

RUN(the_spawners_own_deadline_ends_its_wait_for_a_slot)
{
    struct tally tally = { .started = 0 };
    weir_scope *scope = open_limited(1);
    struct weir_timeout timeout;
    CHECK_EQ(weir_go(wait_for_release, &tally), 0);
    weir_timeout_begin(&timeout, weir_in_ms(3));
    const int rc = weir_go(wait_for_release, &tally);
    CHECK_EQ(rc, WEIR_ECANCELED);
    CHECK_EQ(weir_timeout_end(&timeout, rc), WEIR_ETIMEDOUT);
    post(&tally.release, 1);
    CHECK_EQ(weir_go(wait_for_release, &tally), 0); /* no slot was lost */
    CHECK_EQ(close_scope(scope), 0);
    CHECK_EQ(tally.ended, 2);
    return 0;
}

/* Children that all spawn into their own full scope wait for each other; a cancel frees them. */
static int spawn_a_sibling(void *arg)
{
    struct tally *tally = arg;
    bump(&tally->started);
    await(&tally->started, 2);
    const int rc = weir_go(wait_for_release, tally);
    CHECK_EQ(rc, WEIR_ECANCELED);
    bump(&tally->canceled);
    return rc;
}

RUN(children_that_wait_for_each_others_slots_can_be_canceled)
{
    struct tally tally = { .started = 0 };
    weir_scope *scope = open_limited(2);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(weir_go(spawn_a_sibling, &tally), 0);
    CHECK_EQ(weir_scope_close(scope, weir_in_ms(20)), WEIR_ETIMEDOUT);
    CHECK_EQ(tally.canceled, 2);
    return 0;
}

RUN(a_negative_limit_is_refused)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .limit = -1 }), WEIR_EINVAL);
    return 0;
}

/* Slots are handed over and taken back under cancellations that come at any moment. */
static int spawn_or_be_canceled(void *arg)
{
    struct tally *tally = arg;
    for (int i = 0; i < 10; i++) {
        const int rc = weir_go(run_a_little, tally, .scope = tally->scope, .detached = true);
        if (rc != 0) {
            CHECK_EQ(rc, WEIR_ECANCELED);
            return 0;
        }
        bump(&tally->started);
    }
    return 0;
}

RUN(a_canceled_spawner_loses_no_slot)
{
    for (int round = 0; round < 40; round++) {
        struct tally tally = { .scope = open_limited(1) };
        weir_task *tasks[3];
        for (int i = 0; i < 3; i++)
            CHECK_EQ(weir_task_start(&tasks[i], spawn_or_be_canceled, &tally, .detached = true), 0);
        await(&tally.ended, round % 7);
        for (int i = 0; i < 3; i++)
            weir_task_cancel(tasks[i], WEIR_EPERM);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_go(run_a_little, &tally, .scope = tally.scope), 0);
        CHECK_EQ(close_scope(tally.scope), 0);
        CHECK_EQ(tally.ended, tally.started + 1);
        CHECK_EQ(tally.most, 1);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_cancels_the_body_until_the_scope_is_closed),
        cmocka_unit_test(the_body_may_be_a_plain_thread),
        cmocka_unit_test(with_keep_going_the_body_goes_on),
        cmocka_unit_test(an_inner_scope_ends_with_the_outer_ones_cancellation),
        cmocka_unit_test(a_cancel_from_outside_outlasts_the_scopes_own),
        cmocka_unit_test(a_cancel_from_outside_wins_over_the_children_having_ended),
        cmocka_unit_test(a_canceled_child_is_no_error_and_its_siblings_go_on),
        cmocka_unit_test(the_child_of_a_canceled_task_is_born_canceled_unless_detached),
        cmocka_unit_test(a_detached_task_outlives_the_scope_and_has_no_deadline),
        cmocka_unit_test(the_error_names_the_child_that_failed_first),
        cmocka_unit_test(an_error_after_a_cancel_is_told_but_is_not_the_result),
        cmocka_unit_test(a_limit_is_never_exceeded_and_everybody_runs),
        cmocka_unit_test(many_spawners_share_the_slots),
        cmocka_unit_test(a_try_never_waits),
        cmocka_unit_test(who_waits_for_a_slot_is_refused_when_the_scope_is_canceled),
        cmocka_unit_test(the_spawners_own_deadline_ends_its_wait_for_a_slot),
        cmocka_unit_test(children_that_wait_for_each_others_slots_can_be_canceled),
        cmocka_unit_test(a_negative_limit_is_refused),
        cmocka_unit_test(a_canceled_spawner_loses_no_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
