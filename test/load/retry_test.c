/* SPDX-License-Identifier: MIT */
/* The rules of a retry, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/retry.h"

#define MS WEIR_NS_PER_MS

/* A GET whose first attempt broke, with all the time in the world and an unlucky draw. */
static struct wi_retry broken(void)
{
    return (struct wi_retry){
        .failure = WI_RETRY_BROKEN,
        .attempt = 1,
        .attempts_max = 3,
        .repeatable = true,
        .idempotent = true,
        .p50_ns = 4 * MS,
        .remaining_ns = 30 * WEIR_NS_PER_S,
        .chance = 0.5,
    };
}

static void attempts_are_bounded_in_total(void **state)
{
    (void)state;
    struct wi_retry retry = broken();
    retry.attempt = 2;
    assert_true(wi_retry_wait_ns(&retry) >= 0);
    retry.attempt = 3;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
}

static void what_was_streamed_away_is_never_repeated(void **state)
{
    (void)state;
    struct wi_retry retry = broken();
    retry.repeatable = false;
    for (int failure = WI_RETRY_UNREACHED; failure <= WI_RETRY_BROKEN; failure++) {
        retry.failure = (enum wi_retry_failure)failure;
        assert_int_equal(wi_retry_wait_ns(&retry), -1);
    }
}

static void only_what_was_not_processed_is_repeated_if_not_idempotent(void **state)
{
    (void)state;
    static const bool repeated[] = {
        [WI_RETRY_UNREACHED] = true,
        [WI_RETRY_REFUSED] = true,
        [WI_RETRY_TIMEOUT] = false,
        [WI_RETRY_BROKEN] = false,
    };
    struct wi_retry retry = broken();
    retry.idempotent = false;
    for (int failure = WI_RETRY_UNREACHED; failure <= WI_RETRY_BROKEN; failure++) {
        retry.failure = (enum wi_retry_failure)failure;
        assert_int_equal(wi_retry_wait_ns(&retry) >= 0, repeated[failure]);
    }
}

static void one_and_a_half_p50_must_remain(void **state)
{
    (void)state;
    struct wi_retry retry = broken();
    retry.p50_ns = 100 * MS;
    retry.chance = 0;
    retry.remaining_ns = 150 * MS;
    assert_int_equal(wi_retry_wait_ns(&retry), 0);
    retry.remaining_ns = 150 * MS - 1;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
}

static void one_layer_retries(void **state)
{
    (void)state;
    static const bool repeated[] = {
        [WI_RETRY_UNREACHED] = true,
        [WI_RETRY_REFUSED] = false,
        [WI_RETRY_TIMEOUT] = false,
        [WI_RETRY_BROKEN] = false,
    };
    struct wi_retry retry = broken();
    retry.inherited = 1;
    for (int failure = WI_RETRY_UNREACHED; failure <= WI_RETRY_BROKEN; failure++) {
        retry.failure = (enum wi_retry_failure)failure;
        assert_int_equal(wi_retry_wait_ns(&retry) >= 0, repeated[failure]);
    }
}

static void the_wait_is_random_up_to_a_span_that_doubles_to_a_second(void **state)
{
    (void)state;
    struct wi_retry retry = broken();
    retry.attempts_max = 100;
    assert_int_equal(wi_retry_wait_ns(&retry), 5 * MS); /* half of 10 ms */
    retry.attempt = 2;
    assert_int_equal(wi_retry_wait_ns(&retry), 10 * MS);
    retry.p50_ns = 100 * MS;
    assert_int_equal(wi_retry_wait_ns(&retry), 100 * MS);
    retry.attempt = 99;
    assert_int_equal(wi_retry_wait_ns(&retry), 500 * MS);
    retry.chance = 0;
    assert_int_equal(wi_retry_wait_ns(&retry), 0);
    retry.p50_ns = INT64_MAX / 4;
    retry.remaining_ns = INT64_MAX;
    retry.chance = 0.999;
    assert_true(wi_retry_wait_ns(&retry) < WEIR_NS_PER_S);
}

static void retry_after_is_waited_for_or_the_call_fails_now(void **state)
{
    (void)state;
    struct wi_retry retry = broken();
    retry.failure = WI_RETRY_REFUSED;
    retry.retry_after_ns = 2 * WEIR_NS_PER_S;
    assert_int_equal(wi_retry_wait_ns(&retry), 2 * WEIR_NS_PER_S + 5 * MS);
    retry.remaining_ns = 2 * WEIR_NS_PER_S + 5 * MS;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
    retry.retry_after_ns = INT64_MAX;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
    retry.remaining_ns = INT64_MAX;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
    retry.retry_after_ns = 3600 * WEIR_NS_PER_S + 1;
    assert_int_equal(wi_retry_wait_ns(&retry), -1);
    retry.retry_after_ns--;
    assert_int_equal(wi_retry_wait_ns(&retry), 3600 * WEIR_NS_PER_S + 5 * MS);
}

static void a_retry_after_a_timeout_costs_two(void **state)
{
    (void)state;
    assert_int_equal(wi_retry_cost(WI_RETRY_TIMEOUT), 2);
    assert_int_equal(wi_retry_cost(WI_RETRY_UNREACHED), 1);
    assert_int_equal(wi_retry_cost(WI_RETRY_REFUSED), 1);
    assert_int_equal(wi_retry_cost(WI_RETRY_BROKEN), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_bounded_in_total),
        cmocka_unit_test(what_was_streamed_away_is_never_repeated),
        cmocka_unit_test(only_what_was_not_processed_is_repeated_if_not_idempotent),
        cmocka_unit_test(one_and_a_half_p50_must_remain),
        cmocka_unit_test(one_layer_retries),
        cmocka_unit_test(the_wait_is_random_up_to_a_span_that_doubles_to_a_second),
        cmocka_unit_test(retry_after_is_waited_for_or_the_call_fails_now),
        cmocka_unit_test(a_retry_after_a_timeout_costs_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
