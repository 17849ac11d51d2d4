/* SPDX-License-Identifier: MIT */
/* Several functions at once: results in order, the first error or the first winner ends the rest,
 * all have ended when the call returns, and a cancel from outside is never swallowed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    MANY = 40
};

struct part {
    int result;
    int yields;
    int *running;
    int *most;
    int *started;
    int *canceled;
};

static weir_time far_ahead(void)
{
    return weir_in_ms(3600000);
}

static int run_part(void *arg)
{
    const struct part *part = arg;
    if (part->running != NULL) {
        const int now = bump(part->running);
        if (now > peek(part->most))
            post(part->most, now); /* may miss a peak, and never invents one */
    }
    for (int i = 0; i < part->yields; i++)
        CHECK_EQ(weir_yield(), 0);
    if (part->running != NULL)
        __atomic_sub_fetch(part->running, 1, __ATOMIC_SEQ_CST);
    return part->result;
}

/* Goes on for a while after it was canceled, so that a call which does not wait is found out. */
static int wait_for_cancel(void *arg)
{
    const struct part *part = arg;
    bump(part->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    for (int i = 0; i < 10; i++)
        (void)weir_yield();
    bump(part->canceled);
    return part->result;
}

/* -- gather ------------------------------------------------------------------------------------ */

static int gather_many(void *arg)
{
    (void)arg;
    struct part parts[MANY];
    struct weir_call calls[MANY];
    for (int i = 0; i < MANY; i++) {
        parts[i] = (struct part){ .result = 100 + i, .yields = (i * 7) % 11 };
        calls[i] = (struct weir_call){ .fn = run_part, .arg = &parts[i] };
    }
    CHECK_EQ(weir_gather(calls, MANY, NULL, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(calls[i].result, 100 + i);
    return 0;
}

RUN(results_are_in_order)
{
    CHECK_EQ(weir_gather(NULL, 0, NULL, WEIR_DONT_WAIT), 0);
    return gather_many(NULL);
}

RUN(the_first_error_cancels_the_rest_and_is_returned)
{
    int started = 0;
    int canceled = 0;
    struct part waits = { .result = WEIR_ECANCELED, .started = &started, .canceled = &canceled };
    struct part fails = { .result = WEIR_EIO, .yields = 5 };
    struct weir_call calls[] = { { wait_for_cancel, &waits, 0 },
                                 { run_part, &fails, 0 },
                                 { wait_for_cancel, &waits, 0 } };
    CHECK_EQ(weir_gather(calls, 3, NULL, WEIR_NO_DEADLINE), WEIR_EIO);
    CHECK_EQ(canceled, started); /* a call may not have been made when the error came */
    CHECK_EQ(calls[0].result, WEIR_ECANCELED);
    CHECK_EQ(calls[1].result, WEIR_EIO);
    CHECK_EQ(calls[2].result, WEIR_ECANCELED);
    CHECK_EQ(weir_yield(), 0);
    return 0;
}

RUN(with_keep_going_every_call_is_made_and_errors_are_results)
{
    struct part parts[] = { { .result = WEIR_EIO },
                            { .result = 1, .yields = 20 },
                            { .result = WEIR_EPROTO, .yields = 3 },
                            { .result = WEIR_ECANCELED } };
    struct weir_call calls[4];
    for (int i = 0; i < 4; i++)
        calls[i] = (struct weir_call){ .fn = run_part, .arg = &parts[i] };
    const struct weir_gather_opts opts = { .keep_going = true };
    CHECK_EQ(weir_gather(calls, 4, &opts, far_ahead()), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(calls[i].result, parts[i].result);
    return 0;
}

RUN(a_call_that_is_canceled_alone_cancels_no_other)
{
    struct part parts[] = { { .result = WEIR_ECANCELED }, { .result = 5, .yields = 20 } };
    struct weir_call calls[] = { { run_part, &parts[0], 0 }, { run_part, &parts[1], 0 } };
    CHECK_EQ(weir_gather(calls, 2, NULL, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(calls[1].result, 5);
    CHECK_EQ(weir_cancel_cause(), 0);
    return 0;
}

RUN(the_deadline_cancels_the_calls_and_waits_for_them)
{
    int started = 0;
    int canceled = 0;
    struct part waits = { .result = WEIR_ECANCELED, .started = &started, .canceled = &canceled };
    struct part quick = { .result = 3 };
    struct weir_call calls[] = { { wait_for_cancel, &waits, 0 }, { run_part, &quick, 0 } };
    for (int keep_going = 0; keep_going < 2; keep_going++) {
        const struct weir_gather_opts opts = { .keep_going = keep_going != 0 };
        CHECK_EQ(weir_gather(calls, 2, &opts, weir_in_ms(20)), WEIR_ETIMEDOUT);
        CHECK_EQ(canceled, started);
        CHECK_EQ(calls[1].result, 3);
        CHECK_EQ(weir_yield(), 0);
    }
    return 0;
}

RUN(a_limit_bounds_the_calls_at_a_time)
{
    int running = 0;
    int most = 0;
    struct part part = { .result = 1, .yields = 4, .running = &running, .most = &most };
    struct weir_call calls[MANY];
    for (int i = 0; i < MANY; i++)
        calls[i] = (struct weir_call){ .fn = run_part, .arg = &part };
    CHECK_EQ(weir_gather(calls, MANY, &(struct weir_gather_opts){ .limit = 3 }, far_ahead()), 0);
    CHECK(most >= 1 && most <= 3);
    CHECK_EQ(weir_gather(calls, MANY, &(struct weir_gather_opts){ .limit = -1 }, far_ahead()),
             WEIR_EINVAL);
    return 0;
}

/* -- canceled from outside --------------------------------------------------------------------- */

struct outside {
    int form;
    int started;
    int canceled;
    int release;
    int result;
    struct weir_call calls[2];
};

enum {
    GATHER,
    GATHER_ON,
    RACE,
    FORMS
};

static int start_and_wait(void *arg)
{
    struct outside *outside = arg;
    bump(&outside->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&outside->canceled);
    return WEIR_ECANCELED;
}

static int end_well_when_released(void *arg)
{
    struct outside *outside = arg;
    bump(&outside->started);
    while (peek(&outside->release) == 0)
        (void)weir_yield();
    return 8;
}

static int use_form(void *arg)
{
    struct outside *outside = arg;
    const struct weir_gather_opts keep = { .keep_going = true };
    if (outside->form == RACE)
        outside->result = weir_race(outside->calls, 2, NULL, far_ahead());
    else
        outside->result =
            weir_gather(outside->calls, 2, outside->form == GATHER_ON ? &keep : NULL, far_ahead());
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    return 0;
}

RUN(a_cancel_of_the_caller_cancels_the_calls)
{
    for (int form = 0; form < FORMS; form++) {
        struct outside outside = { .form = form };
        for (int i = 0; i < 2; i++)
            outside.calls[i] = (struct weir_call){ .fn = start_and_wait, .arg = &outside };
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, use_form, &outside), 0);
        await(&outside.started, 2);
        weir_task_cancel(task, WEIR_EPERM);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(outside.result, WEIR_ECANCELED);
        CHECK_EQ(outside.canceled, 2);
    }
    return 0;
}

RUN(a_cancel_of_the_caller_wins_over_results_which_are_kept)
{
    for (int form = 0; form < FORMS; form++) {
        struct outside outside = { .form = form };
        for (int i = 0; i < 2; i++)
            outside.calls[i] = (struct weir_call){ .fn = end_well_when_released, .arg = &outside };
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, use_form, &outside), 0);
        await(&outside.started, 2);
        weir_task_cancel(task, WEIR_EPERM);
        post(&outside.release, 1);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(outside.result, WEIR_ECANCELED);
        CHECK_EQ(outside.calls[0].result, 8);
        CHECK_EQ(outside.calls[1].result, 8);
    }
    return 0;
}

/* -- race -------------------------------------------------------------------------------------- */

static int race_many(void *arg)
{
    (void)arg;
    for (int winner = 0; winner < 5; winner++) {
        int started = 0;
        int canceled = 0;
        struct part waits = { .result = WEIR_ECANCELED,
                              .started = &started,
                              .canceled = &canceled };
        struct part wins = { .result = 50 + winner, .yields = 3 };
        struct weir_call calls[5];
        for (int i = 0; i < 5; i++)
            calls[i] = (struct weir_call){ .fn = wait_for_cancel, .arg = &waits };
        calls[winner] = (struct weir_call){ .fn = run_part, .arg = &wins };
        CHECK_EQ(weir_race(calls, 5, NULL, WEIR_NO_DEADLINE), winner);
        CHECK_EQ(calls[winner].result, 50 + winner);
        CHECK_EQ(canceled, started); /* and joined */
        CHECK_EQ(weir_yield(), 0);
    }
    return 0;
}

RUN(the_first_to_succeed_wins_and_the_losers_have_ended)
{
    return race_many(NULL);
}

RUN(an_error_wins_only_where_any_end_does)
{
    struct part fails = { .result = WEIR_EIO };
    struct part wins = { .result = 6 };
    struct weir_call calls[] = { { run_part, &fails, 0 }, { run_part, &wins, 0 } };
    const struct weir_gather_opts in_turn = { .limit = 1 };
    CHECK_EQ(weir_race(calls, 2, &in_turn, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(calls[0].result, WEIR_EIO);
    CHECK_EQ(calls[1].result, 6);
    const struct weir_gather_opts any = { .limit = 1, .any_end = true };
    CHECK_EQ(weir_race(calls, 2, &any, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(calls[0].result, WEIR_EIO);
    CHECK_EQ(calls[1].result, WEIR_ECANCELED); /* not made */
    return 0;
}

RUN(when_all_fail_the_first_error_is_told)
{
    struct part fails[] = { { .result = WEIR_EPROTO, .yields = 300 }, { .result = WEIR_EIO } };
    struct weir_call calls[] = { { run_part, &fails[0], 0 }, { run_part, &fails[1], 0 } };
    const struct weir_gather_opts in_turn = { .limit = 1 };
    CHECK_EQ(weir_race(calls, 2, &in_turn, WEIR_NO_DEADLINE), WEIR_EPROTO);
    CHECK_EQ(calls[1].result, WEIR_EIO);
    struct part canceled = { .result = WEIR_ECANCELED };
    calls[0].arg = &canceled;
    calls[1].arg = &canceled;
    CHECK_EQ(weir_race(calls, 2, NULL, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_race(calls, 0, NULL, WEIR_NO_DEADLINE), WEIR_EINVAL);
    return 0;
}

RUN(a_race_without_a_winner_ends_at_its_deadline)
{
    int started = 0;
    int canceled = 0;
    struct part waits = { .result = WEIR_ECANCELED, .started = &started, .canceled = &canceled };
    struct weir_call calls[] = { { wait_for_cancel, &waits, 0 }, { wait_for_cancel, &waits, 0 } };
    CHECK_EQ(weir_race(calls, 2, NULL, weir_in_ms(3)), WEIR_ETIMEDOUT);
    CHECK_EQ(canceled, started);
    return 0;
}

RUN(there_is_one_winner_however_close_they_are)
{
    struct part part = { .result = 1 };
    struct weir_call calls[8];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 8; i++)
            calls[i] = (struct weir_call){ .fn = run_part, .arg = &part };
        const int winner = weir_race(calls, 8, NULL, WEIR_NO_DEADLINE);
        CHECK(winner >= 0 && winner < 8);
        CHECK_EQ(calls[winner].result, 1);
    }
    return 0;
}

/* -- one by one -------------------------------------------------------------------------------- */

struct line {
    int turn;
    struct part_in_line {
        struct line *line;
        int place;
    } parts[MANY];
};

/* Ends when those before it in line have been told. */
static int end_in_turn(void *arg)
{
    const struct part_in_line *part = arg;
    while (peek(&part->line->turn) < part->place)
        CHECK_EQ(weir_yield(), 0);
    return part->place % 5 == 3 ? WEIR_EIO : part->place;
}

static int tell_in_turn(void *arg)
{
    (void)arg;
    struct line line = { .turn = 0 };
    struct weir_call calls[MANY];
    for (int i = 0; i < MANY; i++) {
        line.parts[i] = (struct part_in_line){ .line = &line, .place = (i * 7) % MANY };
        calls[i] = (struct weir_call){ .fn = end_in_turn, .arg = &line.parts[i] };
    }
    weir_gathering *gathering;
    CHECK_EQ(weir_gather_start(&gathering, calls, MANY, NULL), 0);
    for (int told = 0; told < MANY; told++) {
        const int index = weir_gather_next(gathering, WEIR_NO_DEADLINE);
        CHECK(index >= 0);
        CHECK_EQ(line.parts[index].place, told);
        CHECK_EQ(calls[index].result, told % 5 == 3 ? WEIR_EIO : told);
        if (told + 1 < MANY)
            CHECK_EQ(weir_gather_next(gathering, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        post(&line.turn, told + 1);
    }
    CHECK_EQ(weir_gather_next(gathering, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    CHECK_EQ(weir_gather_next(gathering, WEIR_DONT_WAIT), WEIR_ECLOSED);
    weir_gather_end(gathering);
    return 0;
}

RUN(calls_are_told_in_the_order_of_their_ends)
{
    return tell_in_turn(NULL);
}

RUN(ending_early_cancels_the_rest_and_waits)
{
    int started = 0;
    int canceled = 0;
    struct part waits = { .result = WEIR_ECANCELED, .started = &started, .canceled = &canceled };
    struct part quick = { .result = 2 };
    struct weir_call calls[] = { { wait_for_cancel, &waits, 0 },
                                 { run_part, &quick, 0 },
                                 { wait_for_cancel, &waits, 0 } };
    weir_gathering *gathering;
    CHECK_EQ(weir_gather_start(&gathering, calls, 3, NULL), 0);
    CHECK_EQ(weir_gather_next(gathering, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(weir_gather_next(gathering, weir_in_ms(2)), WEIR_ETIMEDOUT);
    weir_gather_end(gathering);
    CHECK_EQ(canceled, started);
    CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(weir_gather_start(&gathering, NULL, 0, NULL), 0);
    CHECK_EQ(weir_gather_next(gathering, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    weir_gather_end(gathering);
    return 0;
}

static int next_when_canceled(void *arg)
{
    struct outside *outside = arg;
    weir_gathering *gathering;
    CHECK_EQ(weir_gather_start(&gathering, outside->calls, 2, NULL), 0);
    outside->result = weir_gather_next(gathering, WEIR_NO_DEADLINE);
    CHECK_EQ(weir_gather_next(gathering, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    weir_gather_end(gathering);
    return 0;
}

RUN(a_canceled_caller_is_told_so_and_ends_the_calls)
{
    struct outside outside = { .form = 0 };
    for (int i = 0; i < 2; i++)
        outside.calls[i] = (struct weir_call){ .fn = start_and_wait, .arg = &outside };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, next_when_canceled, &outside), 0);
    await(&outside.started, 2);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    /* The calls hear of it as soon as their caller: one that ends may come first, and is told. */
    CHECK(outside.result == WEIR_ECANCELED || outside.result >= 0);
    CHECK_EQ(outside.canceled, 2);
    return 0;
}

/* -- what the world does ----------------------------------------------------------------------- */

static int gather_beyond_the_limit(void *arg)
{
    (void)arg;
    int started = 0;
    int canceled = 0;
    struct part waits = { .result = WEIR_ECANCELED, .started = &started, .canceled = &canceled };
    struct weir_call calls[MANY];
    for (int i = 0; i < MANY; i++)
        calls[i] = (struct weir_call){ .fn = wait_for_cancel, .arg = &waits };
    weir_gathering *gathering;
    CHECK_EQ(weir_gather(calls, MANY, NULL, WEIR_NO_DEADLINE), WEIR_EOVERFLOW);
    CHECK(started > 0 && started < MANY);
    CHECK_EQ(canceled, started);
    CHECK_EQ(weir_race(calls, MANY, NULL, WEIR_NO_DEADLINE), WEIR_EOVERFLOW);
    CHECK_EQ(weir_gather_start(&gathering, calls, MANY, NULL), WEIR_EOVERFLOW);
    CHECK_EQ(canceled, started);
    return 0;
}

static void without_room_for_tasks_what_was_started_ends_again(void **state)
{
    (void)state;
    struct weir_opts opts = model_opts();
    opts.tasks_max = 20;
    run_body_with(&opts, gather_beyond_the_limit, NULL);
}

static void *all_forms(void *arg)
{
    CHECK_EQ(gather_many(NULL), 0);
    CHECK_EQ(race_many(NULL), 0);
    CHECK_EQ(tell_in_turn(NULL), 0);
    post(arg, 1);
    return NULL;
}

static int await_word(void *arg)
{
    await(arg, 1);
    return 0;
}

static void plain_threads_gather_too(void **state)
{
    (void)state;
    pthread_t thread;
    int done = 0;
    runtime_open(NULL);
    (void)all_forms(&done); /* the opener */
    done = 0;
    assert_int_equal(pthread_create(&thread, NULL, all_forms, &done), 0);
    assert_int_equal(weir_run(await_word, &done, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_in_order),
        cmocka_unit_test(the_first_error_cancels_the_rest_and_is_returned),
        cmocka_unit_test(with_keep_going_every_call_is_made_and_errors_are_results),
        cmocka_unit_test(a_call_that_is_canceled_alone_cancels_no_other),
        cmocka_unit_test(the_deadline_cancels_the_calls_and_waits_for_them),
        cmocka_unit_test(a_limit_bounds_the_calls_at_a_time),
        cmocka_unit_test(a_cancel_of_the_caller_cancels_the_calls),
        cmocka_unit_test(a_cancel_of_the_caller_wins_over_results_which_are_kept),
        cmocka_unit_test(the_first_to_succeed_wins_and_the_losers_have_ended),
        cmocka_unit_test(an_error_wins_only_where_any_end_does),
        cmocka_unit_test(when_all_fail_the_first_error_is_told),
        cmocka_unit_test(a_race_without_a_winner_ends_at_its_deadline),
        cmocka_unit_test(there_is_one_winner_however_close_they_are),
        cmocka_unit_test(calls_are_told_in_the_order_of_their_ends),
        cmocka_unit_test(ending_early_cancels_the_rest_and_waits),
        cmocka_unit_test(a_canceled_caller_is_told_so_and_ends_the_calls),
        cmocka_unit_test(without_room_for_tasks_what_was_started_ends_again),
        cmocka_unit_test(plain_threads_gather_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
