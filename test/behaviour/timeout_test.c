/* SPDX-License-Identifier: MIT */
/* Timeouts: who reports that its time was up, and that nothing from outside is swallowed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static const weir_time PAST = 1;

static weir_time far_ahead(void)
{
    return weir_in_ms(3600000);
}

static int wait_for_ever(void)
{
    return weir_sleep(WEIR_NO_DEADLINE);
}

/* The body of most tests; run as a task, and by a plain thread. */
static int time_out_by_itself(void *arg)
{
    (void)arg;
    struct weir_timeout timeout;
    const weir_time deadline = weir_in_ms(5);
    weir_timeout_begin(&timeout, deadline);
    CHECK_EQ(weir_deadline(), deadline);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_cancel_cause(), WEIR_ETIMEDOUT);
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED); /* sticky, in between */
    CHECK_EQ(weir_yield(), WEIR_ECANCELED);
    CHECK_EQ(weir_timeout_end(&timeout, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK_EQ(weir_deadline(), WEIR_NO_DEADLINE);
    CHECK_EQ(weir_sleep(weir_now() + 1), 0);
    return 0;
}

RUN(its_own_time_being_up_is_reported_once_and_then_over)
{
    return time_out_by_itself(NULL);
}

static int results_pass(void *arg)
{
    (void)arg;
    static const int results[] = { 0, 7, WEIR_EIO, WEIR_ETIMEDOUT, WEIR_ECANCELED };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct weir_timeout timeout;
        weir_timeout_begin(&timeout, far_ahead());
        CHECK_EQ(weir_timeout_end(&timeout, results[i]), results[i]);
        weir_timeout_begin(&timeout, WEIR_NO_DEADLINE);
        CHECK_EQ(weir_timeout_end(&timeout, results[i]), results[i]);
    }
    return 0;
}

RUN(in_time_every_result_passes_unchanged)
{
    return results_pass(NULL);
}

RUN(a_result_got_when_the_time_was_up_is_kept)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, PAST);
    CHECK_EQ(weir_timeout_end(&timeout, 3), 3);
    weir_timeout_begin(&timeout, PAST);
    CHECK_EQ(weir_timeout_end(&timeout, WEIR_EIO), WEIR_EIO);
    return 0;
}

static int begin_in_the_past(void *arg)
{
    weir_chan *ch = arg;
    int value = 1;
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, PAST);
    /* Also the calls that would not have to wait, but no mere try. */
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_chan_len(ch), 0);
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_chan_recv(ch, &value, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_timeout_end(&timeout, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_recv(ch, &value, WEIR_NO_DEADLINE), 0);
    return 0;
}

static weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

RUN(a_deadline_in_the_past_cancels_at_once)
{
    weir_chan *ch = make(1);
    CHECK_EQ(begin_in_the_past(ch), 0);
    weir_chan_destroy(ch);
    return 0;
}

/* -- nested ------------------------------------------------------------------------------------ */

static int nest(weir_time outer_deadline, weir_time inner_deadline, int *inner_result)
{
    struct weir_timeout outer;
    struct weir_timeout inner;
    weir_timeout_begin(&outer, outer_deadline);
    weir_timeout_begin(&inner, inner_deadline);
    int rc = wait_for_ever();
    CHECK_EQ(rc, WEIR_ECANCELED);
    *inner_result = weir_timeout_end(&inner, rc);
    rc = *inner_result == WEIR_ETIMEDOUT ? 0 : *inner_result;
    return weir_timeout_end(&outer, rc);
}

RUN(of_nested_timeouts_the_one_that_is_up_reports)
{
    int inner = 0;
    CHECK_EQ(nest(far_ahead(), weir_in_ms(2), &inner), 0);
    CHECK_EQ(inner, WEIR_ETIMEDOUT);
    CHECK_EQ(nest(weir_in_ms(2), far_ahead(), &inner), WEIR_ETIMEDOUT);
    CHECK_EQ(inner, WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), 0);
    return 0;
}

