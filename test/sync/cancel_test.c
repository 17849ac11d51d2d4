/* SPDX-License-Identifier: MIT */
/* Regions by themselves: which cause is told of several, what holds on when one ends, and that
 * cancellers and the ends of scopes leave the word as they found it. */
#include "sync/cancel.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/lock.h"
#include "sync/thread_parker.h"

static const weir_time PAST = 1;

static struct wi_parker fresh(void)
{
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    return parker;
}

static uint64_t word_of(struct wi_parker *parker)
{
    return wi_load_relaxed(&parker->cancel);
}

static void a_canceled_region_cancels_until_it_ends(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    struct wi_region scope;
    wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    assert_true(wi_region_cancel(&scope, WEIR_EIO));
    assert_false(wi_region_cancel(&scope, WEIR_EPERM));
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EIO);
    assert_true(word_of(&parker) != 0);
    wi_region_end(&scope);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    assert_true(word_of(&parker) == 0);
}

static void what_lies_farther_out_is_told(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    struct wi_region outer;
    struct wi_region timeout;
    struct wi_region inner;
    wi_region_begin(&outer, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    wi_region_begin(&timeout, &parker, WI_REGION_TIMEOUT, weir_in_ms(60000));
    wi_region_begin(&inner, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_true(wi_region_cancel(&inner, WEIR_EIO));
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EIO);
    wi_region_move(&timeout, PAST);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
    assert_true(wi_region_cancel(&outer, WEIR_EPROTO));
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EPROTO);
    wi_parker_cancel(&parker, WEIR_EDRAINING);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EDRAINING);
    wi_region_end(&inner);
    wi_region_end(&timeout);
    wi_region_end(&outer);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EDRAINING);
    assert_int_equal((int)(uint32_t)word_of(&parker), WEIR_EDRAINING);
    assert_true(word_of(&parker) >> 32 == 0);
}

static void every_negative_cause_comes_back_as_it_went_in(void **state)
{
    (void)state;
    const int causes[] = { -1, -4095, -65536, -100000000, INT32_MIN };
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        struct wi_parker parker = fresh();
        struct wi_region scope;
        wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
        assert_true(wi_region_cancel(&scope, causes[i]));
        assert_int_equal(wi_parker_cancel_cause(&parker), causes[i]);
        wi_parker_cancel(&parker, causes[i]);
        wi_region_end(&scope);
        assert_int_equal(wi_parker_cancel_cause(&parker), causes[i]);
        assert_true(word_of(&parker) >> 32 == 0);
    }
}

static void the_end_of_a_timeout_restores_the_deadline(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    const weir_time base = weir_in_ms(60000);
    parker.deadline = base;
    struct wi_region outer;
    struct wi_region inner;
    wi_region_begin(&outer, &parker, WI_REGION_TIMEOUT, base - 10);
    wi_region_begin(&inner, &parker, WI_REGION_TIMEOUT, base + 10);
    assert_true(parker.deadline == base - 10);
    wi_region_move(&inner, base - 20);
    assert_true(parker.deadline == base - 20);
    wi_region_move(&outer, base - 30);
    assert_true(parker.deadline == base - 30);
    wi_region_move(&outer, WEIR_NO_DEADLINE);
    assert_true(parker.deadline == base - 20);
    wi_region_end(&inner);
    assert_true(parker.deadline == base);
    wi_region_end(&outer);
    assert_true(parker.deadline == base);
}

static void a_cap_belongs_to_the_innermost_timeout(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    const weir_time base = weir_in_ms(60000);
    struct wi_region scope;
    struct wi_region timeout;
    wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    wi_parker_deadline_cap(&parker, base);
    assert_true(parker.deadline == base);
    wi_region_begin(&timeout, &parker, WI_REGION_TIMEOUT, base - 5);
    wi_parker_deadline_cap(&parker, base - 10);
    wi_parker_deadline_cap(&parker, base - 8);
    assert_true(parker.deadline == base - 10);
    wi_region_end(&timeout);
    assert_true(parker.deadline == base);
    wi_region_end(&scope);
    assert_true(parker.deadline == base);
}

static void a_shield_holds_back_what_is_outside_only(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    parker.deadline = PAST;
    struct wi_region scope;
    struct wi_region shield;
    struct wi_region within;
    wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_true(wi_region_cancel(&scope, WEIR_EIO));
    wi_region_begin(&shield, &parker, WI_REGION_SHIELD, WEIR_NO_DEADLINE);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    assert_true(parker.deadline == WEIR_NO_DEADLINE);
    wi_region_begin(&within, &parker, WI_REGION_TIMEOUT, PAST);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
    wi_region_end(&within);
    wi_region_begin(&within, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    assert_true(wi_region_cancel(&within, WEIR_EPROTO));
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_EPROTO);
    wi_region_end(&within);
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    wi_region_end(&shield);
    assert_true(parker.deadline == PAST);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
    wi_region_end(&scope);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
}

static void a_shield_that_is_over_lets_the_outer_deadline_through(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    parker.deadline = weir_in_ms(60000);
    const weir_time base = parker.deadline;
    struct wi_region shield;
    wi_region_begin(&shield, &parker, WI_REGION_SHIELD, weir_in_ms(60000));
    assert_true(wi_parker_look_again(&parker) == shield.deadline);
    shield.deadline = PAST; /* as if its time had come */
    parker.shield_until = PAST;
    assert_int_equal(wi_parker_cancel_cause(&parker), 0);
    assert_true(wi_parker_look_again(&parker) == base);
    wi_region_end(&shield);
    assert_true(parker.deadline == base);
}

