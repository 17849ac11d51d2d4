/* SPDX-License-Identifier: MIT */
/* The parker of a plain thread: no wake is lost, deadlines hold, cancellation and shields; and the
 * rule that a waker reads nothing of a record whose owner can wake by itself. */
#include "sync/parker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "support/run.h"
#include "sync/cancel.h"
#include "sync/thread_parker.h"

static void a_wake_before_the_park_is_kept(void **state)
{
    (void)state;
    struct wi_parker *self = wi_current_parker();
    wi_wake(self);
    wi_wake(self); /* it is a binary semaphore */
    wi_park(self, WEIR_NO_DEADLINE);
    const weir_time until = weir_in_ms(2);
    wi_park(self, until);
    assert_true(weir_now() >= until);
    assert_int_equal(wi_load_relaxed(&self->word), WI_PARKER_EMPTY);
}

static void a_deadline_in_the_past_does_not_sleep(void **state)
{
    (void)state;
    wi_park(wi_current_parker(), 1);
    assert_int_equal(wi_load_relaxed(&wi_current_parker()->word), WI_PARKER_EMPTY);
}

/* Two threads hand a token to and fro: a lost wake would hang, a wake without effect too. */
struct table {
    struct wi_parker *players[2];
    int turn;
    int ready;
};

enum {
    VOLLEYS = 20000
};

static void play(struct table *table, int side)
{
    table->players[side] = wi_current_parker();
    bump(&table->ready);
    await(&table->ready, 2);
    for (int i = 0; i < VOLLEYS; i++) {
        while (peek(&table->turn) != side)
            wi_park(table->players[side], i % 3 == 0 ? weir_in_ns(20000) : WEIR_NO_DEADLINE);
        post(&table->turn, 1 - side);
        wi_wake(table->players[1 - side]);
    }
}

static void *play_second(void *arg)
{
    play(arg, 1);
    return NULL;
}

static void no_wake_is_lost_between_two_threads(void **state)
{
    (void)state;
    struct table table = { .turn = 0 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play_second, &table), 0);
    play(&table, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A sleeping thread can wake by its deadline while a waker is between its swap and its second step.
 * The record may belong to a task of another kind by then, so that step must not go through it. */
static void resume_must_not_run(struct wi_parker *parker)
{
    (void)parker;
    check_failed(__FILE__, __LINE__, "a waker of a sleeping thread used the record's ops");
}

static void a_waker_of_a_sleeping_thread_reads_nothing_of_its_record(void **state)
{
    (void)state;
    static const struct wi_parker_ops other_kind = { .park = NULL, .resume = resume_must_not_run };
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    wi_store_relaxed(&parker.word, WI_PARKER_ASLEEP); /* as wi_thread_parker_park() leaves it */
    parker.ops = &other_kind;                         /* the record has a new owner */
    wi_wake(&parker);
    assert_int_equal(wi_load_relaxed(&parker.word), WI_PARKER_NOTIFIED);
}

static void *name_own_parker(void *arg)
{
    *(struct wi_parker **)arg = wi_current_parker();
    return NULL;
}

static void records_of_ended_threads_are_used_again(void **state)
{
    (void)state;
    struct wi_parker *first = NULL;
    struct wi_parker *second = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, name_own_parker, &first), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    wi_wake(first); /* late, and legal */
    assert_int_equal(pthread_create(&thread, NULL, name_own_parker, &second), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, wi_current_parker());
}

/* -- cancellation ------------------------------------------------------------------------------ */

static void the_first_cause_stays(void **state)
{
    (void)state;
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    wi_parker_cancel(&parker, WEIR_EDRAINING);
    wi_parker_cancel(&parker, WEIR_EIO);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EDRAINING);
    assert_int_equal(wi_load_relaxed(&parker.word), WI_PARKER_NOTIFIED);
}

static void a_passed_deadline_becomes_the_cause_and_stays(void **state)
{
    (void)state;
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    parker.deadline = weir_in_ms(60000);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    parker.deadline = weir_now() - 1;
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
    wi_parker_cancel(&parker, WEIR_EIO);
    parker.deadline = WEIR_NO_DEADLINE;
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
}

static void an_inner_shield_neither_outlasts_nor_weakens_the_outer(void **state)
{
    (void)state;
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    wi_parker_cancel(&parker, WEIR_EIO);
    const weir_time far = weir_in_ms(60000);
    struct wi_region outer;
    struct wi_region inner;
    wi_region_begin(&outer, &parker, WI_REGION_SHIELD, far);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    wi_region_begin(&inner, &parker, WI_REGION_SHIELD, weir_now() - 1);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0); /* the outer one holds */
    wi_region_end(&inner);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    wi_region_begin(&inner, &parker, WI_REGION_SHIELD, far + 5);
    assert_true(parker.shield_until == far);
    wi_region_end(&inner);
    wi_region_end(&outer);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_before_the_park_is_kept),
        cmocka_unit_test(a_deadline_in_the_past_does_not_sleep),
        cmocka_unit_test(no_wake_is_lost_between_two_threads),
        cmocka_unit_test(a_waker_of_a_sleeping_thread_reads_nothing_of_its_record),
        cmocka_unit_test(records_of_ended_threads_are_used_again),
        cmocka_unit_test(the_first_cause_stays),
        cmocka_unit_test(a_passed_deadline_becomes_the_cause_and_stays),
        cmocka_unit_test(an_inner_shield_neither_outlasts_nor_weakens_the_outer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