RUN(when_both_are_up_the_outer_one_reports)
{
    int inner = 0;
    const weir_time both = weir_in_ms(2);
    CHECK_EQ(nest(both, both, &inner), WEIR_ETIMEDOUT);
    CHECK_EQ(inner, WEIR_ECANCELED);
    CHECK_EQ(nest(PAST + 1, PAST, &inner), WEIR_ETIMEDOUT);
    CHECK_EQ(inner, WEIR_ECANCELED);
    return 0;
}

/* The outer time passes while the inner timeout's cleaning up goes on. */
RUN(an_outer_time_that_passes_meanwhile_is_not_swallowed)
{
    struct weir_timeout outer;
    struct weir_timeout inner;
    weir_timeout_begin(&outer, weir_in_ms(4));
    weir_timeout_begin(&inner, weir_in_ms(1));
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    burn_ms(5);
    CHECK_EQ(weir_timeout_end(&inner, WEIR_ECANCELED), WEIR_ECANCELED);
    CHECK_EQ(weir_yield(), WEIR_ECANCELED); /* also for calls that ask no clock */
    CHECK_EQ(weir_timeout_end(&outer, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_yield(), 0);
    return 0;
}

/* -- from outside ------------------------------------------------------------------------------ */

struct victim {
    int started;
    int release;
    int result;
    int cause;
    weir_time deadline;
    int outcome; /* that the body claims */
    bool waits;
};

static int end_while_canceled(void *arg)
{
    struct victim *victim = arg;
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, victim->deadline);
    bump(&victim->started);
    if (victim->waits) {
        victim->outcome = wait_for_ever();
    } else {
        while (peek(&victim->release) == 0)
            (void)weir_yield();
    }
    victim->result = weir_timeout_end(&timeout, victim->outcome);
    victim->cause = weir_cancel_cause();
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    return 0;
}

static void cancel_from_outside(struct victim *victim)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, end_while_canceled, victim), 0);
    await(&victim->started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    post(&victim->release, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(victim->cause, WEIR_EPERM);
}

RUN(a_cancel_from_outside_passes_through_unchanged)
{
    struct victim victim = { .deadline = far_ahead(), .waits = true };
    cancel_from_outside(&victim);
    CHECK_EQ(victim.result, WEIR_ECANCELED);
    return 0;
}

RUN(a_cancel_from_outside_wins_over_a_result_and_over_its_own_time)
{
    struct victim result = { .deadline = far_ahead(), .outcome = 9 };
    cancel_from_outside(&result);
    CHECK_EQ(result.result, WEIR_ECANCELED);
    struct victim late = { .deadline = PAST, .outcome = WEIR_ECANCELED };
    cancel_from_outside(&late);
    CHECK_EQ(late.result, WEIR_ECANCELED);
    struct victim explicit_one = { .deadline = far_ahead(), .outcome = WEIR_ETIMEDOUT };
    cancel_from_outside(&explicit_one);
    CHECK_EQ(explicit_one.result, WEIR_ECANCELED);
    struct victim error = { .deadline = PAST, .outcome = WEIR_EPROTO };
    cancel_from_outside(&error);
    CHECK_EQ(error.result, WEIR_EPROTO);
    return 0;
}

static int have_own_deadline(void *arg)
{
    struct victim *victim = arg;
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, victim->deadline);
    const int rc = wait_for_ever();
    victim->result = weir_timeout_end(&timeout, rc);
    victim->cause = weir_cancel_cause();
    return 0;
}

RUN(the_tasks_own_deadline_lies_outside_of_its_timeouts)
{
    struct victim victim = { .deadline = far_ahead() };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, have_own_deadline, &victim, .deadline = weir_in_ms(2)), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(victim.result, WEIR_ECANCELED);
    CHECK_EQ(victim.cause, WEIR_ETIMEDOUT);
    return 0;
}

/* -- moved ------------------------------------------------------------------------------------- */