/* -- with threads ------------------------------------------------------------------------------ */

enum {
    ROUNDS = 20000,
    CANCELLERS = 2
};

struct crowd {
    struct wi_parker *parker;
    struct wi_lock lock;
    struct wi_region *open; /* guarded by lock */
    int done;
};

static void *cancel_what_is_open(void *arg)
{
    struct crowd *crowd = arg;
    while (peek(&crowd->done) == 0) {
        wi_lock(&crowd->lock);
        if (crowd->open != NULL)
            (void)wi_region_cancel(crowd->open, WEIR_EIO);
        wi_unlock(&crowd->lock);
    }
    return NULL;
}

static void the_count_of_canceled_scopes_comes_back_to_nothing(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    struct crowd crowd = { .parker = &parker };
    pthread_t threads[CANCELLERS];
    for (int i = 0; i < CANCELLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_what_is_open, &crowd), 0);
    int seen = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct wi_region scope;
        wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
        wi_lock(&crowd.lock);
        crowd.open = &scope;
        wi_unlock(&crowd.lock);
        if (wi_parker_cancel_cause(&parker) != 0)
            seen++;
        wi_lock(&crowd.lock);
        crowd.open = NULL;
        wi_unlock(&crowd.lock);
        wi_region_end(&scope);
        assert_int_equal(wi_parker_cancel_cause(&parker), 0);
        assert_true(word_of(&parker) == 0);
    }
    post(&crowd.done, 1);
    for (int i = 0; i < CANCELLERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    printf("canceled in time: %d of %d\n", seen, ROUNDS);
}

/* -- what a cancellation from farther out reaches ---------------------------------------------- */

static void a_cancellation_reaches_what_no_shield_holds_back(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    struct wi_region outer;
    struct wi_region shield;
    struct wi_region over;
    struct wi_region inner;
    assert_null(wi_region_reached(&parker, NULL));
    wi_region_begin(&outer, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_ptr_equal(wi_region_reached(&parker, NULL), &outer);
    assert_ptr_equal(wi_region_reached(&parker, &outer), &outer);
    wi_region_begin(&shield, &parker, WI_REGION_SHIELD, weir_in_ms(60000));
    assert_ptr_equal(wi_region_reached(&parker, NULL), &outer);
    assert_ptr_equal(wi_region_reached(&parker, &outer), &outer);
    wi_region_begin(&over, &parker, WI_REGION_SHIELD, PAST);
    wi_region_begin(&inner, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_ptr_equal(wi_region_reached(&parker, NULL), &outer);
    assert_ptr_equal(wi_region_reached(&parker, &shield), &inner); /* the inner one is over */
    wi_region_end(&inner);
    wi_region_end(&over);
    wi_region_end(&shield);
    assert_ptr_equal(wi_region_reached(&parker, NULL), &outer);
    wi_region_end(&outer);
}

static void what_others_have_canceled_is_told_apart_from_timeouts(void **state)
{
    (void)state;
    struct wi_parker parker = fresh();
    struct wi_region timeout;
    struct wi_region scope;
    struct wi_region shield;
    wi_region_begin(&timeout, &parker, WI_REGION_TIMEOUT, PAST);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
    assert_int_equal(wi_parker_cancel_by_others(&parker), 0);
    wi_region_begin(&scope, &parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    assert_true(wi_region_cancel(&scope, WEIR_EIO));
    assert_int_equal(wi_parker_cancel_by_others(&parker), WEIR_EIO);
    assert_int_equal(wi_parker_cancel(&parker, WEIR_EPERM), WEIR_EPERM);
    assert_int_equal(wi_parker_cancel(&parker, WEIR_EPROTO), WEIR_EPERM); /* the first stays */
    assert_int_equal(wi_parker_cancel_by_others(&parker), WEIR_EPERM);
    wi_region_begin(&shield, &parker, WI_REGION_SHIELD, weir_in_ms(60000));
    assert_int_equal(wi_parker_cancel_by_others(&parker), 0);
    wi_region_end(&shield);
    wi_region_end(&scope);
    wi_region_end(&timeout);
    assert_int_equal(wi_parker_cancel_by_others(&parker), WEIR_EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_canceled_region_cancels_until_it_ends),
        cmocka_unit_test(what_lies_farther_out_is_told),
        cmocka_unit_test(every_negative_cause_comes_back_as_it_went_in),
        cmocka_unit_test(the_end_of_a_timeout_restores_the_deadline),
        cmocka_unit_test(a_cap_belongs_to_the_innermost_timeout),
        cmocka_unit_test(a_shield_holds_back_what_is_outside_only),
        cmocka_unit_test(a_shield_that_is_over_lets_the_outer_deadline_through),
        cmocka_unit_test(the_count_of_canceled_scopes_comes_back_to_nothing),
        cmocka_unit_test(a_cancellation_reaches_what_no_shield_holds_back),
        cmocka_unit_test(what_others_have_canceled_is_told_apart_from_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
