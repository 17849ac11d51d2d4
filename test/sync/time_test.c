/* SPDX-License-Identifier: MIT */
/* Instants: the clock goes forward, and sums at the edge of the numbers do not wrap round into the
 * past, where a wait without end would become one that never waits. */
#include "sync/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_clock_is_above_zero_and_never_goes_back(void **state)
{
    (void)state;
    weir_time before = weir_now();
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        const weir_time now = weir_now();
        assert_true(now >= before);
        before = now;
    }
}

static void an_instant_ahead_lies_that_far_from_now(void **state)
{
    (void)state;
    const weir_time before = weir_now();
    const weir_time in_ns = weir_in_ns(3 * WEIR_NS_PER_MS);
    const weir_time in_ms = weir_in_ms(3);
    const weir_time after = weir_now();
    assert_true(in_ns >= before + 3 * WEIR_NS_PER_MS);
    assert_true(in_ns <= after + 3 * WEIR_NS_PER_MS);
    assert_true(in_ms >= before + 3 * WEIR_NS_PER_MS);
    assert_true(in_ms <= after + 3 * WEIR_NS_PER_MS);
}

static void a_sum_that_does_not_fit_is_no_deadline(void **state)
{
    (void)state;
    assert_int_equal(weir_in_ns(INT64_MAX), WEIR_NO_DEADLINE);
    assert_int_equal(weir_in_ms(INT64_MAX), WEIR_NO_DEADLINE);
    assert_int_equal(weir_in_ms(INT64_MAX / WEIR_NS_PER_MS), WEIR_NO_DEADLINE);
}

static void what_lies_behind_counts_as_now(void **state)
{
    (void)state;
    const int64_t spans[] = { 0, -1, INT64_MIN };
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        const weir_time before = weir_now();
        const weir_time in_ns = weir_in_ns(spans[i]);
        const weir_time in_ms = weir_in_ms(spans[i]);
        const weir_time after = weir_now();
        assert_in_range(in_ns, before, after);
        assert_in_range(in_ms, before, after);
    }
}

static void the_coarse_clock_is_a_tick_behind_and_never_ahead(void **state)
{
    (void)state;
    const weir_time end = weir_in_ms(5000);
    const weir_time first = wi_now_coarse();
    weir_time last = first;
    while (last == first && weir_now() < end) {
        const weir_time coarse = wi_now_coarse();
        assert_true(coarse >= last);
        assert_true(coarse <= weir_now());
        last = coarse;
    }
    assert_true(last > first); /* it ticks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_is_above_zero_and_never_goes_back),
        cmocka_unit_test(an_instant_ahead_lies_that_far_from_now),
        cmocka_unit_test(a_sum_that_does_not_fit_is_no_deadline),
        cmocka_unit_test(what_lies_behind_counts_as_now),
        cmocka_unit_test(the_coarse_clock_is_a_tick_behind_and_never_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