RUN(a_timeout_can_be_moved_until_it_is_up)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, far_ahead());
    const weir_time soon = weir_in_ms(4);
    CHECK_EQ(weir_timeout_move(&timeout, soon), 0);
    CHECK_EQ(weir_deadline(), soon);
    const weir_time later = far_ahead();
    CHECK_EQ(weir_timeout_move(&timeout, later), 0);
    CHECK_EQ(weir_sleep(soon), 0);
    CHECK_EQ(weir_deadline(), later);
    CHECK_EQ(weir_timeout_move(&timeout, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_deadline(), WEIR_NO_DEADLINE);
    CHECK_EQ(weir_timeout_move(&timeout, weir_in_ms(2)), 0);
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    CHECK_EQ(weir_timeout_move(&timeout, far_ahead()), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_timeout_end(&timeout, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

RUN(moving_an_outer_one_does_not_loosen_the_inner)
{
    struct weir_timeout outer;
    struct weir_timeout inner;
    const weir_time deadline = far_ahead();
    weir_timeout_begin(&outer, deadline);
    weir_timeout_begin(&inner, deadline + 5);
    CHECK_EQ(weir_deadline(), deadline);
    CHECK_EQ(weir_timeout_move(&outer, deadline + 9), 0);
    CHECK_EQ(weir_deadline(), deadline + 5);
    CHECK_EQ(weir_timeout_end(&inner, 0), 0);
    CHECK_EQ(weir_deadline(), deadline + 9);
    CHECK_EQ(weir_timeout_end(&outer, 0), 0);
    return 0;
}

/* -- with scopes and shields ------------------------------------------------------------------- */

static int wait_as_child(void *arg)
{
    const weir_time *deadline = arg;
    CHECK_EQ(weir_deadline(), *deadline);
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_ETIMEDOUT);
    return WEIR_ECANCELED;
}

RUN(a_timeout_around_a_scope_ends_its_children)
{
    struct weir_timeout timeout;
    weir_scope *scope;
    weir_time deadline = weir_in_ms(3);
    weir_timeout_begin(&timeout, deadline);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weir_go(wait_as_child, &deadline), 0);
    const int rc = wait_for_ever();
    CHECK_EQ(rc, WEIR_ECANCELED);
    CHECK(weir_scope_close(scope, WEIR_NO_DEADLINE) < 0);
    CHECK_EQ(weir_timeout_end(&timeout, rc), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_cancel_cause(), 0);
    return 0;
}

static int time_out_within(void *arg)
{
    (void)arg;
    CHECK_EQ(weir_cancel_cause(), 0);
    return time_out_by_itself(NULL);
}

static int shield_a_timeout(void *arg)
{
    bump(arg);
    CHECK_EQ(wait_for_ever(), WEIR_ECANCELED);
    CHECK_EQ(weir_shield(time_out_within, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    return 0;
}

RUN(a_timeout_within_a_shield_still_times_out)
{
    int started = 0;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, shield_a_timeout, &started), 0);
    await(&started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static int sleep_in_shield(void *arg)
{
    const weir_time *until = arg;
    CHECK_EQ(weir_sleep(*until), 0);
    return 5;
}

RUN(a_shield_protects_what_is_within_and_not_its_caller)
{
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, PAST);
    weir_time until = weir_in_ms(2);
    const int rc = weir_shield(sleep_in_shield, &until, WEIR_NO_DEADLINE);
    CHECK_EQ(rc, 5);
    CHECK_EQ(weir_yield(), WEIR_ECANCELED);
    CHECK_EQ(weir_timeout_end(&timeout, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

/* -- plain threads ----------------------------------------------------------------------------- */

static void *on_a_thread(void *arg)
{
    CHECK_EQ(weir_task_id(), 0);
    CHECK_EQ(time_out_by_itself(NULL), 0);
    CHECK_EQ(results_pass(NULL), 0);
    CHECK_EQ(begin_in_the_past(arg), 0);
    return NULL;
}

static void a_plain_thread_has_timeouts_too(void **state)
{
    (void)state;
    pthread_t thread;
    runtime_open(NULL);
    weir_chan *ch = make(1);
    assert_int_equal(pthread_create(&thread, NULL, on_a_thread, ch), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)on_a_thread(ch); /* the opener */
    weir_chan_destroy(ch);
    runtime_close();
}

/* -- races ------------------------------------------------------------------------------------- */

struct contest {
    weir_chan *ch;
    int started;
    int64_t received;
    int timed_out;
    int canceled;
};

/* Receives under timeouts that pass about when the messages come, until it is canceled. */
static int receive_under_timeouts(void *arg)
{
    struct contest *contest = arg;
    bump(&contest->started);
    for (int i = 0;; i++) {
        struct weir_timeout timeout;
        int value = 0;
        weir_timeout_begin(&timeout, weir_in_ns(1000 * (1 + i % 50)));
        const int rc = weir_chan_recv(contest->ch, &value, WEIR_NO_DEADLINE);
        const int end = weir_timeout_end(&timeout, rc);
        if (rc == 0)
            contest->received += value; /* what was got is kept, whatever the end says */
        if (end == WEIR_ETIMEDOUT) {
            CHECK_EQ(rc, WEIR_ECANCELED);
            contest->timed_out++;
        } else if (end != 0) {
            CHECK_EQ(end, WEIR_ECANCELED);
            CHECK_EQ(weir_cancel_cause(), WEIR_EDRAINING);
            contest->canceled++;
            return 0;
        }
    }
}

RUN(a_timeout_that_races_a_message_and_a_cancel_loses_neither)
{
    for (int round = 0; round < 60; round++) {
        struct contest contest = { .ch = make(0) };
        weir_task *task;
        int64_t sent = 0;
        CHECK_EQ(weir_task_start(&task, receive_under_timeouts, &contest), 0);
        await(&contest.started, 1);
        for (int i = 1; i <= 30; i++) {
            if (weir_chan_send(contest.ch, &i, weir_in_ms(1000)) == 0)
                sent += i;
        }
        weir_task_cancel(task, WEIR_EDRAINING);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(contest.canceled, 1);
        CHECK_EQ(contest.received, sent);
        weir_chan_destroy(contest.ch);
    }
    return 0;
}

/* -- misuse ------------------------------------------------------------------------------------ */

static int leave_open(void *arg)
{
    weir_timeout_begin(arg, WEIR_NO_DEADLINE);
    return 0;
}

static void run_leave_open(void)
{
    struct weir_timeout timeout;
    run_body(leave_open, &timeout);
}

static int end_in_wrong_order(void *arg)
{
    (void)arg;
    struct weir_timeout timeout;
    weir_scope *scope;
    weir_timeout_begin(&timeout, WEIR_NO_DEADLINE);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    return weir_timeout_end(&timeout, 0);
}

static void run_wrong_order(void)
{
    run_body(end_in_wrong_order, NULL);
}

static int end_anothers(void *arg)
{
    return weir_timeout_end(arg, 0);
}

static int lend_a_timeout(void *arg)
{
    (void)arg;
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, WEIR_NO_DEADLINE);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, end_anothers, &timeout), 0);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void run_anothers(void)
{
    run_body(lend_a_timeout, NULL);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(run_leave_open, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "ended with a scope open, or a timeout"));
    assert_int_equal(run_in_child(run_wrong_order, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "reverse order"));
    assert_int_equal(run_in_child(run_anothers, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "only who began"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_time_being_up_is_reported_once_and_then_over),
        cmocka_unit_test(in_time_every_result_passes_unchanged),
        cmocka_unit_test(a_result_got_when_the_time_was_up_is_kept),
        cmocka_unit_test(a_deadline_in_the_past_cancels_at_once),
        cmocka_unit_test(of_nested_timeouts_the_one_that_is_up_reports),
        cmocka_unit_test(when_both_are_up_the_outer_one_reports),
        cmocka_unit_test(an_outer_time_that_passes_meanwhile_is_not_swallowed),
        cmocka_unit_test(a_cancel_from_outside_passes_through_unchanged),
        cmocka_unit_test(a_cancel_from_outside_wins_over_a_result_and_over_its_own_time),
        cmocka_unit_test(the_tasks_own_deadline_lies_outside_of_its_timeouts),
        cmocka_unit_test(a_timeout_can_be_moved_until_it_is_up),
        cmocka_unit_test(moving_an_outer_one_does_not_loosen_the_inner),
        cmocka_unit_test(a_timeout_around_a_scope_ends_its_children),
        cmocka_unit_test(a_timeout_within_a_shield_still_times_out),
        cmocka_unit_test(a_shield_protects_what_is_within_and_not_its_caller),
        cmocka_unit_test(a_plain_thread_has_timeouts_too),
        cmocka_unit_test(a_timeout_that_races_a_message_and_a_cancel_loses_neither),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
